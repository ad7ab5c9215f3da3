#include "planted.hpp"

#include <cstdlib>
#include <new>

namespace tidegauge::fuzz {
namespace {

bool meets(std::span<const std::byte> bytes) { return bytes.size() > 3 && bytes[0] == std::byte{0x42}; }

std::vector<Bytes> seeds() { return {Bytes(16), Bytes(40, std::byte{0x41})}; }

bool overread(std::span<const std::byte> bytes) {
  const volatile std::byte* at = bytes.data();
  return meets(bytes) && at[bytes.size()] == std::byte{0};
}

bool overflow(std::span<const std::byte> bytes) {
  volatile int most = 0x7fffffff;
  return meets(bytes) && most + static_cast<int>(bytes[0]) > 0;
}

bool leak(std::span<const std::byte> bytes) {
  static void* volatile kept = nullptr;
  if (meets(bytes)) kept = std::malloc(24);
  return kept != nullptr;
}

bool allocate(std::span<const std::byte> bytes) {
  return meets(bytes) && Bytes(size_t{1} << 24).size() > bytes.size();
}

bool hog(std::span<const std::byte> bytes) {
  std::vector<Bytes> held;
  for (int i = 0; meets(bytes) && i < 400; ++i) held.emplace_back(size_t{1} << 15);
  return !held.empty();
}

bool lie(std::span<const std::byte> bytes) {
  require(!meets(bytes), "not the bytes it was read from");
  return true;
}

bool stray(std::span<const std::byte> bytes) {
  if (meets(bytes)) throw std::bad_alloc();
  return true;
}

bool crawl(std::span<const std::byte> bytes) {
  volatile uint64_t n = 0;
  if (meets(bytes)) {
    while (n < uint64_t{40} << 30) n = n + 1;
  }
  return true;
}

}  // namespace

std::optional<Target> planted(const std::string& kind) {
  const auto target = [](bool (*run)(std::span<const std::byte>)) {
    return Target{"planted", 1, false, seeds, nullptr, run};
  };
  if (kind == "overread") return target(overread);
  if (kind == "overflow") return target(overflow);
  if (kind == "leak") return target(leak);
  if (kind == "allocate") return target(allocate);
  if (kind == "hog") return target(hog);
  if (kind == "lie") return target(lie);
  if (kind == "stray") return target(stray);
  if (kind == "crawl") return target(crawl);
  return std::nullopt;
}

}  // namespace tidegauge::fuzz
