#include "tidegauge/joint/joint.hpp"

#include "tidegauge/base/error.hpp"
#include "tidegauge/base/hash.hpp"
#include "tidegauge/base/random.hpp"

namespace tidegauge::joint {
namespace {

constexpr size_t kRowsOfAJob = 2048;  // fewer are not worth sums of their own

/// The rows whose part is `part`, side by side.
Scores gather(const Scores& rows, const std::vector<uint8_t>& part_of, size_t part) {
  std::vector<size_t> chosen;
  for (size_t i = 0; i < part_of.size(); ++i) {
    if (part_of[i] == part) chosen.push_back(i);
  }
  const kernels::ScoreView all = rows.view();
  Scores found;
  found.reset(all.n_columns, chosen.size());
  for (size_t j = 0; j < all.n_columns; ++j) {
    const int8_t* from = all.data + j * all.stride;
    int8_t* to = found.column(j);
    for (const size_t i : chosen) *to++ = from[i];
  }
  return found;
}

}  // namespace

Joint::Joint(std::shared_ptr<const Spec> spec, bool with_parts)
    : id_(spec->id()), spec_(std::move(spec)), total_(spec_->n_columns(), spec_->n_waves()) {
  if (with_parts) parts_.assign(kParts, Sums(spec_->n_columns(), spec_->n_waves(), false));
}

void Joint::update(const Scores& rows, uint64_t first_row, size_t n_jobs, const Run& run) {
  const size_t n = rows.view().n_rows;
  const kernels::Waves waves = spec_->waves();
  if (parts_.empty()) {
    n_jobs = std::min(n_jobs, n / kRowsOfAJob);
    if (n_jobs <= 1) return total_.update(rows.view(), waves);
    const size_t step = kernels::round_up((n + n_jobs - 1) / n_jobs, kernels::kScoreRows);
    std::vector<Sums> found(n_jobs, Sums(total_.n_columns(), total_.n_waves()));
    run(n_jobs, [&](size_t job) {
      const size_t begin = job * step;
      if (begin < n) found[job].update(rows.view(begin, std::min(n, begin + step)), waves);
    });
    for (const Sums& each : found) total_.merge(each);
    return;
  }
  std::vector<uint8_t> part_of(n);
  for (size_t i = 0; i < n; ++i) {
    part_of[i] = static_cast<uint8_t>(draw_below(kDefaultSeed ^ 'p', first_row + i, kParts));
  }
  std::vector<Sums> found(kParts, Sums(total_.n_columns(), total_.n_waves()));
  run(kParts, [&](size_t part) { found[part].update(gather(rows, part_of, part).view(), waves); });
  for (size_t part = 0; part < kParts; ++part) {
    total_.merge(found[part]);
    parts_[part].merge(found[part]);
  }
}

Sums Joint::sums_of(const Scores& rows) const {
  Sums found(total_.n_columns(), total_.n_waves());
  found.update(rows.view(), spec_->waves());
  return found;
}

void Joint::check_mergeable(const Joint& other) const {
  if (id_ != other.id_) {
    throw MergeError(
        "joint: the two sides scored their columns differently; profile both with the same reference, or "
        "make "
        "the new reference with Reference.fit(data, edges=old_reference)");
  }
  if (total_.n_columns() != other.total_.n_columns() || total_.n_waves() != other.total_.n_waves()) {
    throw MergeError("joint: the two sides have sums of different sizes");  // one was read from forged bytes
  }
}

void Joint::merge(const Joint& other) {
  if (other.total_.n() > 0) {
    if (total_.n() == 0) {
      parts_ = other.parts_;
    } else if (other.parts_.empty()) {
      parts_.clear();
    } else {
      for (size_t part = 0; part < parts_.size(); ++part) parts_[part].merge(other.parts_[part]);
    }
  }
  total_.merge(other.total_);
  if (!spec_) spec_ = other.spec_;
}

void Joint::attach(std::shared_ptr<const Spec> spec) {
  if (spec->n_columns() != total_.n_columns() || spec->n_waves() != total_.n_waves()) {
    throw DecodeError("joint: its sums are not of the columns and waves that its scores are of");
  }
  spec_ = std::move(spec);
}

void Joint::encode(ByteWriter& out) const {
  out.put(id_);
  out.put_varint(total_.n_columns());
  out.put_varint(total_.n_waves());
  total_.encode(out);
  out.put(static_cast<uint8_t>(parts_.empty() ? 0 : 1));
  for (const Sums& part : parts_) part.encode(out);
}

Joint Joint::decode(ByteReader& in) {
  constexpr const char* kWhat = "joint";
  const auto id = in.get<uint64_t>(kWhat);
  const uint64_t d = in.get_varint(kWhat), n_waves = in.get_varint(kWhat);
  if (d < kMinColumns || d > kMaxColumns || n_waves > kernels::kMaxWaves) {
    throw DecodeError("joint: of a number of columns or waves that there cannot be");
  }
  Joint joint(id, Sums::decode(in, d, n_waves));
  const auto flag = in.get<uint8_t>(kWhat);
  if (flag > 1) throw DecodeError("joint: not a flag");
  if (flag == 0) return joint;
  Sums together(d, n_waves, false);
  for (size_t part = 0; part < kParts; ++part) {
    joint.parts_.push_back(Sums::decode(in, d, n_waves, false));
    together.merge(joint.parts_.back());
    if (together.n() > joint.total_.n()) break;  // and no sum can have overflowed yet
  }
  const Sums& total = joint.total_;
  if (together.n() != total.n() || together.sums() != total.sums() ||
      together.products() != total.products() || together.waves() != total.waves()) {
    throw DecodeError("joint: its parts do not add up to its rows");
  }
  return joint;
}

}  // namespace tidegauge::joint
