#pragma once

#include <memory>
#include <optional>
#include <utility>

namespace tidegauge {

/// A std::optional that takes a pointer's room: for what most of many objects do without, and copies with the
/// object where it is there.
template <class T>
class Boxed {
 public:
  Boxed() = default;
  Boxed(const Boxed& other) : held_(other.held_ ? std::make_unique<T>(*other.held_) : nullptr) {}
  Boxed& operator=(T value) {
    held_ = std::make_unique<T>(std::move(value));
    return *this;
  }

  template <class... Args>
  void emplace(Args&&... args) {
    held_ = std::make_unique<T>(std::forward<Args>(args)...);
  }

  bool has_value() const { return held_ != nullptr; }
  explicit operator bool() const { return has_value(); }
  T& operator*() { return *held_; }
  const T& operator*() const { return *held_; }
  T* operator->() { return held_.get(); }
  const T* operator->() const { return held_.get(); }
  const T& value() const {
    if (!held_) throw std::bad_optional_access();
    return *held_;
  }

 private:
  std::unique_ptr<T> held_;
};

}  // namespace tidegauge
