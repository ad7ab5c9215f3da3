// The same targets and the same mutator under libFuzzer, which sees which branches an input takes:
// TIDEGAUGE_FUZZ_TARGET=profile fuzz_libfuzzer CORPUS.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "mutate.hpp"
#include "random.hpp"
#include "target.hpp"

using namespace tidegauge::fuzz;

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

const Target& chosen() {
  static const Target& found = []() -> const Target& {
    const char* name = std::getenv("TIDEGAUGE_FUZZ_TARGET");
    for (const Target& target : targets()) {
      if (name && std::strcmp(target.name, name) == 0) return target;
    }
    std::fprintf(stderr, "TIDEGAUGE_FUZZ_TARGET must be one of");
    for (const Target& target : targets()) std::fprintf(stderr, " %s", target.name);
    std::fprintf(stderr, "\n");
    std::exit(2);
  }();
  return found;
}

std::span<const std::byte> bytes_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const std::byte*>(data), size};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  chosen().run(bytes_of(data, size));  // what it throws ends the process, and libFuzzer keeps the input
  return 0;
}

/// Half of the time what libFuzzer thinks best, half what the container allows; then perhaps its checksum.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  Random random(seed);
  if (random.one_in(2)) {
    size = LLVMFuzzerMutate(data, size, max_size);
    Bytes bytes(bytes_of(data, size).begin(), bytes_of(data, size).end());
    if (chosen().is_container && random.one_in(2)) seal(bytes);
    std::memcpy(data, bytes.data(), size);
    return size;
  }
  const Bytes bytes(bytes_of(data, size).begin(), bytes_of(data, size).end());
  const Bytes made = mutated(chosen(), bytes, bytes, random);
  size = std::min(made.size(), max_size);
  std::memcpy(data, made.data(), size);
  return size;
}
