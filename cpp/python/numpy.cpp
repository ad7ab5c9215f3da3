#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "columns.hpp"
#include "tidegauge/base/error.hpp"
#include "unlocked.hpp"

namespace py = pybind11;

namespace tidegauge::python {
namespace {

using arrow::Kind;
using arrow::Physical;
using arrow::TimeUnit;

struct Simple {
  char kind;
  py::ssize_t size;
  Physical physical;
  const char* format;  // Arrow's
};

constexpr Simple kSimple[] = {
    {'i', 1, Physical::int8, "c"},    {'i', 2, Physical::int16, "s"},   {'i', 4, Physical::int32, "i"},
    {'i', 8, Physical::int64, "l"},   {'u', 1, Physical::uint8, "C"},   {'u', 2, Physical::uint16, "S"},
    {'u', 4, Physical::uint32, "I"},  {'u', 8, Physical::uint64, "L"},  {'f', 2, Physical::float16, "e"},
    {'f', 4, Physical::float32, "f"}, {'f', 8, Physical::float64, "g"},
};

const Simple* find_simple(char kind, py::ssize_t size) {
  for (const Simple& simple : kSimple) {
    if (simple.kind == kind && simple.size == size) return &simple;
  }
  return nullptr;
}

const Simple* find_simple(const py::array& array) {
  return find_simple(array.dtype().kind(), array.itemsize());
}

/// Whether this is an array of NumPy's own class, which has no mask.
bool is_exact(py::handle array) { return Py_TYPE(array.ptr()) == py::detail::npy_api::get().PyArray_Type_; }

/// Numbers that lie as Arrow's do, which need no call into NumPy; false for everything else.
bool read_numbers_as_they_lie(Owners& owners, Column& column, const py::array& array) {
  if (!is_exact(array) || array.ndim() != 1 || !(array.flags() & py::array::c_style)) return false;
  const auto* type = py::detail::array_descriptor_proxy(py::detail::array_proxy(array.ptr())->descr);
  const Simple* simple = type->byteorder == '>' ? nullptr : find_simple(type->kind, array.itemsize());
  if (!simple) return false;
  column.set(Kind::number, simple->physical, simple->format);
  column.view.values = owners.keep(array);
  return true;
}

py::array as_type(const py::array& array, const py::object& dtype) {
  return array.attr("astype")(dtype).cast<py::array>();
}

std::string dtype_name(const py::array& array) { return py::str(array.dtype()).cast<std::string>(); }

/// The array itself if it is native and C-contiguous, else a copy that is. A long double becomes a double.
py::array plain(const py::array& array) {
  const bool long_double = array.dtype().kind() == 'f' && array.itemsize() > 8;
  if (long_double) return as_type(array, py::str("float64"));
  if (array.dtype().byteorder() == '>') return as_type(array, array.dtype().attr("newbyteorder")("="));
  return array.flags() & py::array::c_style ? array : call_numpy("ascontiguousarray", array);
}

/// datetime64 and timedelta64; NaT is null. Units coarser than a second become seconds, which is exact; finer
/// than a nanosecond, or no unit at all, is unsupported, as are timedeltas of months.
void read_times(Owners& owners, Column& column, py::array array) {
  const bool duration = array.dtype().kind() == 'm';
  const auto metadata = py::module_::import("numpy").attr("datetime_data")(array.dtype()).cast<py::tuple>();
  auto unit = metadata[0].cast<std::string>();
  const bool calendar = unit == "M" || unit == "Y";
  if (unit == "generic" || unit == "ps" || unit == "fs" || unit == "as" || (calendar && duration)) {
    column.field.format = dtype_name(array);
    return;
  }
  if (unit != "ms" && unit != "us" && unit != "ns") unit = "s";
  const std::string dtype = (duration ? "m8[" : "M8[") + unit + "]";
  array = array.attr("astype")(dtype, py::arg("copy") = false).cast<py::array>();
  const std::string_view units = "smun";
  const size_t i = units.find(unit[0]);
  constexpr TimeUnit kUnits[] = {TimeUnit::second, TimeUnit::milli, TimeUnit::micro, TimeUnit::nano};
  column.set(Kind::time, Physical::int64,
             std::string(duration ? "tD" : "ts") + units[i] + (duration ? "" : ":"));
  column.field.type.unit = kUnits[i];
  const py::array missing = call_numpy("isnat", array);
  if (missing.attr("any")().cast<bool>())
    column.view.validity = keep_bits(owners, call_numpy("logical_not", missing));
  column.view.values = owners.keep(std::move(array));
}

/// Rows of floats of one width; whole numbers and booleans become doubles.
void read_embedding(Owners& owners, Column& column, py::array array) {
  if (array.dtype().kind() != 'f') array = as_type(array, py::str("float64"));
  const auto width = static_cast<int32_t>(array.shape(1));
  Column floats;
  floats.set(Kind::number, find_simple(array)->physical, find_simple(array)->format);
  floats.view.type = floats.field.type;
  floats.view.length = array.size();
  floats.view.values = owners.keep(std::move(array));
  column.set(Kind::embedding, Physical::fixed_list, "+w:" + std::to_string(width));
  column.field.type.width = width;
  column.field.value = std::make_shared<const arrow::Field>(std::move(floats.field));
  column.view.child = std::make_shared<const arrow::ColumnView>(std::move(floats.view));
}

void read_array(Owners& owners, Column& column, const py::array& source) {
  if (read_numbers_as_they_lie(owners, column, source)) return;
  py::array array = plain(source);
  if (array.ndim() == 2) {
    read_embedding(owners, column, std::move(array));
  } else if (const Simple* simple = find_simple(array)) {
    column.set(Kind::number, simple->physical, simple->format);
    column.view.values = owners.keep(std::move(array));
  } else {
    switch (array.dtype().kind()) {
      case 'b':
        column.set(Kind::boolean, Physical::boolean, "b");
        column.view.values = keep_bits(owners, array);
        break;
      case 'M':
      case 'm':
        read_times(owners, column, std::move(array));
        break;
      case 'S':
      case 'U':
        read_fixed_texts(owners, column, array);
        break;
      case 'T':
        read_objects(owners, column, as_type(array, py::str("O")));
        break;
      case 'O':
        read_objects(owners, column, array);
        break;
      default:
        column.field.format = dtype_name(array);  // complex, void: unsupported
    }
  }
}

/// Masked rows are null. Objects and times have a null of their own, so that their other nulls stay nulls.
void read_masked(Owners& owners, Column& column, const py::array& masked) {
  const auto mask = py::module_::import("numpy").attr("ma").attr("getmaskarray")(masked).cast<py::array>();
  auto data = masked.attr("data").cast<py::array>();
  if (std::strchr("OMm", masked.dtype().kind())) {
    data = data.attr("copy")().cast<py::array>();
    data.attr("__setitem__")(mask, py::none());
    read_array(owners, column, data);
  } else {
    read_array(owners, column, data);
    column.view.validity = keep_bits(owners, call_numpy("logical_not", mask));
  }
}

/// Why an array is no column, "" if it is one.
std::string refusal(const py::array& array, int64_t n_rows, bool masked) {
  if (array.ndim() != 1 && array.ndim() != 2) {
    return "has " + std::to_string(array.ndim()) + " dimensions: a column has 1, an embedding 2";
  }
  if (array.ndim() == 2) {
    if (masked || !std::strchr("biuf", array.dtype().kind())) {
      return "has 2 dimensions and " + (masked ? "a mask" : "dtype " + dtype_name(array)) +
             ": an embedding holds plain numbers; pass other columns one by one";
    }
    if (array.shape(1) == 0 || array.shape(1) > std::numeric_limits<int32_t>::max()) {
      return "has rows of " + std::to_string(array.shape(1)) + " numbers: an embedding has 1 to 2147483647";
    }
  }
  if (array.shape(0) == n_rows) return "";
  return "has " + std::to_string(array.shape(0)) + " rows, the first column " + std::to_string(n_rows) +
         ": columns of one batch have equal lengths";
}

}  // namespace

std::shared_ptr<Owners> Owners::make() {
  const auto let_go = [](Owners* owners) {
    if (!Py_IsInitialized()) return;
    try {
      const py::gil_scoped_acquire locked;
      delete owners;
    } catch (...) {
      wait_for_the_end();
    }
  };
  return {new Owners, let_go};
}

const void* Owners::keep(py::array array) {
  const void* data = array.data();
  arrays.push_back(std::move(array));
  return data;
}

void Column::set(Kind kind, Physical physical, std::string format) {
  field.type.kind = kind;
  field.type.physical = physical;
  field.format = std::move(format);
}

py::array call_numpy(const char* function, const py::array& array) {
  return py::module_::import("numpy").attr(function)(array).cast<py::array>();
}

const uint8_t* keep_bits(Owners& owners, const py::array& booleans) {
  const py::object pack = py::module_::import("numpy").attr("packbits");
  return static_cast<const uint8_t*>(
      owners.keep(pack(booleans, py::arg("bitorder") = "little").cast<py::array>()));
}

arrow::Batch batch_from_arrays(const std::vector<std::string>& names, const std::vector<py::array>& arrays) {
  if (names.size() != arrays.size()) {
    throw SchemaError(std::to_string(names.size()) + " names for " + std::to_string(arrays.size()) +
                      " arrays: give one each");
  }
  auto owners = Owners::make();
  auto schema = std::make_shared<arrow::Schema>();
  std::vector<arrow::ColumnView> views;
  const int64_t n_rows = arrays.empty() || arrays[0].ndim() == 0 ? 0 : arrays[0].shape(0);
  for (size_t i = 0; i < arrays.size(); ++i) {
    const bool masked = !is_exact(arrays[i]) && py::hasattr(arrays[i], "mask");
    const std::string problem = refusal(arrays[i], n_rows, masked);
    if (!problem.empty()) throw SchemaError("column '" + names[i] + "' " + problem);
    Column column;
    column.field.name = names[i];
    (masked ? read_masked : read_array)(*owners, column, arrays[i]);
    column.view.type = column.field.type;
    column.view.length = n_rows;
    schema->fields.push_back(std::move(column.field));
    views.push_back(std::move(column.view));
  }
  return arrow::Batch::borrow(std::move(schema), std::move(views), n_rows, std::move(owners));
}

std::optional<arrow::Batch> batch_from_dict(const py::dict& columns) {
  std::vector<std::string> names;
  std::vector<py::array> arrays;
  names.reserve(columns.size());
  arrays.reserve(columns.size());
  for (const auto& [name, values] : columns) {
    if (!PyUnicode_CheckExact(name.ptr()) || !is_exact(values)) return {};
    const auto array = py::reinterpret_borrow<py::array>(values);
    if (array.ndim() != 1 || !std::strchr("biufmM", array.dtype().kind())) return {};
    names.push_back(name.cast<std::string>());
    arrays.push_back(array);
  }
  return batch_from_arrays(names, arrays);
}

}  // namespace tidegauge::python
