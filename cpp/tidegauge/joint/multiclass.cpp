#include "tidegauge/joint/multiclass.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "tidegauge/base/counts.hpp"
#include "tidegauge/base/error.hpp"
#include "tidegauge/base/hash.hpp"
#include "tidegauge/base/logarithm.hpp"
#include "tidegauge/joint/wide.hpp"
#include "tidegauge/kernels/kernels.hpp"

namespace tidegauge::joint {
namespace {

constexpr const char* kWhat = "multiclass outcomes";
constexpr double kUnits = static_cast<double>(uint64_t{1} << kernels::kFixedBits);
constexpr double kSlack = 1e-9;     // rounding of probabilities
constexpr double kLeast = 0x1p-52;  // probability that a logarithm is taken of, as in scikit-learn
constexpr size_t kRest = 0, kThis = 1, kUnlabelled = 2;

int64_t fixed(double x) { return static_cast<int64_t>(std::nearbyint(x * kUnits)); }

/// The most that a row adds to a loss, in units.
int128 most_of(size_t loss, size_t n_classes) {
  const auto n = static_cast<double>(n_classes + 2);
  const double most[] = {37, 37 * 37, n, n * n};
  return static_cast<int128>(most[loss] * kUnits);
}

}  // namespace

std::shared_ptr<const MulticlassSpec> MulticlassSpec::make(std::vector<std::string> scores, std::string label,
                                                           std::vector<Classes::Value> classes,
                                                           std::vector<std::vector<double>> edges) {
  auto spec = std::make_shared<MulticlassSpec>();
  spec->classes = Classes(std::move(classes), label);
  const size_t n = spec->classes.size();
  if (n < 2 || scores.size() != n || edges.size() != n) {
    throw SchemaError("outcomes: " + std::to_string(n) + " classes of label '" + label + "', " +
                      std::to_string(scores.size()) + " scores and edges of " + std::to_string(edges.size()) +
                      "; there must be as many of each, two at least");
  }
  std::vector<std::string> names = scores;
  names.push_back(label);
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names);
  if (twice != names.end()) {
    throw SchemaError("outcomes: column '" + *twice +
                      "' is given twice; the label and the score of each class must be different columns");
  }
  for (auto& each : edges) {
    spec->edges.push_back(binning::Edges<double>::make(std::move(each), kMaxEdges));
  }
  spec->scores = std::move(scores);
  spec->label = std::move(label);
  ByteWriter bytes;
  spec->encode(bytes);
  spec->id = hash_bytes(bytes.bytes().data(), bytes.size(), kDefaultSeed ^ 'm');
  return spec;
}

void MulticlassSpec::encode(ByteWriter& out) const {
  out.put_text(label);
  classes.encode(out);
  for (size_t i = 0; i < scores.size(); ++i) {
    out.put_text(scores[i]);
    out.put_varint(edges[i]->values.size());
    out.put_array(std::span(edges[i]->values));
  }
}

std::shared_ptr<const MulticlassSpec> MulticlassSpec::decode(ByteReader& in) {
  std::string label = in.get_text(kWhat);
  const Classes classes = Classes::decode(in, label);
  std::vector<std::string> scores;
  std::vector<std::vector<double>> edges;
  for (size_t i = 0; i < classes.size(); ++i) {
    scores.push_back(in.get_text(kWhat));
    std::vector<double>& of_class = edges.emplace_back(in.get_count(sizeof(double), kWhat));
    in.get_array(std::span(of_class), kWhat);
    for (const double edge : of_class) {
      if (edge == 0 && std::signbit(edge)) throw DecodeError("multiclass outcomes: an edge of minus zero");
    }
  }
  return make(std::move(scores), std::move(label), classes.values(), std::move(edges));
}

Multiclass::Multiclass(std::shared_ptr<const MulticlassSpec> spec)
    : spec_(std::move(spec)), ranks_(std::min(spec_->classes.size(), kMaxRanks)) {
  for (size_t c = 0; c < spec_->classes.size(); ++c) counts_.emplace_back(kSlots * spec_->n_cells(c));
}

