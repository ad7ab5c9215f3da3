#include "tidegauge/profile/profile.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <shared_mutex>
#include <thread>
#include <unordered_set>

#include "tidegauge/arrow/bits.hpp"
#include "tidegauge/base/error.hpp"
#include "tidegauge/profile/category_column.hpp"
#include "tidegauge/profile/parallel.hpp"

namespace tidegauge {
namespace {

/// Values at a time of the columns that are watched together: their scores stay in the second-level cache.
constexpr size_t kScoredValues = size_t{1} << 18;
constexpr size_t kLongerSteps = 16;

/// Columns and the specs that they are to take over.
using Attachments = std::vector<std::pair<Column*, std::shared_ptr<const ColumnSpec>>>;

}  // namespace

Profile::Profile(uint8_t accumulators) : accumulators_(accumulators) {
  if (accumulators > accumulate::kAll) throw SchemaError("accumulators: unknown bits");
}

Profile::Profile(std::vector<std::shared_ptr<const ColumnSpec>> specs,
                 std::shared_ptr<const joint::Spec> joint, bool with_parts,
                 const std::vector<joint::OutcomeSpec>& outcomes, std::shared_ptr<const LeafSpec> leaves)
    : open_(false), outcomes_(outcomes) {
  for (auto& spec : specs) {
    if (index_.contains(spec->name)) throw SchemaError("column '" + spec->name + "' is named twice");
    add_column(Column::make(std::move(spec)));
  }
  if (joint) {
    require_columns(*joint);
    joint_.emplace(std::move(joint), with_parts);
  }
  require_columns(outcomes_.columns());
  if (!leaves) return;
  require_columns(columns_of(*leaves));
  leaves_.emplace(std::move(leaves));
}

Profile::Profile(const Profile& other) {
  const auto guard = other.lock();
  open_ = other.open_;
  accumulators_ = other.accumulators_;
  n_rows_ = other.n_rows_.load();
  for (const auto& column : other.columns_) columns_.push_back(column->clone());
  index_ = other.index_;
  unexpected_ = other.unexpected_;
  joint_ = other.joint_;
  outcomes_ = other.outcomes_;
  leaves_ = other.leaves_;
  given_ = other.given_;
  withdrawn_ = other.withdrawn_;
}

Profile Profile::of(std::vector<std::unique_ptr<Column>> columns, uint64_t n_rows, Unexpected unexpected,
                    joint::OutcomeSet outcomes) {
  Profile profile;
  profile.open_ = false;
  for (auto& column : columns) profile.add_column(std::move(column));  // of no rows yet: none was absent
  profile.n_rows_ = n_rows;
  profile.unexpected_ = std::move(unexpected);
  profile.outcomes_ = std::move(outcomes);
  return profile;
}

void Profile::require_columns(const std::vector<std::string>& names) const {
  for (const std::string& name : names) {
    if (!index_.contains(name)) throw SchemaError("outcomes: there is no column '" + name + "'");
  }
}

void Profile::require_columns(const joint::Spec& spec) const {
  for (const joint::Member& member : spec.columns()) {
    const Column* column = find(member.name);
    if (column && column->n_scored_cells() == member.scores.size()) continue;
    throw SchemaError(
        "joint: has scores for " + std::to_string(member.scores.size()) + " cells of column '" + member.name +
        "', which " +
        (column ? "has " + std::to_string(column->n_scored_cells()) : std::string("is not there")) +
        "; take columns and joint from one reference");
  }
}

void Profile::add_column(std::unique_ptr<Column> column) {
  column->add_absent(n_rows_);
  index_.emplace(column->spec().name, columns_.size());
  columns_.push_back(std::move(column));
}

void Profile::require_whole() const {
  if (whole_) return;
  throw Error(
      "profile: an earlier call ran out of memory halfway, so some of its columns count rows that others do "
      "not; discard it and go on from its last bytes");
}

std::unique_lock<ForkSafeMutex> Profile::lock() const {
  std::unique_lock guard(mutex_);
  require_whole();
  return guard;
}

Contents Profile::contents() const {
  std::vector<const Column*> columns;
  for (const auto& column : columns_) columns.push_back(column.get());
  return {open_,     accumulators_, n_rows_, std::move(columns), joint_ ? &*joint_ : nullptr,
          outcomes_, unexpected_,   &given_, &withdrawn_,        leaves_ ? &*leaves_ : nullptr};
}

void Profile::update(const arrow::Batch& batch, unsigned n_threads) {
  const auto n_rows = static_cast<uint64_t>(batch.n_rows());
  if (!open_) {
    const std::shared_lock inside(mutex_);
    require_whole();
    check(batch);
    if (count_rows(n_rows, false)) return changing([&] { add_rows(batch, n_threads); });
  }
  const auto alone = lock();
  check(batch);
  changing([&] {
    gain_columns(batch.schema());
    count_rows(n_rows, true);
    add_rows(batch, n_threads);
  });
}

/// Refuses what can be refused of a batch.
void Profile::check(const arrow::Batch& batch) const {
  kernels::table();
  const auto& fields = batch.schema().fields;
  const auto n_rows = static_cast<uint64_t>(batch.n_rows());
  if (const uint64_t held = n_rows_; n_rows > kMaxRows - held) {
    throw SchemaError("profile: holds " + std::to_string(held) + " rows and cannot take " +
                      std::to_string(n_rows) + " more, the limit is 2^62; start another profile");
  }
  std::unordered_set<std::string_view> seen;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (!seen.insert(fields[i].name).second) {
      throw SchemaError("column '" + fields[i].name + "' appears twice in the batch; rename one of them");
    }
    const auto known = index_.find(fields[i].name);
    if (known == index_.end() && !open_) continue;
    if (known != index_.end()) {
      const ColumnSpec& spec = columns_[known->second]->spec();
      if (spec.detached()) {
        throw SchemaError("column '" + spec.name +
                          "': its edges are not at hand, so it takes no rows; load the profile with "
                          "from_bytes(data, reference=...)");
      }
      spec.prepare();
    }
    batch.check_rows(i);
  }
  if (joint_ && !joint_->spec()) {
    throw SchemaError(
        "joint: its scores are not at hand, so it takes no rows; load the profile with "
        "from_bytes(data, reference=...)");
  }
  if (!outcomes_.empty()) outcomes_.prepare();
  if (leaves_) leaves_->prepare();
}

