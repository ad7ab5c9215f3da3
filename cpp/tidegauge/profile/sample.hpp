#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "tidegauge/arrow/batch.hpp"
#include "tidegauge/profile/column.hpp"
#include "tidegauge/sketch/distinct.hpp"
#include "tidegauge/sketch/frequent.hpp"

namespace tidegauge {

/// Rows from which edges and categories are chosen, spread evenly over data of any length: every row until
/// there are max_rows of them, then those whose draw falls into the first half, the first quarter, and so on.
/// A row's draw depends on its number alone, and so does when the share is halved (a half is taken to hold
/// half the rows, without counting): the sample does not depend on how the rows were batched.
class Sample {
 public:
  struct Values {
    std::shared_ptr<const ColumnSpec> spec;
    std::vector<double> reals;      // finite values, in the order of rows; of booleans 0 and 1
    std::vector<int64_t> integers;  // likewise
    std::vector<uint64_t> rows;     // the row of each value
    sketch::Frequent categories;    // counts weighted by what share of the rows was being taken
    sketch::Distinct distinct;      // of the sampled categories
    uint64_t n_present = 0;         // sampled rows with a value
  };

  /// The specs of the columns to look at; only numbers, times, categories and booleans are.
  Sample(std::vector<std::shared_ptr<const ColumnSpec>> specs, size_t max_rows);

  void update(const arrow::Batch& batch);
  const std::vector<Values>& columns() const { return columns_; }

 private:
  bool taken(uint64_t row) const;
  void halve();
  void add(Values& values, const arrow::ColumnView& view, const std::vector<int64_t>& rows);

  size_t max_rows_;
  unsigned halvings_ = 0;
  uint64_t n_rows_ = 0;
  size_t n_taken_ = 0;
  std::vector<Values> columns_;
  std::unordered_map<std::string, size_t> index_;
  std::unique_ptr<Scratch> scratch_;
};

}  // namespace tidegauge
