#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

namespace tidegauge {

/// A mutex that many may hold at once, shared, or one alone, and that a fork leaves free, with what it guards
/// whole: the fork waits until every other thread has left its section, and neither the parent nor the child
/// finds the mutex taken. A plain mutex that another thread held at that moment stays locked in the child for
/// ever; a std::shared_mutex also goes by the thread's number, which is another one in the child.
///
/// Whoever waits to be alone keeps newcomers out, so no stream of shared sections delays it for long.
/// Sections must be short, end without help from whoever forks, and not construct or destroy a ForkSafeMutex;
/// shared ones must not wait for another ForkSafeMutex.
class ForkSafeMutex {
 public:
  ForkSafeMutex();
  ~ForkSafeMutex();
  ForkSafeMutex(const ForkSafeMutex&) = delete;
  ForkSafeMutex& operator=(const ForkSafeMutex&) = delete;

  void lock() {
    door_.lock();
    await_empty();
  }
  /// False if another thread is alone, or wants to be. Waits for those inside, who leave without our help.
  bool try_lock() {
    if (!door_.try_lock()) return false;
    await_empty();
    return true;
  }
  void unlock() { door_.unlock(); }

  void lock_shared() {
    const std::lock_guard guard(door_);
    n_inside_.fetch_add(1, std::memory_order_relaxed);  // the door orders it
  }
  void unlock_shared() {
    if (n_inside_.fetch_sub(1, std::memory_order_release) == 1) n_inside_.notify_all();
  }

 private:
  void await_empty() {
    while (const uint32_t n = n_inside_.load(std::memory_order_acquire)) n_inside_.wait(n);
  }

  std::mutex door_;  // held by who is alone, and for a moment by who enters
  std::atomic<uint32_t> n_inside_{0};
};

}  // namespace tidegauge
