#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "tidegauge/joint/scores.hpp"
#include "tidegauge/joint/sums.hpp"

namespace tidegauge::joint {

/// What a profile knows of its columns together: sums under one spec and, while a reference is fitted, the
/// same sums of 32 random parts of its rows, from whose spread the chance variation of any statistic of the
/// sums can be told. The part of a row is drawn from its position among the profile's rows.
class Joint {
 public:
  static constexpr size_t kParts = 32;

  explicit Joint(std::shared_ptr<const Spec> spec, bool with_parts = false);

  uint64_t id() const { return id_; }
  /// Null if the sums came from bytes and their spec is not at hand: then they merge, but take no rows.
  const std::shared_ptr<const Spec>& spec() const { return spec_; }
  const Sums& total() const { return total_; }
  /// kParts sums without squares, or none.
  const std::vector<Sums>& parts() const { return parts_; }

  /// Calls its second argument with 0, 1, ... below the first, perhaps several at a time.
  using Run = std::function<void(size_t n, const std::function<void(size_t)>& job)>;

  /// Adds rows, of which the first is the profile's `first_row`, in up to n_jobs jobs that `run` carries out.
  /// Sums::kMaxRows must not be exceeded, and the spec be at hand.
  void update(const Scores& rows, uint64_t first_row, size_t n_jobs, const Run& run);

  /// The sums of rows, to be added later: without parts, several threads may work at once.
  Sums sums_of(const Scores& rows) const;
  void add(const Sums& rows) { total_.merge(rows); }

  /// Throws MergeError unless merge(other) can be done.
  void check_mergeable(const Joint& other) const;
  /// Parts are kept only if both sides that have rows have them.
  void merge(const Joint& other);
  /// Takes over a spec of the same id. Throws DecodeError where the sums are of another size.
  void attach(std::shared_ptr<const Spec> spec);

  void encode(ByteWriter& out) const;
  static Joint decode(ByteReader& in);

 private:
  Joint(uint64_t id, Sums total) : id_(id), total_(std::move(total)) {}

  uint64_t id_;
  std::shared_ptr<const Spec> spec_;
  Sums total_;
  std::vector<Sums> parts_;
};

}  // namespace tidegauge::joint
