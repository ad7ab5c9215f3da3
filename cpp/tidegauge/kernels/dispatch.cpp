#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tidegauge/base/error.hpp"
#include "tidegauge/kernels/kernels.hpp"

namespace tidegauge::kernels {

namespace base {
extern const Table kTable;
}
#if defined(TIDEGAUGE_X86_LEVELS)
namespace v3 {
extern const Table kTable;
}
namespace v4 {
extern const Table kTable;
}
#endif

namespace {

#if defined(TIDEGAUGE_X86_LEVELS)
// GCC 12 and Clang 16 answer for the whole level, the operating system's part included; Clang before that for
// what our code takes of it.
#if defined(__clang__) && __clang_major__ < 16
bool has_v3() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
         __builtin_cpu_supports("fma");
}
bool has_v4() {
  return has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}
#else
bool has_v3() { return __builtin_cpu_supports("x86-64-v3") != 0; }
bool has_v4() { return __builtin_cpu_supports("x86-64-v4") != 0; }
#endif
#endif

/// Best first.
const Table* find(const char* name) {
#if defined(TIDEGAUGE_X86_LEVELS)
  __builtin_cpu_init();
  for (const Table* candidate : {&v4::kTable, &v3::kTable}) {
    const bool runs = candidate == &v4::kTable ? has_v4() : has_v3();
    if (runs && (name == nullptr || std::strcmp(name, candidate->name) == 0)) return candidate;
  }
#endif
  return name == nullptr || std::strcmp(name, base::kTable.name) == 0 ? &base::kTable : nullptr;
}

const Table* require(const char* name) {
  const Table* found = find(name);
  if (!found) {
    throw SchemaError("TIDEGAUGE_ISA: level '" + std::string(name) + "' is not one this machine can run (" +
                      available_levels() + "); unset it to let the engine choose");
  }
  return found;
}

std::atomic<const Table*> chosen{nullptr};

}  // namespace

const Table& table() {
  const Table* t = chosen.load(std::memory_order_acquire);
  if (!t) {
    const char* wanted = std::getenv("TIDEGAUGE_ISA");
    t = require(wanted && *wanted ? wanted : nullptr);
    chosen.store(t, std::memory_order_release);
  }
  return *t;
}

void force_level(const char* name) { chosen.store(require(name), std::memory_order_release); }

const char* available_levels() {
  static const std::string names = [] {
    std::string all;
    for (const char* name : {"base", "v3", "v4"}) {
      if (find(name)) all += (all.empty() ? "" : " ") + std::string(name);
    }
    return all;
  }();
  return names.c_str();
}

}  // namespace tidegauge::kernels
