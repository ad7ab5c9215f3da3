#include "tidegauge/profile/spec.hpp"

#include <pybind11/stl.h>

#include "convert.hpp"
#include "register.hpp"

namespace py = pybind11;

namespace tidegauge::python {

arrow::Kind kind_named(const std::string& name) {
  for (int k = 0; k <= static_cast<int>(arrow::Kind::embedding); ++k) {
    if (name == name_of(static_cast<arrow::Kind>(k))) return static_cast<arrow::Kind>(k);
  }
  throw SchemaError("kind '" + name +
                    "': is none of number, boolean, category, time, embedding, unsupported");
}

namespace {

arrow::TimeUnit unit_named(const std::string& name) {
  for (int u = 0; u <= static_cast<int>(arrow::TimeUnit::day); ++u) {
    if (name == name_of(static_cast<arrow::TimeUnit>(u))) return static_cast<arrow::TimeUnit>(u);
  }
  throw SchemaError("unit '" + name + "': is none of s, ms, us, ns, D");
}

}  // namespace

void register_spec(py::module_& m) {
  py::class_<ColumnSpec, std::shared_ptr<ColumnSpec>>(m, "ColumnSpec")
      .def(py::init([](std::string name, const std::string& kind, std::string role, const std::string& state,
                       const std::string& unit, int32_t width, uint8_t accumulators, bool counted_only,
                       bool keep_values) {
             ColumnSpec spec;
             spec.name = std::move(name);
             spec.kind = kind_named(kind);
             spec.role = std::move(role);
             spec.state = state == "float64" ? State::f64 : state == "int64" ? State::i64 : State::none;
             spec.unit = unit_named(unit);
             spec.width = width;
             spec.accumulators = accumulators;
             spec.counted_only = counted_only;
             spec.keep_values = keep_values;
             spec.check();
             return spec;
           }),
           py::kw_only(), py::arg("name"), py::arg("kind"), py::arg("role") = "feature",
           py::arg("state") = "", py::arg("unit") = "", py::arg("width") = 0, py::arg("accumulators") = 0,
           py::arg("counted_only") = false, py::arg("keep_values") = true)
      .def_property_readonly("name", [](const ColumnSpec& s) { return to_text(s.name); })
      .def_property_readonly("role", [](const ColumnSpec& s) { return to_text(s.role); })
      .def_property_readonly("kind", [](const ColumnSpec& s) { return name_of(s.kind); })
      .def_property_readonly(
          "state",
          [](const ColumnSpec& s) {
            return s.state == State::f64 ? "float64" : s.state == State::i64 ? "int64" : "";
          })
      .def_property_readonly("unit", [](const ColumnSpec& s) { return name_of(s.unit); })
      .def_readonly("width", &ColumnSpec::width)
      .def_readonly("accumulators", &ColumnSpec::accumulators)
      .def_readonly("counted_only", &ColumnSpec::counted_only)
      .def_readonly("keep_values", &ColumnSpec::keep_values)
      .def_readonly("edges_id", &ColumnSpec::edges_id)
      .def_property_readonly("detached", &ColumnSpec::detached)
      .def_property_readonly("edges",
                             [](const ColumnSpec& s) -> py::object {
                               if (s.edges_f64) return to_array<double>(s.edges_f64->values);
                               if (s.edges_i64) return to_array<int64_t>(s.edges_i64->values);
                               return py::none();
                             })
      .def_property_readonly("category_hashes",
                             [](const ColumnSpec& s) -> py::object {
                               if (!s.categories) return py::none();
                               return to_array<uint64_t>(s.categories->hashes());
                             })
      .def_property_readonly("category_names",
                             [](const ColumnSpec& s) -> py::object {
                               if (!s.categories) return py::none();
                               py::list names;
                               for (const auto& name : s.categories->names()) {
                                 names.append(name ? py::object(to_text(*name)) : py::none());
                               }
                               return names;
                             })
      .def(
          "with_edges",
          [](const ColumnSpec& s, const py::array& edges) {
            ColumnSpec frozen = s;
            if (s.state == State::i64) {
              frozen.freeze(binning::Edges<int64_t>::make(to_vector<int64_t>(edges)));
            } else {
              frozen.freeze(binning::Edges<double>::make(to_vector<double>(edges)));
            }
            frozen.check();
            return frozen;
          },
          py::arg("edges"))
      .def(
          "with_categories",
          [](const ColumnSpec& s, const py::array_t<uint64_t>& hashes, binning::Categories::Names names) {
            ColumnSpec frozen = s;
            frozen.freeze(binning::Categories::make(to_vector<uint64_t>(hashes), std::move(names), s.seed));
            frozen.check();
            return frozen;
          },
          py::arg("hashes"), py::arg("names"))
      .def(
          "with_edges_of",
          [](const ColumnSpec& s, const ColumnSpec& other) {
            ColumnSpec frozen = s;  // numbers are converted to what lies between those edges
            frozen.state = other.state;
            frozen.edges_id = other.edges_id;
            frozen.edges_f64 = other.edges_f64;
            frozen.edges_i64 = other.edges_i64;
            frozen.categories = other.categories;
            frozen.check();
            return frozen;
          },
          py::arg("other"))
      .def("without_values",
           [](const ColumnSpec& s) {
             ColumnSpec changed = s;
             changed.keep_values = false;
             return changed;
           })
      .def(
          "with_options",
          [](const ColumnSpec& s, uint8_t accumulators) {
            ColumnSpec changed = s;
            changed.accumulators = accumulators;
            changed.check();
            return changed;
          },
          py::arg("accumulators"));
  m.attr("DISTINCT") = accumulate::kDistinct;
  m.attr("QUANTILES") = accumulate::kQuantiles;
  m.attr("EXPONENTIAL") = accumulate::kExponential;
  m.attr("FREQUENT") = accumulate::kFrequent;
  m.attr("COVARIANCE") = accumulate::kCovariance;
}

}  // namespace tidegauge::python
