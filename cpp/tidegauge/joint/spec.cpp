#include "tidegauge/joint/spec.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <unordered_set>

#include "tidegauge/base/error.hpp"
#include "tidegauge/base/hash.hpp"
#include "tidegauge/base/random.hpp"

namespace tidegauge::joint {
namespace {

constexpr double kTurn = 6.283185307179586;
constexpr double kUnitScore = 20;  // of a standard deviation: what the choice of scores aims at

/// Directions whose projections have a standard deviation of 1 / sqrt(2) radians where the scores of a row
/// are independent (the kernel's bandwidth is then the median distance of two rows), and every second one of
/// twice that, which sees finer shapes. Close to normal: four counts of 64 fair bits each, which need no
/// function that libraries compute differently.
std::vector<int8_t> directions(size_t n_columns, size_t n_waves, uint64_t seed) {
  const size_t width = kernels::round_up(n_columns, kernels::kScoreColumns);
  const double unit =
      kernels::kPhaseUnits / kTurn / kUnitScore / std::sqrt(2.0 * static_cast<double>(n_columns));
  std::vector<int8_t> weights(n_waves * width);
  for (size_t k = 0; k < n_waves; ++k) {
    const double scale = k % 2 ? 2 * unit : unit;
    for (size_t j = 0; j < n_columns; ++j) {
      int ones = 0;
      for (uint64_t i = 0; i < 4; ++i) {
        ones += std::popcount(draw(seed, (k * kMaxColumns + j) * 4 + i));
      }
      const double normal = (ones - 128) / 8.0;
      weights[k * width + j] =
          static_cast<int8_t>(std::clamp(std::floor(scale * normal + 0.5), -127.0, 127.0));
    }
  }
  return weights;
}

}  // namespace

std::shared_ptr<const Spec> Spec::make(std::vector<Member> columns, size_t n_waves, uint64_t seed) {
  if (columns.size() < kMinColumns || columns.size() > kMaxColumns) {
    throw SchemaError("joint: of " + std::to_string(columns.size()) +
                      " columns; 2 to 64 can be watched together");
  }
  if (n_waves > kernels::kMaxWaves) {
    throw SchemaError("joint: " + std::to_string(n_waves) + " waves; at most 256 can be kept");
  }
  std::unordered_set<std::string_view> names;
  for (const Member& column : columns) {
    if (!names.insert(column.name).second)
      throw SchemaError("joint: column '" + column.name + "' is named twice");
    if (column.scores.size() < 2 || column.scores.size() > kMaxCells) {
      throw SchemaError("joint: column '" + column.name + "' has scores for " +
                        std::to_string(column.scores.size()) + " cells; it needs 2 to 258");
    }
    for (const int score : column.scores) {
      if (score < -kernels::kMaxScore || score > kernels::kMaxScore) {
        throw SchemaError("joint: column '" + column.name + "' has the score " + std::to_string(score) +
                          "; scores lie from -63 to 63");
      }
    }
  }
  auto spec = std::make_shared<Spec>();
  spec->columns_ = std::move(columns);
  spec->n_waves_ = n_waves;
  spec->seed_ = seed;
  spec->weights_ = directions(spec->n_columns(), n_waves, seed);
  ByteWriter content;
  spec->encode(content);
  spec->id_ = hash_bytes(content.bytes().data(), content.size(), kDefaultSeed ^ 'j');
  return spec;
}

void Spec::encode(ByteWriter& out) const {
  out.put(seed_);
  out.put_varint(n_waves_);
  out.put_varint(columns_.size());
  for (const Member& column : columns_) {
    out.put_text(column.name);
    out.put_varint(column.scores.size());
    out.put_array(std::span<const int8_t>(column.scores));
  }
}

std::shared_ptr<const Spec> Spec::decode(ByteReader& in) {
  constexpr const char* kWhat = "joint";
  const auto seed = in.get<uint64_t>(kWhat);
  const uint64_t n_waves = in.get_varint(kWhat);
  const size_t n_columns = in.get_count(4, kWhat);  // a name's length, a count, two scores
  if (n_columns > kMaxColumns) throw DecodeError("joint: of more columns than there can be");
  std::vector<Member> columns(n_columns);
  for (Member& column : columns) {
    column.name = in.get_text(kWhat);
    column.scores.resize(in.get_count(1, kWhat));
    in.get_array(std::span<int8_t>(column.scores), kWhat);
  }
  return make(std::move(columns), n_waves, seed);
}

}  // namespace tidegauge::joint
