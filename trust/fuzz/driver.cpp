// A fuzzer that needs nothing but a compiler, and gives the same executions for the same numbers anywhere.
//
//   fuzz run CORPUS ...          mutations: execution i is made from the number i and the corpus alone
//   fuzz sweep CORPUS ...        every cut, flipped bit and 4-byte field of every file of the corpus
//   fuzz one TARGET FILE ...     these inputs
//   fuzz seal FILE               makes its checksum right
//   fuzz seeds FOLDER            writes the good inputs that this release makes, FOLDER/TARGET/N
//
// run and sweep take --first N --runs M --seconds S, and --current FILE, where the input at hand can be read
// whatever becomes of the process; run takes --plant KIND, a defect instead of the engine. CORPUS holds a
// folder for each target; files may follow as profiles. The last line of the output is a report in JSON.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "limits.hpp"
#include "mutate.hpp"
#include "planted.hpp"
#include "random.hpp"
#include "target.hpp"
#include "tidegauge/base/error.hpp"

// One allocation of more than 512 MiB is an error to AddressSanitizer, wherever it happens. Leaks are looked
// for run by run (Runner), which names the input. The rest is speed: who allocated is told by running it
// again with ASAN_OPTIONS=malloc_context_size=30.
extern "C" __attribute__((visibility("default"))) const char* __asan_default_options() {
  return "max_allocation_size_mb=512:allocator_may_return_null=0:detect_leaks=0:malloc_context_size=1:"
         "max_malloc_fill_size=64:quarantine_size_mb=1:thread_local_quarantine_size_kb=64";
}

namespace tidegauge::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr double kSlower = 5;  // under sanitizers
constexpr int kHangTicks = 6;  // seconds of the processor
constexpr size_t kMostFindings = 20;

struct Options {
  fs::path corpus;
  std::vector<fs::path> profiles;
  uint64_t first = 0, runs = 1;
  double seconds = 1e9;
  std::string current;
  std::vector<Target> targets{fuzz::targets().begin(), fuzz::targets().end()};
};

/// The input at hand, in a file that outlives the process: whatever kills it, the input is known.
class Current {
 public:
  static constexpr size_t kName = 32;

  explicit Current(const std::string& path) {
    if (path.empty()) return;
    const int file = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (file < 0 || ftruncate(file, static_cast<off_t>(kSize)) != 0) {
      std::fprintf(stderr, "fuzz: cannot write %s\n", path.c_str());
      std::exit(2);
    }
    map_ = static_cast<char*>(mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
    close(file);
  }

  void set(uint64_t number, const char* target, const Bytes& bytes) {
    if (!map_) return;
    const uint64_t size = std::min(bytes.size(), kSize - 16 - kName);
    std::memcpy(map_, &number, 8);
    std::memcpy(map_ + 8, &size, 8);
    std::strncpy(map_ + 16, target, kName - 1);
    if (size) std::memcpy(map_ + 16 + kName, bytes.data(), size);
  }

 private:
  static constexpr size_t kSize = size_t{1} << 18;
  char* map_ = nullptr;
};

// A run that takes too much of the processor is ended; Current holds its input.
volatile std::sig_atomic_t finished = 0, seen = -1, ticks = 0;

void watch(int) {
  ticks = finished == seen ? ticks + 1 : 0;
  if (ticks > kHangTicks) {
    constexpr char kSays[] = "fuzz: hangs\n";
    [[maybe_unused]] const auto n = ::write(2, kSays, sizeof kSays - 1);
    _exit(97);
  }
  seen = finished;
}

void start_watch() {
  std::signal(SIGPROF, watch);
  const itimerval every{{1, 0}, {1, 0}};
  setitimer(ITIMER_PROF, &every, nullptr);
}

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Bytes contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> read{std::istreambuf_iterator<char>(file), {}};
  Bytes bytes(read.size());
  if (!read.empty()) std::memcpy(bytes.data(), read.data(), read.size());
  return bytes;
}

