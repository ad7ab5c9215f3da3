#pragma once

#include <mutex>

namespace tidegauge {

/// A mutex that a fork leaves free, with what it guards whole: the fork waits until every other thread has
/// left its section, and neither the parent nor the child finds the mutex taken. A plain mutex that another
/// thread held at that moment stays locked in the child for ever.
///
/// Sections must be short, end without help from whoever forks, and not construct or destroy a ForkSafeMutex.
class ForkSafeMutex {
 public:
  ForkSafeMutex();
  ~ForkSafeMutex();
  ForkSafeMutex(const ForkSafeMutex&) = delete;
  ForkSafeMutex& operator=(const ForkSafeMutex&) = delete;

  void lock() { mutex_.lock(); }
  bool try_lock() { return mutex_.try_lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

}  // namespace tidegauge
