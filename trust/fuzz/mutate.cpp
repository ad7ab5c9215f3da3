#include "mutate.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "tidegauge/base/bytes.hpp"
#include "tidegauge/base/hash.hpp"

namespace tidegauge::fuzz {
namespace {

constexpr size_t kHead = 12, kChecksum = 8;  // mark, version and type; what stands at the end
constexpr uint64_t kChecksumSeed = 1;
constexpr const char* kTags[] = {"ROWS", "SPEC", "EDGE", "COLS", "JOIN", "JSPC", "MORE", "NOTE"};

constexpr uint64_t kLimits[] = {0,
                                1,
                                2,
                                7,
                                8,
                                15,
                                16,
                                17,
                                63,
                                64,
                                127,
                                128,
                                255,
                                256,
                                257,
                                258,
                                319,
                                320,
                                512,
                                513,
                                1023,
                                1024,
                                4095,
                                4096,
                                32767,
                                32768,
                                65535,
                                65536,
                                1u << 20,
                                0x7fffffff,
                                0x80000000,
                                0xffffffff,
                                1ull << 32,
                                1ull << 38,
                                1ull << 53,
                                (1ull << 62) - 1,
                                1ull << 62,
                                (1ull << 62) + 1,
                                (1ull << 63) - 1,
                                1ull << 63,
                                ~0ull,
                                0x7ff0000000000000,  // infinity
                                0xfff0000000000000,
                                0x7ff8000000000000,
                                0x8000000000000000,
                                0x7fefffffffffffff,
                                0x3ff0000000000000};

void put_varint(Bytes& out, uint64_t value) {
  std::byte buffer[kMaxVarint];
  out.insert(out.end(), buffer, write_varint(buffer, value));
}

ptrdiff_t at(size_t i) { return static_cast<ptrdiff_t>(i); }

void overwrite(Bytes& bytes, Random& random) {
  const size_t width = size_t{1} << random.below(4), place = random.below(bytes.size());
  uint64_t value = kLimits[random.below(std::size(kLimits))];
  if (random.one_in(3)) value = random.next();
  std::memcpy(bytes.data() + place, &value, std::min(width, bytes.size() - place));
}

/// A varint, if one begins there, becomes another, which may be of another length.
void renumber(Bytes& bytes, Random& random) {
  const size_t begin = random.below(bytes.size());
  size_t end = begin;
  uint64_t value = 0;
  if (!read_varint(bytes, end, value)) return;
  Bytes written;
  switch (random.below(4)) {
    case 0:
      value = kLimits[random.below(std::size(kLimits))];
      break;
    case 1:
      value *= 2;
      break;
    default:
      value += random.below(9) - 4;
  }
  put_varint(written, value);
  bytes.erase(bytes.begin() + at(begin), bytes.begin() + at(end));
  bytes.insert(bytes.begin() + at(begin), written.begin(), written.end());
}

/// Takes a piece of one place to another, in place of what was there or between it.
void splice(Bytes& bytes, const Bytes& from, Random& random) {
  if (from.empty()) return;
  const size_t begin = random.below(from.size());
  const size_t size = 1 + random.below(std::min<size_t>(from.size() - begin, random.one_in(4) ? 512 : 24));
  const Bytes piece(from.begin() + at(begin), from.begin() + at(begin + size));
  const size_t place = random.below(bytes.size());
  const size_t replaced = random.one_in(2) ? std::min(size, bytes.size() - place) : 0;
  bytes.erase(bytes.begin() + at(place), bytes.begin() + at(place + replaced));
  bytes.insert(bytes.begin() + at(place), piece.begin(), piece.end());
}

void edit(Bytes& bytes, const Bytes& other, Random& random) {
  if (bytes.empty()) bytes.push_back(std::byte{0});
  const size_t place = random.below(bytes.size());
  switch (random.below(9)) {
    case 0:
    case 1:
      bytes[place] ^= std::byte{1} << random.below(8);
      break;
    case 2:
      bytes[place] = std::byte(random.next());
      break;
    case 3:
      overwrite(bytes, random);
      break;
    case 4:
    case 5:
      renumber(bytes, random);
      break;
    case 6:
      splice(bytes, random.one_in(2) ? other : Bytes(bytes), random);
      break;
    case 7:
      bytes[place] = std::byte(static_cast<uint8_t>(bytes[place]) + (random.one_in(2) ? 1 : 255));
      break;
    default: {
      const size_t most = std::min<size_t>(bytes.size() - place, random.one_in(4) ? bytes.size() : 16);
      bytes.erase(bytes.begin() + at(place), bytes.begin() + at(place + 1 + random.below(most)));
    }
  }
}

void fit(Bytes& bytes) {
  if (bytes.empty()) bytes.push_back(std::byte{0});
  if (bytes.size() > kMostBytes) bytes.resize(kMostBytes);
}

struct Section {
  uint32_t tag;
  Bytes content;
};

std::vector<Section> sections_of(const Bytes& bytes) {
  std::vector<Section> found;
  if (bytes.size() < kHead + kChecksum) return found;
  for (size_t i = kHead; i + 4 < bytes.size() - kChecksum;) {
    Section each{};
    std::memcpy(&each.tag, bytes.data() + i, 4);
    i += 4;
    uint64_t size = 0;
    if (!read_varint(bytes, i, size) || i + kChecksum > bytes.size() || size > bytes.size() - kChecksum - i)
      break;
    each.content.assign(bytes.begin() + at(i), bytes.begin() + at(i + size));
    i += size;
    found.push_back(std::move(each));
  }
  return found;
}

/// Changes the inside of one of the length-prefixed pieces that COLS is made of.
void edit_column(Bytes& columns, const Bytes& other, Random& random) {
  std::vector<Bytes> pieces;
  for (size_t i = 0; i < columns.size();) {
    uint64_t size = 0;
    if (!read_varint(columns, i, size) || size > columns.size() - i) return;
    pieces.emplace_back(columns.begin() + at(i), columns.begin() + at(i + size));
    i += size;
  }
  if (pieces.empty()) return;
  for (size_t n = 1 + random.below(2); n > 0; --n) edit(pieces[random.below(pieces.size())], other, random);
  columns.clear();
  for (const Bytes& piece : pieces) {
    put_varint(columns, piece.size());
    columns.insert(columns.end(), piece.begin(), piece.end());
  }
}

}  // namespace

bool read_varint(const Bytes& bytes, size_t& at, uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64 && at < bytes.size(); shift += 7) {
    const auto byte = static_cast<uint64_t>(bytes[at++]);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

std::span<const std::byte> section(const Bytes& bytes, const char (&name)[5]) {
  if (bytes.size() < kHead + kChecksum) return {};
  for (size_t i = kHead; i + 4 < bytes.size() - kChecksum;) {
    const bool is_it = std::memcmp(bytes.data() + i, name, 4) == 0;
    i += 4;
    uint64_t size = 0;
    if (!read_varint(bytes, i, size) || i + kChecksum > bytes.size() || size > bytes.size() - kChecksum - i)
      return {};
    if (is_it) return std::span(bytes).subspan(i, size);
    i += size;
  }
  return {};
}

void havoc(Bytes& bytes, const Bytes& other, Random& random) {
  for (size_t n = 1 + random.below(random.one_in(3) ? 8 : 3); n > 0; --n) edit(bytes, other, random);
  fit(bytes);
}

bool havoc_sections(Bytes& bytes, const Bytes& other, Random& random) {
  std::vector<Section> sections = sections_of(bytes);
  if (sections.empty()) return false;
  const auto any = [&]() -> size_t { return random.below(sections.size()); };
  uint32_t columns = 0;
  std::memcpy(&columns, "COLS", 4);
  for (size_t n = 1 + random.below(2); n > 0 && !sections.empty(); --n) {
    Section& chosen = sections[any()];
    switch (random.below(12)) {
      case 0:
        sections.erase(sections.begin() + at(any()));
        break;
      case 1:
        sections.push_back(Section(chosen));
        break;
      case 2:
        std::swap(sections[any()], sections[any()]);
        break;
      case 3: {  // another's section of this tag, or whatever it has
        const std::vector<Section> others = sections_of(other);
        if (others.empty()) break;
        const Section& from = others[random.below(others.size())];
        chosen = from;
        break;
      }
      case 4:
        std::memcpy(&chosen.tag, kTags[random.below(std::size(kTags))], 4);
        break;
      default:
        if (chosen.tag == columns && !random.one_in(4)) {
          edit_column(chosen.content, other, random);
        } else {
          edit(chosen.content, other, random);
        }
    }
  }
  bytes.resize(kHead);
  for (const Section& each : sections) {
    const size_t begin = bytes.size();
    bytes.resize(begin + 4);
    std::memcpy(bytes.data() + begin, &each.tag, 4);
    put_varint(bytes, each.content.size());
    bytes.insert(bytes.end(), each.content.begin(), each.content.end());
  }
  bytes.resize(std::min(bytes.size(), kMostBytes - kChecksum) + kChecksum);
  return true;
}

void seal(Bytes& bytes) {
  if (bytes.size() < kChecksum) return;
  const size_t size = bytes.size() - kChecksum;
  const uint64_t checksum = hash_bytes(bytes.data(), size, kChecksumSeed);
  std::memcpy(bytes.data() + size, &checksum, kChecksum);
}

Bytes mutated(const Target& target, Bytes bytes, const Bytes& other, Random& random) {
  if (!target.is_container) {
    havoc(bytes, other, random);
    return bytes;
  }
  const bool sealed = random.one_in(2);
  if (random.one_in(3) || !havoc_sections(bytes, other, random)) havoc(bytes, other, random);
  if (sealed) seal(bytes);
  return bytes;
}

}  // namespace tidegauge::fuzz
