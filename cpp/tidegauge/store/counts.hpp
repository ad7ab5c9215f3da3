#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace tidegauge::store {

/// Counts of cells, each as wide as the number of all that was counted needs: 16, 32 or 64 bits. A thousand
/// segments' cells are four times as many cache lines in 64 bits, and fetching those is what counting costs.
class Counts {
 public:
  using Cells = std::variant<std::vector<uint16_t>, std::vector<uint32_t>, std::vector<uint64_t>>;

  explicit Counts(size_t n_cells = 0) : cells_(std::vector<uint16_t>(n_cells)) {}
  explicit Counts(std::vector<uint64_t> counts) : cells_(std::move(counts)) {}
  // The vector is copied, then moved: libstdc++'s copy of a variant with a vector in it frees what was never
  // there when memory runs out (its copying base resets a storage that has no index yet).
  Counts(const Counts& other)
      : cells_(std::visit([]<class T>(const std::vector<T>& cells) { return Cells(std::vector<T>(cells)); },
                          other.cells_)) {}
  Counts(Counts&&) noexcept = default;
  Counts& operator=(Counts other) noexcept {
    cells_ = std::move(other.cells_);
    return *this;
  }

  /// Calls f with the vector of counts.
  template <class F>
  auto visit(F f) const {
    return std::visit(f, cells_);
  }

  size_t size() const {
    return visit([](const auto& cells) { return cells.size(); });
  }
  bool empty() const { return size() == 0; }
  uint64_t operator[](size_t i) const {
    return visit([i](const auto& cells) { return uint64_t{cells[i]}; });
  }
  std::vector<uint64_t> values() const {
    return visit([](const auto& cells) { return std::vector<uint64_t>(cells.begin(), cells.end()); });
  }
  size_t memory_bytes() const {
    return visit([](const auto& cells) { return cells.size() * sizeof cells[0]; });
  }

  /// Bytes of a cell where `total` have been counted.
  static size_t width_for(uint64_t total) {
    if (total <= std::numeric_limits<uint16_t>::max()) return 2;
    return total <= std::numeric_limits<uint32_t>::max() ? 4 : 8;
  }

  /// Calls f with the vector of counts, no one of which will be more than `total`.
  template <class F>
  void change(uint64_t total, F f) {
    if (width_for(total) > width()) widen(width_for(total));
    std::visit(f, cells_);
  }

  /// Adds as many counts; no sum will be more than `total`.
  void merge(const Counts& other, uint64_t total) {
    change(total, [&](auto& ours) {
      other.visit([&](const auto& theirs) {
        using Count = typename std::decay_t<decltype(ours)>::value_type;
        for (size_t i = 0; i < theirs.size(); ++i) ours[i] = static_cast<Count>(ours[i] + theirs[i]);
      });
    });
  }

 private:
  size_t width() const {
    return visit([](const auto& cells) { return sizeof cells[0]; });
  }
  void widen(size_t width) {
    visit([&](const auto& cells) {
      if (width == 4) {
        cells_ = std::vector<uint32_t>(cells.begin(), cells.end());
      } else {
        cells_ = std::vector<uint64_t>(cells.begin(), cells.end());
      }
    });
  }

  Cells cells_;
};

}  // namespace tidegauge::store
