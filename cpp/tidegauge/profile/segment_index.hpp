#pragma once

#include <cstdint>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <vector>

#include "tidegauge/arrow/batch.hpp"
#include "tidegauge/profile/segment_values.hpp"

namespace tidegauge {

/// A segment's value of each column of its dimension; nothing where rows have no value.
using SegmentKey = std::vector<std::optional<std::string>>;

/// Which segment each row belongs to, in every dimension: one column, or a cross of several. The first rows
/// to come decide, row by row and within a row dimension by dimension, which values are segments, up to a
/// number over all dimensions; once a segment, always a segment, and all other rows are in segment kOther.
/// Several threads may ask at once.
class SegmentIndex {
 public:
  static constexpr uint32_t kOther = 0;  // segments of a dimension count from 1
  static constexpr uint32_t kUndecided = ~uint32_t{0};
  static constexpr size_t kMaxSegments = size_t{1} << 20;

  /// `specs` say how columns are profiled, if they are. `reserved` segments of each dimension (or none at
  /// all) are segments from the start. Throws SchemaError.
  SegmentIndex(std::vector<std::vector<std::string>> dimensions,
               std::span<const std::shared_ptr<const ColumnSpec>> specs, size_t max_segments,
               const std::vector<std::vector<SegmentKey>>& reserved);

  size_t n_dimensions() const { return dimensions_.size(); }

  /// Throws ArrowError if a row of a segments' column points outside its buffers.
  void check_rows(const arrow::Batch& batch) const;
  /// For each dimension the segment of each row; the batch has been checked.
  std::vector<std::vector<uint32_t>> segments_of(const arrow::Batch& batch);

  SegmentKey key(size_t dimension, uint32_t segment) const;
  /// The segment of a key, kOther if it is none. Throws SchemaError for a key of another length and for a
  /// dimension that is not there, as `require` does.
  uint32_t find(size_t dimension, const SegmentKey& key) const;
  void require(size_t dimension) const;
  size_t memory_bytes() const;

 private:
  /// A column that tells segments apart.
  struct Source {
    std::string name;
    std::shared_ptr<const ColumnSpec> spec;  // or null
    SegmentValues values;
  };

  /// Tuples of values' numbers, one behind the other, and a table of them.
  class Tuples {
   public:
    explicit Tuples(size_t width) : width_(width), slots_(kFirstSlots) {}
    size_t size() const { return numbers_.size() / width_; }
    std::span<const uint32_t> operator[](size_t i) const { return {numbers_.data() + i * width_, width_}; }
    /// 1 + its place, 0 if it is not there.
    uint32_t find(const uint32_t* tuple) const { return slots_[slot_of(tuple)]; }
    uint32_t add(const uint32_t* tuple);
    size_t memory_bytes() const { return 4 * (numbers_.size() + slots_.size()); }

   private:
    static constexpr size_t kFirstSlots = 32;
    size_t slot_of(const uint32_t* tuple) const;

    size_t width_;
    std::vector<uint32_t> numbers_;
    std::vector<uint32_t> slots_;  // linear probing, at most half full
  };

  struct Dimension {
    std::vector<size_t> sources;
    Tuples segments;
  };

  void check_dimensions(const std::vector<std::vector<std::string>>& dimensions) const;
  size_t source(const std::string& name, std::span<const std::shared_ptr<const ColumnSpec>> specs);
  void reserve(size_t dimension, const SegmentKey& key);
  const arrow::ColumnView* view_of(const arrow::Batch& batch, const Source& source) const;
  uint32_t admit(Dimension& dimension, const arrow::Batch& batch, size_t row,
                 const std::vector<std::vector<uint32_t>>& numbers);

  size_t max_segments_, n_left_;
  std::vector<Source> sources_;
  std::vector<Dimension> dimensions_;
  mutable std::shared_mutex mutex_;  // only ever held inside a section that a fork waits for
};

}  // namespace tidegauge
