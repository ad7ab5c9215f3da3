#include "tidegauge/sketch/distinct.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <string>

#include "tidegauge/base/error.hpp"

namespace tidegauge::sketch {

namespace {

constexpr unsigned kMaxLevel =
    64 - Distinct::kPrecision + 1;  // what no 1 is left in counts as the last level
constexpr size_t kFirstSlots = 16;
constexpr unsigned kChangesPerLimit = 512;

/// The level of a hash: 1 + the zeros after its register's bits.
unsigned level_of(uint64_t hash) {
  constexpr uint64_t sentinel = (uint64_t{1} << Distinct::kPrecision) - 1;
  return static_cast<unsigned>(std::countl_zero((hash << Distinct::kPrecision) | sentinel)) + 1;
}

/// What a register says as a set of levels, bit l for level l.
constexpr uint64_t levels_of(uint8_t value) {
  if (value == 0) return 0;
  const unsigned highest = value >> 2;
  return ((uint64_t{4} | (value & 3)) << highest) >> 2;
}

constexpr uint8_t register_of(uint64_t levels) {
  if (levels == 0) return 0;
  const auto highest = static_cast<unsigned>(std::bit_width(levels)) - 1;
  const uint64_t below = ((levels << 2) >> highest) & 3;
  return static_cast<uint8_t>(highest << 2 | below);
}

/// Whether a register can hold each value: no level 0, none above the last.
constexpr auto kIsRegister = [] {
  std::array<bool, 256> can{};
  for (unsigned value = 0; value < 256; ++value) {
    const uint64_t levels = levels_of(static_cast<uint8_t>(value));
    can[value] = value >> 2 <= kMaxLevel && (levels & 1) == 0 && register_of(levels) == value;
  }
  return can;
}();

/// The union of two registers, in steps that a compiler makes vectors of: what the lower one says, shifted by
/// the distance of their highest levels, adds to the two bits of the higher one.
constexpr uint8_t united(uint8_t a, uint8_t b) {
  const uint8_t high = a > b ? a : b, low = a > b ? b : a;
  const uint8_t distance = static_cast<uint8_t>((high >> 2) - (low >> 2));
  const uint8_t says = low ? static_cast<uint8_t>(4 | (low & 3)) : uint8_t{0};
  const uint8_t once = static_cast<uint8_t>(says >> 1), twice = static_cast<uint8_t>(says >> 2);
  const uint8_t adds = distance == 0 ? says : distance == 1 ? once : distance == 2 ? twice : uint8_t{0};
  return static_cast<uint8_t>(high | (adds & 3));
}

/// The lowest level that would change a register: of u - 2 and u - 1 those not seen, else u + 1. It never
/// falls as the register rises, so a limit once valid stays so.
unsigned first_open_level(uint8_t value) {
  const unsigned highest = value >> 2;
  if (highest > 2 && !(value & 1)) return highest - 2;
  if (highest > 1 && !(value & 2)) return highest - 1;
  return highest + 1;
}

/// What an empty slot holds: a hash whose home is another slot, so that no look at a home finds it. (The hash
/// 1 cannot be pushed as far as slot 0, which would take a table full but for one slot; 0 is kept apart.)
constexpr uint64_t empty_slot(size_t slot) { return slot == 0; }

/// The likelihood of the registers under Poisson arrivals at rate x a register: level l arrives at rate
/// x rate(l), so the log-likelihood is -x unseen + sum over l of seen[l] log(1 - exp(-x rate(l))), over the
/// levels that a register tells about: its own, the two below, and all above.
struct Likelihood {
  double unseen = 0;
  std::array<uint32_t, kMaxLevel + 1> seen{};

  static double rate(unsigned level) {
    return std::ldexp(1.0, -static_cast<int>(std::min(level, kMaxLevel - 1)));
  }

  explicit Likelihood(std::span<const uint8_t> registers) {
    std::array<uint32_t, 256> histogram{};
    for (const uint8_t value : registers) ++histogram[value];
    for (unsigned value = 0; value < 256; ++value) {
      if (histogram[value] == 0) continue;
      const unsigned highest = value >> 2;
      const uint64_t levels = levels_of(static_cast<uint8_t>(value));
      double silent = highest == kMaxLevel ? 0 : std::ldexp(1.0, -static_cast<int>(highest));  // all above
      for (unsigned level = highest; level >= 1 && level + 2 >= highest; --level) {
        if (levels >> level & 1) {
          seen[level] += histogram[value];
        } else {
          silent += rate(level);
        }
      }
      unseen += histogram[value] * silent;
    }
  }

