#include "tidegauge/arrow/decimal.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "tidegauge/arrow/bits.hpp"

namespace tidegauge::arrow {
namespace {

__extension__ typedef unsigned __int128 Wide;

constexpr int64_t kExactDouble = int64_t{1} << 53;
constexpr uint64_t kTenTo18 = 1'000'000'000'000'000'000u;

// Powers of ten that a double holds exactly.
constexpr double kTenTo[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                             1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

struct Magnitude {
  std::array<uint64_t, 4> words;  // lowest first
  bool negative;

  bool fits(uint64_t limit) const { return words[0] <= limit && !(words[1] | words[2] | words[3]); }
};

Magnitude load_magnitude(const void* bytes, int32_t width) {
  Magnitude m{};
  if (width == 4) {
    m.words[0] = static_cast<uint64_t>(int64_t{load<int32_t>(bytes, 0)});
  } else {
    std::memcpy(m.words.data(), bytes, static_cast<size_t>(width));
  }
  const int32_t n_read = std::max(width / 8, 1);
  m.negative = m.words[static_cast<size_t>(n_read - 1)] >> 63;
  if (!m.negative) return m;
  for (size_t i = static_cast<size_t>(n_read); i < 4; ++i) m.words[i] = ~uint64_t{0};
  uint64_t carry = 1;  // negate: complement and add one
  for (uint64_t& word : m.words) {
    word = ~word + carry;
    carry = carry && word == 0;
  }
  return m;
}

/// All digits of the magnitude, 18 at a time from the lowest.
std::string digits_of(Magnitude m) {
  std::string reversed;
  do {
    Wide rest = 0;
    for (size_t i = 4; i-- > 0;) {
      rest = (rest << 64) | m.words[i];
      m.words[i] = static_cast<uint64_t>(rest / kTenTo18);
      rest %= kTenTo18;
    }
    auto group = static_cast<uint64_t>(rest);
    for (int digit = 0; digit < 18; ++digit, group /= 10) reversed += static_cast<char>('0' + group % 10);
  } while (!m.fits(0));
  reversed.erase(reversed.find_last_not_of('0') + 1);
  return {reversed.rbegin(), reversed.rend()};
}

}  // namespace

bool decimal_to_double(const void* bytes, int32_t width, int32_t scale, double& out) {
  const Magnitude m = load_magnitude(bytes, width);
  out = 0;
  if (m.fits(0)) return true;
  if (m.fits(kExactDouble) && scale >= 0 && scale <= 22) {  // one division of two exact numbers rounds once
    out = static_cast<double>(m.words[0]) / kTenTo[scale];
  } else {
    const std::string text = digits_of(m) + "e" + std::to_string(-int64_t{scale});
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc() && scale < 0) return false;
    if (error != std::errc()) out = 0;  // below the smallest double
  }
  if (m.negative) out = -out;
  return true;
}

bool decimal_to_int64(const void* bytes, int32_t width, int32_t scale, int64_t& out) {
  const Magnitude m = load_magnitude(bytes, width);
  out = 0;
  if (m.fits(0)) return true;
  std::string digits = digits_of(m);
  if (scale < -18) return false;
  if (scale <= 0) {
    digits.append(static_cast<size_t>(-scale), '0');
  } else {
    const size_t n_zeros = digits.size() - 1 - digits.find_last_not_of('0');
    if (n_zeros < static_cast<size_t>(scale)) return false;
    digits.erase(digits.size() - static_cast<size_t>(scale));
  }
  if (m.negative) digits.insert(digits.begin(), '-');
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  return error == std::errc();
}

}  // namespace tidegauge::arrow