void write(const fs::path& path, const Bytes& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

/// The files of one target, by name, so that every machine has them in one order; `good` ones are not what is
/// kept because it must be refused.
std::vector<Bytes> files(const Options& options, const Target& target, bool good) {
  std::vector<fs::path> paths;
  if (const fs::path folder = options.corpus / target.name; fs::is_directory(folder)) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      const bool refused = entry.path().filename().string().starts_with("refused-");
      if (!good || !refused) paths.push_back(entry.path());
    }
  }
  std::ranges::sort(paths);
  if (target.is_container) paths.insert(paths.end(), options.profiles.begin(), options.profiles.end());
  std::vector<Bytes> found;
  for (const fs::path& path : paths) found.push_back(contents(path));
  return found;
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const bool plain = c >= ' ' && c < 127 && c != '"' && c != '\\';
    out += plain ? c : '?';
  }
  return out + '"';
}

/// Runs inputs within the limits, and keeps what came of them.
class Runner {
 public:
  explicit Runner(const std::string& current) : current_(current) {}

  void run(uint64_t number, const Target& target, const Bytes& input) {
    // A copy of exactly its size, so that a read past the end is one past the allocation.
    const Bytes bytes(input);
    current_.set(number, target.name, bytes);
    Counts& counts = counts_[target.name];
    ++counts.n;
    ++n_;
    const double began = seconds();
    begin_counting();
    try {
      counts.n_accepted += target.run(bytes);
    } catch (const Broken& broken) {
      end_counting();
      report(number, target, broken.what());
    } catch (const std::exception& error) {  // a refusal of another kind than is promised
      end_counting();
      report(number, target, std::string("throws ") + error.what());
    }
    const Used used = end_counting();
    check_memory(number, target, bytes, used);
    check_time(number, target, bytes, seconds() - began);
    finished = static_cast<std::sig_atomic_t>(n_ & 0x3fffffff);
  }

  uint64_t n() const { return n_; }

  void print(uint64_t total) const {
    std::printf("{\"executions\": %llu, \"total\": %llu, \"targets\": {", static_cast<unsigned long long>(n_),
                static_cast<unsigned long long>(total));
    const char* comma = "";
    for (const auto& [name, counts] : counts_) {
      std::printf("%s%s: [%llu, %llu]", comma, quoted(name).c_str(),
                  static_cast<unsigned long long>(counts.n),
                  static_cast<unsigned long long>(counts.n_accepted));
      comma = ", ";
    }
    std::printf(
        "}, \"slowest_ms\": %.3f, \"slowest\": %llu, \"largest_allocation\": %zu, \"most_memory\": %zu, "
        "\"findings\": [",
        1e3 * slowest_, static_cast<unsigned long long>(slowest_number_), largest_, most_);
    comma = "";
    for (const std::string& finding : findings_)
      std::printf("%s%s", comma, quoted(finding).c_str()), comma = ", ";
    std::printf("]}\n");
  }

 private:
  struct Counts {
    uint64_t n = 0, n_accepted = 0;
  };

  void report(uint64_t number, const Target& target, const std::string& what) {
    if (findings_.size() < kMostFindings) {
      findings_.push_back(std::to_string(number) + " (" + target.name + "): " + what);
    }
  }

  void check_memory(uint64_t number, const Target& target, const Bytes& bytes, const Used& used) {
    largest_ = std::max(largest_, used.largest);
    most_ = std::max(most_, used.most);
    if (used.largest > kAtOnce * bytes.size() + kFixedAtOnce) {
      report(number, target, "allocates " + std::to_string(used.largest) + " bytes at once");
    }
    if (used.most > kAtATime * bytes.size() + kFixedAtATime) {
      report(number, target, "holds " + std::to_string(used.most) + " bytes at a time");
    }
    if (used.left <= 0) return;
    long left = 0;  // what a first run leaves may be made once and kept; what every run leaves is lost
    for (int again = 0; again < 2; ++again) {
      begin_counting();
      try {
        target.run(bytes);
      } catch (const std::exception&) {
      }
      left = end_counting().left;
      if (left <= 0) return;
    }
    report(number, target, "leaks " + std::to_string(left) + " bytes");
  }

