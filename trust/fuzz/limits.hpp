#pragma once

#include <cstddef>

namespace tidegauge::fuzz {

/// What a run may use, however hostile its input: the memory of one allocation and of all that lives at a
/// time, in bytes, and processor seconds.
///
/// Decoders believe a count only when so many bytes follow, so what they ask for grows with what they were
/// sent. At once: up to 8 times as much, and tables of a fixed size (the working memory of a thread is the
/// largest). At a time: a column's state takes up to 64 times its bytes, its frozen edges a table of 16 KiB.
inline constexpr size_t kAtOnce = 8, kAtATime = 64, kFixedAtOnce = size_t{1} << 17,
                        kFixedAtATime = size_t{1} << 20;
inline constexpr double kMostSeconds = 1;  // uninstrumented; a sanitizer takes some five times as long

/// Memory that the code between two marks asked for. Counted by hooks of AddressSanitizer; nothing is counted
/// without it.
struct Used {
  size_t largest = 0;  // allocation
  size_t most = 0;     // that lived at a time
  long left = 0;       // that still lives
};

void begin_counting();
Used end_counting();

}  // namespace tidegauge::fuzz
