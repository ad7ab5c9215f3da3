#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "tidegauge/profile/profile.hpp"
#include "tidegauge/profile/row_groups.hpp"
#include "tidegauge/profile/segment_index.hpp"

namespace tidegauge {

/// A full profile of all rows, and for each dimension (one column, or a cross of several) a light profile of
/// the rows of each value, and one of all other rows: they add up to the total, always. What one window of a
/// monitor holds while it is open.
///
/// A segment's bytes are those of a light profile that was given its rows alone. Updates run side by side as
/// those of a Profile do; every other call is alone with it. A refused update changes nothing.
class SegmentedProfile {
 public:
  /// By what all rows are counted, and by what those of a segment: perhaps fewer cells, and no leaves.
  struct Outcomes {
    std::vector<joint::OutcomeSpec> of_total, of_segments;
    std::shared_ptr<const LeafSpec> leaves;  // or null
  };

  SegmentedProfile(const std::vector<std::shared_ptr<const ColumnSpec>>& specs,
                   std::shared_ptr<const joint::Spec> joint, std::vector<std::vector<std::string>> dimensions,
                   size_t max_segments, const std::vector<std::vector<SegmentKey>>& reserved,
                   const Outcomes& outcomes = {});

  /// Adds the rows of a batch, using up to n_threads threads (0: one for each core). False, and nothing is
  /// added, once sealed. Throws as Profile::update.
  bool update(const arrow::Batch& batch, unsigned n_threads);
  /// Waits for updates under way; later ones add nothing.
  void seal();

  /// One of the profiles: the total, a segment, or the other rows of a dimension.
  struct Part {
    std::optional<size_t> dimension;  // nothing: the total
    std::optional<SegmentKey> key;    // nothing: the total, or other rows
    uint64_t n_rows;
    std::vector<std::byte> bytes;  // without edges
  };
  /// All parts that changed since the last time, or `everything` that has rows, as it is at one moment.
  std::vector<Part> take_changed(bool everything = false);

  /// For each dimension the segment of each row of a batch that was added.
  std::vector<std::vector<uint32_t>> segments_of(const arrow::Batch& batch);
  /// What such a number stands for; nothing for other rows.
  std::optional<SegmentKey> key_of(size_t dimension, uint32_t segment) const;

  uint64_t n_rows() const { return total_.n_rows_; }
  /// False for good once memory ran out in an update: then only what follows can still be asked.
  bool whole() const { return total_.whole_; }
  /// Segments that have rows, other rows not counted.
  size_t n_segments() const;
  /// Of each dimension.
  std::vector<uint64_t> n_other_rows() const;
  /// What it holds, about.
  size_t memory_bytes() const;

  Profile total() const { return Profile(total_); }
  /// Nothing for a segment that has no rows; without a key, the other rows. Throws SchemaError for a
  /// dimension that is not there.
  std::unique_ptr<Profile> segment(size_t dimension, const std::optional<SegmentKey>& key) const;

 private:
  struct Segment {
    uint64_t n_rows = 0;
    bool changed = false;
    Unexpected unexpected;
  };

  struct Dimension {
    explicit Dimension(size_t n_columns) : columns(n_columns) {}
    std::vector<Segment> segments;  // by their number; grows with rows
    std::mutex segments_busy;
    std::vector<std::vector<std::unique_ptr<Column>>> columns;  // each column's, by number of segment
    std::vector<std::unique_ptr<joint::OutcomeSet>> outcomes;   // by number of segment
    std::mutex busy[32], outcomes_busy;                         // of a column
  };

  bool add(const arrow::Batch& batch, unsigned n_threads, bool alone);
  void add_piece(const arrow::Batch& piece, unsigned n_threads);
  void count_segments(Dimension& dimension, const arrow::Batch& piece, const RowGroups& groups);
  void add_column(Dimension& dimension, size_t c, const arrow::ColumnView* view, const RowGroups& groups);
  void add_outcomes(Dimension& dimension, const joint::Rows& rows, const RowGroups& groups);
  const joint::OutcomeSet& outcomes(const Dimension& dimension, size_t segment) const;
  Contents contents(const Dimension& dimension, size_t segment) const;

  Profile total_;  // and its section, which is ours
  std::vector<std::shared_ptr<const ColumnSpec>> light_;
  joint::OutcomeSet no_outcomes_;  // of a segment before its first row
  SegmentIndex index_;
  std::vector<std::unique_ptr<Dimension>> dimensions_;
  bool sealed_ = false;
  std::atomic<bool> total_changed_{false};
};

/// What one light profile of these columns may hold in memory at most, up to 2^32 rows.
size_t light_profile_bytes(const std::vector<std::shared_ptr<const ColumnSpec>>& specs,
                           const std::vector<joint::OutcomeSpec>& outcomes);

}  // namespace tidegauge
