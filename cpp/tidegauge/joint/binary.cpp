#include "tidegauge/joint/binary.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <utility>

#include "tidegauge/base/counts.hpp"
#include "tidegauge/base/error.hpp"
#include "tidegauge/base/hash.hpp"
#include "tidegauge/joint/tile.hpp"
#include "tidegauge/joint/wide.hpp"
#include "tidegauge/kernels/kernels.hpp"

namespace tidegauge::joint {
namespace {

constexpr const char* kWhat = "binary outcomes";
constexpr uint64_t kMaxReach = uint64_t{1} << 62;
constexpr int64_t kNarrow = int64_t{1} << 61;  // sums that leave room for as much again
constexpr double kUnits = static_cast<double>(uint64_t{1} << kernels::kFixedBits);

typedef int64_t Pair __attribute__((vector_size(16)));

/// The fixed point of one score and of its square; monotone, so that it maps the ends of a cell to the ends
/// of what its scores become.
struct Fixed {
  int64_t z, square;
};
Fixed fixed(double score, double scale) {
  const double z = std::clamp(score * scale, -kernels::kFixedReach, kernels::kFixedReach);
  return {static_cast<int64_t>(std::nearbyint(z * kUnits)),
          static_cast<int64_t>(std::nearbyint(z * z * kUnits))};
}

}  // namespace

std::shared_ptr<const BinarySpec> BinarySpec::make(std::string score, std::string label, std::string weight,
                                                   std::vector<double> edges,
                                                   std::vector<Classes::Value> classes) {
  auto spec = std::make_shared<BinarySpec>();
  if (score == label || score == weight || label == weight) {
    throw SchemaError("outcomes: score '" + score + "', label '" + label + "' and weight '" + weight +
                      "' must be different columns");
  }
  if (classes.size() > 2) {
    throw SchemaError("outcomes: a binary label '" + label +
                      "' has a positive and perhaps a negative value, not " + std::to_string(classes.size()) +
                      " values");
  }
  spec->classes = Classes(std::move(classes), label);
  spec->edges = binning::Edges<double>::make(std::move(edges), kMaxEdges);
  int exponent = 0;
  for (const double edge : {spec->edges->values.front(), spec->edges->values.back()}) {
    int needed = 0;
    if (std::frexp(std::abs(edge), &needed) == 0.5) --needed;  // a power of two itself
    exponent = std::max(exponent, needed);
  }
  spec->scale = std::ldexp(1.0, -exponent);
  spec->score = std::move(score);
  spec->label = std::move(label);
  spec->weight = std::move(weight);
  ByteWriter bytes;
  spec->encode(bytes);
  spec->id = hash_bytes(bytes.bytes().data(), bytes.size(), kDefaultSeed ^ 'b');
  return spec;
}

void BinarySpec::encode(ByteWriter& out) const {
  for (const std::string* name : {&score, &label, &weight}) out.put_text(*name);
  classes.encode(out);
  out.put_varint(edges->values.size());
  out.put_array(std::span(edges->values));
}

std::shared_ptr<const BinarySpec> BinarySpec::decode(ByteReader& in) {
  std::string names[3];
  for (std::string& name : names) name = in.get_text(kWhat);
  const Classes classes = Classes::decode(in, names[1]);
  std::vector<double> edges(in.get_count(sizeof(double), kWhat));
  in.get_array(std::span(edges), kWhat);
  for (const double edge : edges) {
    if (edge == 0 && std::signbit(edge)) throw DecodeError("binary outcomes: an edge of minus zero");
  }
  return make(names[0], names[1], names[2], std::move(edges), classes.values());
}

Binary::Binary(std::shared_ptr<const BinarySpec> spec)
    : spec_(std::move(spec)), slots_(n_counted() + kHomes), weights_(spec_->weighted() ? n_counted() : 0) {}

Binary::Sums Binary::sums(size_t slot) const {
  Sums found = settled_.empty() ? Sums{} : settled_[slot];
  found.z += slots_[slot].z;
  found.squares += slots_[slot].squares;
  return found;
}

void Binary::update(const double* scores, const Code* outcomes, const double* weights, size_t n) {
  if (n == 0) return;
  alignas(64) int64_t z[kTile + 8], squares[kTile + 8];
  const kernels::Table& kernel = kernels::table();
  const double largest = kernel.fixed_f64(scores, n, spec_->scale, z, squares);
  if (std::isnan(largest)) return update_finite(scores, outcomes, weights, n);
  alignas(64) uint64_t cells[kTile + 8];
  kernel.cells_f64(scores, n, spec_->edges->grid(), cells);
  const double within = std::min(largest, kernels::kFixedReach);
  reserve(n * (static_cast<uint64_t>(std::max(within, within * within) * kUnits) + 1));
  n_rows_ += n;
  // A row without a cell has a slot behind all cells, whose sums nobody reads: no branch.
  const size_t homes = n_counted() - kCounted;
  Slot* const slots = slots_.data();
  for (size_t i = 0; i < n; ++i) {
    const size_t outcome = outcomes[i];
    Slot& slot = slots[(outcome < kCounted ? kCounted * cells[i] : homes) + outcome];
    Pair sums;
    std::memcpy(&sums, &slot.z, sizeof sums);
    sums += Pair{z[i], squares[i]};
    std::memcpy(&slot.z, &sums, sizeof sums);
    ++slot.n;
  }
  for (size_t i = 0; weights && i < n; ++i) {
    if (outcomes[i] >= kCounted) continue;
    const double score = std::clamp(scores[i] * spec_->scale, -kernels::kFixedReach, kernels::kFixedReach);
    Weights& sum = weights_[kCounted * cells[i] + outcomes[i]];
    sum.n += weights[i];
    sum.z += weights[i] * score;
    sum.squares += weights[i] * (score * score);
    weight_squares_[outcomes[i]] += weights[i] * weights[i];
  }
  if (largest <= kernels::kFixedReach) return;
  for (size_t i = 0; i < n; ++i) {
    n_clipped_ += outcomes[i] < kCounted && std::abs(scores[i] * spec_->scale) > kernels::kFixedReach;
  }
}

/// The rows of a tile in which some score is not finite.
void Binary::update_finite(const double* scores, const Code* outcomes, const double* weights, size_t n) {
  double finite[kTile];
  Code known[kTile];
  for (size_t i = 0; i < n; ++i) {
    finite[i] = std::isfinite(scores[i]) ? scores[i] : 0;
    known[i] = outcomes[i];
    if (std::isnan(scores[i])) known[i] = static_cast<Code>(Outcome::score_nan);
    if (std::isinf(scores[i])) known[i] = static_cast<Code>(Outcome::score_infinite);
  }
  update(finite, known, weights, n);
}

void Binary::reserve(uint64_t more) {
  if (more > kMaxReach - reach_) settle();
  reach_ += more;
}

void Binary::settle() {
  settled_.resize(n_counted());
  for (size_t i = 0; i < settled_.size(); ++i) {
    settled_[i].z += slots_[i].z;
    settled_[i].squares += slots_[i].squares;
  }
  for (Slot& slot : slots_) slot.z = slot.squares = 0;
  reach_ = 0;
}

void Binary::merge(const Binary& other) {
  const uint64_t theirs = other.reach_;
  if (!other.settled_.empty() && settled_.empty()) settled_.resize(n_counted());
  reserve(theirs);
  for (size_t i = 0; i < slots_.size(); ++i) {
    slots_[i].n += other.slots_[i].n;
    slots_[i].z += other.slots_[i].z;
    slots_[i].squares += other.slots_[i].squares;
  }
  for (size_t i = 0; i < other.settled_.size(); ++i) {
    settled_[i].z += other.settled_[i].z;
    settled_[i].squares += other.settled_[i].squares;
  }
  for (size_t i = 0; i < weights_.size(); ++i) {
    weights_[i].n += other.weights_[i].n;
    weights_[i].z += other.weights_[i].z;
    weights_[i].squares += other.weights_[i].squares;
  }
  for (size_t i = 0; i < kCounted; ++i) weight_squares_[i] += other.weight_squares_[i];
  n_rows_ += other.n_rows_;
  n_clipped_ += other.n_clipped_;
}

void Binary::subtract(const Binary& other) {
  Binary left = *this;
  left.settle();
  bool more = other.n_clipped_ > n_clipped_;
  for (size_t i = 0; i < slots_.size(); ++i) {
    more |= other.slots_[i].n > slots_[i].n;
    left.slots_[i].n -= other.slots_[i].n;
  }
  for (size_t i = 0; i < n_counted(); ++i) {
    const Sums theirs = other.sums(i);
    left.settled_[i].z -= theirs.z;
    left.settled_[i].squares -= theirs.squares;
  }
  for (size_t i = 0; i < weights_.size(); ++i) {  // what rounding left of no rows is nothing
    Weights& sum = left.weights_[i];
    if (left.slots_[i].n == 0) {
      sum = {};
      continue;
    }
    sum.n = std::max(sum.n - other.weights_[i].n, 0.0);
    sum.z -= other.weights_[i].z;
    sum.squares = std::max(sum.squares - other.weights_[i].squares, 0.0);
  }
  for (size_t i = 0; i < kCounted; ++i) {
    const double rest = left.weight_squares_[i] - other.weight_squares_[i];
    left.weight_squares_[i] = left.has(i) ? std::max(rest, 0.0) : 0;
  }
  left.n_rows_ -= other.n_rows_;
  left.n_clipped_ -= other.n_clipped_;
  if (more || left.broken()) {
    throw MergeError(
        "binary outcomes: what is to be taken away was never added; subtract only what an earlier update or "
        "merge added");
  }
  *this = std::move(left);
}

Binary Binary::without_labels() const {
  Binary left = *this;
  left.settle();  // in one slot may lie what was in three
  constexpr auto kUnlabelled = static_cast<size_t>(Outcome::unlabelled);
  for (size_t at = 0; at < n_counted(); at += kCounted) {
    for (size_t i = 0; i < kUnlabelled; ++i) {
      left.slots_[at + kUnlabelled].n += std::exchange(left.slots_[at + i].n, 0);
      const Sums sum = std::exchange(left.settled_[at + i], {});
      left.settled_[at + kUnlabelled].z += sum.z;
      left.settled_[at + kUnlabelled].squares += sum.squares;
      if (weights_.empty()) continue;
      const Weights weight = std::exchange(left.weights_[at + i], {});
      left.weights_[at + kUnlabelled].n += weight.n;
      left.weights_[at + kUnlabelled].z += weight.z;
      left.weights_[at + kUnlabelled].squares += weight.squares;
    }
  }
  for (size_t i = 0; i < kUnlabelled; ++i) {
    left.weight_squares_[kUnlabelled] += std::exchange(left.weight_squares_[i], 0.0);
  }
  return left;
}

bool Binary::operator==(const Binary& other) const {
  ByteWriter a, b;
  encode(a);
  other.encode(b);
  return spec_->id == other.spec_->id && std::ranges::equal(a.bytes(), b.bytes());
}

bool Binary::has(size_t outcome) const {
  for (size_t i = outcome; i < n_counted(); i += kCounted) {
    if (slots_[i].n > 0) return true;
  }
  return false;
}

const char* Binary::broken() const {
  uint64_t n = 0;
  const std::vector<double>& edges = spec_->edges->values;
  for (size_t cell = 0; cell < spec_->n_cells(); ++cell) {
    const Fixed low = cell > 0 ? fixed(edges[cell - 1], spec_->scale) : fixed(-INFINITY, 1),
                high = cell < edges.size() ? fixed(edges[cell], spec_->scale) : fixed(INFINITY, 1);
    const bool straddles = low.z < 0 && high.z > 0;
    const int64_t least = straddles ? 0 : std::min(low.square, high.square),
                  most = std::max(low.square, high.square);
    for (size_t i = kCounted * cell; i < kCounted * (cell + 1); ++i) {
      const auto count = static_cast<int128>(slots_[i].n);
      const Sums sum = sums(i);
      if (sum.z < count * low.z || sum.z > count * high.z || sum.squares < count * least ||
          sum.squares > count * most) {
        return "sums that no scores of their cell have";
      }
      n += slots_[i].n;
    }
  }
  return n_clipped_ > n ? "more clipped scores than scores" : nullptr;
}

void Binary::encode(ByteWriter& out) const {
  std::vector<uint64_t> counts;
  for (const Slot& slot : slots_) counts.push_back(slot.n);
  encode_counts(out, std::span<const uint64_t>(counts));
  out.put_varint(n_clipped_);
  for (size_t i = 0; i < n_counted(); ++i) {
    if (slots_[i].n == 0) continue;
    const Sums sum = sums(i);
    put_wide(out, sum.z);
    put_wide(out, sum.squares);
    if (weights_.empty()) continue;
    for (const double x : {weights_[i].n, weights_[i].z, weights_[i].squares}) out.put(x + 0.0);
  }
  for (size_t i = 0; i < kCounted; ++i) {
    if (!weights_.empty() && has(i)) out.put(weight_squares_[i] + 0.0);
  }
}

Binary Binary::decode(ByteReader& in, std::shared_ptr<const BinarySpec> spec) {
  Binary state(std::move(spec));
  const std::vector<uint64_t> counts = decode_counts(in, state.slots_.size(), kWhat);
  if (counts.size() != state.slots_.size()) throw DecodeError("binary outcomes: of another number of cells");
  for (size_t i = 0; i < counts.size(); ++i) {
    state.slots_[i].n = counts[i];
    state.n_rows_ += counts[i];  // decode_counts knows that it fits
  }
  if (state.n_rows_ > kMaxRows) throw DecodeError("binary outcomes: more than 2^62 rows");
  state.n_clipped_ = in.get_varint(kWhat);
  state.settled_.resize(state.n_counted());
  bool narrow = true;
  for (size_t i = 0; i < state.n_counted(); ++i) {
    if (counts[i] == 0) continue;
    Sums& sum = state.settled_[i];
    sum.z = get_wide(in, kWhat);
    sum.squares = get_wide(in, kWhat);
    for (const int128 x : {sum.z, sum.squares}) narrow &= x < kNarrow && x > -kNarrow;
    if (state.weights_.empty()) continue;
    Weights& weights = state.weights_[i];
    // Of a row at most; squares of scores reach furthest. Twice as much, for rounding.
    const double most =
        2 * kMaxWeight * kernels::kFixedReach * kernels::kFixedReach * static_cast<double>(counts[i]);
    for (double* x : {&weights.n, &weights.z, &weights.squares}) {
      *x = in.get<double>(kWhat);
      if (!(std::abs(*x) <= most) || (*x == 0 && std::signbit(*x)) || (*x < 0 && x != &weights.z)) {
        throw DecodeError("binary outcomes: a weight that no rows have");
      }
    }
  }
  for (size_t i = 0; i < kCounted; ++i) {
    if (state.weights_.empty() || !state.has(i)) continue;
    double& sum = state.weight_squares_[i];
    sum = in.get<double>(kWhat);
    const double most = 2 * kMaxWeight * kMaxWeight * static_cast<double>(state.n_rows_);
    if (!(sum >= 0 && sum <= most) || std::signbit(sum)) {
      throw DecodeError("binary outcomes: a weight that no rows have");
    }
  }
  if (const char* why = state.broken()) throw DecodeError(std::string("binary outcomes: ") + why);
  if (!narrow) return state;
  for (size_t i = 0; i < state.n_counted(); ++i) {
    state.slots_[i].z = static_cast<int64_t>(state.settled_[i].z);
    state.slots_[i].squares = static_cast<int64_t>(state.settled_[i].squares);
  }
  state.settled_.clear();
  state.reach_ = kNarrow;
  return state;
}

}  // namespace tidegauge::joint
