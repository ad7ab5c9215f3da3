#include "tidegauge/profile/profile.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <thread>
#include <unordered_set>

#include "tidegauge/arrow/bits.hpp"
#include "tidegauge/base/error.hpp"
#include "tidegauge/profile/category_column.hpp"
#include "tidegauge/profile/parallel.hpp"

namespace tidegauge {
namespace {

/// Below this many values a batch is done before a second thread has started.
constexpr uint64_t kWorthAThread = uint64_t{1} << 18;

/// Values at a time of the columns that are watched together: their scores stay in the second-level cache.
constexpr size_t kScoredValues = size_t{1} << 18;

constexpr size_t kMaxUnexpected = 1000;  // names; the rest is counted under the empty name

Scratch& scratch() {
  thread_local std::unique_ptr<Scratch> mine;
  if (!mine) mine = std::make_unique<Scratch>();
  return *mine;
}

}  // namespace

Profile::Profile(uint8_t accumulators) : accumulators_(accumulators) {
  if (accumulators > accumulate::kAll) throw SchemaError("accumulators: unknown bits");
}

Profile::Profile(std::vector<std::shared_ptr<const ColumnSpec>> specs,
                 std::shared_ptr<const joint::Spec> joint, bool with_parts)
    : open_(false) {
  for (auto& spec : specs) {
    if (index_.contains(spec->name)) throw SchemaError("column '" + spec->name + "' is named twice");
    add_column(Column::make(std::move(spec)));
  }
  if (joint) {
    require_columns(*joint);
    joint_.emplace(std::move(joint), with_parts);
  }
}

Profile::Profile(const Profile& other) {
  const auto guard = other.lock();
  open_ = other.open_;
  accumulators_ = other.accumulators_;
  n_rows_ = other.n_rows_;
  for (const auto& column : other.columns_) columns_.push_back(column->clone());
  index_ = other.index_;
  unexpected_ = other.unexpected_;
  joint_ = other.joint_;
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
  if (!changing_) return;
  throw Error(
      "profile: an earlier call ran out of memory halfway, so some of its columns count rows that others do "
      "not; discard it and go on from its last bytes");
}

std::unique_lock<ForkSafeMutex> Profile::lock() const {
  std::unique_lock guard(mutex_);
  require_whole();
  return guard;
}

void Profile::update(const arrow::Batch& batch, unsigned n_threads) {
  const auto guard = lock();
  const auto& fields = batch.schema().fields;
  const auto n_rows = static_cast<uint64_t>(batch.n_rows());

  // Everything that can be refused is refused before the first change.
  kernels::table();
  if (n_rows > kMaxRows - n_rows_) {
    throw SchemaError("profile: holds " + std::to_string(n_rows_) + " rows and cannot take " +
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
    }
    batch.check_rows(i);
  }
  if (joint_ && !joint_->spec()) {
    throw SchemaError(
        "joint: its scores are not at hand, so it takes no rows; load the profile with "
        "from_bytes(data, reference=...)");
  }

  changing_ = true;
  if (n_rows_ + n_rows > joint::Sums::kMaxRows) joint_.reset();
  std::vector<Job> jobs;
  std::vector<bool> touched(columns_.size() + fields.size());
  for (size_t i = 0; i < fields.size(); ++i) {
    auto known = index_.find(fields[i].name);
    if (known == index_.end()) {
      if (!open_) {
        const arrow::ColumnView& view = batch.columns()[i];
        const auto n_absent = static_cast<uint64_t>(arrow::count_bits(view.absent, view.offset, view.length));
        if (n_absent == 0 || n_absent < n_rows) add_unexpected(fields[i].name, n_rows - n_absent);
        continue;
      }
      add_column(Column::make(std::make_shared<ColumnSpec>(default_spec(fields[i], accumulators_))));
      known = index_.find(fields[i].name);
    } else if (open_ && fields[i].type.kind != arrow::Kind::unsupported &&
               columns_[known->second]->is_blank()) {
      auto typed = Column::make(std::make_shared<ColumnSpec>(default_spec(fields[i], accumulators_)));
      typed->merge_homes(*columns_[known->second]);
      columns_[known->second] = std::move(typed);
    }
    jobs.push_back({i, known->second});
    touched[known->second] = true;
  }

  if (n_threads == 0) n_threads = std::max(1u, std::thread::hardware_concurrency());
  if (n_rows < kWorthAThread / std::max<size_t>(jobs.size(), 1)) n_threads = 1;
  if (joint_) {
    update_jointly(batch, jobs, n_threads);
  } else {
    parallel_for(jobs.size(), n_threads, [&](size_t job) {
      columns_[jobs[job].to]->update(batch.columns()[jobs[job].from], scratch());
    });
  }
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (!touched[i]) columns_[i]->add_absent(n_rows);
  }
  n_rows_ += n_rows;
  changing_ = false;
}

