#include "row.hpp"

#include <datetime.h>
#include <pybind11/numpy.h>

#include <cstring>
#include <limits>

#include "meaning.hpp"
#include "tidegauge/base/error.hpp"

namespace py = pybind11;

namespace tidegauge::python {
namespace {

using arrow::Buffer;
using arrow::Content;
using arrow::TimeUnit;

constexpr int64_t kDayMicroseconds = 86'400'000'000;

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
void put_utf8(PyObject* text, Buffer& out, Escape escape) {
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

void set_text(Cell& cell, PyObject* text, Buffer& out) {
  cell.content = Content::text;
  cell.at = out.size();
  put_utf8(text, out, [&](Py_UCS4) { out.put('?'); });  // as str.encode("utf-8", "replace")
  cell.size = out.size() - cell.at;
}

void set_real(Cell& cell, double value) {
  cell.content = Content::real;
  cell.real = value;
}

void set_integer(Cell& cell, Content content, int64_t value) {
  cell.content = content;
  cell.integer = value;
}

/// An int as int64, one that does not fit as the nearest double, one that is no double either as no number.
void set_int(Cell& cell, PyObject* value) {
  int overflow = 0;
  const long long integer = PyLong_AsLongLongAndOverflow(value, &overflow);
  if (overflow == 0) return set_integer(cell, Content::integer, integer);
  const double real = PyLong_AsDouble(value);
  if (real == -1.0 && PyErr_Occurred()) {
    PyErr_Clear();
    cell.content = Content::other;
    return;
  }
  set_real(cell, real);
}

void set_time(Cell& cell, Content content, TimeUnit unit, int64_t value) {
  set_integer(cell, content, value);
  cell.unit = unit;
}

/// Days since 1970-01-01 of a date of the Gregorian calendar, years from 1 on.
int64_t days_of(int64_t year, int64_t month, int64_t day) {
  year -= month <= 2;  // years from March on, so that leap days come last
  const int64_t era = year / 400, of_era = year % 400;
  const int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

int64_t microseconds_of(PyObject* delta) {
  return (int64_t{PyDateTime_DELTA_GET_DAYS(delta)} * 86400 + PyDateTime_DELTA_GET_SECONDS(delta)) *
             1'000'000 +
         PyDateTime_DELTA_GET_MICROSECONDS(delta);
}

/// A date or datetime, which without a zone is UTC.
void set_date(Cell& cell, py::handle value) {
  PyObject* date = value.ptr();
  int64_t time = days_of(PyDateTime_GET_YEAR(date), PyDateTime_GET_MONTH(date), PyDateTime_GET_DAY(date)) *
                 kDayMicroseconds;
  if (PyDateTime_Check(date)) {
    time += ((int64_t{PyDateTime_DATE_GET_HOUR(date)} * 60 + PyDateTime_DATE_GET_MINUTE(date)) * 60 +
             PyDateTime_DATE_GET_SECOND(date)) *
                1'000'000 +
            PyDateTime_DATE_GET_MICROSECOND(date);
    PyObject* zone = PyDateTime_DATE_GET_TZINFO(date);
    if (zone != Py_None && zone != PyDateTime_TimeZone_UTC) {
      const py::object offset = value.attr("utcoffset")();
      if (PyDelta_Check(offset.ptr())) time -= microseconds_of(offset.ptr());
    }
  }
  set_time(cell, Content::time, TimeUnit::micro, time);
}

/// The 64 bits of a numpy.datetime64 or timedelta64, which it gives as a buffer of bytes.
int64_t count_of(py::handle value) {
  const py::buffer_info info = py::reinterpret_borrow<py::buffer>(value).request();
  int64_t count = 0;
  if (info.size * info.itemsize != sizeof count) throw py::cast_error("a NumPy time has 64 bits");
  std::memcpy(&count, info.ptr, sizeof count);
  return count;
}

/// numpy.datetime64 and timedelta64: units as batch_from_arrays takes them.
void set_numpy_time(Cell& cell, py::handle value, bool duration) {
  const int64_t count = count_of(value);
  if (count == std::numeric_limits<int64_t>::min()) {  // NaT
    cell.content = Content::null;
    return;
  }
  const auto type = value.attr("dtype").attr("str").cast<std::string>();  // <M8[us]; <M8[10us]; <M8
  const size_t bracket = type.find('[');
  const std::string steps =
      bracket == std::string::npos ? "" : type.substr(bracket + 1, type.size() - bracket - 2);
  const std::string unit = steps.substr(std::min(steps.find_first_not_of("0123456789"), steps.size()));
  const Content content = duration ? Content::duration : Content::time;
  struct Known {
    const char* name;
    TimeUnit unit;
  };
  constexpr Known kFine[] = {{"ms", TimeUnit::milli}, {"us", TimeUnit::micro}, {"ns", TimeUnit::nano}};
  Known kept{"s", TimeUnit::second};
  for (const Known& known : kFine) {
    if (unit == known.name) kept = known;
  }
  if (steps == kept.name) return set_time(cell, content, kept.unit, count);
  const bool calendar = unit == "M" || unit == "Y";
  if (unit.empty() || unit == "ps" || unit == "fs" || unit == "as" || (calendar && duration)) {
    cell.content = Content::other;
    return;
  }
  const py::object in_unit = value.attr("astype")((duration ? "m8[" : "M8[") + std::string(kept.name) + "]");
  set_time(cell, content, kept.unit, count_of(in_unit));
}

/// Appends a list's plain numbers; false where it holds anything else, with nothing appended.
bool put_plain_floats(PyObject* sequence, Buffer& out) {
  const HoldStill still(sequence);
  const size_t before = out.size();
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(sequence); ++i) {
    PyObject* item = PySequence_Fast_GET_ITEM(sequence, i);
    int overflow = 0;
    if (PyFloat_CheckExact(item)) {
      out.put(PyFloat_AS_DOUBLE(item));
    } else if (PyLong_Check(item)) {
      const long long integer = PyLong_AsLongLongAndOverflow(item, &overflow);
      out.put(static_cast<double>(integer));
    } else {
      overflow = 1;
    }
    if (overflow) {
      out.truncate(before);
      return false;
    }
  }
  return true;
}

/// A list, tuple or array of numbers as an embedding; of anything else, as a value of no column's type.
void set_embedding(Cell& cell, py::handle value, Buffer& floats) {
  cell.content = Content::other;
  cell.at = floats.size();
  const bool plain = PyList_CheckExact(value.ptr()) || PyTuple_CheckExact(value.ptr());
  if (!plain || !put_plain_floats(value.ptr(), floats)) {
    const py::array array = py::module_::import("numpy").attr("array")(value);
    if (array.ndim() != 1 || !std::strchr("biuf", array.dtype().kind())) return;
    const auto reals = py::array_t<double, py::array::c_style | py::array::forcecast>(array);
    floats.put(reals.data(), static_cast<size_t>(reals.nbytes()));
  }
  const size_t width = (floats.size() - cell.at) / sizeof(double);
  if (width == 0 || width > static_cast<size_t>(std::numeric_limits<int32_t>::max())) return;
  cell.content = Content::embedding;
  cell.width = static_cast<uint32_t>(width);
}

}  // namespace

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
  for (const auto& [place, value] : held_) read_held(row_.cells[place], value);
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
    set_text(cell, value, row_.text);
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

void RowReader::read_held(Cell& cell, py::handle value) {
  PyObject* object = value.ptr();
  try {
    switch (meaning_of(object)) {
      case Meaning::null:
        cell.content = Content::null;
        return;
      case Meaning::text:
        return set_text(cell, object, row_.text);
      case Meaning::bytes:
        cell.content = Content::bytes;
        cell.at = row_.text.size();
        cell.size = static_cast<size_t>(PyBytes_GET_SIZE(object));
        return row_.text.put(PyBytes_AS_STRING(object), cell.size);
      case Meaning::boolean:
        return set_integer(cell, Content::boolean, py::bool_(py::reinterpret_borrow<py::object>(value)));
      case Meaning::integer: {
        const auto whole = py::reinterpret_steal<py::object>(PyNumber_Index(object));
        if (!whole) throw py::error_already_set();
        return set_int(cell, whole.ptr());
      }
      case Meaning::nan:
      case Meaning::real: {
        const double real = PyFloat_AsDouble(object);
        if (real == -1.0 && PyErr_Occurred()) throw py::error_already_set();
        return set_real(cell, real);
      }
      case Meaning::other:
        break;
    }
    if (PyDate_Check(object)) return set_date(cell, value);
    if (PyDelta_Check(object)) {
      return set_time(cell, Content::duration, TimeUnit::micro, microseconds_of(object));
    }
    const std::string_view type = Py_TYPE(object)->tp_name;
    if (type == "numpy.datetime64") return set_numpy_time(cell, value, false);
    if (type == "numpy.timedelta64") return set_numpy_time(cell, value, true);
    if (PyList_Check(object) || PyTuple_Check(object) || py::isinstance<py::array>(value)) {
      return set_embedding(cell, value, row_.floats);
    }
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_Exception) || error.matches(PyExc_MemoryError)) throw;
  } catch (const py::cast_error&) {  // of a type that only goes by the name of one we know
  }
  cell.content = Content::other;
}

void import_datetime() {
  PyDateTime_IMPORT;
  if (!PyDateTimeAPI) throw py::error_already_set();
}

}  // namespace tidegauge::python
