#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "tidegauge/kernels/grid.hpp"

namespace tidegauge::binning {

/// Frozen edges of one column: cell i holds edge[i] <= x < edge[i + 1], below and above are cells of their
/// own. `id` names the edges, apart from any counts: two histograms add up if and only if their ids are
/// equal.
///
/// The grid that finds a value's cell is 900 times the size of a single edge, so it is made when the first
/// rows ask for it: a profile that was only read, merged and compared has none, however many edges its bytes
/// name.
template <class T>
struct Edges {
  std::vector<T> values;
  uint64_t id = 0;

  Edges() = default;
  Edges(const Edges&) = delete;
  Edges& operator=(const Edges&) = delete;
  ~Edges() { delete grid_.load(); }

  /// Throws std::bad_alloc where it has to be made. From any thread, without a lock that a fork could leave
  /// behind: where two make one at once, one of them goes.
  const kernels::Grid<T>& grid() const {
    const kernels::Grid<T>* held = grid_.load(std::memory_order_acquire);
    return held ? *held : made();
  }

  /// Edges must ascend strictly, be finite, and number 1 to `most` <= kernels::kMaxGridEdges; throws
  /// SchemaError.
  static std::shared_ptr<const Edges> make(std::vector<T> values, size_t most = kernels::kMaxEdges);

 private:
  const kernels::Grid<T>& made() const;

  mutable std::atomic<const kernels::Grid<T>*> grid_{nullptr};
};

}  // namespace tidegauge::binning