/// The columns of the joint, some rows at a time, so that their scores are summed while they are in the
/// cache; all others as ever.
void Profile::update_jointly(const arrow::Batch& batch, const std::vector<Job>& jobs, unsigned n_threads) {
  const auto& members = joint_->spec()->columns();
  std::vector<size_t> place(columns_.size(), members.size());
  for (size_t j = 0; j < members.size(); ++j) place[index_.at(members[j].name)] = j;
  std::vector<Job> alone, together;
  for (const Job& job : jobs) (place[job.to] == members.size() ? alone : together).push_back(job);
  parallel_for(alone.size(), n_threads, [&](size_t job) {
    columns_[alone[job].to]->update(batch.columns()[alone[job].from], scratch());
  });

  joint::Scores& scores = scratch().together;
  const auto n_rows = static_cast<size_t>(batch.n_rows());
  const size_t step = kernels::round_up(kScoredValues / members.size(), static_cast<size_t>(kTile));
  for (size_t begin = 0; begin < n_rows; begin += step) {
    const size_t n = std::min(step, n_rows - begin);
    scores.reset(members.size(), n);
    parallel_for(together.size(), n_threads, [&](size_t job) {
      const auto [from, to] = together[job];
      const arrow::ColumnView part =
          batch.columns()[from].slice(static_cast<int64_t>(begin), static_cast<int64_t>(n));
      columns_[to]->update(part, scratch(), {members[place[to]].scores.data(), scores.column(place[to])});
    });
    joint_->update(
        scores, n_rows_ + begin, n_threads,
        [&](size_t n_jobs, const std::function<void(size_t)>& job) { parallel_for(n_jobs, n_threads, job); });
  }
}

void Profile::add_unexpected(const std::string& name, uint64_t n_rows) {
  const bool full = unexpected_.size() >= kMaxUnexpected && !unexpected_.contains(name);
  unexpected_[full ? std::string() : name] += n_rows;
}

void Profile::merge(const Profile& other) {
  if (&other == this) {
    merge(Profile(*this));
    return;
  }
  const std::scoped_lock guard(mutex_, other.mutex_);
  require_whole();
  other.require_whole();
  if (other.n_rows_ > kMaxRows - n_rows_) {
    throw MergeError("profile: " + std::to_string(n_rows_) + " and " + std::to_string(other.n_rows_) +
                     " rows are more than 2^62 together; keep them apart");
  }
  for (const auto& theirs : other.columns_) {
    const auto known = index_.find(theirs->spec().name);
    if (known == index_.end()) continue;
    const Column& ours = *columns_[known->second];
    if (!(open_ && ours.is_blank()) && !(other.open_ && theirs->is_blank())) ours.check_mergeable(*theirs);
  }
  if (joint_ && other.joint_) joint_->check_mergeable(*other.joint_);
  changing_ = true;
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
      if (ours.spec().detached() && !theirs->spec().detached()) ours.attach(theirs->spec());
    } else {
      add_column(theirs->clone());
    }
  }
  for (size_t i = 0; i < n_ours; ++i) {
    if (!other.index_.contains(columns_[i]->spec().name)) columns_[i]->add_absent(other.n_rows_);
  }
  // By name, so that where there is no room for all, which ones are named depends on the two states alone.
  const std::map<std::string, uint64_t> unexpected(other.unexpected_.begin(), other.unexpected_.end());
  for (const auto& [name, rows] : unexpected) add_unexpected(name, rows);
  if (n_rows_ + other.n_rows_ > joint::Sums::kMaxRows) {
    joint_.reset();
  } else if (joint_ && other.joint_) {
    joint_->merge(*other.joint_);
  } else if (n_rows_ == 0 && !joint_) {
    joint_ = other.joint_;
  } else if (other.n_rows_ > 0) {
    joint_.reset();
  }
  n_rows_ += other.n_rows_;
  changing_ = false;
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
  for (const auto& spec : specs) {
    const auto known = index_.find(spec->name);
    if (known == index_.end()) continue;
    Column& column = *columns_[known->second];
    if (column.spec().detached() && !spec->detached() && column.spec().edges_id == spec->edges_id) {
      column.attach(*spec);
    }
  }
  if (joint_ && !joint_->spec() && joint && joint->id() == joint_->id()) {
    require_columns(*joint);
    joint_->attach(joint);
  }
}

void Profile::hide_rare_names(uint64_t from) {
  const auto guard = lock();
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
    column->attach(hidden);
  }
}

}  // namespace tidegauge