void Multiclass::update(const double* scores, const Code* labels, const uint8_t* amiss, size_t n) {
  const Classes& classes = spec_->classes;
  const size_t n_classes = classes.size();
  n_rows_ += n;
  bool counted[kTile], improbable[kTile] = {};
  for (size_t i = 0; i < n; ++i) {
    counted[i] = amiss[i] == 0 && (labels[i] < n_classes || labels[i] == classes.missing());
    if (counted[i]) continue;
    const auto of_label = labels[i] == classes.other() ? Home::label_unknown : Home::label_mistyped;
    ++homes_[amiss[i] ? size_t{amiss[i]} - 1 : static_cast<size_t>(of_label)];
  }
  double best[kTile], squares[kTile] = {}, own[kTile];
  Code top[kTile] = {};
  uint16_t above[kTile] = {};
  for (size_t i = 0; i < n; ++i) {
    best[i] = scores[i];
    own[i] = scores[kStride * (labels[i] < n_classes ? labels[i] : 0) + i];
  }
  for (size_t c = 0; c < n_classes; ++c) {
    const double* of_class = scores + kStride * c;
    for (size_t i = 0; i < n; ++i) {
      const double s = of_class[i];
      top[i] = s >= best[i] ? static_cast<Code>(c) : top[i];
      best[i] = std::max(best[i], s);
      above[i] = static_cast<uint16_t>(above[i] + (s > own[i] || (s == own[i] && c > labels[i])));
      squares[i] += s * s;
      improbable[i] |= s < -kSlack || s > 1 + kSlack;
    }
  }
  for (size_t c = 0; c < n_classes; ++c) {
    uint64_t cells[kTile + 8];
    kernels::table().cells_f64(scores + kStride * c, n, spec_->edges[c]->grid(), cells);
    uint64_t* const counts = counts_[c].data();
    for (size_t i = 0; i < n; ++i) {
      if (!counted[i]) continue;
      const size_t outcome = labels[i] >= n_classes ? kUnlabelled : labels[i] == c ? kThis : kRest;
      ++counts[kSlots * cells[i] + (top[i] == c ? kOutcomes : 0) + outcome];
    }
  }
  for (size_t i = 0; i < n; ++i) {
    if (!counted[i] || labels[i] >= n_classes) continue;
    if (above[i] < ranks_.size()) ++ranks_[above[i]];
    if (improbable[i]) continue;
    ++n_probable_;
    const double p = std::clamp(own[i], kLeast, 1 - kLeast);
    n_clipped_ += p != own[i];
    const double of_log = -logarithm(p), of_brier = std::max(squares[i] - 2 * own[i] + 1, 0.0);
    const double added[kLosses] = {of_log, of_log * of_log, of_brier, of_brier * of_brier};
    for (size_t of = 0; of < kLosses; ++of) losses_[of] += fixed(added[of]);
  }
}

template <class Other, class Join>
void Multiclass::join(Other& other, Join join_one) {
  const auto each = [&](auto& ours, auto& theirs) {
    for (size_t i = 0; i < ours.size(); ++i) join_one(ours[i], theirs[i]);
  };
  for (size_t c = 0; c < counts_.size(); ++c) each(counts_[c], other.counts_[c]);
  each(ranks_, other.ranks_);
  each(homes_, other.homes_);
  each(losses_, other.losses_);
  join_one(n_rows_, other.n_rows_);
  join_one(n_probable_, other.n_probable_);
  join_one(n_clipped_, other.n_clipped_);
}

void Multiclass::merge(const Multiclass& other) {
  join(other, [](auto& ours, const auto& theirs) { ours += theirs; });
}

void Multiclass::subtract(const Multiclass& other) {
  bool more = false;
  Multiclass left = *this;
  left.join(other, [&](auto& ours, const auto& theirs) {
    more |= theirs > ours;
    ours -= theirs;
  });
  if (more || left.broken()) {
    throw MergeError(
        "multiclass outcomes: what is to be taken away was never added; subtract only what an earlier update "
        "or merge added");
  }
  *this = std::move(left);
}

Multiclass Multiclass::without_labels() const {
  Multiclass left = *this;
  for (auto& counts : left.counts_) {
    for (size_t at = 0; at < counts.size(); at += kOutcomes) {
      for (const size_t i : {kRest, kThis}) counts[at + kUnlabelled] += std::exchange(counts[at + i], 0);
    }
  }
  std::ranges::fill(left.ranks_, 0);
  left.losses_ = {};
  left.n_probable_ = left.n_clipped_ = 0;
  return left;
}

