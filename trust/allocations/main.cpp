// trust_allocations FIRST N SECONDS [planted]: every allocation of every operation fails, once or with all
// after it.
//
// What must come of it: std::bad_alloc, a state as before the call, no leak and no crash; then the same call
// succeeds, with the result it has where nothing failed. The last line of output is for trust/slices.py.

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "failing.hpp"
#include "operations.hpp"
#include "rows.hpp"

namespace {

using trust::Bytes;
using trust::Operation;

constexpr uint64_t kGroup = 256;  // cases of one operation and one run of seeds
constexpr uint64_t kModes = 2;    // once, and with all after it

volatile uint64_t current = 0;

extern "C" void tell(int) {
  char line[64];
  const int n =
      std::snprintf(line, sizeof line, "case %llu: aborted\n", static_cast<unsigned long long>(current));
  if (write(2, line, static_cast<size_t>(n)) < 0) _exit(3);
  signal(SIGABRT, SIG_DFL);
}

/// What an operation comes to where nothing fails, and in how many allocations.
struct Clean {
  uint64_t n_allocations;
  std::optional<Bytes> before, after;
};

Clean clean_of(const Operation& operation, uint64_t seed) {
  operation.make(seed)->run();  // what is made once a thread is not counted
  Clean clean{};
  clean.before = operation.make(seed)->state();
  const auto trial = operation.make(seed);
  trust::fail_allocations(0, false);
  trial->run();
  clean.n_allocations = trust::allocations_since();
  clean.after = trial->state();
  return clean;
}

struct Tried {
  std::string wrong;  // nothing if it was as it must be
  bool passed = false, discarded = false;
};

Tried try_one(const Operation& operation, uint64_t seed, const Clean& clean, uint64_t k, bool for_good) {
  const auto trial = operation.make(seed);
  bool refused = false;
  std::string other;
  trust::fail_allocations(k, for_good);
  try {
    trial->run();
  } catch (const std::bad_alloc&) {
    refused = true;
  } catch (const std::exception& error) {
    trust::allocations_since();
    other = error.what();
  }
  trust::allocations_since();
  if (!other.empty()) return {"throws " + other};
  if (!refused) {
    const bool same = trial->state() == clean.after;
    return {same ? "" : "goes on without memory, to another result", true, false};
  }
  // The state can be looked at only once, for looking may change it: so once before, once after trying again.
  const auto left = trial->state();
  if (!left) return {"", false, true};
  if (left != clean.before) return {"is changed by the call that failed"};
  const auto again = operation.make(seed);
  trust::fail_allocations(k, for_good);
  try {
    again->run();
    trust::allocations_since();
    return {"fails at the same allocation once and not again"};
  } catch (const std::bad_alloc&) {
  }
  trust::allocations_since();
  again->prepare_again();
  again->run();
  if (again->state() != clean.after) return {"has another result when it is called again"};
  return {};
}

std::string json(const std::string& text) {
  std::string quoted = "\"";
  for (const char each : text) {
    if (each == '"' || each == '\\') quoted += '\\';
    quoted += each < ' ' ? ' ' : each;
  }
  return quoted + '"';
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) return std::fprintf(stderr, "usage: trust_allocations FIRST N SECONDS\n"), 2;
  const uint64_t first = std::strtoull(argv[1], nullptr, 10),
                 end = first + std::strtoull(argv[2], nullptr, 10);
  const auto until =
      std::chrono::steady_clock::now() + std::chrono::duration<double>(std::strtod(argv[3], nullptr));
  signal(SIGABRT, tell);
  const auto& all = argc == 5 ? trust::planted() : trust::operations();
  std::map<std::string, uint64_t> counts;
  std::string findings;
  uint64_t number = first / kGroup * kGroup, tried = 0;
  const int64_t unreleased = trust::n_unreleased();
  while (number < end) {
    const uint64_t group = number / kGroup;
    const Operation& operation = all[group % all.size()];
    std::optional<Clean> clean;
    uint64_t seed = group / all.size() * kGroup, k = 0;
    for (uint64_t i = 0; i < kGroup && number < end; ++i, ++number) {
      if (tried > 0 && std::chrono::steady_clock::now() > until) break;
      if (i % kModes == 0 && clean && ++k > clean->n_allocations) clean.reset();
      if (!clean) {
        do clean = clean_of(operation, ++seed);
        while (clean->n_allocations == 0);
        // Where a group does not reach the end of a long operation, the next one begins elsewhere.
        k = clean->n_allocations < kGroup / kModes ? 1 : 1 + seed * 31 % clean->n_allocations;
      }
      if (number < first) continue;
      current = number;
      const Tried came = try_one(operation, seed, *clean, k, i % kModes == 1);
      ++tried;
      ++counts[operation.name];
      counts["went on without it"] += came.passed;
      counts["profiles that say they are in part"] += came.discarded;
      if (came.wrong.empty()) continue;
      if (!findings.empty()) findings += ", ";
      findings += json("case " + std::to_string(number) + ", allocation " + std::to_string(k) + " of " +
                       std::to_string(clean->n_allocations) + ": " + operation.name + " " + came.wrong +
                       ": python -m trust try allocations " + std::to_string(number));
    }
    if (tried > 0 && std::chrono::steady_clock::now() > until) break;
  }
  if (trust::n_unreleased() != unreleased) {
    findings += (findings.empty() ? "" : ", ") + json("a producer's structs were not released, or twice");
  }
  std::string facts;
  for (const auto& [name, n] : counts)
    facts += (facts.empty() ? "" : ", ") + json(name) + ": " + std::to_string(n);
  std::printf("{\"tried\": %llu, \"findings\": [%s], \"counts\": {%s}, \"levels\": {}}\n",
              static_cast<unsigned long long>(tried), findings.c_str(), facts.c_str());
  return 0;
}
