// Arrow capsules and NumPy arrays as batches. It only hands memory over; the two loops over data below walk what
// the engine cannot read: Python objects, and NumPy's fixed-width UCS-4 text.

#include "tidegauge/arrow/batch.hpp"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <cmath>
#include <cstring>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "register.hpp"
#include "tidegauge/arrow/stream.hpp"
#include "tidegauge/base/error.hpp"

namespace py = pybind11;

namespace tidegauge::python {
namespace {

using arrow::Batch;
using arrow::ColumnView;
using arrow::Field;
using arrow::Kind;
using arrow::Physical;
using arrow::TimeUnit;

const char* kind_name(Kind kind) {
  switch (kind) {
    case Kind::number: return "number";
    case Kind::boolean: return "boolean";
    case Kind::category: return "category";
    case Kind::time: return "time";
    case Kind::embedding: return "embedding";
    case Kind::unsupported: break;
  }
  return "unsupported";
}

py::list field_tuples(const arrow::Schema& schema) {
  py::list tuples;
  for (const Field& field : schema.fields) {
    tuples.append(
        py::make_tuple(field.name, kind_name(field.type.kind), field.format, field.timezone, field.extension));
  }
  return tuples;
}

// ---- capsules

/// The struct inside a capsule of the Arrow PyCapsule interface, not yet moved out.
template <typename Struct>
Struct* unwrap(const py::object& object, const char* name) {
  if (!PyCapsule_CheckExact(object.ptr())) {
    throw ArrowError(std::string("expected a PyCapsule named '") + name + "', got a " +
                     Py_TYPE(object.ptr())->tp_name);
  }
  if (!PyCapsule_IsValid(object.ptr(), name)) {
    const char* actual = PyCapsule_GetName(object.ptr());
    PyErr_Clear();
    throw ArrowError(std::string("expected a PyCapsule named '") + name + "', got one named '" +
                     (actual ? actual : "") + "'");
  }
  auto* held = static_cast<Struct*>(PyCapsule_GetPointer(object.ptr(), name));
  if (!held->release) {
    throw ArrowError(std::string("this '") + name + "' capsule was already consumed: ask its producer for a new one");
  }
  return held;
}

/// A producer's stream; the mutex keeps two Python threads out of one get_next while the GIL is released.
class CapsuleStream {
 public:
  explicit CapsuleStream(const py::object& capsule)
      : stream_(unwrap<ArrowArrayStream>(capsule, "arrow_array_stream")) {}

  const arrow::Schema& schema() const { return *stream_.schema(); }

  std::optional<Batch> next() {
    py::gil_scoped_release unlocked;
    std::scoped_lock lock(mutex_);
    return stream_.next();
  }

 private:
  arrow::Stream stream_;
  std::mutex mutex_;
};

Batch batch_from_capsules(const py::object& schema_capsule, const py::object& array_capsule) {
  const auto* schema = unwrap<ArrowSchema>(schema_capsule, "arrow_schema");
  auto* array = unwrap<ArrowArray>(array_capsule, "arrow_array");
  return Batch::parse(array, std::make_shared<const arrow::Schema>(arrow::Schema::parse(*schema)));
}

// ---- NumPy

/// What the views of a borrowed batch point into. The last batch may go on any thread, so the GIL is taken; at
/// the end of the interpreter, where it cannot be, the arrays are left to the operating system.
struct Owners {
  std::vector<py::object> arrays;
  std::vector<std::shared_ptr<const void>> buffers;

  static std::shared_ptr<Owners> make() {
    return {new Owners, [](Owners* owners) {
              if (!Py_IsInitialized()) return;
              py::gil_scoped_acquire locked;
              delete owners;
            }};
  }

