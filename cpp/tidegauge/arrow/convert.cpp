#include "tidegauge/arrow/convert.hpp"

#include <algorithm>
#include <type_traits>

#include "tidegauge/arrow/bits.hpp"
#include "tidegauge/arrow/decimal.hpp"

// Types that always fit are one straight loop. The others go 64 rows at a time: a straight loop that also
// accumulates whether all were easily exact, and only where they were not, one row after the other.

namespace tidegauge::arrow {
namespace {

struct Half {
  uint16_t bits;
};

/// The exponent of a half is rebiased by one multiplication, which also normalises subnormals.
double widen(Half half) {
  const uint32_t magnitude = half.bits & 0x7fffu;
  float value = std::bit_cast<float>(magnitude << 13) * 0x1p112f;
  const uint32_t special = magnitude >= 0x7c00 ? 0x7f800000u : 0;  // infinity and NaN
  const uint32_t sign = uint32_t{half.bits & 0x8000u} << 16;
  return double{std::bit_cast<float>(std::bit_cast<uint32_t>(value) | special | sign)};
}
double widen(float value) { return double{value}; }
double widen(double value) { return value; }

/// Clears what is not exact in one word; how many that were.
int64_t keep(uint64_t& word, uint64_t exact) {
  const int64_t n_mistyped = std::popcount(word & ~exact);
  word &= exact;
  return n_mistyped;
}

template <class Exact>
int64_t keep_each(int64_t n, uint64_t& word, Exact exact) {
  uint64_t bits = 0;
  for (int64_t i = 0; i < n; ++i) bits |= uint64_t{exact(i)} << i;
  return keep(word, bits);
}

template <class T>
constexpr bool kIsLong = std::is_integral_v<T> && sizeof(T) == 8;

/// 64-bit integers to double without a 64-bit conversion instruction: each half becomes a double by its bits
/// alone (2^52 + low, 2^84 + 2^32 * high), their difference from the bias is exact, and the sum rounds once.
template <class T>
double from_long(T value) {
  constexpr bool is_signed = std::is_signed_v<T>;
  const uint64_t shifted = static_cast<uint64_t>(value) ^ (is_signed ? uint64_t{1} << 63 : 0);
  const auto low = std::bit_cast<double>((shifted & 0xffffffffu) | 0x4330000000000000u);
  const auto high = std::bit_cast<double>((shifted >> 32) | 0x4530000000000000u);
  return (high - (0x1p84 + 0x1p52 + (is_signed ? 0x1p63 : 0.0))) + low;
}

/// Whether the integer survives the way to double and back.
template <class T>
bool is_exact(T value, double d) {
  constexpr double limit = std::is_signed_v<T> ? 0x1p63 : 0x1p64;
  return d < limit && static_cast<T>(d) == value;
}

template <class T>
int64_t to_state(const void* values, int64_t n, double* out, uint64_t* words) {
  if constexpr (kIsLong<T>) {
    int64_t n_mistyped = 0;
    for (int64_t begin = 0; begin < n; begin += 64) {
      const int64_t m = std::min<int64_t>(64, n - begin);
      const auto* group = static_cast<const char*>(values) + begin * 8;
      double* to = out + begin;
      uint64_t reach = 0;  // |x| < 2^53 leaves no bit of x + 2^53 from 54 on
      for (int64_t i = 0; i < m; ++i) {
        const T value = load<T>(group, i);
        reach |= static_cast<uint64_t>(value) + (std::is_signed_v<T> ? uint64_t{1} << 53 : 0);
        to[i] = from_long(value);
      }
      if (reach >> (std::is_signed_v<T> ? 54 : 53) == 0) continue;
      n_mistyped +=
          keep_each(m, words[begin >> 6], [&](int64_t i) { return is_exact(load<T>(group, i), to[i]); });
    }
    return n_mistyped;
  } else if constexpr (std::is_integral_v<T>) {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<double>(load<T>(values, i));
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = widen(load<T>(values, i));
  }
  return 0;
}

bool to_int64(double value, int64_t& out) {
  out = 0;
  if (!(value >= -0x1p63 && value < 0x1p63)) return false;
  out = static_cast<int64_t>(value);
  return static_cast<double>(out) == value;
}

template <class T>
int64_t to_state(const void* values, int64_t n, int64_t* out, uint64_t* words) {
  int64_t n_mistyped = 0;
  if constexpr (std::is_same_v<T, uint64_t>) {
    for (int64_t begin = 0; begin < n; begin += 64) {
      const int64_t m = std::min<int64_t>(64, n - begin);
      uint64_t signs = 0;
      for (int64_t i = begin; i < begin + m; ++i) {
        const auto value = load<uint64_t>(values, i);
        signs |= value;
        out[i] = static_cast<int64_t>(value);
      }
      if (signs >> 63 == 0) continue;
      n_mistyped += keep_each(m, words[begin >> 6], [&](int64_t i) { return out[begin + i] >= 0; });
    }
  } else if constexpr (std::is_integral_v<T>) {
    for (int64_t i = 0; i < n; ++i) out[i] = int64_t{load<T>(values, i)};
  } else {
    // Adding 1.5 * 2^52 leaves a whole number of at most 2^51 in the low bits of the sum.
    constexpr double magic = 0x1.8p52;
    for (int64_t begin = 0; begin < n; begin += 64) {
      const int64_t m = std::min<int64_t>(64, n - begin);
      const auto* group = static_cast<const char*>(values) + begin * static_cast<int64_t>(sizeof(T));
      int64_t* to = out + begin;
      uint64_t wrong = 0;
      for (int64_t i = 0; i < m; ++i) {
        const double value = widen(load<T>(group, i));
        const double sum = value + magic;
        const double back = sum - magic;
        // Compared by bits: a -0.0 takes the slow way, a NaN fails the exponent.
        wrong |= std::bit_cast<uint64_t>(back) ^ std::bit_cast<uint64_t>(value);
        wrong |= (std::bit_cast<uint64_t>(sum) >> 52) ^ 0x433;
        to[i] = static_cast<int64_t>(std::bit_cast<uint64_t>(sum) - 0x4338000000000000u);
      }
      if (wrong == 0) continue;
      n_mistyped += keep_each(m, words[begin >> 6],
                              [&](int64_t i) { return to_int64(widen(load<T>(group, i)), to[i]); });
    }
  }
  return n_mistyped;
}

bool from_decimal(const Type& type, const void* bytes, double& out) {
  return decimal_to_double(bytes, type.width, type.scale, out);
}
bool from_decimal(const Type& type, const void* bytes, int64_t& out) {
  return decimal_to_int64(bytes, type.width, type.scale, out);
}

template <class State>
int64_t convert_decimals(const Type& type, const void* values, int64_t n, State* out, uint64_t* words) {
  int64_t n_mistyped = 0;
  for (int64_t begin = 0; begin < n; begin += 64) {
    n_mistyped += keep_each(std::min<int64_t>(64, n - begin), words[begin >> 6], [&](int64_t i) {
      const auto* bytes = static_cast<const char*>(values) + (begin + i) * type.width;
      return from_decimal(type, bytes, out[begin + i]);
    });
  }
  return n_mistyped;
}

template <class State>
int64_t convert_any(const Type& type, const void* values, int64_t n, State* out, uint64_t* words) {
  switch (type.physical) {
    case Physical::int8:
      return to_state<int8_t>(values, n, out, words);
    case Physical::int16:
      return to_state<int16_t>(values, n, out, words);
    case Physical::int32:
      return to_state<int32_t>(values, n, out, words);
    case Physical::int64:
      return to_state<int64_t>(values, n, out, words);
    case Physical::uint8:
      return to_state<uint8_t>(values, n, out, words);
    case Physical::uint16:
      return to_state<uint16_t>(values, n, out, words);
    case Physical::uint32:
      return to_state<uint32_t>(values, n, out, words);
    case Physical::uint64:
      return to_state<uint64_t>(values, n, out, words);
    case Physical::float16:
      return to_state<Half>(values, n, out, words);
    case Physical::float32:
      return to_state<float>(values, n, out, words);
    case Physical::float64:
      return to_state<double>(values, n, out, words);
    case Physical::decimal:
      return convert_decimals(type, values, n, out, words);
    default: {
      std::fill(out, out + n, State{0});
      int64_t n_mistyped = 0;
      for (int64_t i = 0; i < n_words(n); ++i) n_mistyped += keep(words[i], 0);
      return n_mistyped;
    }
  }
}

int64_t nanoseconds(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::day:
      return 86'400'000'000'000;
    case TimeUnit::second:
      return 1'000'000'000;
    case TimeUnit::milli:
      return 1'000'000;
    case TimeUnit::micro:
      return 1'000;
    default:
      return 1;
  }
}

}  // namespace

int64_t convert(const Type& type, const void* values, int64_t n, double* out, uint64_t* words) {
  return convert_any(type, values, n, out, words);
}

int64_t convert(const Type& type, const void* values, int64_t n, int64_t* out, uint64_t* words) {
  return convert_any(type, values, n, out, words);
}

int64_t rescale(TimeUnit from, TimeUnit to, int64_t n, int64_t* values, uint64_t* words) {
  if (from == to || from == TimeUnit::none || to == TimeUnit::none) return 0;
  const int64_t up = nanoseconds(from) / nanoseconds(to), down = nanoseconds(to) / nanoseconds(from);
  int64_t n_mistyped = 0;
  for (int64_t begin = 0; begin < n; begin += 64) {
    n_mistyped += keep_each(std::min<int64_t>(64, n - begin), words[begin >> 6], [&](int64_t i) {
      int64_t& value = values[begin + i];
      if (up > 0) return !__builtin_mul_overflow(value, up, &value);
      const bool whole = value % down == 0;
      value /= down;
      return whole;
    });
  }
  return n_mistyped;
}

}  // namespace tidegauge::arrow