bool Multiclass::operator==(const Multiclass& other) const {
  return spec_->id == other.spec_->id && counts_ == other.counts_ && ranks_ == other.ranks_ &&
         homes_ == other.homes_ && losses_ == other.losses_ && n_probable_ == other.n_probable_ &&
         n_clipped_ == other.n_clipped_;
}

bool Multiclass::broken() const {
  // Each row is once in the cells of every class, once the highest, and its label once this class.
  const auto sum_of = [](const std::vector<uint64_t>& counts, size_t first, size_t step) {
    uint128 sum = 0;
    for (size_t i = first; i < counts.size(); i += step) sum += counts[i];
    return sum;
  };
  uint128 n = n_rows_, n_this = 0, n_highest = 0, n_highest_unlabelled = 0, n_right = 0, n_ranked = 0;
  for (const uint64_t home : homes_) {
    if (home > n) return true;
    n -= home;
  }
  const uint128 n_unlabelled = sum_of(counts_[0], kUnlabelled, kOutcomes);
  for (const auto& counts : counts_) {
    if (sum_of(counts, 0, 1) != n || sum_of(counts, kUnlabelled, kOutcomes) != n_unlabelled) return true;
    n_this += sum_of(counts, kThis, kOutcomes);
    for (size_t i = 0; i < kOutcomes; ++i) n_highest += sum_of(counts, kOutcomes + i, kSlots);
    n_highest_unlabelled += sum_of(counts, kOutcomes + kUnlabelled, kSlots);
    n_right += sum_of(counts, kOutcomes + kThis, kSlots);
  }
  for (const uint64_t count : ranks_) n_ranked += count;
  const uint128 n_labelled = n - n_unlabelled;
  if (n_this != n_labelled || n_highest != n || n_highest_unlabelled != n_unlabelled) return true;
  if (n_right != ranks_[0] || n_ranked > n_labelled) return true;
  if (ranks_.size() == counts_.size() && n_ranked != n_labelled) return true;
  if (n_probable_ > n_labelled || n_clipped_ > n_probable_) return true;
  for (size_t of = 0; of < kLosses; ++of) {
    if (losses_[of] < 0 || losses_[of] > most_of(of, counts_.size()) * static_cast<int128>(n_probable_)) {
      return true;
    }
  }
  return false;
}

void Multiclass::encode(ByteWriter& out) const {
  for (const auto& counts : counts_) encode_counts(out, std::span<const uint64_t>(counts));
  for (const uint64_t count : homes_) out.put_varint(count);
  for (const uint64_t count : ranks_) out.put_varint(count);
  out.put_varint(n_probable_);
  out.put_varint(n_clipped_);
  for (const int128 loss : losses_) put_wide(out, loss);
}

Multiclass Multiclass::decode(ByteReader& in, std::shared_ptr<const MulticlassSpec> spec) {
  Multiclass state(std::move(spec));
  for (auto& counts : state.counts_) {
    std::vector<uint64_t> found = decode_counts(in, counts.size(), kWhat);
    if (found.size() != counts.size()) throw DecodeError("multiclass outcomes: of another number of cells");
    counts = std::move(found);
  }
  for (uint64_t& count : state.homes_) count = in.get_varint(kWhat);
  uint64_t left = kMaxRows;
  const auto add = [&](uint64_t count) {  // one by one, as their sum might not fit
    if (count > left) throw DecodeError("multiclass outcomes: more than 2^62 rows");
    left -= count;
  };
  std::ranges::for_each(state.counts_[0], add);
  std::ranges::for_each(state.homes_, add);
  state.n_rows_ = kMaxRows - left;
  for (uint64_t& count : state.ranks_) count = in.get_varint(kWhat);
  state.n_probable_ = in.get_varint(kWhat);
  state.n_clipped_ = in.get_varint(kWhat);
  for (int128& loss : state.losses_) loss = get_wide(in, kWhat);
  if (state.broken()) throw DecodeError("multiclass outcomes: counts that no rows have");
  return state;
}

}  // namespace tidegauge::joint
