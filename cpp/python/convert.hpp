#pragma once

#include <pybind11/numpy.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tidegauge/base/error.hpp"
#include "tidegauge/base/int128.hpp"

namespace tidegauge::python {

template <class T>
pybind11::array_t<T> to_array(std::span<const T> values) {
  return pybind11::array_t<T>(static_cast<pybind11::ssize_t>(values.size()), values.data());
}

template <class T>
std::vector<T> to_vector(
    const pybind11::array_t<T, pybind11::array::c_style | pybind11::array::forcecast>& values) {
  return {values.data(), values.data() + values.size()};
}

inline std::span<const std::byte> to_span(const pybind11::buffer_info& info) {
  if (info.ndim != 1 || info.itemsize != 1 || info.strides[0] != 1) {
    throw DecodeError("bytes: a contiguous buffer of bytes is needed");
  }
  return {static_cast<const std::byte*>(info.ptr), static_cast<size_t>(info.size)};
}

inline pybind11::bytes to_python(std::span<const std::byte> bytes) {
  return pybind11::bytes(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

/// Names and values are whatever bytes the producer sent; what is not UTF-8 in them, Python sees as escapes.
inline pybind11::str to_text(std::string_view text) {
  PyObject* decoded =
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "backslashreplace");
  if (!decoded) throw pybind11::error_already_set();
  return pybind11::reinterpret_steal<pybind11::str>(decoded);
}

inline pybind11::int_ to_int(int128 value) {
  const pybind11::int_ low(static_cast<uint64_t>(value)), high(static_cast<int64_t>(value >> 64));
  return pybind11::int_((high << pybind11::int_(64)) | low);
}

}  // namespace tidegauge::python