  const void* keep(py::array array) {
    const void* data = array.data();
    arrays.push_back(std::move(array));
    return data;
  }
};

py::array numpy_call(const char* function, const py::handle& argument, const char* keyword = nullptr,
                     const char* value = nullptr) {
  py::object callable = py::module_::import("numpy").attr(function);
  return keyword ? callable(argument, py::arg(keyword) = value).cast<py::array>()
                 : callable(argument).cast<py::array>();
}

/// Least-significant-bit-first words of a NumPy bool array, as Arrow stores them.
const uint8_t* keep_bits(Owners& owners, const py::array& booleans) {
  return static_cast<const uint8_t*>(owners.keep(numpy_call("packbits", booleans, "bitorder", "little")));
}

/// The array itself if it is native and C-contiguous, else a copy that is.
py::array plain(py::array array) {
  const char order = array.dtype().byteorder();
  if (order == '>') array = array.attr("astype")(array.dtype().attr("newbyteorder")("=")).cast<py::array>();
  return array.flags() & py::array::c_style ? array : numpy_call("ascontiguousarray", array);
}

void set_type(Field& field, Kind kind, Physical physical, std::string format) {
  field.type.kind = kind;
  field.type.physical = physical;
  field.format = std::move(format);
}

/// UTF-8 (or raw bytes) of one text column, with 64-bit offsets.
struct Texts {
  std::string bytes;
  std::vector<int64_t> offsets{0};

  void end_row() { offsets.push_back(static_cast<int64_t>(bytes.size())); }
};

void keep_texts(Owners& owners, Field& field, ColumnView& view, Texts texts, bool utf8) {
  set_type(field, Kind::category, Physical::offsets64, utf8 ? "U" : "Z");
  auto kept = std::make_shared<const Texts>(std::move(texts));
  view.values = kept->offsets.data();
  view.text = kept->bytes.data();
  owners.buffers.push_back(std::move(kept));
}

void append_utf8(std::string& out, uint32_t c) {
  const auto byte = [&out](uint32_t bits) { out.push_back(static_cast<char>(bits)); };
  if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) c = 0xFFFD;  // no character: the replacement character
  if (c < 0x80) {
    byte(c);
  } else if (c < 0x800) {
    byte(0xC0 | c >> 6), byte(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    byte(0xE0 | c >> 12), byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F));
  } else {
    byte(0xF0 | c >> 18), byte(0x80 | (c >> 12 & 0x3F)), byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F));
  }
}

/// Fixed-width text of Char units ('S': bytes, 'U': UCS-4), whose trailing NULs are padding.
template <typename Char>
Texts fixed_texts(const py::array& array, int64_t n) {
  Texts texts;
  texts.offsets.reserve(static_cast<size_t>(n) + 1);
  const auto width = static_cast<size_t>(array.itemsize()) / sizeof(Char);
  const auto* row = static_cast<const char*>(array.data());
  std::vector<Char> units(width);
  for (int64_t i = 0; i < n; ++i, row += width * sizeof(Char)) {
    std::memcpy(units.data(), row, width * sizeof(Char));
    size_t end = width;
    while (end > 0 && units[end - 1] == 0) --end;
    if constexpr (sizeof(Char) == 1) {
      texts.bytes.append(reinterpret_cast<const char*>(units.data()), end);
    } else {
      for (size_t j = 0; j < end; ++j) append_utf8(texts.bytes, units[j]);
    }
    texts.end_row();
  }
  return texts;
}

enum class Meaning : uint8_t { null, nan, boolean, integer, real, text, bytes, other };

bool ends_with(std::string_view name, std::string_view end) {
  return name.size() >= end.size() && name.substr(name.size() - end.size()) == end;
}

