#include "tidegauge/base/at_fork.hpp"

#include <pthread.h>

#include <unordered_set>

namespace tidegauge {
namespace {

/// All mutexes there are. Never destroyed: a fork may come after the end of main.
struct Registry {
  std::mutex mutex;
  std::unordered_set<ForkSafeMutex*> members;
};

Registry& registry() {
  static auto* const all = new Registry;
  return *all;
}

// A thread that holds one of the mutexes and wants a second one takes both through std::scoped_lock, which
// gives up the first rather than wait with it: taking all of them one by one cannot deadlock with that.
void before_fork() {
  registry().mutex.lock();
  for (ForkSafeMutex* member : registry().members) member->lock();
}

void after_fork() {
  for (ForkSafeMutex* member : registry().members) member->unlock();
  registry().mutex.unlock();
}

}  // namespace

ForkSafeMutex::ForkSafeMutex() {
  static const int registered = pthread_atfork(before_fork, after_fork, after_fork);
  static_cast<void>(registered);
  const std::lock_guard guard(registry().mutex);
  registry().members.insert(this);
}

ForkSafeMutex::~ForkSafeMutex() {
  const std::lock_guard guard(registry().mutex);
  registry().members.erase(this);
}

}  // namespace tidegauge