/// False, and nothing is counted, where only who is alone can go on: there are parts, which go by the number
/// of a row, or the joint has to go.
bool Profile::count_rows(uint64_t n_rows, bool alone) {
  uint64_t held = n_rows_;
  do {
    const bool too_many = joint_ && held + n_rows > joint::Sums::kMaxRows;
    if (!alone && joint_ && (too_many || !joint_->parts().empty())) return false;
    if (too_many) joint_.reset();
  } while (!n_rows_.compare_exchange_weak(held, held + n_rows));
  return true;
}

/// An open profile's: those that the batch shows first, and those it gives a type.
void Profile::gain_columns(const arrow::Schema& schema) {
  if (!open_) return;
  for (const arrow::Field& field : schema.fields) {
    const auto known = index_.find(field.name);
    if (known == index_.end()) {
      add_column(Column::make(std::make_shared<ColumnSpec>(default_spec(field, accumulators_))));
    } else if (field.type.kind != arrow::Kind::unsupported && columns_[known->second]->is_blank()) {
      auto typed = Column::make(std::make_shared<ColumnSpec>(default_spec(field, accumulators_)));
      typed->merge_homes(*columns_[known->second]);
      columns_[known->second] = std::move(typed);
    }
  }
}

/// A job for every column of the profile.
std::vector<Profile::Job> Profile::jobs_of(const arrow::Schema& schema) const {
  std::vector<Job> jobs(columns_.size());
  for (size_t i = 0; i < jobs.size(); ++i) jobs[i].to = i;
  for (size_t i = 0; i < schema.fields.size(); ++i) {
    const auto known = index_.find(schema.fields[i].name);
    if (known != index_.end()) jobs[known->second].from = i;
  }
  return jobs;
}

template <class F>
void Profile::for_each_column(const std::vector<Job>& jobs, unsigned n_threads, F f) {
  const auto busy = [&](size_t i) -> std::mutex& { return busy_[jobs[i].to % std::size(busy_)]; };
  for_each_free(jobs.size(), n_threads, busy, [&](size_t i) { f(jobs[i]); });
}

/// Rows that have been counted already.
void Profile::add_rows(const arrow::Batch& batch, unsigned n_threads) {
  const auto n_rows = static_cast<uint64_t>(batch.n_rows());
  const std::vector<Job> jobs = jobs_of(batch.schema());
  n_threads = threads_for(n_rows, batch.columns().size(), n_threads);
  if (joint_) {
    update_jointly(batch, jobs, n_threads);
  } else {
    for_each_column(jobs, n_threads, [&](const Job& job) {
      if (!job.from) return columns_[job.to]->add_absent(n_rows);
      columns_[job.to]->update(batch.columns()[*job.from], thread_scratch());
    });
  }
  if (!outcomes_.empty()) {
    const joint::Rows rows(batch, outcomes_.columns());
    const std::lock_guard lock(outcomes_busy_);
    outcomes_.update(rows);
  }
  if (leaves_) {
    const joint::Rows rows(batch, columns_of(*leaves_->spec()));
    const std::lock_guard lock(outcomes_busy_);
    leaves_->update(rows);
  }
  const std::lock_guard lock(unexpected_busy_);
  for (size_t i = 0; i < batch.columns().size(); ++i) {
    const std::string& name = batch.schema().fields[i].name;
    if (index_.contains(name)) continue;
    const arrow::ColumnView& view = batch.columns()[i];
    const auto n_absent = static_cast<uint64_t>(arrow::count_bits(view.absent, view.offset, view.length));
    if (n_absent == 0 || n_absent < n_rows) add_unexpected(unexpected_, name, n_rows - n_absent);
  }
}