/// What one Python object is as a cell. pandas' NA and NaT are known by name: pandas itself is never imported.
Meaning meaning_of(PyObject* object) {
  if (object == nullptr || object == Py_None) return Meaning::null;
  if (PyUnicode_Check(object)) return Meaning::text;
  if (PyFloat_Check(object)) return std::isnan(PyFloat_AS_DOUBLE(object)) ? Meaning::nan : Meaning::real;
  if (PyBool_Check(object)) return Meaning::boolean;
  if (PyLong_Check(object)) return Meaning::integer;
  if (PyBytes_Check(object)) return Meaning::bytes;
  const std::string_view type = Py_TYPE(object)->tp_name;
  if (ends_with(type, "NAType") || ends_with(type, "NaTType")) return Meaning::null;
  if (type == "numpy.bool" || type == "numpy.bool_") return Meaning::boolean;
  if (PyIndex_Check(object) && !PySequence_Check(object)) return Meaning::integer;
  const bool real = type == "decimal.Decimal" || type == "Fraction" || type == "numpy.float16" ||
                    type == "numpy.float32" || type == "numpy.longdouble";
  return real ? Meaning::real : Meaning::other;
}

/// Rows of one object array that all mean the same, with a validity bit each.
struct Objects {
  const py::array& array;  // contiguous
  int64_t n;
  std::vector<Meaning> meanings;
  std::array<int64_t, 8> n_of{};

  Objects(const py::array& source, int64_t rows) : array(source), n(rows) {
    meanings.reserve(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) {
      meanings.push_back(meaning_of(at(i)));
      ++n_of[static_cast<size_t>(meanings.back())];
    }
  }

  PyObject* at(int64_t i) const { return static_cast<PyObject* const*>(array.data())[i]; }
  int64_t count(Meaning meaning) const { return n_of[static_cast<size_t>(meaning)]; }
};

/// A bitmap of the rows that are not null (nor NaN, where the column is no number), or null if all are valid.
const uint8_t* keep_validity(Owners& owners, const Objects& objects, bool nan_is_null) {
  if (objects.count(Meaning::null) + (nan_is_null ? objects.count(Meaning::nan) : 0) == 0) return nullptr;
  auto bits = std::make_shared<std::vector<uint8_t>>(static_cast<size_t>(objects.n + 7) / 8);
  for (size_t i = 0; i < objects.meanings.size(); ++i) {
    const Meaning meaning = objects.meanings[i];
    if (meaning == Meaning::null || (nan_is_null && meaning == Meaning::nan)) continue;
    (*bits)[i / 8] = static_cast<uint8_t>((*bits)[i / 8] | 1u << i % 8);
  }
  owners.buffers.push_back(bits);
  return bits->data();
}

Texts object_texts(const Objects& objects) {
  Texts texts;
  for (int64_t i = 0; i < objects.n; ++i) {
    const Meaning meaning = objects.meanings[static_cast<size_t>(i)];
    if (meaning == Meaning::bytes) {
      texts.bytes.append(PyBytes_AS_STRING(objects.at(i)), static_cast<size_t>(PyBytes_GET_SIZE(objects.at(i))));
    } else if (meaning != Meaning::null && meaning != Meaning::nan) {
      const py::str text = meaning == Meaning::text ? py::reinterpret_borrow<py::str>(objects.at(i))
                                                    : py::str(py::handle(objects.at(i)));
      Py_ssize_t size = 0;
      const char* utf8 = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
      if (utf8) {
        texts.bytes.append(utf8, static_cast<size_t>(size));
      } else {  // lone surrogates have no UTF-8
        PyErr_Clear();
        texts.bytes += text.attr("encode")("utf-8", "replace").cast<std::string>();
      }
    }
    texts.end_row();
  }
  return texts;
}

/// Objects of one meaning through one NumPy conversion; nulls, where there are any, become `filler` first.
py::array converted(const Objects& objects, const char* dtype, const py::object& filler) {
  py::array filled = objects.array;
  if (objects.count(Meaning::null) > 0) {
    filled = objects.array.attr("copy")().cast<py::array>();
    auto* cells = static_cast<PyObject**>(filled.mutable_data());
    for (int64_t i = 0; i < objects.n; ++i) {
      if (objects.meanings[static_cast<size_t>(i)] != Meaning::null) continue;
      Py_XDECREF(std::exchange(cells[i], py::object(filler).release().ptr()));
    }
  }
  return filled.attr("astype")(dtype).cast<py::array>();
}

