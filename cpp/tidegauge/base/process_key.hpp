#pragma once

#include <cstdint>

namespace tidegauge {

/// A random odd number, the same for the life of the process (and of its forks): what in-memory hash tables
/// are keyed with, so that nobody who chooses values can make them collide. Nothing stored may depend on it.
uint64_t process_key();

}  // namespace tidegauge
