#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <cstddef>
#include <fstream>

namespace tidegauge::contract {

/// While it lives, the process can map only so many bytes more than it had: an allocation sized by a hostile
/// count fails with std::bad_alloc instead of passing unnoticed. No limit where a sanitizer needs the room.
class MemoryLimit {
 public:
  explicit MemoryLimit(size_t more_bytes) {
    getrlimit(RLIMIT_AS, &old_);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    rlimit limit = old_;
    limit.rlim_cur = static_cast<rlim_t>(pages) * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + more_bytes;
    setrlimit(RLIMIT_AS, &limit);
#else
    (void)more_bytes;
#endif
  }
  ~MemoryLimit() { setrlimit(RLIMIT_AS, &old_); }
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;

 private:
  rlimit old_{};
};

}  // namespace tidegauge::contract