  void check_time(uint64_t number, const Target& target, const Bytes& bytes, double took) {
    if (took > slowest_) slowest_ = took, slowest_number_ = number;
    if (took < kMostSeconds * kSlower) return;
    const double began = processor_seconds();  // others may have had the processor
    try {
      target.run(bytes);
    } catch (const std::exception&) {
    }
    const double alone = processor_seconds() - began;
    if (alone > kMostSeconds * kSlower) report(number, target, "takes " + std::to_string(alone) + " s");
  }

  Current current_;
  std::map<std::string, Counts> counts_;
  std::vector<std::string> findings_;
  uint64_t n_ = 0, slowest_number_ = 0;
  size_t largest_ = 0, most_ = 0;
  double slowest_ = 0;
};

struct Entries {
  const Target* target;
  std::vector<Bytes> inputs;
};

/// All good inputs of every target, the release's own and those of the corpus.
std::vector<Entries> entries(const Options& options) {
  std::vector<Entries> all;
  for (const Target& target : options.targets) {
    Entries each{&target, target.seeds()};
    for (Bytes& file : files(options, target, false)) each.inputs.push_back(std::move(file));
    if (target.prepare) target.prepare(each.inputs);
    std::erase_if(each.inputs, [](const Bytes& input) { return input.size() > kMostBytes; });
    if (each.inputs.empty()) {
      std::fprintf(stderr, "fuzz: no inputs for %s in %s\n", target.name, options.corpus.c_str());
      std::exit(2);
    }
    // By size: small ones are chosen more often, as they cost less and hold as many ways to go wrong.
    std::ranges::stable_sort(each.inputs, {}, [](const Bytes& input) { return input.size(); });
    all.push_back(std::move(each));
  }
  return all;
}

void fuzz(const Options& options, Runner& runner) {
  const std::vector<Entries> all = entries(options);
  std::vector<const Entries*> turns;
  for (const Entries& each : all) turns.insert(turns.end(), each.target->share, &each);
  const double until = seconds() + options.seconds;
  for (uint64_t i = options.first; i < options.first + options.runs; ++i) {
    if (i % 64 == 0 && seconds() > until) break;
    Random random(i);
    const Entries& chosen = *turns[random.below(turns.size())];
    const auto pick = [&]() -> const Bytes& {
      const size_t n = chosen.inputs.size();
      return chosen.inputs[random.below(random.one_in(4) ? n : 1 + random.below(n))];
    };
    const Bytes& from = pick();
    const Bytes& other = pick();
    runner.run(i, *chosen.target, mutated(*chosen.target, from, other, random));
  }
  runner.print(0);
}

/// The cases of one input: cuts, flipped bits, 4-byte fields; of a container also with the checksum right.
struct Sweep {
  static constexpr uint32_t kFields[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff};

  const Target* target;
  Bytes input;

  uint64_t n_plain() const {
    const uint64_t n = input.size();
    return n + 8 * n + std::size(kFields) * (n < 4 ? 0 : n - 3);
  }
  uint64_t n_cases() const { return (target->is_container ? 2 : 1) * n_plain(); }

  Bytes made(uint64_t number) const {
    Bytes bytes = input;
    const bool sealed = number >= n_plain();
    number %= n_plain();
    if (number < bytes.size()) {
      bytes.resize(number);
    } else if (number < 9 * bytes.size()) {
      const uint64_t bit = number - bytes.size();
      bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    } else {
      const uint64_t field = number - 9 * bytes.size();
      std::memcpy(bytes.data() + field / std::size(kFields), &kFields[field % std::size(kFields)], 4);
    }
    if (sealed) seal(bytes);
    return bytes;
  }
};

