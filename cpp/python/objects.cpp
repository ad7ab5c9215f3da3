// The two loops over data on this side: over what the engine cannot read, Python objects and NumPy's UCS-4
// text.

#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "columns.hpp"
#include "meaning.hpp"

namespace py = pybind11;

namespace tidegauge::python {
namespace {

using arrow::Kind;
using arrow::Physical;

/// UTF-8 (or raw bytes) of one text column, with 64-bit offsets.
struct Texts {
  std::string bytes;
  std::vector<int64_t> offsets{0};

  void end_row() { offsets.push_back(static_cast<int64_t>(bytes.size())); }
};

void keep_texts(Owners& owners, Column& column, Texts texts, bool utf8) {
  column.set(Kind::category, Physical::offsets64, utf8 ? "U" : "Z");
  auto kept = std::make_shared<const Texts>(std::move(texts));
  column.view.values = kept->offsets.data();
  column.view.text = kept->bytes.data();
  owners.buffers.push_back(std::move(kept));
}

void append_utf8(std::string& out, uint32_t c) {
  const auto first = [&](uint32_t mark, int shift) { out.push_back(static_cast<char>(mark | c >> shift)); };
  const auto next = [&](int shift) { out.push_back(static_cast<char>(0x80 | (c >> shift & 0x3F))); };
  if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) c = 0xFFFD;  // no character: the replacement character
  if (c < 0x80) {
    first(0, 0);
  } else if (c < 0x800) {
    first(0xC0, 6), next(0);
  } else if (c < 0x10000) {
    first(0xE0, 12), next(6), next(0);
  } else {
    first(0xF0, 18), next(12), next(6), next(0);
  }
}

template <typename Unit>
Texts fixed_texts(const py::array& array) {
  const auto n = static_cast<size_t>(array.shape(0));
  const auto width = static_cast<size_t>(array.itemsize()) / sizeof(Unit);
  Texts texts;
  texts.offsets.reserve(n + 1);
  std::vector<Unit> row(width);
  const auto* data = static_cast<const char*>(array.data());
  for (size_t i = 0; i < n; ++i) {
    if (width) std::memcpy(row.data(), data + i * width * sizeof(Unit), width * sizeof(Unit));
    size_t end = width;
    while (end > 0 && row[end - 1] == 0) --end;
    if constexpr (sizeof(Unit) == 1) {
      texts.bytes.append(row.data(), end);
    } else {
      for (size_t j = 0; j < end; ++j) append_utf8(texts.bytes, row[j]);
    }
    texts.end_row();
  }
  return texts;
}

/// The rows of an object array and what each of them is.
struct Objects {
  explicit Objects(const py::array& source) : array(source), n(static_cast<size_t>(source.shape(0))) {
    meanings.reserve(n);
    for (size_t i = 0; i < n; ++i) {
      meanings.push_back(meaning_of(at(i)));
      ++counts[static_cast<size_t>(meanings.back())];
    }
  }

  PyObject* at(size_t i) const { return static_cast<PyObject* const*>(array.data())[i]; }
  size_t count(Meaning meaning) const { return counts[static_cast<size_t>(meaning)]; }

