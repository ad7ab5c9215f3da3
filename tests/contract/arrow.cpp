// What pytest needs to drive the Arrow importer: everything read back as Python lists, and C structures built
// from dicts with every field free to be wrong. Buffers are allocated at their exact size, so that under
// AddressSanitizer a read past one is an error, and freed on release, so that a read after it is one too.
// Long because building, importing and reading back share one set of names.

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <chrono>
#include <cstring>
#include <deque>
#include <optional>
#include <string_view>

#include "tidegauge/arrow/batch.hpp"
#include "tidegauge/arrow/bits.hpp"
#include "tidegauge/arrow/place.hpp"
#include "tidegauge/arrow/read.hpp"
#include "tidegauge/arrow/stream.hpp"
#include "tidegauge/base/error.hpp"

namespace py = pybind11;
namespace ta = tidegauge::arrow;

namespace {

constexpr const char* kKinds[] = {"unsupported", "number", "boolean", "category", "time", "embedding"};
constexpr const char* kUnits[] = {"none", "second", "milli", "micro", "nano", "day"};

ta::TimeUnit unit_named(const std::string& name) {
  for (size_t i = 0; i < std::size(kUnits); ++i) {
    if (name == kUnits[i]) return static_cast<ta::TimeUnit>(i);
  }
  throw py::value_error("no unit " + name);
}

bool bit(const std::vector<uint64_t>& words, int64_t i) {
  return (words[static_cast<size_t>(i >> 6)] >> (i & 63)) & 1;
}

template <class State>
int64_t numbers(const ta::ColumnView& column, int64_t begin, int64_t n, ta::TimeUnit unit, py::list& out) {
  std::vector<uint64_t> valid(static_cast<size_t>(ta::n_words(n)) + 1);
  ta::read_validity(column, begin, n, valid.data());
  auto exact = valid;
  std::vector<State> values(static_cast<size_t>(n));
  const int64_t n_mistyped = ta::read_numbers(column, begin, n, unit, values.data(), exact.data());
  for (int64_t i = 0; i < n; ++i) {
    if (!bit(valid, i))
      out.append(py::none());
    else if (!bit(exact, i))
      out.append("mistyped");
    else
      out.append(values[static_cast<size_t>(i)]);
  }
  return n_mistyped;
}

void others(const ta::ColumnView& column, int64_t begin, int64_t n, py::list& out) {
  std::vector<uint64_t> valid(static_cast<size_t>(ta::n_words(n)) + 1), bits = valid;
  const int64_t n_valid = ta::read_validity(column, begin, n, valid.data());
  int64_t counted = 0;
  std::vector<std::string_view> texts(static_cast<size_t>(n));
  std::vector<double> floats;
  const int64_t width = column.type.width;
  if (column.type.kind == ta::Kind::boolean) ta::read_booleans(column, begin, n, bits.data());
  if (column.type.kind == ta::Kind::category) ta::read_texts(column, begin, n, texts.data());
  if (column.type.kind == ta::Kind::embedding) {
    floats.resize(static_cast<size_t>(n * width));
    ta::read_embeddings(column, begin, n, floats.data());
  }
  for (int64_t i = 0; i < n; ++i) {
    counted += bit(valid, i);
    const auto row = static_cast<size_t>(i);
    if (!bit(valid, i)) {
      out.append(py::none());
    } else if (column.type.kind == ta::Kind::boolean) {
      out.append(bit(bits, i));
    } else if (column.type.kind == ta::Kind::category) {
      out.append(py::bytes(texts[row]));
    } else {
      const auto first = floats.begin() + i * width;
      out.append(py::cast(std::vector<double>(first, first + width)));
    }
  }
  if (counted != n_valid) throw std::logic_error("read_validity counts other bits than it writes");
}

/// Rows of one column in tiles; a list with None for null.
py::dict read_column(const ta::Batch& batch, size_t index, int64_t tile, bool as_integer, ta::TimeUnit unit) {
  const ta::ColumnView& column = batch.columns()[index];
  const ta::Kind kind = column.type.kind;
  py::list values, codes;
  int64_t n_mistyped = 0;
  for (int64_t begin = 0; begin < batch.n_rows(); begin += tile) {
    const int64_t n = std::min(tile, batch.n_rows() - begin);
    if (kind == ta::Kind::number || kind == ta::Kind::time) {
      n_mistyped += as_integer ? numbers<int64_t>(column, begin, n, unit, values)
                               : numbers<double>(column, begin, n, unit, values);
    } else {
      others(column, begin, n, values);
    }
    if (column.type.dictionary) {
      std::vector<uint32_t> read(static_cast<size_t>(n));
      ta::read_codes(column, begin, n, read.data());
      for (const uint32_t code : read) codes.append(code);
    }
  }
  py::dict out;
  const ta::Field& field = batch.schema().fields[index];
  out["name"] = py::bytes(field.name);
  out["format"] = py::bytes(field.format);
  out["extension"] = py::bytes(field.extension);
  out["timezone"] = py::bytes(field.timezone);
  out["kind"] = kKinds[static_cast<size_t>(field.type.kind)];
  out["unit"] = kUnits[static_cast<size_t>(field.type.unit)];
  out["values"] = values;
  out["codes"] = codes;
  out["n_mistyped"] = n_mistyped;
  return out;
}

py::list read_batch(const ta::Batch& batch, int64_t tile, bool as_integer, const std::string& unit) {
  for (size_t i = 0; i < batch.columns().size(); ++i) batch.check_rows(i);
  py::list columns;
  for (size_t i = 0; i < batch.columns().size(); ++i) {
    columns.append(read_column(batch, i, tile, as_integer, unit_named(unit)));
  }
  return columns;
}

template <class T>
T* capsule_pointer(const py::handle& capsule, const char* name) {
  auto* pointer = static_cast<T*>(PyCapsule_GetPointer(capsule.ptr(), name));
  if (!pointer) throw py::error_already_set();
  return pointer;
}

std::vector<ta::Batch> import_batches(const py::object& source) {
  std::vector<ta::Batch> batches;
  if (py::hasattr(source, "__arrow_c_stream__")) {
    const py::object capsule = source.attr("__arrow_c_stream__")();
    ta::Stream stream(capsule_pointer<ArrowArrayStream>(capsule, "arrow_array_stream"));
    while (auto batch = stream.next()) batches.push_back(std::move(*batch));
    return batches;
  }
  const py::tuple pair = source.attr("__arrow_c_array__")();
  const auto* schema = capsule_pointer<ArrowSchema>(pair[0], "arrow_schema");
  auto* array = capsule_pointer<ArrowArray>(pair[1], "arrow_array");
  batches.push_back(ta::Batch::parse(array, std::make_shared<const ta::Schema>(ta::Schema::parse(*schema))));
  return batches;
}

/// One C structure tree and all it points to. Children must never be released by a consumer.
struct Built {
  std::deque<ArrowSchema> schemas;
  std::deque<ArrowArray> arrays;
  std::deque<std::unique_ptr<char[]>> bytes;
  std::deque<std::unique_ptr<void*[]>> pointers;
  int n_released = 0;
  bool clears_itself = true;

