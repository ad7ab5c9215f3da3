#pragma once

#include "random.hpp"
#include "target.hpp"

namespace tidegauge::fuzz {

inline constexpr size_t kMostBytes = 16384;  // of an input: beyond it only the time of an execution grows

/// Changes a few places: bits, bytes, numbers that are limits somewhere, pieces cut, doubled, or taken from
/// `other`. The result is never empty and at most kMostBytes long.
void havoc(Bytes& bytes, const Bytes& other, Random& random);

/// The same, knowing the container of profiles (docs/design/0003-bytes.md): changes what lies inside its
/// sections, or the sections themselves; their lengths are right again afterwards. Returns false, and
/// changes nothing, for bytes without sections.
bool havoc_sections(Bytes& bytes, const Bytes& other, Random& random);

/// Makes the checksum right, where there is room for one.
void seal(Bytes& bytes);

/// An input made from a good one. Of containers half keep a checksum that does not fit what was changed.
Bytes mutated(const Target& target, Bytes bytes, const Bytes& other, Random& random);

/// Where a varint ends and what it says, read leniently. False where there is none.
bool read_varint(const Bytes& bytes, size_t& at, uint64_t& value);

/// The contents of a section, found leniently; nothing where there is none.
std::span<const std::byte> section(const Bytes& bytes, const char (&name)[5]);

}  // namespace tidegauge::fuzz
