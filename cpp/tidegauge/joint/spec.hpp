#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tidegauge/base/bytes.hpp"
#include "tidegauge/kernels/scores.hpp"

namespace tidegauge::joint {

inline constexpr size_t kMinColumns = 2, kMaxColumns = 64;
inline constexpr size_t kMaxCells = 258;  // of a column: below, 256 cells, above

/// A column's score in each of its cells: below, the cells, above; of a boolean false and true.
struct Member {
  std::string name;
  std::vector<int8_t> scores;
};

/// What is watched together, frozen by a reference: columns, the score of each of their cells, and random
/// directions. `id` names all of it: sums add up if and only if their ids are equal.
///
/// Every row becomes a vector of scores, 0 for a column without a usable value in it. Scores lie within
/// +-kernels::kMaxScore and n_waves within kernels::kMaxWaves.
class Spec {
 public:
  /// Throws SchemaError.
  static std::shared_ptr<const Spec> make(std::vector<Member> columns, size_t n_waves, uint64_t seed);

  const std::vector<Member>& columns() const { return columns_; }
  size_t n_columns() const { return columns_.size(); }
  size_t n_waves() const { return n_waves_; }
  uint64_t seed() const { return seed_; }
  uint64_t id() const { return id_; }

  /// The directions: n_waves rows of round_up(n_columns, kernels::kScoreColumns) whole numbers.
  const std::vector<int8_t>& weights() const { return weights_; }
  kernels::Waves waves() const { return {weights_.data(), n_waves_}; }

  void encode(ByteWriter& out) const;
  /// Throws DecodeError, or SchemaError as make does.
  static std::shared_ptr<const Spec> decode(ByteReader& in);

 private:
  std::vector<Member> columns_;
  size_t n_waves_ = 0;
  uint64_t seed_ = 0, id_ = 0;
  std::vector<int8_t> weights_;
};

}  // namespace tidegauge::joint
