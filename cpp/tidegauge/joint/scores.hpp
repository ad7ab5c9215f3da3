#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tidegauge/kernels/scores.hpp"

namespace tidegauge::joint {

/// Working memory for the scores of some rows, column after column, as the kernels want them.
class Scores {
 public:
  /// Makes all scores of n_rows rows 0.
  void reset(size_t n_columns, size_t n_rows) {
    stride_ = kernels::round_up(n_rows, kernels::kScoreRows);
    n_columns_ = n_columns;
    n_rows_ = n_rows;
    data_.assign(stride_ * kernels::round_up(n_columns, kernels::kScoreColumns), 0);
  }

  int8_t* column(size_t j) { return data_.data() + j * stride_; }
  kernels::ScoreView view() const { return {data_.data(), stride_, n_columns_, n_rows_}; }

  /// Rows [begin, end): begin a multiple of kernels::kScoreRows, end as well or the last.
  kernels::ScoreView view(size_t begin, size_t end) const {
    return {data_.data() + begin, stride_, n_columns_, end - begin};
  }

 private:
  std::vector<int8_t> data_;
  size_t stride_ = 0, n_columns_ = 0, n_rows_ = 0;
};

}  // namespace tidegauge::joint
