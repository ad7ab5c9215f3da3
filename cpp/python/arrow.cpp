#include <pybind11/stl.h>
#include <pybind11/typing.h>

#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "columns.hpp"
#include "convert.hpp"
#include "register.hpp"
#include "tidegauge/arrow/batch.hpp"
#include "tidegauge/arrow/partition.hpp"
#include "tidegauge/arrow/stream.hpp"
#include "tidegauge/base/error.hpp"
#include "tidegauge/profile/spec.hpp"
#include "unlocked.hpp"

namespace py = pybind11;

namespace tidegauge::python {
namespace {

using arrow::Batch;
using arrow::Field;

using FieldTuple = py::typing::Tuple<py::str, py::str, py::str, py::str, py::str>;

py::typing::List<FieldTuple> field_tuples(const arrow::Schema& schema) {
  py::typing::List<FieldTuple> tuples;
  for (const Field& field : schema.fields) {
    tuples.append(py::make_tuple(to_text(field.name), name_of(field.type.kind), to_text(field.format),
                                 to_text(field.timezone), to_text(field.extension)));
  }
  return tuples;
}

/// The struct inside a capsule of the Arrow PyCapsule interface, not yet moved out.
template <typename Struct>
Struct* unwrap(const py::object& object, const char* name) {
  const std::string expected = std::string("expected a PyCapsule named '") + name + "', got ";
  if (!PyCapsule_CheckExact(object.ptr())) throw ArrowError(expected + "a " + Py_TYPE(object.ptr())->tp_name);
  if (!PyCapsule_IsValid(object.ptr(), name)) {
    const char* actual = PyCapsule_GetName(object.ptr());
    PyErr_Clear();
    throw ArrowError(expected + "one named '" + (actual ? actual : "") + "'");
  }
  auto* held = static_cast<Struct*>(PyCapsule_GetPointer(object.ptr(), name));
  if (!held->release) {
    throw ArrowError(std::string("this '") + name +
                     "' capsule was already consumed: ask its producer for a new one");
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
    Unlocked unlocked;
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

/// Batches of one column each, side by side under new names.
Batch combine(const std::vector<std::pair<std::string, Batch>>& columns) {
  std::vector<std::pair<Field, Batch>> named;
  for (const auto& [name, batch] : columns) {
    Field field = batch.schema().fields.at(0);
    field.name = name;
    named.emplace_back(std::move(field), batch);
  }
  return Batch::combine(std::move(named));
}

Batch take(const Batch& batch, const py::array_t<int64_t>& numbers) {
  const std::vector<int64_t> rows =
      to_vector<int64_t>(numbers);  // another thread may write to the array meanwhile
  Unlocked unlocked;
  return batch.take(rows);
}

Batch select(const Batch& batch, const std::vector<size_t>& indices) {
  auto schema = std::make_shared<arrow::Schema>();
  std::vector<arrow::ColumnView> views;
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
      .def("take", &take, py::arg("rows"),
           "The rows of these numbers, in this order, in memory of their own; dictionaries stay shared.")
      .def("partition", &arrow::partition, py::arg("column"), py::arg("width_ns"), py::arg("origin_ns") = 0,
           py::call_guard<Unlocked>(),
           "Split by the times of one column into half-open windows [origin_ns + k * width_ns, + "
           "width_ns).\n\n"
           "(start, batch) pairs, ascending; nanoseconds since 1970-01-01 UTC; None, last, for rows whose "
           "time is "
           "null or whose window does not fit into 64 bits. Windows without rows are left out.")
      .def("select", &select, py::arg("indices"), "The columns at these positions, sharing memory.")
      .def(
          "to_pylist", &to_pylist, py::arg("column"),
          "The values of one column as the engine reads them, None for null; times as counts of their unit.");
  py::class_<CapsuleStream>(m, "Stream", "The batches of one 'arrow_array_stream' capsule; read once.")
      .def(py::init<const py::object&>(), py::arg("capsule"))
      .def_property_readonly(
          "fields", [](const CapsuleStream& stream) { return field_tuples(stream.schema()); },
          "A (name, kind, Arrow format, timezone, extension) tuple for each column.")
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
  m.def("batch_from_dict", &batch_from_dict, py::arg("columns"),
        "The same of a dict of plain arrays; None if it holds anything that has to be looked at.");
  m.def("combine", &combine, py::arg("columns"),
        "(name, one-column batch) pairs of equal length as one batch.");
}

}  // namespace tidegauge::python
