#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>
#include <vector>

namespace tidegauge {

/// Calls f(i) for i in [0, n), spread over up to n_threads threads, this one among them. The first exception
/// that an f throws is thrown here, after the others have ended.
///
/// Threads are started for the call and joined before it returns. That costs some 20 µs each, which callers
/// spend only on milliseconds of work; in exchange no thread exists at import, at rest, or across a fork.
template <class F>
void parallel_for(size_t n, unsigned n_threads, F f) {
  std::atomic<size_t> next{0};
  std::exception_ptr failure;
  std::mutex failure_mutex;
  const auto work = [&] {
    for (size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < n;) {
      try {
        f(i);
      } catch (...) {
        const std::lock_guard lock(failure_mutex);
        if (!failure) failure = std::current_exception();
      }
    }
  };
  std::vector<std::jthread> helpers;
  try {
    for (size_t t = 1; t < n_threads && t < n; ++t) helpers.emplace_back(work);
  } catch (const std::exception&) {
    // No more threads, or no memory for one: those that started, and this one, do the work.
  }
  work();
  helpers.clear();
  if (failure) std::rethrow_exception(failure);
}

/// Calls f(i) for i in [0, n) with the mutex lock_of(i) held, those first that no other thread holds: threads
/// that go over the same things follow each other through them rather than wait.
template <class LockOf, class F>
void for_each_free(size_t n, unsigned n_threads, LockOf lock_of, F f) {
  if (n_threads > 1) {
    return parallel_for(n, n_threads, [&](size_t i) {
      const std::lock_guard lock(lock_of(i));
      f(i);
    });
  }
  std::vector<size_t> left(n);
  std::iota(left.begin(), left.end(), size_t{0});
  while (!left.empty()) {
    const size_t before = left.size();
    std::erase_if(left, [&](size_t i) {
      const std::unique_lock lock(lock_of(i), std::try_to_lock);
      if (lock) f(i);
      return lock.owns_lock();
    });
    if (left.size() < before) continue;
    const std::lock_guard lock(lock_of(left.back()));
    f(left.back());
    left.pop_back();
  }
}

/// Below this many values a batch is done before a second thread has started.
inline constexpr uint64_t kWorthAThread = uint64_t{1} << 18;

/// How many threads so many rows of so many columns are worth; `wanted` 0 leaves it to the machine.
inline unsigned threads_for(uint64_t n_rows, size_t n_columns, unsigned wanted) {
  if (n_rows < kWorthAThread / std::max<size_t>(n_columns, 1)) return 1;
  return wanted > 0 ? wanted : std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace tidegauge
