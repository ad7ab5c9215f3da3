#pragma once

#include <pybind11/pybind11.h>

#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tidegauge/profile/staged_column.hpp"

namespace tidegauge::python {

/// The names of a stage's columns as Python knows them, to find their places.
class Names {
 public:
  explicit Names(const std::vector<std::string>& names);

  size_t size() const { return names_.size(); }
  /// Whether the key is this name. Dicts written in code share the interned text of their keys, and where it
  /// is another text, as after json.loads, comparing it takes half as long as looking it up. May miss names
  /// that are not ASCII.
  bool is(size_t place, PyObject* key) const {
    PyObject* name = names_[place].ptr();
    if (name == key) return true;
    if (!PyUnicode_CheckExact(key) || !PyUnicode_IS_COMPACT_ASCII(key) || !PyUnicode_IS_COMPACT_ASCII(name)) {
      return false;
    }
    const Py_ssize_t size = PyUnicode_GET_LENGTH(key);
    return size == PyUnicode_GET_LENGTH(name) &&
           std::memcmp(PyUnicode_1BYTE_DATA(key), PyUnicode_1BYTE_DATA(name), static_cast<size_t>(size)) == 0;
  }
  /// The place of a name, -1 if it is none. Runs no Python code for a str.
  int place_of(PyObject* key) const;
  int place_of(std::string_view name) const;

 private:
  std::vector<pybind11::str> names_;
  pybind11::dict places_;
};

/// Reads Python rows into cells; reused for the next row, by one thread at a time.
///
/// A dict is walked without running a line of Python: another thread may then not change it halfway, and
/// nothing can call back. Values that take Python to read (decimals, datetimes with a zone, lists) are held,
/// and read when the walk has ended. One that cannot be read, because it raises, is of no type; what is no
/// Exception passes, as does running out of memory.
class RowReader {
 public:
  /// The cells of a row, until the next call. Throws SchemaError for what is no mapping of texts to values,
  /// and what passes.
  const Row& read(pybind11::handle row, const Names& names);

  /// Lets go of the objects of the last row, and of the memory that a huge one took.
  void forget();

 private:
  void read_dict(PyObject* dict, const Names& names);
  void read_items(PyObject* mapping, const Names& names);
  void read_item(PyObject* key, PyObject* value, const Names& names);
  void read_key(PyObject* key, PyObject* value, const Names& names);
  void read_value(size_t place, PyObject* key, PyObject* value);

  static constexpr size_t kNone = ~size_t{0};

  Row row_;
  // By place, and last for the beginning of a row: the place that came next when the names were last looked
  // up.
  std::vector<size_t> after_;
  size_t last_ = 0;
  std::vector<std::pair<size_t, pybind11::object>> held_;
  pybind11::object wrong_key_, repeated_key_;
};

}  // namespace tidegauge::python
