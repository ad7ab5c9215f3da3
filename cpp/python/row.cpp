#include "row.hpp"

#include <cstdio>

#include "cell.hpp"
#include "tidegauge/base/error.hpp"

namespace py = pybind11;

namespace tidegauge::python {

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

void RowReader::forget() {
  row_.clear(0);
  held_.clear();
  wrong_key_ = repeated_key_ = py::object();
}

const Row& RowReader::read(py::handle row, const Names& names) {
  row_.clear(names.size());
  after_.resize(names.size() + 1, kNone);
  last_ = names.size();
  if (PyDict_CheckExact(row.ptr())) {
    read_dict(row.ptr(), names);
  } else {
    read_items(row.ptr(), names);
  }
  if (wrong_key_) {
    throw SchemaError("record: the row's key " + py::repr(wrong_key_).cast<std::string>() + " is a " +
                      Py_TYPE(wrong_key_.ptr())->tp_name +
                      ": keys are the names of columns, which are texts");
  }
  if (repeated_key_) {
    throw SchemaError("record: the row has " + py::repr(repeated_key_).cast<std::string>() +
                      " twice: give each column one value");
  }
  for (const auto& [place, value] : held_) set_any(row_.cells[place], value, row_);
  return row_;
}

void RowReader::read_dict(PyObject* dict, const Names& names) {
  const HoldStill still(dict);
  PyObject *key = nullptr, *value = nullptr;
  Py_ssize_t at = 0;
  while (PyDict_Next(dict, &at, &key, &value)) read_item(key, value, names);
}

void RowReader::read_items(PyObject* mapping, const Names& names) {
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
    read_item(PyTuple_GET_ITEM(pair.ptr(), 0), PyTuple_GET_ITEM(pair.ptr(), 1), names);
  }
}

void RowReader::read_item(PyObject* key, PyObject* value, const Names& names) {
  // Rows mostly have the columns of the last one in its order, and perhaps lack one of them.
  size_t guess = after_[last_];
  if (guess != kNone && !names.is(guess, key)) {
    guess = after_[guess];
    if (guess != kNone && !names.is(guess, key)) guess = kNone;
  }
  if (guess != kNone) {
    last_ = guess;
    return read_value(guess, key, value);
  }
  if (!PyUnicode_Check(key)) {
    wrong_key_ = py::reinterpret_borrow<py::object>(key);
  } else if (PyUnicode_CheckExact(key)) {
    read_key(key, value, names);
  } else {  // whose hash and equality may be anything
    const auto exact = py::reinterpret_steal<py::object>(PyUnicode_FromObject(key));
    if (!exact) throw py::error_already_set();
    read_key(exact.ptr(), value, names);
  }
}

void RowReader::read_key(PyObject* key, PyObject* value, const Names& names) {
  int found = names.place_of(key);
  if (found < 0) {
    const size_t at = row_.text.size();
    bool escaped = false;
    put_utf8(key, row_.text, [&](Py_UCS4 c) {
      char digits[8];
      std::snprintf(digits, sizeof digits, "\\u%04x", static_cast<unsigned>(c));
      row_.text.put(digits, 6);
      escaped = true;
    });
    const size_t size = row_.text.size() - at;
    if (escaped) found = names.place_of(row_.text_of(at, size));
    if (found < 0) {
      row_.unknown.push_back({at, size});
      return;
    }
  }
  const auto place = static_cast<size_t>(found);
  after_[last_] = place;
  last_ = place;
  read_value(place, key, value);
}

void RowReader::read_value(size_t place, PyObject* key, PyObject* value) {
  Cell& cell = row_.cells[place];
  if (cell.content != Content::absent) {
    repeated_key_ = py::reinterpret_borrow<py::object>(key);
    return;
  }
  PyTypeObject* type = Py_TYPE(value);
  if (type == &PyFloat_Type) {
    set_real(cell, PyFloat_AS_DOUBLE(value));
  } else if (type == &PyUnicode_Type) {
    set_text(cell, value, row_);
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