  /// The derivative in x, which falls from above zero to below it.
  double slope(double x) const {
    double sum = -unseen;
    for (unsigned level = 1; level <= kMaxLevel; ++level) {
      if (seen[level]) sum += seen[level] * rate(level) / std::expm1(x * rate(level));
    }
    return sum;
  }
};

}  // namespace

Distinct::Distinct() : slots_(kFirstSlots) { slots_[0] = empty_slot(0); }

void Distinct::update(std::span<const uint64_t> hashes) {
  size_t i = 0;
  while (i < hashes.size() && is_exact()) insert(hashes[i++]);
  for (; i < hashes.size(); ++i) {
    if ((hashes[i] << kPrecision) < limit_) observe(hashes[i]);
  }
}

void Distinct::insert(uint64_t hash) {
  if (hash == 0) {
    has_zero_ = true;
  } else {
    size_t slot = hash & mask();
    for (; slots_[slot] != empty_slot(slot); slot = (slot + 1) & mask()) {
      if (slots_[slot] == hash) return;
    }
    slots_[slot] = hash;
    ++n_slots_used_;
    if (2 * n_slots_used_ > slots_.size()) grow();
  }
  if (n_slots_used_ + has_zero_ > kMaxExact) convert();
}

void Distinct::grow() {
  const auto held = sorted();
  slots_.assign(2 * slots_.size(), 0);
  slots_[0] = empty_slot(0);
  for (const uint64_t hash : held) {
    if (hash == 0) continue;
    size_t slot = hash & mask();
    while (slots_[slot] != empty_slot(slot)) slot = (slot + 1) & mask();
    slots_[slot] = hash;
  }
}

void Distinct::convert() {
  const auto held = sorted();
  registers_.assign(kRegisters, 0);
  slots_ = {empty_slot(0), empty_slot(1)};
  n_slots_used_ = 0;
  has_zero_ = false;
  for (const uint64_t hash : held) observe(hash);
  raise_limit();
}

void Distinct::observe(uint64_t hash) {
  uint8_t& value = registers_[hash >> (64 - kPrecision)];
  const uint64_t levels = levels_of(value);
  const uint8_t raised = register_of(levels | uint64_t{1} << level_of(hash));
  if (raised == value) return;
  value = raised;
  if (++n_changes_ >= kChangesPerLimit) raise_limit();
}

/// Levels below the lowest that any register is open to are spent: (h << 12) is too large for a later one.
void Distinct::raise_limit() {
  n_changes_ = 0;
  unsigned open = kMaxLevel;
  for (const uint8_t value : registers_) open = std::min(open, first_open_level(value));
  limit_ = open <= 1 ? ~uint64_t{0} : uint64_t{1} << (65 - open);
}

void Distinct::merge(const Distinct& other) {
  if (other.is_exact()) {
    const auto hashes = other.sorted();
    update(hashes);
    return;
  }
  if (is_exact()) convert();
  uint8_t* ours = registers_.data();
  const uint8_t* theirs = other.registers_.data();
  for (size_t i = 0; i < kRegisters; ++i) ours[i] = united(ours[i], theirs[i]);
  n_changes_ = kChangesPerLimit;  // the limit still holds; the next change raises it
}

double Distinct::estimate() const {
  if (is_exact()) return static_cast<double>(n_slots_used_ + has_zero_);
  const Likelihood likelihood(registers_);
  // Bisection over the exponent: the slope has one root, between one hash in all and more than there are.
  double low = -static_cast<double>(kPrecision), high = 64 - static_cast<double>(kPrecision);
  for (int step = 0; step < 60; ++step) {
    const double middle = (low + high) / 2;
    (likelihood.slope(std::exp2(middle)) > 0 ? low : high) = middle;
  }
  return std::exp2(low) * static_cast<double>(kRegisters);
}

std::vector<uint64_t> Distinct::sorted() const {
  std::vector<uint64_t> hashes;
  hashes.reserve(n_slots_used_ + 1);
  if (has_zero_) hashes.push_back(0);
  for (size_t slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot] != empty_slot(slot)) hashes.push_back(slots_[slot]);
  }
  std::sort(hashes.begin(), hashes.end());
  return hashes;
}

bool Distinct::operator==(const Distinct& other) const {
  return registers_ == other.registers_ && (!is_exact() || sorted() == other.sorted());
}

void Distinct::encode(ByteWriter& out) const {
  out.put(static_cast<uint8_t>(!is_exact()));
  if (is_exact()) {
    const auto hashes = sorted();
    out.put_varint(hashes.size());
    out.put_array<uint64_t>(hashes);
  } else {
    out.put_array<uint8_t>(registers_);
  }
}

Distinct Distinct::decode(ByteReader& in) {
  Distinct result;
  const auto form = in.get<uint8_t>("distinct form");
  if (form == 0) {
    const size_t count = in.get_count(sizeof(uint64_t), "distinct hashes");
    if (count > kMaxExact) {
      throw DecodeError("distinct: " + std::to_string(count) + " hashes, but at most " +
                        std::to_string(kMaxExact) + " are kept as they are");
    }
    std::vector<uint64_t> hashes(count);
    in.get_array<uint64_t>(hashes, "distinct hashes");
    if (std::adjacent_find(hashes.begin(), hashes.end(), std::greater_equal<>{}) != hashes.end()) {
      throw DecodeError("distinct: the hashes are not in ascending order");
    }
    result.update(hashes);
  } else if (form == 1) {
    result.slots_ = {empty_slot(0), empty_slot(1)};
    result.registers_.resize(kRegisters);
    in.get_array<uint8_t>(result.registers_, "distinct registers");
    bool valid = true;
    for (const uint8_t value : result.registers_) valid &= kIsRegister[value];
    if (!valid) throw DecodeError("distinct: a register names levels that are not");
    result.n_changes_ = kChangesPerLimit;  // the limit is that of no register; the next change raises it
  } else {
    throw DecodeError("distinct: form " + std::to_string(form) + " is neither 0 nor 1");
  }
  return result;
}

}  // namespace tidegauge::sketch
