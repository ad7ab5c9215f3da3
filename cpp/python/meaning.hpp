#pragma once

#include <pybind11/pybind11.h>

#include <cmath>
#include <cstdint>
#include <string_view>

namespace tidegauge::python {

enum class Meaning : uint8_t { null, nan, boolean, integer, real, text, bytes, other };
inline constexpr size_t kMeanings = 8;

/// What one object is as a cell. NumPy's scalars, pandas' NA and NaT, and decimals are known by name, so that
/// nothing is imported.
inline Meaning meaning_of(PyObject* object) {
  if (object == nullptr || object == Py_None) return Meaning::null;
  if (PyUnicode_Check(object)) return Meaning::text;
  if (PyFloat_Check(object)) return std::isnan(PyFloat_AS_DOUBLE(object)) ? Meaning::nan : Meaning::real;
  if (PyBool_Check(object)) return Meaning::boolean;
  if (PyLong_Check(object)) return Meaning::integer;
  if (PyBytes_Check(object)) return Meaning::bytes;
  const std::string_view type = Py_TYPE(object)->tp_name;
  if (type.ends_with("NAType") || type.ends_with("NaTType")) return Meaning::null;
  if (type == "numpy.bool" || type == "numpy.bool_") return Meaning::boolean;
  if (type.starts_with("numpy.int") || type.starts_with("numpy.uint")) return Meaning::integer;
  if (type.starts_with("numpy.float") || type == "decimal.Decimal") return Meaning::real;
  return Meaning::other;
}

}  // namespace tidegauge::python