  void drop() {
    bytes.clear();
    pointers.clear();
  }
};

void release_child_schema(ArrowSchema*) { throw std::logic_error("the consumer released a child"); }
void release_child_array(ArrowArray*) { throw std::logic_error("the consumer released a child"); }

template <class T>
void release_root(T* root) {
  auto* built = static_cast<Built*>(root->private_data);
  ++built->n_released;
  if (built->clears_itself) root->release = nullptr;
  built->drop();
}

char* keep_bytes(Built& built, const py::bytes& bytes) {
  const std::string_view text = bytes;
  built.bytes.push_back(std::make_unique<char[]>(text.size()));
  if (!text.empty()) std::memcpy(built.bytes.back().get(), text.data(), text.size());
  return built.bytes.back().get();
}

/// NULL for None; NUL is the spec's to give, or not.
char* optional_bytes(Built& built, const py::dict& spec, const char* key) {
  const py::object value = spec.attr("get")(key);
  return value.is_none() ? nullptr : keep_bytes(built, value);
}

int64_t number(const py::dict& spec, const char* key, int64_t otherwise) {
  return py::cast<int64_t>(spec.attr("get")(key, otherwise));
}

template <class T, class Build>
T** keep_children(Built& built, const py::dict& spec, T* self, int64_t& n_children, Build build) {
  const py::object list = spec.attr("get")("children", py::list());
  T** children = nullptr;
  n_children = 0;
  if (!list.is_none()) {
    n_children = static_cast<int64_t>(py::len(list));
    built.pointers.push_back(std::make_unique<void*[]>(static_cast<size_t>(n_children)));
    children = reinterpret_cast<T**>(built.pointers.back().get());
    for (int64_t i = 0; i < n_children; ++i) {
      const py::object child = list[py::int_(i)];
      children[i] = child.is_none() ? nullptr : py::isinstance<py::str>(child) ? self : build(child, false);
    }
  }
  n_children = number(spec, "n_children", n_children);
  return children;
}

ArrowSchema* build_schema(Built& built, const py::dict& spec, bool root) {
  ArrowSchema* schema = &built.schemas.emplace_back();
  schema->format = optional_bytes(built, spec, "format");
  schema->name = optional_bytes(built, spec, "name");
  schema->metadata = optional_bytes(built, spec, "metadata");
  schema->flags = 2;
  const auto child = [&](const py::dict& s, bool r) { return build_schema(built, s, r); };
  schema->children = keep_children(built, spec, schema, schema->n_children, child);
  const py::object dictionary = spec.attr("get")("dictionary");
  if (!dictionary.is_none()) schema->dictionary = child(dictionary, false);
  schema->release = number(spec, "released", 0) ? nullptr
                    : root                      ? release_root<ArrowSchema>
                                                : release_child_schema;
  schema->private_data = &built;
  return schema;
}

ArrowArray* build_array(Built& built, const py::dict& spec, bool root) {
  ArrowArray* array = &built.arrays.emplace_back();
  array->length = number(spec, "length", 0);
  array->null_count = number(spec, "null_count", 0);
  array->offset = number(spec, "offset", 0);
  const py::object buffers = spec.attr("get")("buffers", py::list());
  if (!buffers.is_none()) {
    array->n_buffers = static_cast<int64_t>(py::len(buffers));
    built.pointers.push_back(std::make_unique<void*[]>(static_cast<size_t>(array->n_buffers)));
    array->buffers = const_cast<const void**>(built.pointers.back().get());
    for (int64_t i = 0; i < array->n_buffers; ++i) {
      const py::object bytes = buffers[py::int_(i)];
      if (!bytes.is_none()) array->buffers[i] = keep_bytes(built, bytes);
    }
  }
  array->n_buffers = number(spec, "n_buffers", array->n_buffers);
  const auto child = [&](const py::dict& s, bool r) { return build_array(built, s, r); };
  array->children = keep_children(built, spec, array, array->n_children, child);
  const py::object dictionary = spec.attr("get")("dictionary");
  if (!dictionary.is_none()) array->dictionary = child(dictionary, false);
  array->release = number(spec, "released", 0) ? nullptr
                   : root                      ? release_root<ArrowArray>
                                               : release_child_array;
  array->private_data = &built;
  return array;
}

/// All rows, the last one first; nothing where that is refused, in the words of out["take_refused"].
std::optional<ta::Batch> take_backwards(const ta::Batch& batch, py::dict& out) {
  std::vector<int64_t> rows(static_cast<size_t>(batch.n_rows()));
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int64_t>(rows.size() - 1 - i);
  try {
    return batch.take(rows);
  } catch (const tidegauge::ArrowError& error) {
    out["take_refused"] = py::bytes(error.what());
    return std::nullopt;
  }
}

/// Imports the two structures as a consumer would and reads every row; what was taken from them is read when
/// they are gone. The schema is released and freed before the array is looked at.
py::dict import_built(const py::dict& schema_spec, const py::dict& array_spec) {
  Built schema_memory, array_memory;
  py::dict out;
  out["refused"] = py::none();
  try {
    ArrowArray* array = build_array(array_memory, array_spec, true);
    ArrowSchema* raw = build_schema(schema_memory, schema_spec, true);
    struct Releaser {
      ArrowSchema* schema;
      ~Releaser() {
        if (schema->release) schema->release(schema);
      }
    };
    std::shared_ptr<const ta::Schema> schema;
    try {
      const Releaser release_at_end{raw};
      schema = std::make_shared<const ta::Schema>(ta::Schema::parse(*raw));
    } catch (const tidegauge::ArrowError&) {
      if (array->release) array->release(array);
      throw;
    }
    std::optional<ta::Batch> batch = ta::Batch::parse(array, schema);
    out["moved"] = array->release == nullptr;
    const std::optional<ta::Batch> taken = take_backwards(*batch, out);
    out["columns"] = read_batch(*batch, 100, false, "none");
    batch.reset();
    if (taken) out["backwards"] = read_batch(*taken, 100, false, "none");
  } catch (const tidegauge::ArrowError& error) {
    out["refused"] = py::bytes(error.what());
  }
  out["n_released"] = array_memory.n_released;
  return out;
}

/// A stream whose calls do as a dict says.
struct Script {
  py::dict spec;
  std::deque<Built> memory;
  size_t n_batches = 0;
  int n_released = 0;
  std::string message;
};

Script& script_of(ArrowArrayStream* stream) { return *static_cast<Script*>(stream->private_data); }

int scripted_schema(ArrowArrayStream* stream, ArrowSchema* out) {
  Script& script = script_of(stream);
  const auto code = static_cast<int>(number(script.spec, "schema_code", 0));
  if (code == 0) *out = *build_schema(script.memory.emplace_back(), script.spec["schema"], true);
  return code;
}

int scripted_next(ArrowArrayStream* stream, ArrowArray* out) {
  Script& script = script_of(stream);
  const py::list batches = script.spec["batches"];
  if (script.n_batches == batches.size()) {
    out->release = nullptr;
    return 0;
  }
  const py::object batch = batches[script.n_batches++];
  if (py::isinstance<py::int_>(batch)) return py::cast<int>(batch);
  Built& built = script.memory.emplace_back();
  built.clears_itself = number(script.spec, "clears_itself", 1) != 0;
  *out = *build_array(built, batch, true);
  return 0;
}

const char* scripted_error(ArrowArrayStream* stream) {
  Script& script = script_of(stream);
  const py::object text = script.spec.attr("get")("message");
  if (text.is_none()) return nullptr;
  script.message = py::cast<std::string>(text);
  return script.message.c_str();
}

void release_script(ArrowArrayStream* stream) {
  ++script_of(stream).n_released;
  if (number(script_of(stream).spec, "clears_itself", 1)) stream->release = nullptr;
}

/// Reads a scripted stream to its end, then twice past it.
py::dict import_stream(const py::dict& spec) {
  Script script{.spec = spec, .memory = {}, .n_batches = 0, .n_released = 0, .message = {}};
  ArrowArrayStream raw{scripted_schema, scripted_next, scripted_error, release_script, &script};
  if (number(spec, "no_error_callback", 0)) raw.get_last_error = nullptr;
  if (number(spec, "no_next_callback", 0)) raw.get_next = nullptr;
  if (number(spec, "released", 0)) raw.release = nullptr;
  py::dict out;
  py::list refused;
  int64_t n_rows = 0;
  try {
    ta::Stream stream(&raw);
    for (int times_past_end = 0; times_past_end < 3;) {
      try {
        const auto batch = stream.next();
        if (batch) {
          read_batch(*batch, 100, false, "none");
          n_rows += batch->n_rows();
        }
        times_past_end += !batch;
      } catch (const tidegauge::ArrowError& error) {
        refused.append(py::bytes(error.what()));
        ++times_past_end;
      }
    }
  } catch (const tidegauge::ArrowError& error) {
    refused.append(py::bytes(error.what()));
  }
  py::list released;
  for (const Built& built : script.memory) released.append(built.n_released);
  out["refused"] = refused;
  out["n_rows"] = n_rows;
  out["moved"] = raw.release == nullptr;
  out["n_released"] = script.n_released;
  out["parts_released"] = released;
  return out;
}

/// Seconds per value, the best of several runs over tiles of 8,192 rows.
double seconds_per_value(const py::object& source, const std::string& what) {
  constexpr int64_t tile = 8192;
  const std::vector<ta::Batch> batches = import_batches(source);
  const ta::Batch& batch = batches.at(0);
  const ta::ColumnView& column = batch.columns().at(0);
  std::vector<double> doubles(tile);
  std::vector<int64_t> integers(tile);
  std::vector<uint32_t> codes(tile);
  std::vector<uint64_t> words(tile / 64);
  std::vector<std::string_view> texts(tile);
  double best = 1e9;
  for (int run = 0; run < 7; ++run) {
    const auto start = std::chrono::steady_clock::now();
    if (what == "check") batch.check_rows(0);
    for (int64_t begin = 0; begin < batch.n_rows() && what != "check"; begin += tile) {
      const int64_t n = std::min(tile, batch.n_rows() - begin);
      if (what == "codes") ta::read_codes(column, begin, n, codes.data());
      if (what == "texts") ta::read_texts(column, begin, n, texts.data());
      if (what != "double" && what != "int64" && what != "validity") continue;
      ta::read_validity(column, begin, n, words.data());
      if (what == "double")
        ta::read_numbers(column, begin, n, ta::TimeUnit::none, doubles.data(), words.data());
      if (what == "int64")
        ta::read_numbers(column, begin, n, ta::TimeUnit::none, integers.data(), words.data());
    }
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    best = std::min(best, taken.count() / static_cast<double>(batch.n_rows()));
  }
  return best;
}

}  // namespace

