#pragma once

#include <pybind11/pybind11.h>

#include "tidegauge/profile/row.hpp"

namespace tidegauge::python {

/// Holds a dict or list of a Python without a global lock still; with one, nothing else runs meanwhile.
struct HoldStill {
#ifdef Py_GIL_DISABLED
  explicit HoldStill(PyObject* object) { PyCriticalSection_Begin(&section, object); }
  ~HoldStill() { PyCriticalSection_End(&section); }
  PyCriticalSection section;
#else
  explicit HoldStill(PyObject*) {}
#endif
};

/// Appends the UTF-8 of a str, without the copy that CPython would leave inside it; each lone surrogate,
/// which has none, is written by escape(c). Runs no Python code.
template <class Escape>
void put_utf8(PyObject* text, arrow::Buffer& out, Escape escape) {
#if PY_VERSION_HEX < 0x030C0000  // before 3.12 a text may still lie in a form of old
  if (PyUnicode_READY(text) < 0) throw pybind11::error_already_set();
#endif
  const auto n = static_cast<size_t>(PyUnicode_GET_LENGTH(text));
  if (PyUnicode_IS_COMPACT_ASCII(text)) return out.put(PyUnicode_DATA(text), n);
  const auto kind = PyUnicode_KIND(text);
  const void* data = PyUnicode_DATA(text);
  for (size_t i = 0; i < n; ++i) {
    const Py_UCS4 c = PyUnicode_READ(kind, data, static_cast<Py_ssize_t>(i));
    const auto byte = [&](unsigned mark, unsigned shift, unsigned mask) {
      out.put(static_cast<char>(mark | ((c >> shift) & mask)));
    };
    if (c < 0x80) {
      byte(0, 0, 0x7f);
    } else if (c < 0x800) {
      byte(0xc0, 6, 0x1f), byte(0x80, 0, 0x3f);
    } else if (c >= 0xd800 && c < 0xe000) {
      escape(c);
    } else if (c < 0x10000) {
      byte(0xe0, 12, 0x0f), byte(0x80, 6, 0x3f), byte(0x80, 0, 0x3f);
    } else {
      byte(0xf0, 18, 0x07), byte(0x80, 12, 0x3f), byte(0x80, 6, 0x3f), byte(0x80, 0, 0x3f);
    }
  }
}

// What Python holds in a cell. The first three run no Python code; set_any may run anything, and lets pass
// what is no Exception and running out of memory: any other value that cannot be read is of no type.
void set_text(Cell& cell, PyObject* text, arrow::Buffer& heap);
void set_int(Cell& cell, PyObject* value);
inline void set_real(Cell& cell, double value) {
  cell.content = arrow::Content::real;
  cell.real = value;
}
inline void set_integer(Cell& cell, arrow::Content content, int64_t value) {
  cell.content = content;
  cell.integer = value;
}
void set_any(Cell& cell, pybind11::handle value, arrow::Buffer& heap);

/// Once, before the first cell is read.
void import_datetime();

}  // namespace tidegauge::python
