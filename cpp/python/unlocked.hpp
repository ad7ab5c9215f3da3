#pragma once

#include <Python.h>
#include <unistd.h>

namespace tidegauge::python {

/// For the end of the process, as a daemon thread does in CPython 3.14 that wants the lock of an interpreter
/// which has ended. CPython before that ends the thread, by unwinding its stack as an exception of no type
/// does; where that meets a destructor, std::terminate ends the process. Called by who caught it.
[[noreturn]] inline void wait_for_the_end() {
  for (;;) pause();
}

/// Lets other Python threads run while it lives; for engine code, which calls nothing of Python.
class Unlocked {
 public:
  Unlocked() : state_(PyEval_SaveThread()) {}
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;
  ~Unlocked() {
    try {
      PyEval_RestoreThread(state_);
    } catch (...) {
      wait_for_the_end();
    }
  }

 private:
  PyThreadState* state_;
};

}  // namespace tidegauge::python
