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

}  // namespace

std::shared_ptr<const LeafSpec> LeafSpec::make(LeafTree tree,
                                               std::shared_ptr<const joint::BinarySpec> outcome) {
  if (outcome->weighted() || outcome->edges->values.size() > kMaxEdges) {
    throw SchemaError("leaves: outcomes have no weight and at most " + std::to_string(kMaxEdges) +
                      " edges, not the weight '" + outcome->weight + "' and " +
                      std::to_string(outcome->edges->values.size()) + " edges");
  }
  for (const LeafColumn& column : tree.columns()) {
    if (column.name == outcome->label) throw SchemaError("leaves: a tree cannot ask for the label");
  }
  auto spec = std::make_shared<LeafSpec>();
  spec->tree = std::make_shared<const LeafTree>(std::move(tree));
  spec->outcome = std::move(outcome);
  ByteWriter bytes;
  spec->encode(bytes);
  spec->id = hash_bytes(bytes.bytes().data(), bytes.size(), kDefaultSeed ^ 'l');
  return spec;
}

std::vector<std::string> columns_of(const LeafSpec& spec) {
  std::vector<std::string> names = joint::columns_of(*spec.outcome);
  for (const LeafColumn& column : spec.tree->columns()) {
    if (std::ranges::find(names, column.name) == names.end()) names.push_back(column.name);
  }
  return names;
}

void LeafSpec::encode(ByteWriter& out) const {
  tree->encode(out);
  outcome->encode(out);
}

std::shared_ptr<const LeafSpec> LeafSpec::decode(ByteReader& in) {
  LeafTree tree = LeafTree::decode(in);
  return make(std::move(tree), joint::BinarySpec::decode(in));
}

LeafOutcomes::LeafOutcomes(std::shared_ptr<const LeafSpec> spec)
    : spec_(std::move(spec)), counts_(spec_->tree->n_leaves() * n_cells() * kCounted) {}

void LeafOutcomes::update(const joint::Rows& rows) {
  const LeafReader leaves(*spec_->tree, rows);
  const kernels::Table& kernel = kernels::table();
  const auto& grid = spec_->outcome->edges->grid();
  const size_t stride = n_cells() * kCounted;
  joint::for_scored_tiles(
      *spec_->outcome, rows, [&](int64_t begin, const double* scores, joint::Code* outcomes, size_t n) {
        alignas(64) uint64_t cells[joint::kTile + 8];
        uint8_t leaf[joint::kTile];
        double finite[joint::kTile + 8] = {};
        for (size_t i = 0; i < n; ++i) {
          const bool usable = std::isfinite(scores[i]);
          finite[i] = usable ? scores[i] : 0;
          if (!usable) outcomes[i] = kCounted;
        }
        kernel.cells_f64(finite, n, grid, cells);
        leaves.read(begin, static_cast<int64_t>(n), leaf);
        uint64_t homeless = 0;
        for (size_t i = 0; i < n; ++i) {
          const bool counted = outcomes[i] < kCounted;
          homeless += !counted;
          const size_t slot = leaf[i] * stride + kCounted * cells[i] + (counted ? outcomes[i] : 0);
          counts_[slot] += counted;
        }
        n_homeless_ += homeless;
      });
  n_rows_ += static_cast<uint64_t>(rows.n_rows());
}

void LeafOutcomes::merge(const LeafOutcomes& other) {
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  n_rows_ += other.n_rows_;
  n_homeless_ += other.n_homeless_;
}

void LeafOutcomes::subtract(const LeafOutcomes& other) {
  bool more = other.n_homeless_ > n_homeless_;
  for (size_t i = 0; i < counts_.size(); ++i) more |= other.counts_[i] > counts_[i];
  if (more) {
    throw MergeError(
        "leaves: what is to be taken away was never added; subtract only what an earlier update or merge "
        "added");
  }
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] -= other.counts_[i];
  n_rows_ -= other.n_rows_;
  n_homeless_ -= other.n_homeless_;
}

bool LeafOutcomes::operator==(const LeafOutcomes& other) const {
  return spec_->id == other.spec_->id && counts_ == other.counts_ && n_homeless_ == other.n_homeless_;
}

void LeafOutcomes::encode(ByteWriter& out) const {
  out.put_varint(n_homeless_);
  encode_counts(out, std::span<const uint64_t>(counts_));
}

LeafOutcomes LeafOutcomes::decode(ByteReader& in, std::shared_ptr<const LeafSpec> spec) {
  LeafOutcomes state(std::move(spec));
  state.n_homeless_ = in.get_varint(kWhat);
  auto counts = decode_counts(in, state.counts_.size(), kWhat);
  if (counts.size() != state.counts_.size()) throw DecodeError("leaves: of another number of cells");
  uint64_t total = 0;
  for (const uint64_t count : counts) total += count;  // decode_counts knows that it fits
  if (total > joint::kMaxRows || state.n_homeless_ > joint::kMaxRows - total) {
    throw DecodeError("leaves: more than 2^62 rows");
  }
  state.counts_ = std::move(counts);
  state.n_rows_ = total + state.n_homeless_;
  return state;
}

}  // namespace tidegauge