void register_arrow(py::module_& m) {
  m.def(
      "arrow_read",
      [](const py::object& source, int64_t tile, bool as_integer, const std::string& unit, int64_t begin,
         int64_t n) {
        py::list out;
        for (const ta::Batch& batch : import_batches(source)) {
          out.append(read_batch(n < 0 ? batch : batch.slice(begin, n), tile, as_integer, unit));
        }
        return out;
      },
      py::arg("source"), py::arg("tile") = 1000, py::arg("as_integer") = false, py::arg("unit") = "none",
      py::arg("begin") = 0, py::arg("n") = -1);
  m.def("arrow_combine", [](const py::dict& sources) {
    std::vector<std::pair<ta::Field, ta::Batch>> columns;
    for (const auto& [name, source] : sources) {
      const auto batches = import_batches(py::reinterpret_borrow<py::object>(source));
      ta::Field field = batches.at(0).schema().fields.at(0);
      field.name = py::cast<std::string>(name);
      columns.emplace_back(std::move(field), batches.at(0));
    }
    return read_batch(ta::Batch::combine(std::move(columns)), 1000, false, "none");
  });
  m.def("arrow_import_built", &import_built, py::arg("schema"), py::arg("array"));
  m.def("arrow_import_stream", &import_stream, py::arg("spec"));
  m.def("arrow_seconds_per_value", &seconds_per_value, py::arg("source"), py::arg("what"));
  m.def("arrow_quoted", [](const py::bytes& text) { return py::bytes(ta::quoted(std::string_view(text))); });
  py::register_local_exception<tidegauge::ArrowError>(m, "ArrowError", PyExc_ValueError);
}
