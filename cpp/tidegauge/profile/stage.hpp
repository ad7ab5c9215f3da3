#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tidegauge/arrow/batch.hpp"
#include "tidegauge/base/at_fork.hpp"
#include "tidegauge/profile/staged_column.hpp"

namespace tidegauge {

/// Rows on their way into a closed profile: as they come while they wait, in typed columns when they are
/// taken.
///
/// Profiling what take() returns gives the bytes of profiling the rows one by one, in their order: a column
/// that the profile knows is written as the type that the profile keeps, and where a value is none of it, the
/// batch says so of the row (ColumnView::mistyped), as it does where a row lacks the column. So rows need not
/// be alike to share a batch.
///
/// Free columns, which the profile need not know, keep the types that they come with. Values of another type
/// go into another batch; rows keep their order within a batch, batches that of their first rows, so rows are
/// told apart only where free columns change their types.
///
/// Every call is atomic: one that throws has changed nothing. Calls may come from any thread and are
/// serialised; a fork waits for those under way, and the child has the same rows.
class Stage {
 public:
  /// Columns of the specs and free columns; a name in both is free. Throws SchemaError for names that repeat
  /// and limits that make no sense.
  Stage(const std::vector<std::shared_ptr<const ColumnSpec>>& specs, const std::vector<std::string>& free,
        int64_t max_rows, int64_t max_bytes);
  ~Stage();

  /// Columns by place: those of the specs, then the free ones that are none of them.
  const std::vector<std::string>& names() const { return names_; }

  /// Adds a row whose cells are one for each column. True when as many rows or bytes wait as are to wait.
  bool add(const Row& row);

  /// Copies the rows of a batch; true as in add(). Nothing, and nothing is added, where a copy would not be
  /// the same (a free column of a type that is not staged, a name that is there twice) or not be worth it
  /// (more than kMostRows rows, more bytes than may wait). Throws ArrowError for rows that point outside
  /// their buffers.
  std::optional<bool> add(const arrow::Batch& batch);
  static constexpr int64_t kMostRows = 1024;

  /// What waits, oldest first; nothing waits afterwards. Batches share nothing with the stage. Rows become
  /// columns here, while others already add more.
  std::vector<arrow::Batch> take();

  int64_t n_rows() const;
  uint64_t n_unknown() const;

 private:
  struct Run;

  Run& run_for(const std::vector<arrow::Shape>& shapes, int64_t n_rows);
  void settle(Run& run) const;
  bool is_due() const { return n_rows_ >= max_rows_ || n_bytes_ >= max_bytes_; }

  const int64_t max_rows_;
  const size_t max_bytes_;
  std::vector<std::string> names_;
  std::vector<StagedColumn> columns_;
  std::vector<size_t> free_;  // places of the free columns
  std::unordered_map<std::string_view, size_t> place_of_;

  mutable ForkSafeMutex mutex_;           // of what follows
  std::list<std::shared_ptr<Run>> runs_;  // a list: what could not be taken is put back without memory
  Run* current_ = nullptr;                // that the last rows went to
  int64_t n_rows_ = 0, n_expected_ = 0;   // waiting; taken the last time
  size_t n_bytes_ = 0;
  uint64_t n_unknown_ = 0;
  std::vector<arrow::Shape> shapes_;  // of the free columns of what is being added
  std::vector<size_t> places_;        // of the columns of the last batch
  std::unique_ptr<Scratch> scratch_;
  RowLog spare_;  // the memory of rows that were taken, for those that come
};

}  // namespace tidegauge
