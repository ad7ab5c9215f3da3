#include "tidegauge/profile/leaf_outcomes.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "tidegauge/base/counts.hpp"
#include "tidegauge/base/error.hpp"
#include "tidegauge/base/hash.hpp"
#include "tidegauge/joint/tile.hpp"
#include "tidegauge/kernels/kernels.hpp"

namespace tidegauge {
namespace {

constexpr const char* kWhat = "leaves";
using joint::kCounted;

/// A value less itself is 0, or NaN, and so is their sum; in lanes, as one sum would wait for itself.
bool all_finite(const double* x, size_t n) {
  double lanes[8] = {};
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (size_t j = 0; j < 8; ++j) lanes[j] += x[i + j] - x[i + j];
  }
  for (; i < n; ++i) lanes[0] += x[i] - x[i];
  return std::ranges::all_of(lanes, [](double lane) { return lane == 0; });
}

}  // namespace

std::shared_ptr<const LeafSpec> LeafSpec::make(LeafTree tree, Judged judged) {
  auto spec = std::make_shared<LeafSpec>();
  spec->tree = std::make_shared<const LeafTree>(std::move(tree));
  spec->judged = std::move(judged);
  if (const auto* score = std::get_if<0>(&spec->judged)) {
    const joint::BinarySpec& outcome = **score;
    if (outcome.weighted() || outcome.edges->values.size() > kMaxEdges) {
      throw SchemaError("leaves: a score has no weight and at most " + std::to_string(kMaxEdges) +
                        " edges, not the weight '" + outcome.weight + "' and " +
                        std::to_string(outcome.edges->values.size()) + " edges");
    }
  }
  for (const LeafColumn& column : spec->tree->columns()) {
    if (column.name == spec->label()) throw SchemaError("leaves: a tree cannot ask for the label");
  }
  ByteWriter bytes;
  spec->encode(bytes);
  spec->id = hash_bytes(bytes.bytes().data(), bytes.size(), kDefaultSeed ^ 'l');
  return spec;
}

const std::string& LeafSpec::label() const {
  return std::visit([](const auto& held) -> const std::string& { return held->label; }, judged);
}

size_t LeafSpec::n_cells() const {
  const auto* score = std::get_if<0>(&judged);
  return score ? (*score)->n_cells() : 1;
}

std::vector<std::string> columns_of(const LeafSpec& spec) {
  auto names = std::visit([](const auto& held) { return joint::columns_of(*held); }, spec.judged);
  for (const LeafColumn& column : spec.tree->columns()) {
    if (std::ranges::find(names, column.name) == names.end()) names.push_back(column.name);
  }
  return names;
}

void LeafSpec::encode(ByteWriter& out) const {
  tree->encode(out);
  out.put(static_cast<uint8_t>(judged.index()));
  std::visit([&](const auto& held) { held->encode(out); }, judged);
}

std::shared_ptr<const LeafSpec> LeafSpec::decode(ByteReader& in) {
  LeafTree tree = LeafTree::decode(in);
  switch (in.get<uint8_t>(kWhat)) {
    case 0:
      return make(std::move(tree), joint::BinarySpec::decode(in));
    case 1:
      return make(std::move(tree), joint::RegressionSpec::decode(in));
    default:
      throw DecodeError("leaves: of something that this version does not know");
  }
}

LeafOutcomes::LeafOutcomes(std::shared_ptr<const LeafSpec> spec)
    : spec_(std::move(spec)), slots_(spec_->tree->n_leaves() * n_cells() * kCounted + 1) {}

void LeafOutcomes::prepare() const {
  if (const auto* score = std::get_if<0>(&spec_->judged)) (*score)->edges->grid();
}

void LeafOutcomes::update(const joint::Rows& rows) {
  std::visit([&](const auto& held) { update(*held, rows); }, spec_->judged);
  n_rows_ += static_cast<uint64_t>(rows.n_rows());
}