/// Text if any row is text (numbers among it are written as text), else numbers, else booleans, else unsupported.
void read_objects(Owners& owners, Field& field, ColumnView& view, const py::array& array) {
  const Objects objects(array, array.shape(0));
  const int64_t n_texts = objects.count(Meaning::text) + objects.count(Meaning::bytes);
  const int64_t n_numbers = objects.count(Meaning::integer) + objects.count(Meaning::real) + objects.count(Meaning::nan);
  if (objects.count(Meaning::other) > 0) {
    field.format = "object";
  } else if (n_texts > 0) {
    keep_texts(owners, field, view, object_texts(objects), objects.count(Meaning::bytes) == 0);
    view.validity = keep_validity(owners, objects, true);
  } else if (n_numbers > 0) {
    bool whole = objects.count(Meaning::real) + objects.count(Meaning::nan) == 0;
    py::array numbers;
    if (whole) {
      try {
        numbers = converted(objects, "int64", py::int_(0));
      } catch (const py::error_already_set& error) {
        if (!error.matches(PyExc_OverflowError)) throw;
        whole = false;
      }
    }
    if (!whole) numbers = converted(objects, "float64", py::float_(0.0));
    set_type(field, Kind::number, whole ? Physical::int64 : Physical::float64, whole ? "l" : "g");
    view.values = owners.keep(numbers);
    view.validity = keep_validity(owners, objects, false);
  } else if (objects.count(Meaning::boolean) > 0) {
    set_type(field, Kind::boolean, Physical::boolean, "b");
    view.values = keep_bits(owners, converted(objects, "bool", py::bool_(false)));
    view.validity = keep_validity(owners, objects, false);
  } else {
    field.format = "n";
    field.type.null_type = true;
  }
}

struct NumericType {
  Physical physical = Physical::none;
  const char* format = "";
};

NumericType numeric_type(char kind, py::ssize_t itemsize) {
  switch (kind) {
    case 'i':
      switch (itemsize) {
        case 1: return {Physical::int8, "c"};
        case 2: return {Physical::int16, "s"};
        case 4: return {Physical::int32, "i"};
        default: return {Physical::int64, "l"};
      }
    case 'u':
      switch (itemsize) {
        case 1: return {Physical::uint8, "C"};
        case 2: return {Physical::uint16, "S"};
        case 4: return {Physical::uint32, "I"};
        default: return {Physical::uint64, "L"};
      }
    default:
      switch (itemsize) {
        case 2: return {Physical::float16, "e"};
        case 4: return {Physical::float32, "f"};
        default: return {Physical::float64, "g"};
      }
  }
}

/// datetime64 (a time) and timedelta64 (a number of its unit); NaT is null.
void read_times(Owners& owners, Field& field, ColumnView& view, py::array array) {
  const bool duration = array.dtype().kind() == 'm';
  const auto metadata = py::module_::import("numpy").attr("datetime_data")(array.dtype()).cast<py::tuple>();
  const auto name = metadata[0].cast<std::string>();
  const auto cast = [&](const char* unit) {
    array = array.attr("astype")(std::string(duration ? "m8[" : "M8[") + unit + "]").cast<py::array>();
  };
  const bool single = metadata[1].cast<int64_t>() == 1;
  TimeUnit unit = TimeUnit::second;
  std::string letter = "s";
  if (name == "ns" || name == "us" || name == "ms") {
    if (!single) cast(name.c_str());
    unit = name == "ns" ? TimeUnit::nano : name == "us" ? TimeUnit::micro : TimeUnit::milli;
    letter = name == "ns" ? "n" : name == "us" ? "u" : "m";
  } else if (name == "s" || name == "m" || name == "h" || name == "W" || name == "D" || (name != "generic" && !duration && (name == "M" || name == "Y"))) {
    if (name != "s" || !single) cast("s");  // exact: every coarser unit is a whole number of seconds
  } else {
    field.format = py::str(array.dtype()).cast<std::string>();
    return;  // finer than a nanosecond, or no unit at all: unsupported
  }
  set_type(field, duration ? Kind::number : Kind::time, Physical::int64, (duration ? "tD" : "ts") + letter + (duration ? "" : ":"));
  if (!duration) field.type.unit = unit;
  const py::array missing = numpy_call("isnat", array);
  if (missing.attr("any")().cast<bool>()) view.validity = keep_bits(owners, numpy_call("logical_not", missing));
  view.values = owners.keep(array);
}

