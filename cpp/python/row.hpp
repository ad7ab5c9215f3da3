#pragma once

#include <pybind11/pybind11.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tidegauge/profile/row.hpp"

namespace tidegauge::python {

/// The names of a stage's columns as Python knows them, to find their places.
class Names {
 public:
  explicit Names(const std::vector<std::string>& names);

  size_t size() const { return names_.size(); }
  pybind11::object name(size_t place) const { return names_[place]; }
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
  /// For rows of these names, which outlive the reader.
  explicit RowReader(const Names& names);

  /// The cells of a row, until the next call. Throws SchemaError for what is no mapping of texts to values,
  /// and what passes.
  const Row& read(pybind11::handle row);

  /// Lets go of the objects of the last row, and of the memory that a huge one took.
  void forget();

 private:
  /// The key of a column in the last row, and which column came next when the names were last looked up.
  struct Expected {
    pybind11::object key;
    size_t after;
  };

  void read_dict(PyObject* dict);
  void read_items(PyObject* mapping);
  void read_item(PyObject* key, PyObject* value);
  void read_unexpected(PyObject* key, PyObject* value);
  void read_key(PyObject* key, PyObject* value);
  void read_value(size_t place, PyObject* key, PyObject* value);
  void read_other_value(Cell& cell, size_t place, PyObject* value);
  void read_held();
  [[noreturn]] void refuse() const;
  bool is(size_t place, PyObject* key);

  static constexpr size_t kNone = ~size_t{0};

  const Names& names_;
  Row row_;
  std::vector<Expected> expected_;  // by place, and last for the beginning of a row
  size_t last_ = 0;                 // the place before
  std::vector<std::pair<size_t, pybind11::object>> held_;
  pybind11::object wrong_key_, repeated_key_;
};

}  // namespace tidegauge::python
