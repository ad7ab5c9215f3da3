#pragma once

#include <atomic>
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
#include "tidegauge/joint/outcome_set.hpp"
#include "tidegauge/profile/column.hpp"
#include "tidegauge/profile/contents.hpp"
#include "tidegauge/profile/leaf_outcomes.hpp"

namespace tidegauge {

/// A mergeable, bounded summary of one set of rows: its columns' states by name.
///
/// An open profile (no reference) gains a column whenever a batch shows a new one. A closed profile knows its
/// columns beforehand; columns that it does not know are counted as unexpected and not looked at.
/// Every call is atomic: a call that throws has changed nothing. The one exception is memory that runs out
/// while rows are being added: every later call then throws Error, as some columns have them and others do
/// not. Updates of a closed profile run side by side, each column taking the rows of one at a time; any other
/// call is alone with the profile, and sees it between updates. A fork waits for the calls under way, so a
/// child inherits whole profiles that it can use.
class Profile {
 public:
  /// Open: new columns get these accumulators.
  explicit Profile(uint8_t accumulators);
  /// Closed: exactly these columns, whose names must differ, some of them together if there is a joint spec,
  /// and how right a model is by these, also by leaf; `with_parts` also keeps the joint of random parts of
  /// the rows. Throws SchemaError.
  explicit Profile(std::vector<std::shared_ptr<const ColumnSpec>> specs,
                   std::shared_ptr<const joint::Spec> joint = nullptr, bool with_parts = false,
                   const std::vector<joint::OutcomeSpec>& outcomes = {},
                   std::shared_ptr<const LeafSpec> leaves = nullptr);
  Profile(const Profile& other);

  /// Adds the rows of a batch, using up to n_threads threads (0: one for each core). Throws ArrowError if any
  /// of its rows points outside its buffers, SchemaError if two of its columns have one name or if a column's
  /// edges are not at hand.
  void update(const arrow::Batch& batch, unsigned n_threads);

  /// Adds another profile's rows. Columns are united by name; one that a side lacks was absent from all its
  /// rows. The sum has a joint if both sides have one, a side without rows aside; the outcomes and leaves of
  /// whichever side has some. Throws MergeError.
  void merge(const Profile& other);

  /// Some rows' profile from its parts: columns of a closed profile, all of n_rows rows.
  static Profile of(std::vector<std::unique_ptr<Column>> columns, uint64_t n_rows, Unexpected unexpected,
                    joint::OutcomeSet outcomes);

  uint64_t n_rows() const;
  bool open() const { return open_; }
  /// Columns by order of appearance. Valid until the next update; lock() while reading them.
  const std::vector<std::unique_ptr<Column>>& columns() const { return columns_; }
  const Column* find(const std::string& name) const;
  /// Rows of batches that held a column the closed profile does not know.
  const Unexpected& unexpected() const { return unexpected_; }
  /// Some columns together, if they are watched so; of all rows, and gone where there are more than
  /// joint::Sums::kMaxRows.
  const std::optional<joint::Joint>& joint() const { return joint_; }
  /// How right a model is, of the rows that were counted by it, as they came.
  const joint::OutcomeSet& outcomes() const { return outcomes_; }
  /// Its rows by leaf, if they are counted so; as they came, without labels that came late.
  const std::optional<LeafOutcomes>& leaves() const { return leaves_; }
  /// The same with the labels that came late; nothing where these are of rows that are not here.
  std::optional<joint::OutcomeSet> labelled_outcomes() const;

  /// Labels that came late, of rows in other profiles: those that got one, as they are with it, and those
  /// whose label is taken back, as they were with it. A profile without columns and rows, which merges with
  /// that of the rows: before or after, it is all the same. Throws MergeError for two that count by different
  /// things.
  static Profile of_labels(joint::OutcomeSet given, joint::OutcomeSet withdrawn);
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
  friend class SegmentedProfile;  // adds the same rows to more than a profile, within one section

  Profile() = default;
  void add_column(std::unique_ptr<Column> column);
  void require_whole() const;
  void require_columns(const std::vector<std::string>& names) const;
  void check_outcomes(const Profile& other) const;
  Contents contents() const;

  /// One column's part in an update: column `from` of the batch, or nowhere in it, into column `to`.
  struct Job {
    std::optional<size_t> from;
    size_t to;
  };
  // An update, step by step: all that can be refused is refused by the first two, which change no column.
  void check(const arrow::Batch& batch) const;
  bool count_rows(uint64_t n_rows, bool alone);
  void gain_columns(const arrow::Schema& schema);
  void add_rows(const arrow::Batch& batch, unsigned n_threads);

  template <class F>
  void changing(F f) {
    try {
      f();
    } catch (...) {
      whole_ = false;
      throw;
    }
  }
  std::vector<Job> jobs_of(const arrow::Schema& schema) const;
  void add_merged(const Profile& other);
  void update_jointly(const arrow::Batch& batch, const std::vector<Job>& jobs, unsigned n_threads);
  template <class F>
  void for_each_column(const std::vector<Job>& jobs, unsigned n_threads, F f);
  void require_columns(const joint::Spec& spec) const;

  bool open_ = true;
  uint8_t accumulators_ = 0;
  std::atomic<uint64_t> n_rows_{0};
  std::vector<std::unique_ptr<Column>> columns_;
  std::unordered_map<std::string, size_t> index_;
  Unexpected unexpected_;
  std::optional<joint::Joint> joint_;
  joint::OutcomeSet outcomes_;
  std::optional<LeafOutcomes> leaves_;
  joint::OutcomeSet given_, withdrawn_;  // labels that came late: kept apart, since their rows may come later
  std::atomic<bool> whole_{true};        // until a change breaks off
  mutable ForkSafeMutex mutex_;          // shared by updates of a closed profile, for which what follows is
  // Of column i % 32, ...; no one holds two of them.
  std::mutex busy_[32], unexpected_busy_, joint_busy_, outcomes_busy_;
};

}  // namespace tidegauge