/// Rows of floats of one width; whole numbers and booleans become doubles.
void read_embedding(Owners& owners, Field& field, ColumnView& view, py::array array) {
  if (array.dtype().kind() != 'f' || array.itemsize() > 8) array = array.attr("astype")("float64").cast<py::array>();
  const NumericType type = numeric_type('f', array.itemsize());
  const auto width = static_cast<int32_t>(array.shape(1));
  set_type(field, Kind::embedding, Physical::fixed_list, "+w:" + std::to_string(width));
  field.type.width = width;
  auto floats = std::make_shared<ColumnView>();
  floats->type.kind = Kind::number;
  floats->type.physical = type.physical;
  floats->length = array.size();
  floats->values = owners.keep(array);
  view.child = std::move(floats);
}

void read_array(Owners& owners, Field& field, ColumnView& view, const py::array& source) {
  py::array array = plain(source);
  const char kind = array.dtype().kind();
  if (array.ndim() == 2) {
    read_embedding(owners, field, view, std::move(array));
    return;
  }
  switch (kind) {
    case 'b':
      set_type(field, Kind::boolean, Physical::boolean, "b");
      view.values = keep_bits(owners, array);
      break;
    case 'i':
    case 'u':
    case 'f': {
      if (kind == 'f' && array.itemsize() > 8) array = array.attr("astype")("float64").cast<py::array>();
      const NumericType type = numeric_type(kind, array.itemsize());
      set_type(field, Kind::number, type.physical, type.format);
      view.values = owners.keep(std::move(array));
      break;
    }
    case 'M':
    case 'm': read_times(owners, field, view, std::move(array)); break;
    case 'S': keep_texts(owners, field, view, fixed_texts<uint8_t>(array, array.shape(0)), false); break;
    case 'U': keep_texts(owners, field, view, fixed_texts<uint32_t>(array, array.shape(0)), true); break;
    case 'T': read_objects(owners, field, view, array.attr("astype")("O").cast<py::array>()); break;
    case 'O': read_objects(owners, field, view, array); break;
    default: field.format = py::str(array.dtype()).cast<std::string>();  // complex, void: unsupported
  }
}

/// Why an array is no column, or "" if it is one.
std::string refusal(const py::array& array, int64_t n_rows) {
  const char kind = array.dtype().kind();
  if (array.ndim() != 1 && array.ndim() != 2) {
    return "has " + std::to_string(array.ndim()) + " dimensions: a column has 1, an embedding 2";
  }
  if (array.ndim() == 2 && !std::strchr("biuf", kind)) {
    return "has 2 dimensions of dtype " + py::str(array.dtype()).cast<std::string>() +
           ": an embedding holds numbers; pass other columns one by one";
  }
  if (array.ndim() == 2 && (array.shape(1) == 0 || array.shape(1) > INT32_MAX)) {
    return "has rows of " + std::to_string(array.shape(1)) + " numbers: an embedding has 1 to 2147483647";
  }
  if (array.shape(0) != n_rows) {
    return "has " + std::to_string(array.shape(0)) + " rows, the first column " + std::to_string(n_rows) +
           ": columns of one batch have equal lengths";
  }
  return "";
}

