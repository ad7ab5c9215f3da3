#pragma once

#include <pybind11/numpy.h>
#include <pybind11/typing.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tidegauge/arrow/batch.hpp"

namespace tidegauge::python {

/// What the views of a borrowed batch point into. The last batch may go on any thread, so the GIL is taken to
/// let go; at the end of the interpreter, where it cannot be taken, the arrays are left to the operating
/// system.
struct Owners {
  std::vector<pybind11::object> arrays;
  std::vector<std::shared_ptr<const void>> buffers;

  static std::shared_ptr<Owners> make();

  /// The array's memory, kept alive.
  const void* keep(pybind11::array array);
};

/// One column on its way into a batch.
struct Column {
  arrow::Field field;
  arrow::ColumnView view;

  void set(arrow::Kind kind, arrow::Physical physical, std::string format);
};

/// A NumPy function of one array.
pybind11::array call_numpy(const char* function, const pybind11::array& array);

/// A NumPy bool array as Arrow bits, least significant first.
const uint8_t* keep_bits(Owners& owners, const pybind11::array& booleans);

/// Reads a contiguous array of fixed-width text ('S' or 'U'), whose trailing NULs are padding.
void read_fixed_texts(Owners& owners, Column& column, const pybind11::array& array);

/// Reads a contiguous array of objects: text if any row is text (numbers among it are written as text), else
/// numbers, else booleans; unsupported if any row is none of these. None, NaT and pandas' NA are null, and so
/// is a float NaN among text or booleans.
void read_objects(Owners& owners, Column& column, const pybind11::array& array);

/// NumPy arrays of equal length as one batch, without a copy where their memory allows it. Throws
/// SchemaError.
arrow::Batch batch_from_arrays(const std::vector<std::string>& names,
                               const std::vector<pybind11::array>& arrays);

/// The same of a dict, quickly; nothing if it holds anything but one-dimensional arrays of numbers, booleans
/// and times under the names of columns.
std::optional<arrow::Batch> batch_from_dict(const pybind11::dict& columns);

/// The values of column i as the engine reads them, for a person to look at: numbers (times as counts of
/// their unit), booleans, texts, lists of floats; None for null and for what cannot be read. Throws
/// ArrowError.
pybind11::typing::List<pybind11::object> to_pylist(const arrow::Batch& batch, size_t i);

}  // namespace tidegauge::python
