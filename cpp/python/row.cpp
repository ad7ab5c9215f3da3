#include "row.hpp"

#include <cstdio>
#include <cstring>

#include "cell.hpp"
#include "tidegauge/base/error.hpp"

namespace py = pybind11;

namespace tidegauge::python {

using arrow::Buffer;
using arrow::Content;

Names::Names(const std::vector<std::string>& names) {
  for (size_t i = 0; i < names.size(); ++i) {
    PyObject* text =
        PyUnicode_DecodeUTF8(names[i].data(), static_cast<Py_ssize_t>(names[i].size()), "surrogateescape");
    if (!text) throw py::error_already_set();
    PyUnicode_InternInPlace(&text);
    names_.push_back(py::reinterpret_steal<py::str>(text));
    places_[names_.back()] = i;
  }
}

int Names::place_of(PyObject* key) const {
  PyObject* place = PyDict_GetItemWithError(places_.ptr(), key);
  return place ? static_cast<int>(PyLong_AsLong(place)) : -1;
}

int Names::place_of(std::string_view name) const { return place_of(py::str(name.data(), name.size()).ptr()); }

RowReader::RowReader(const Names& names) : names_(names), row_(names.size()) {
  for (size_t i = 0; i < names.size(); ++i) expected_.push_back({names.name(i), kNone});
  expected_.push_back({py::object(), kNone});
}

void RowReader::forget() {
  row_.clear();
  if (!held_.empty()) held_.clear();
  if (wrong_key_ || repeated_key_) wrong_key_ = repeated_key_ = py::object();
}

const Row& RowReader::read(py::handle row) {
  last_ = names_.size();
  if (PyDict_CheckExact(row.ptr())) {
    read_dict(row.ptr());
  } else {
    read_items(row.ptr());
  }
  if (wrong_key_ || repeated_key_) refuse();
  if (!held_.empty()) read_held();
  return row_;
}

void RowReader::refuse() const {
  if (wrong_key_) {
    throw SchemaError("record: the row's key " + py::repr(wrong_key_).cast<std::string>() + " is a " +
                      Py_TYPE(wrong_key_.ptr())->tp_name +
                      ": keys are the names of columns, which are texts");
  }
  throw SchemaError("record: the row has " + py::repr(repeated_key_).cast<std::string>() +
                    " twice: give each column one value");
}

void RowReader::read_held() {
  for (const auto& [place, value] : held_) {
    Cell cell;
    set_any(cell, value, row_.heap);
    row_.put(place, cell);
  }
}

void RowReader::read_dict(PyObject* dict) {
  const HoldStill still(dict);
  PyObject *key = nullptr, *value = nullptr;
  Py_ssize_t at = 0;
  while (PyDict_Next(dict, &at, &key, &value)) read_item(key, value);
}

void RowReader::read_items(PyObject* mapping) {
  if (!PyMapping_Check(mapping) || !PyObject_HasAttrString(mapping, "items")) {
    throw SchemaError(std::string("record: a row is a mapping of column names to values, not a ") +
                      Py_TYPE(mapping)->tp_name + ": pass a dict, and many rows through update()");
  }
  const auto items = py::reinterpret_steal<py::object>(PyMapping_Items(mapping));
  if (!items) throw py::error_already_set();
  const py::list pairs(items);
  for (const py::handle pair : pairs) {
    if (!PyTuple_Check(pair.ptr()) || PyTuple_GET_SIZE(pair.ptr()) != 2) {
      throw SchemaError("record: items() of a row gives pairs of a name and a value, not a " +
                        std::string(Py_TYPE(pair.ptr())->tp_name));
    }
    read_item(PyTuple_GET_ITEM(pair.ptr(), 0), PyTuple_GET_ITEM(pair.ptr(), 1));
  }
}

/// Whether the key is this name. Rows of one place in a program mostly share the texts of their keys, which
/// are then known by their addresses and not even looked at; where they are others, as after json.loads,
/// comparing them takes half as long as looking them up. May miss names that are not ASCII.
inline bool RowReader::is(size_t place, PyObject* key) {
  PyObject* last = expected_[place].key.ptr();
  if (last == key) return true;
  if (!PyUnicode_CheckExact(key) || !PyUnicode_IS_COMPACT_ASCII(key) || !PyUnicode_IS_COMPACT_ASCII(last)) {
    return false;
  }
  const Py_ssize_t size = PyUnicode_GET_LENGTH(key);
  if (size != PyUnicode_GET_LENGTH(last) ||
      std::memcmp(PyUnicode_1BYTE_DATA(key), PyUnicode_1BYTE_DATA(last), static_cast<size_t>(size)) != 0) {
    return false;
  }
  expected_[place].key = py::reinterpret_borrow<py::object>(key);
  return true;
}

inline void RowReader::read_item(PyObject* key, PyObject* value) {
  const size_t guess = expected_[last_].after;
  if (guess == kNone || !is(guess, key)) return read_unexpected(key, value);
  last_ = guess;
  read_value(guess, key, value);
}

/// Rows mostly have the columns of the last one in its order, and perhaps lack one of them.
void RowReader::read_unexpected(PyObject* key, PyObject* value) {
  size_t guess = expected_[last_].after;
  if (guess != kNone) guess = expected_[guess].after;
  if (guess != kNone && is(guess, key)) {
    last_ = guess;
    return read_value(guess, key, value);
  }
  if (!PyUnicode_Check(key)) {
    wrong_key_ = py::reinterpret_borrow<py::object>(key);
  } else if (PyUnicode_CheckExact(key)) {
    read_key(key, value);
  } else {  // whose hash and equality may be anything
    const auto exact = py::reinterpret_steal<py::object>(PyUnicode_FromObject(key));
    if (!exact) throw py::error_already_set();
    read_key(exact.ptr(), value);
  }
}

void RowReader::read_key(PyObject* key, PyObject* value) {
  int found = names_.place_of(key);
  if (found < 0) {
    Buffer& names = row_.names;
    const size_t at = names.size();
    bool escaped = false;
    put_utf8(key, names, [&](Py_UCS4 c) {
      char digits[8];
      std::snprintf(digits, sizeof digits, "\\u%04x", static_cast<unsigned>(c));
      names.put(digits, 6);
      escaped = true;
    });
    const Row::Name name{at, names.size() - at};
    if (escaped) found = names_.place_of(row_.name(name));
    if (found < 0) {
      row_.unknown.push_back(name);
      return;
    }
    names.truncate(at);
  }
  const auto place = static_cast<size_t>(found);
  expected_[last_].after = place;
  last_ = place;
  read_value(place, key, value);
}

inline void RowReader::read_value(size_t place, PyObject* key, PyObject* value) {
  if (row_.has(place)) {
    repeated_key_ = py::reinterpret_borrow<py::object>(key);
    return;
  }
  Cell cell;
  if (PyFloat_CheckExact(value)) {
    set_real(cell, PyFloat_AS_DOUBLE(value));
  } else {
    read_other_value(cell, place, value);
  }
  row_.put(place, cell);
}

void RowReader::read_other_value(Cell& cell, size_t place, PyObject* value) {
  PyTypeObject* type = Py_TYPE(value);
  if (type == &PyUnicode_Type) {
    set_text(cell, value, row_.heap);
  } else if (type == &PyLong_Type) {
    set_int(cell, value);
  } else if (value == Py_None) {
    cell.content = Content::null;
  } else if (type == &PyBool_Type) {
    set_integer(cell, Content::boolean, value == Py_True);
  } else {
    cell.content = Content::other;
    held_.emplace_back(place, py::reinterpret_borrow<py::object>(value));
  }
}

}  // namespace tidegauge::python