void LeafOutcomes::update(const joint::BinarySpec& spec, const joint::Rows& rows) {
  const LeafReader leaves(*spec_->tree, rows);
  const kernels::Table& kernel = kernels::table();
  const auto& grid = spec.edges->grid();
  const size_t stride = n_cells() * kCounted, homeless = slots_.size() - 1;
  const auto add = [&](int64_t begin, const double* scores, joint::Code* outcomes, size_t n) {
    alignas(64) uint64_t cells[joint::kTile + 8];
    uint8_t leaf[joint::kTile];
    double finite[joint::kTile] = {};
    if (!all_finite(scores, n)) {
      for (size_t i = 0; i < n; ++i) {
        const bool usable = std::isfinite(scores[i]);
        finite[i] = usable ? scores[i] : 0;
        if (!usable) outcomes[i] = kCounted;
      }
      scores = finite;
    }
    kernel.cells_f64(scores, n, grid, cells);
    leaves.read(begin, static_cast<int64_t>(n), leaf);
    uint64_t* const slots = slots_.data();
    for (size_t i = 0; i < n; ++i) {
      const size_t outcome = outcomes[i];
      ++slots[outcome < kCounted ? leaf[i] * stride + kCounted * cells[i] + outcome : homeless];
    }
  };
  joint::for_scored_tiles(spec, rows, add);
}

void LeafOutcomes::update(const joint::RegressionSpec& spec, const joint::Rows& rows) {
  using joint::Answer;
  using joint::Outcome;
  const LeafReader leaves(*spec_->tree, rows);
  const size_t homeless = slots_.size() - 1;
  const auto add = [&](int64_t begin, const Answer* answers, size_t n) {
    uint8_t leaf[joint::kTile];
    leaves.read(begin, static_cast<int64_t>(n), leaf);
    for (size_t i = 0; i < n; ++i) {
      const bool labelled = answers[i] == Answer::labelled;
      const auto outcome = static_cast<size_t>(labelled ? Outcome::negative : Outcome::unlabelled);
      const bool counted = labelled || answers[i] == Answer::unlabelled;
      ++slots_[counted ? leaf[i] * kCounted + outcome : homeless];
    }
  };
  joint::for_predicted_tiles(spec, rows, add);
}

void LeafOutcomes::merge(const LeafOutcomes& other) {
  for (size_t i = 0; i < slots_.size(); ++i) slots_[i] += other.slots_[i];
  n_rows_ += other.n_rows_;
}

void LeafOutcomes::subtract(const LeafOutcomes& other) {
  bool more = false;
  for (size_t i = 0; i < slots_.size(); ++i) more |= other.slots_[i] > slots_[i];
  if (more) {
    throw MergeError(
        "leaves: what is to be taken away was never added; subtract only what an earlier update or merge "
        "added");
  }
  for (size_t i = 0; i < slots_.size(); ++i) slots_[i] -= other.slots_[i];
  n_rows_ -= other.n_rows_;
}

bool LeafOutcomes::operator==(const LeafOutcomes& other) const {
  return spec_->id == other.spec_->id && slots_ == other.slots_;
}

void LeafOutcomes::encode(ByteWriter& out) const { encode_counts(out, std::span<const uint64_t>(slots_)); }

LeafOutcomes LeafOutcomes::decode(ByteReader& in, std::shared_ptr<const LeafSpec> spec) {
  LeafOutcomes state(std::move(spec));
  auto slots = decode_counts(in, state.slots_.size(), kWhat);
  if (slots.size() != state.slots_.size()) throw DecodeError("leaves: of another number of cells");
  for (const uint64_t count : slots) state.n_rows_ += count;  // decode_counts knows that it fits
  if (state.spec_->judged.index() == 1) {
    for (size_t i = static_cast<size_t>(joint::Outcome::positive); i < slots.size() - 1; i += kCounted) {
      if (slots[i] > 0) throw DecodeError("leaves: a predicted number has no positive rows");
    }
  }
  if (state.n_rows_ > joint::kMaxRows) throw DecodeError("leaves: more than 2^62 rows");
  state.slots_ = std::move(slots);
  return state;
}

}  // namespace tidegauge