Batch batch_from_arrays(const std::vector<std::string>& names, const std::vector<py::array>& arrays) {
  if (names.size() != arrays.size()) {
    throw SchemaError(std::to_string(names.size()) + " names for " + std::to_string(arrays.size()) + " arrays");
  }
  auto owners = Owners::make();
  auto schema = std::make_shared<arrow::Schema>();
  std::vector<ColumnView> views;
  const int64_t n_rows = arrays.empty() || arrays[0].ndim() == 0 ? 0 : arrays[0].shape(0);
  for (size_t i = 0; i < arrays.size(); ++i) {
    const std::string problem = refusal(arrays[i], n_rows);
    if (!problem.empty()) throw SchemaError("column '" + names[i] + "' " + problem);
    Field field{.name = names[i], .format = "", .extension = "", .timezone = "", .type = {}};
    ColumnView view;
    view.length = n_rows;
    const bool masked = py::hasattr(arrays[i], "_mask");
    read_array(*owners, field, view, masked ? arrays[i].attr("data").cast<py::array>() : arrays[i]);
    if (masked) {
      const auto present = numpy_call("logical_not", py::module_::import("numpy").attr("ma").attr("getmaskarray")(arrays[i]));
      view.validity = keep_bits(*owners, present);
    }
    view.type = field.type;
    schema->fields.push_back(std::move(field));
    views.push_back(std::move(view));
  }
  return Batch::borrow(std::move(schema), std::move(views), n_rows, std::move(owners));
}

// ---- batches from batches

/// Columns of one row each side by side, under new names: how a frame is read column by column.
Batch combine(const std::vector<std::pair<std::string, Batch>>& columns) {
  std::vector<std::pair<Field, Batch>> named;
  for (const auto& [name, batch] : columns) {
    if (batch.columns().size() != 1) {
      throw SchemaError("column '" + name + "' is a table of " + std::to_string(batch.columns().size()) +
                        " columns: pass one array");
    }
    Field field = batch.schema().fields[0];
    field.name = name;
    named.emplace_back(std::move(field), batch);
  }
  return Batch::combine(std::move(named));
}

Batch select(const Batch& batch, const std::vector<size_t>& indices) {
  auto schema = std::make_shared<arrow::Schema>();
  std::vector<ColumnView> views;
  for (const size_t i : indices) {
    schema->fields.push_back(batch.schema().fields.at(i));
    views.push_back(batch.columns().at(i));
  }
  return Batch::borrow(std::move(schema), std::move(views), batch.n_rows(), std::make_shared<Batch>(batch));
}

}  // namespace

void register_arrow(py::module_& m) {
  py::class_<Batch>(m, "Batch", "One record batch; keeps its producer's memory alive.")
      .def_property_readonly("n_rows", &Batch::n_rows)
      .def_property_readonly(
          "fields", [](const Batch& batch) { return field_tuples(batch.schema()); },
          "A (name, kind, Arrow format, timezone, extension) tuple for each column.")
      .def("slice", &Batch::slice, py::arg("begin"), py::arg("n"), "Rows [begin, begin + n), sharing memory.")
      .def("select", &select, py::arg("indices"), "The columns at these positions, sharing memory.");
  py::class_<CapsuleStream>(m, "Stream", "The batches of one 'arrow_array_stream' capsule; read once.")
      .def(py::init<const py::object&>(), py::arg("capsule"))
      .def_property_readonly("fields", [](const CapsuleStream& stream) { return field_tuples(stream.schema()); })
      .def("__iter__", [](py::object self) { return self; })
      .def("__next__", [](CapsuleStream& stream) {
        std::optional<Batch> batch = stream.next();
        if (!batch) throw py::stop_iteration();
        return *std::move(batch);
      });
  m.def("batch_from_capsules", &batch_from_capsules, py::arg("schema"), py::arg("array"),
        "The batch of an `__arrow_c_array__` pair; consumes the array capsule.");
  m.def("batch_from_arrays", &batch_from_arrays, py::arg("names"), py::arg("arrays"),
        "NumPy arrays of equal length as one batch, without a copy where their memory allows it.");
  m.def("combine", &combine, py::arg("columns"), "(name, one-column batch) pairs of equal length as one batch.");
}

}  // namespace tidegauge::python
