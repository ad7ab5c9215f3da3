#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "tidegauge/kernels/grid.hpp"

namespace tidegauge::binning {

/// Frozen edges of one column: cell i holds edge[i] <= x < edge[i + 1], below and above are cells of their
/// own. `id` names the edges, apart from any counts: two histograms add up if and only if their ids are
/// equal.
template <class T>
struct Edges {
  std::vector<T> values;
  kernels::Grid<T> grid;
  uint64_t id = 0;

  /// Edges must ascend strictly, be finite, and number 1 to `most` <= kernels::kMaxGridEdges; throws
  /// SchemaError.
  static std::shared_ptr<const Edges> make(std::vector<T> values, size_t most = kernels::kMaxEdges);
};

}  // namespace tidegauge::binning