/// The columns of the joint, some rows at a time, so that their scores are summed while they are in the
/// cache; all others as ever.
void Profile::update_jointly(const arrow::Batch& batch, const std::vector<Job>& jobs, unsigned n_threads) {
  const auto& members = joint_->spec()->columns();
  std::vector<size_t> place(columns_.size(), members.size());
  for (size_t j = 0; j < members.size(); ++j) place[index_.at(members[j].name)] = j;
  std::vector<Job> alone, together;
  for (const Job& job : jobs) {
    (place[job.to] < members.size() && job.from ? together : alone).push_back(job);
  }
  const auto n_rows = static_cast<size_t>(batch.n_rows());
  for_each_column(alone, n_threads, [&](const Job& job) {
    if (!job.from) return columns_[job.to]->add_absent(n_rows);
    columns_[job.to]->update(batch.columns()[*job.from], thread_scratch());
  });

  joint::Scores& scores = thread_scratch().together;
  const uint64_t first_row = n_rows_ - n_rows;  // asked for only by parts, with which an update is alone
  // Helpers start anew for every step: with them a step is longer, though its scores leave the near cache.
  const size_t values = n_threads > 1 ? kLongerSteps * kScoredValues : kScoredValues;
  const size_t step = kernels::round_up(values / members.size(), static_cast<size_t>(kTile));
  for (size_t begin = 0; begin < n_rows; begin += step) {
    const size_t n = std::min(step, n_rows - begin);
    scores.reset(members.size(), n);
    for_each_column(together, n_threads, [&](const Job& job) {
      const arrow::ColumnView part =
          batch.columns()[*job.from].slice(static_cast<int64_t>(begin), static_cast<int64_t>(n));
      const size_t j = place[job.to];
      columns_[job.to]->update(part, thread_scratch(), {members[j].scores.data(), scores.column(j)});
    });
    std::unique_lock lock(joint_busy_, std::try_to_lock);
    if (!lock) {
      const joint::Sums sums = joint_->sums_of(scores);
      lock.lock();
      joint_->add(sums);
      continue;
    }
    joint_->update(
        scores, first_row + begin, n_threads,
        [&](size_t n_jobs, const std::function<void(size_t)>& job) { parallel_for(n_jobs, n_threads, job); });
  }
}

void Profile::merge(const Profile& other) {
  if (&other == this) {
    merge(Profile(*this));
    return;
  }
  const std::scoped_lock guard(mutex_, other.mutex_);
  require_whole();
  other.require_whole();
  const uint64_t n_rows = n_rows_, n_theirs = other.n_rows_;
  if (n_theirs > kMaxRows - n_rows) {
    throw MergeError("profile: " + std::to_string(n_rows) + " and " + std::to_string(n_theirs) +
                     " rows are more than 2^62 together; keep them apart");
  }
  for (const auto& theirs : other.columns_) {
    const auto known = index_.find(theirs->spec().name);
    if (known == index_.end()) continue;
    const Column& ours = *columns_[known->second];
    if (!(open_ && ours.is_blank()) && !(other.open_ && theirs->is_blank())) ours.check_mergeable(*theirs);
  }
  if (joint_ && other.joint_) joint_->check_mergeable(*other.joint_);
  check_outcomes(other);
  changing([&] { add_merged(other); });
}

