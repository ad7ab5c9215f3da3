#include "tidegauge/base/process_key.hpp"

#include <random>

namespace tidegauge {

uint64_t process_key() {
  static const uint64_t key = (uint64_t{std::random_device{}()} << 32 | std::random_device{}()) | 1;
  return key;
}

}  // namespace tidegauge
