#include "cell.hpp"

#include <datetime.h>
#include <pybind11/numpy.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

#include "meaning.hpp"

namespace py = pybind11;

namespace tidegauge::python {

using arrow::Buffer;
using arrow::Content;
using arrow::TimeUnit;

namespace {

/// Room for a size, which is known later; where it lies.
size_t begin_sized(Buffer& heap) {
  heap.put(size_t{0});
  return heap.size() - sizeof(size_t);
}

constexpr int64_t kDayMicroseconds = 86'400'000'000;

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
void set_embedding(Cell& cell, py::handle value, Buffer& heap) {
  cell.content = Content::other;
  cell.at = begin_sized(heap);
  const bool plain = PyList_CheckExact(value.ptr()) || PyTuple_CheckExact(value.ptr());
  if (!plain || !put_plain_floats(value.ptr(), heap)) {
    const py::array array = py::module_::import("numpy").attr("array")(value);
    if (array.ndim() != 1 || !std::strchr("biuf", array.dtype().kind())) return;
    const auto reals = py::array_t<double, py::array::c_style | py::array::forcecast>(array);
    heap.put(reals.data(), static_cast<size_t>(reals.nbytes()));
  }
  const size_t width = (heap.size() - cell.at) / sizeof(double) - 1;
  if (width == 0 || width > static_cast<size_t>(std::numeric_limits<int32_t>::max())) return;
  cell.content = Content::embedding;
  heap.write_at(cell.at, width);
}

}  // namespace

void set_text(Cell& cell, PyObject* text, Buffer& heap) {
  cell.content = Content::text;
  cell.at = begin_sized(heap);
  put_utf8(text, heap, [&](Py_UCS4) { heap.put('?'); });  // as str.encode("utf-8", "replace")
  heap.write_at(cell.at, heap.size() - cell.at - sizeof(size_t));
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

void set_any(Cell& cell, py::handle value, Buffer& heap) {
  PyObject* object = value.ptr();
  try {
    switch (meaning_of(object)) {
      case Meaning::null:
        cell.content = Content::null;
        return;
      case Meaning::text:
        return set_text(cell, object, heap);
      case Meaning::bytes:
        cell.content = Content::bytes;
        cell.at = begin_sized(heap);
        heap.write_at(cell.at, static_cast<size_t>(PyBytes_GET_SIZE(object)));
        return heap.put(PyBytes_AS_STRING(object), static_cast<size_t>(PyBytes_GET_SIZE(object)));
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
      return set_embedding(cell, value, heap);
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