/// Cases are numbered so that any run of numbers is spread over all of them; past the last they repeat.
void sweep(const Options& options, Runner& runner) {
  std::vector<Sweep> all;
  uint64_t total = 0;
  for (const Target& target : options.targets) {
    const std::vector<Bytes> read = files(options, target, true);
    if (target.prepare) target.prepare(read);
    for (const Bytes& input : read) {
      if (input.empty()) continue;
      all.push_back({&target, input});
      total += all.back().n_cases();
    }
  }
  const double until = seconds() + options.seconds;
  constexpr uint64_t kStep = 4'294'967'291;  // a prime, larger than any total
  for (uint64_t i = options.first; total && i < options.first + options.runs; ++i) {
    if (i % 64 == 0 && seconds() > until) break;
    auto number = static_cast<uint64_t>(static_cast<uint128>(i) * kStep % total);
    size_t of = 0;
    for (; number >= all[of].n_cases(); ++of) number -= all[of].n_cases();
    runner.run(i, *all[of].target, all[of].made(number));
  }
  runner.print(total);
}

void write_seeds(const fs::path& folder) {
  for (const Target& target : targets()) {
    fs::create_directories(folder / target.name);
    size_t number = 0;
    for (const Bytes& seed : target.seeds()) {
      write(folder / target.name / std::to_string(number++), seed);
    }
  }
}

[[noreturn]] void refuse_arguments() {
  std::fprintf(
      stderr,
      "usage: fuzz run|sweep CORPUS [PROFILE ...] [--first N] [--runs M] [--seconds S] [--current FILE]\n"
      "       fuzz one TARGET FILE ...\n"
      "       fuzz seeds FOLDER\n");
  std::exit(2);
}

Options options_of(const std::vector<std::string>& arguments) {
  Options options;
  for (size_t i = 1; i < arguments.size(); ++i) {
    const std::string& each = arguments[i];
    if (each.starts_with("--")) {
      if (++i == arguments.size()) refuse_arguments();
      const char* value = arguments[i].c_str();
      if (each == "--first")
        options.first = std::strtoull(value, nullptr, 10);
      else if (each == "--runs")
        options.runs = std::strtoull(value, nullptr, 10);
      else if (each == "--seconds")
        options.seconds = std::strtod(value, nullptr);
      else if (each == "--current")
        options.current = value;
      else if (each == "--plant" && planted(value))
        options.targets = {*planted(value)};
      else
        refuse_arguments();
    } else if (options.corpus.empty()) {
      options.corpus = each;
    } else {
      options.profiles.emplace_back(each);
    }
  }
  if (options.corpus.empty()) refuse_arguments();
  return options;
}

int main(const std::vector<std::string>& arguments) {
  if (arguments.size() < 2) refuse_arguments();
  const std::string& mode = arguments[0];
  if (mode == "seeds") {
    write_seeds(arguments[1]);
    return 0;
  }
  if (mode == "seal") {
    Bytes bytes = contents(arguments[1]);
    seal(bytes);
    write(arguments[1], bytes);
    return 0;
  }
  if (mode == "one") {
    const auto target =
        std::ranges::find(targets(), arguments[1], [](const Target& each) { return std::string(each.name); });
    if (target == targets().end()) refuse_arguments();
    Runner runner({});
    for (size_t i = 2; i < arguments.size(); ++i) runner.run(i - 2, *target, contents(arguments[i]));
    runner.print(0);
    return 0;
  }
  if (mode != "run" && mode != "sweep") refuse_arguments();
  const Options options = options_of(arguments);
  Runner runner(options.current);
  start_watch();
  mode == "run" ? fuzz(options, runner) : sweep(options, runner);
  return 0;
}

}  // namespace
}  // namespace tidegauge::fuzz

int main(int n, char** arguments) { return tidegauge::fuzz::main({arguments + 1, arguments + n}); }
