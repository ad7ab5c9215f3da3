#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "tidegauge/arrow/batch.hpp"
#include "tidegauge/base/at_fork.hpp"
#include "tidegauge/joint/joint.hpp"
#include "tidegauge/profile/column.hpp"

namespace tidegauge {

/// A mergeable, bounded summary of one set of rows: its columns' states by name.
///
/// An open profile (no reference) gains a column whenever a batch shows a new one. A closed profile knows its
/// columns beforehand; columns that it does not know are counted as unexpected and not looked at.
/// Every call is atomic and serialised by a lock: a call that throws has changed nothing. The one exception
/// is memory that runs out while rows are being added: every later call then throws Error, as some columns
/// have them and others do not. A fork waits for the calls under way, so a child inherits whole profiles that
/// it can use.
class Profile {
 public:
  /// Open: new columns get these accumulators.
  explicit Profile(uint8_t accumulators);
  /// Closed: exactly these columns, whose names must differ, and some of them together if there is a joint
  /// spec; `with_parts` also keeps the joint of random parts of the rows. Throws SchemaError.
  explicit Profile(std::vector<std::shared_ptr<const ColumnSpec>> specs,
                   std::shared_ptr<const joint::Spec> joint = nullptr, bool with_parts = false);
  Profile(const Profile& other);

  /// Adds the rows of a batch, using up to n_threads threads (0: one for each core). Throws ArrowError if any
  /// of its rows points outside its buffers, SchemaError if two of its columns have one name or if a column's
  /// edges are not at hand.
  void update(const arrow::Batch& batch, unsigned n_threads);

  /// Adds another profile's rows. Columns are united by name; one that a side lacks was absent from all its
  /// rows. The sum has a joint if both sides have one, a side without rows aside. Throws MergeError.
  void merge(const Profile& other);

  uint64_t n_rows() const;
  bool open() const { return open_; }
  /// Columns by order of appearance. Valid until the next update; lock() while reading them.
  const std::vector<std::unique_ptr<Column>>& columns() const { return columns_; }
  const Column* find(const std::string& name) const;
  /// Rows of batches that held a column the closed profile does not know.
  const std::unordered_map<std::string, uint64_t>& unexpected() const { return unexpected_; }
  /// Some columns together, if they are watched so; of all rows, and gone where there are more than
  /// joint::Sums::kMaxRows.
  const std::optional<joint::Joint>& joint() const { return joint_; }
  std::unique_lock<ForkSafeMutex> lock() const;

  /// Gives detached columns the edges of like-named specs with the same edges_id, and the joint its scores.
  void attach(std::span<const std::shared_ptr<const ColumnSpec>> specs,
              const std::shared_ptr<const joint::Spec>& joint = nullptr);

  /// Forgets the names, not the counts, of frozen categories that were seen fewer than `from` times.
  void hide_rare_names(uint64_t from);

  /// Equal state gives equal bytes, whatever the order in which columns came. With edges, the bytes need
  /// nothing else to be read again; without, they are smaller and name the edges by id.
  /// `note` is the caller's own text (a reference's schema), kept beside the profile but no part of its
  /// state.
  std::vector<std::byte> to_bytes(bool with_edges, std::string_view note = {}) const;
  /// Throws DecodeError.
  static Profile from_bytes(std::span<const std::byte> bytes, std::string* note = nullptr);

 private:
  Profile() = default;
  void add_column(std::unique_ptr<Column> column);
  void require_whole() const;
  void add_unexpected(const std::string& name, uint64_t n_rows);
  struct Job {
    size_t from, to;  // column of the batch, column of the profile
  };
  void update_jointly(const arrow::Batch& batch, const std::vector<Job>& jobs, unsigned n_threads);
  void require_columns(const joint::Spec& spec) const;

  bool open_ = true;
  uint8_t accumulators_ = 0;
  uint64_t n_rows_ = 0;
  std::vector<std::unique_ptr<Column>> columns_;
  std::unordered_map<std::string, size_t> index_;
  std::unordered_map<std::string, uint64_t> unexpected_;
  std::optional<joint::Joint> joint_;
  bool changing_ = false;  // stays true if a change broke off
  mutable ForkSafeMutex mutex_;
};

}  // namespace tidegauge