/// The rows of a profile that has been found to fit.
void Profile::add_merged(const Profile& other) {
  const uint64_t n_rows = n_rows_, n_theirs = other.n_rows_;
  const size_t n_ours = columns_.size();
  for (const auto& theirs : other.columns_) {
    const auto known = index_.find(theirs->spec().name);
    if (known != index_.end()) {
      Column& ours = *columns_[known->second];
      if (other.open_ && theirs->is_blank()) {
        ours.merge_homes(*theirs);
        continue;
      }
      if (open_ && ours.is_blank()) {
        auto typed = theirs->clone();
        typed->merge_homes(ours);
        columns_[known->second] = std::move(typed);
        continue;
      }
      ours.merge(*theirs);
      if (ours.spec().detached() && !theirs->spec().detached()) ours.attach(ours.attached(theirs->spec()));
    } else {
      add_column(theirs->clone());
    }
  }
  for (size_t i = 0; i < n_ours; ++i) {
    if (!other.index_.contains(columns_[i]->spec().name)) columns_[i]->add_absent(n_theirs);
  }
  // By name, so that where there is no room for all, which ones are named depends on the two states alone.
  const std::map<std::string, uint64_t> unexpected(other.unexpected_.begin(), other.unexpected_.end());
  for (const auto& [name, rows] : unexpected) add_unexpected(unexpected_, name, rows);
  if (n_rows + n_theirs > joint::Sums::kMaxRows) {
    joint_.reset();
  } else if (joint_ && other.joint_) {
    joint_->merge(*other.joint_);
  } else if (n_rows == 0 && !joint_) {
    joint_ = other.joint_;
  } else if (n_theirs > 0) {
    joint_.reset();
  }
  outcomes_.merge(other.outcomes_);
  if (leaves_ && other.leaves_) {
    leaves_->merge(*other.leaves_);
  } else if (other.leaves_) {
    leaves_ = other.leaves_;
  }
  given_.merge(other.given_);
  withdrawn_.merge(other.withdrawn_);
  n_rows_ = n_rows + n_theirs;
}

/// Throws MergeError unless both sides count by the same, and there is room for their labels.
void Profile::check_outcomes(const Profile& other) const {
  for (const joint::OutcomeSet* ours : {&outcomes_, &given_, &withdrawn_}) {
    for (const joint::OutcomeSet* theirs : {&other.outcomes_, &other.given_, &other.withdrawn_}) {
      ours->check_mergeable(*theirs);
    }
  }
  if (leaves_ && other.leaves_ && leaves_->spec()->id != other.leaves_->spec()->id) {
    throw MergeError("leaves: the two sides count by other trees; count both with the same reference");
  }
  if (other.given_.most_rows() > kMaxRows - given_.most_rows() ||
      other.withdrawn_.most_rows() > kMaxRows - withdrawn_.most_rows()) {
    throw MergeError("profile: more than 2^62 labels together; keep them apart");
  }
}

Profile Profile::of_labels(joint::OutcomeSet given, joint::OutcomeSet withdrawn) {
  given.check_mergeable(withdrawn);
  Profile profile;
  profile.open_ = false;
  profile.given_ = std::move(given);
  profile.withdrawn_ = std::move(withdrawn);
  return profile;
}

std::optional<joint::OutcomeSet> Profile::labelled_outcomes() const {
  const auto guard = lock();
  try {
    joint::OutcomeSet labelled = outcomes_;
    labelled.label(given_, withdrawn_);
    return labelled;
  } catch (const MergeError&) {
    return {};
  }
}

uint64_t Profile::n_rows() const {
  const auto guard = lock();
  return n_rows_;
}

const Column* Profile::find(const std::string& name) const {
  const auto known = index_.find(name);
  return known == index_.end() ? nullptr : columns_[known->second].get();
}

void Profile::attach(std::span<const std::shared_ptr<const ColumnSpec>> specs,
                     const std::shared_ptr<const joint::Spec>& joint) {
  const auto guard = lock();
  Attachments attached;  // all of them are made before the first is taken
  for (const auto& spec : specs) {
    const auto known = index_.find(spec->name);
    if (known == index_.end()) continue;
    Column& column = *columns_[known->second];
    if (column.spec().detached() && !spec->detached() && column.spec().edges_id == spec->edges_id) {
      attached.emplace_back(&column, column.attached(*spec));
    }
  }
  if (joint_ && !joint_->spec() && joint && joint->id() == joint_->id()) {
    require_columns(*joint);
    joint_->attach(joint);
  }
  for (auto& [column, spec] : attached) column->attach(std::move(spec));
}

void Profile::hide_rare_names(uint64_t from) {
  const auto guard = lock();
  Attachments attached;
  for (auto& column : columns_) {
    const auto* category = dynamic_cast<const CategoryColumn*>(column.get());
    if (!category || !category->spec().categories || category->spec().categories->names().empty()) continue;
    const binning::Categories& frozen = *category->spec().categories;
    binning::Categories::Names names = frozen.names();
    for (size_t i = 0; i < names.size(); ++i) {
      if (category->cells()[i] < from) names[i].reset();
    }
    ColumnSpec hidden = category->spec();
    hidden.freeze(binning::Categories::make(frozen.hashes(), std::move(names), frozen.seed()));
    attached.emplace_back(column.get(), column->attached(hidden));
  }
  for (auto& [column, spec] : attached) column->attach(std::move(spec));
}

}  // namespace tidegauge
