#pragma once

#include <deque>
#include <memory>
#include <string>

#include "capsule_model.hpp"
#include "tidegauge/arrow/c_data.hpp"

namespace capsules {

/// The C structures of one side of a case and all they point to. Buffers have their exact size, so that under
/// AddressSanitizer a read past one is an error, and are freed on release, so that a read after it is one
/// too.
class Built {
 public:
  Built() = default;
  Built(const Built&) = delete;
  Built& operator=(const Built&) = delete;

  ArrowSchema* schema(const Node& root, bool keeps_release = false);
  /// `poisoned`: what a consumer may not follow, buffers of no rows and types that it cannot read, points
  /// nowhere. `unaligned`: every buffer begins at an odd address.
  ArrowArray* array(const Node& root, bool poisoned, bool unaligned, bool keeps_release = false);

  /// How often the root was released, and a child, which is for its root alone to do.
  int n_released() const { return n_released_; }
  int n_children_released() const { return n_children_released_; }

 private:
  template <class T>
  static void release_root(T* root);
  template <class T>
  static void release_child(T* child);
  char* keep(const std::string& bytes, bool unaligned);
  void** pointers(size_t n);
  ArrowSchema* schema_node(const Node& node);
  ArrowArray* array_node(const Node& node, bool poisoned, bool unaligned);

  std::deque<ArrowSchema> schemas_;
  std::deque<ArrowArray> arrays_;
  std::deque<std::unique_ptr<char[]>> bytes_;
  std::deque<std::unique_ptr<void*[]>> pointers_;
  int n_released_ = 0, n_children_released_ = 0;
  bool keeps_release_ = false;
};

/// A stream that does as its case says.
class Stream {
 public:
  explicit Stream(const Case& made);
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  ArrowArrayStream* raw() { return &raw_; }
  int n_released() const { return n_released_; }
  const std::deque<Built>& parts() const { return parts_; }  // handed out so far, the schema first

 private:
  static Stream& of(ArrowArrayStream* raw) { return *static_cast<Stream*>(raw->private_data); }
  static int get_schema(ArrowArrayStream* raw, ArrowSchema* out);
  static int get_next(ArrowArrayStream* raw, ArrowArray* out);
  static const char* get_last_error(ArrowArrayStream* raw);
  static void release(ArrowArrayStream* raw);

  const Case& case_;
  ArrowArrayStream raw_;
  std::deque<Built> parts_;
  int64_t n_given_ = 0;
  int n_released_ = 0;
};

}  // namespace capsules