  py::array array;
  size_t n;
  std::vector<Meaning> meanings;
  std::array<size_t, kMeanings> counts{};
};

/// Bits of the rows that hold a value, null if all do.
const uint8_t* keep_validity(Owners& owners, const Objects& objects, bool nan_is_null) {
  const auto missing = [&](Meaning meaning) {
    return meaning == Meaning::null || (nan_is_null && meaning == Meaning::nan);
  };
  if (objects.count(Meaning::null) + (nan_is_null ? objects.count(Meaning::nan) : 0) == 0) return nullptr;
  auto bits = std::make_shared<std::vector<uint8_t>>((objects.n + 7) / 8);
  for (size_t i = 0; i < objects.n; ++i) {
    if (!missing(objects.meanings[i])) (*bits)[i / 8] = static_cast<uint8_t>((*bits)[i / 8] | 1u << i % 8);
  }
  const uint8_t* data = bits->data();
  owners.buffers.push_back(std::move(bits));
  return data;
}

void append_object(std::string& out, PyObject* object) {
  if (PyBytes_Check(object)) {
    out.append(PyBytes_AS_STRING(object), static_cast<size_t>(PyBytes_GET_SIZE(object)));
    return;
  }
  const auto text =
      PyUnicode_Check(object) ? py::reinterpret_borrow<py::str>(object) : py::str(py::handle(object));
  Py_ssize_t size = 0;
  if (const char* utf8 = PyUnicode_AsUTF8AndSize(text.ptr(), &size)) {
    out.append(utf8, static_cast<size_t>(size));
  } else {  // a lone surrogate has no UTF-8
    PyErr_Clear();
    out += text.attr("encode")("utf-8", "replace").cast<std::string>();
  }
}

Texts object_texts(const Objects& objects) {
  Texts texts;
  texts.offsets.reserve(objects.n + 1);
  for (size_t i = 0; i < objects.n; ++i) {
    const Meaning meaning = objects.meanings[i];
    if (meaning != Meaning::null && meaning != Meaning::nan) append_object(texts.bytes, objects.at(i));
    texts.end_row();
  }
  return texts;
}

/// The objects through NumPy's own conversion, with a value in place of each null.
py::array converted(const Objects& objects, const char* dtype, const py::object& filler, bool nan_is_null) {
  py::list values(objects.n);
  for (size_t i = 0; i < objects.n; ++i) {
    const Meaning meaning = objects.meanings[i];
    const bool missing = meaning == Meaning::null || (nan_is_null && meaning == Meaning::nan);
    values[i] = missing ? filler : py::reinterpret_borrow<py::object>(objects.at(i));
  }
  return py::module_::import("numpy").attr("array")(values, py::arg("dtype") = dtype).cast<py::array>();
}

/// Whole numbers as int64 where all fit, any other mix as doubles.
void read_number_objects(Owners& owners, Column& column, const Objects& objects) {
  bool whole = objects.count(Meaning::real) + objects.count(Meaning::nan) == 0;
  py::array numbers;
  try {
    if (whole) numbers = converted(objects, "int64", py::int_(0), false);
  } catch (const py::error_already_set& error) {
    if (!error.matches(PyExc_OverflowError)) throw;
    whole = false;
  }
  if (!whole) numbers = converted(objects, "float64", py::float_(0.0), false);
  column.set(Kind::number, whole ? Physical::int64 : Physical::float64, whole ? "l" : "g");
  column.view.values = owners.keep(std::move(numbers));
  column.view.validity = keep_validity(owners, objects, false);
}

}  // namespace

void read_fixed_texts(Owners& owners, Column& column, const py::array& array) {
  const bool utf8 = array.dtype().kind() == 'U';
  keep_texts(owners, column, utf8 ? fixed_texts<uint32_t>(array) : fixed_texts<char>(array), utf8);
}

void read_objects(Owners& owners, Column& column, const py::array& array) {
  const Objects objects(array);
  if (objects.count(Meaning::other) > 0) {
    column.field.format = "object";
  } else if (objects.count(Meaning::text) + objects.count(Meaning::bytes) > 0) {
    keep_texts(owners, column, object_texts(objects), objects.count(Meaning::bytes) == 0);
    column.view.validity = keep_validity(owners, objects, true);
  } else if (objects.count(Meaning::integer) + objects.count(Meaning::real) > 0) {
    read_number_objects(owners, column, objects);
  } else if (objects.count(Meaning::boolean) > 0) {
    column.set(Kind::boolean, Physical::boolean, "b");
    column.view.values = keep_bits(owners, converted(objects, "bool", py::bool_(false), true));
    column.view.validity = keep_validity(owners, objects, true);
  } else if (objects.count(Meaning::nan) > 0) {
    read_number_objects(owners, column, objects);
  } else {
    column.field.format = "n";
    column.field.type.null_type = true;
  }
}

}  // namespace tidegauge::python
