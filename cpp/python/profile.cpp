#include "tidegauge/profile/profile.hpp"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "register.hpp"
#include "tidegauge/kernels/kernels.hpp"
#include "tidegauge/profile/boolean_column.hpp"
#include "tidegauge/profile/category_column.hpp"
#include "tidegauge/profile/embedding_column.hpp"
#include "tidegauge/profile/number_column.hpp"
#include "tidegauge/profile/sample.hpp"

namespace py = pybind11;

namespace tidegauge::python {
namespace {

using Specs = std::vector<std::shared_ptr<const ColumnSpec>>;

template <class T>
py::array_t<T> to_array(std::span<const T> values) {
  return py::array_t<T>(static_cast<py::ssize_t>(values.size()), values.data());
}

template <class T>
std::vector<T> to_vector(const py::array_t<T, py::array::c_style | py::array::forcecast>& values) {
  return {values.data(), values.data() + values.size()};
}

std::span<const std::byte> to_span(const py::buffer_info& info) {
  if (info.ndim != 1 || info.itemsize != 1 || info.strides[0] != 1) {
    throw DecodeError("bytes: a contiguous buffer of bytes is needed");
  }
  return {static_cast<const std::byte*>(info.ptr), static_cast<size_t>(info.size)};
}

py::bytes to_python(std::span<const std::byte> bytes) {
  return py::bytes(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

/// Names are whatever bytes the producer sent; Python sees them with surrogates where they are not UTF-8.
py::str to_text(const std::string& text) {
  PyObject* decoded =
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "backslashreplace");
  if (!decoded) throw py::error_already_set();
  return py::reinterpret_steal<py::str>(decoded);
}

py::int_ to_int(int128 value) {
  const py::int_ low(static_cast<uint64_t>(value)), high(static_cast<int64_t>(value >> 64));
  return py::int_((high << py::int_(64)) | low);
}

arrow::Kind kind_named(const std::string& name) {
  for (int k = 0; k <= static_cast<int>(arrow::Kind::embedding); ++k) {
    if (name == name_of(static_cast<arrow::Kind>(k))) return static_cast<arrow::Kind>(k);
  }
  throw SchemaError("kind '" + name +
                    "': is none of number, boolean, category, time, embedding, unsupported");
}

arrow::TimeUnit unit_named(const std::string& name) {
  for (int u = 0; u <= static_cast<int>(arrow::TimeUnit::day); ++u) {
    if (name == name_of(static_cast<arrow::TimeUnit>(u))) return static_cast<arrow::TimeUnit>(u);
  }
  throw SchemaError("unit '" + name + "': is none of s, ms, us, ns, D");
}

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
}

template <class T>
void register_number(py::module_& m, const char* name) {
  using Number = NumberColumn<T>;
  py::class_<Number, Column>(m, name)
      .def_property_readonly("n_zero", &Number::n_zero)
      .def_property_readonly("n_negative", &Number::n_negative)
      .def_property_readonly("min", [](const Number& c) { return c.moments().min(); })
      .def_property_readonly("max", [](const Number& c) { return c.moments().max(); })
      .def_property_readonly("sum",
                             [](const Number& c) -> py::object {
                               if constexpr (std::is_same_v<T, int64_t>)
                                 return to_int(c.moments().exact_sum());
                               return py::float_(c.moments().sum());
                             })
      .def_property_readonly("central",
                             [](const Number& c) {
                               const auto central = c.moments().central();
                               return py::make_tuple(central.n, central.mean, central.m2, central.m3,
                                                     central.m4);
                             })
      .def_property_readonly("cells", [](const Number& c) { return to_array<uint64_t>(c.cells()); })
      .def_property_readonly("n_distinct",
                             [](const Number& c) -> py::object {
                               return c.distinct() ? py::object(py::float_(c.distinct()->estimate()))
                                                   : py::none();
                             })
      .def_property_readonly("distinct_is_exact",
                             [](const Number& c) { return c.distinct() && c.distinct()->is_exact(); })
      .def_property_readonly("has_quantiles", [](const Number& c) { return c.quantiles().has_value(); })
      .def_property_readonly("n_quantiles",
                             [](const Number& c) { return c.quantiles() ? c.quantiles()->n() : 0; })
      .def(
          "quantile", [](const Number& c, double q) { return c.quantiles().value().quantile(q); },
          py::arg("q"))
      .def(
          "rank", [](const Number& c, T x) { return c.quantiles().value().rank(x); }, py::arg("x"))
      .def_property_readonly("quantile_error",
                             [](const Number& c) { return c.quantiles().value().rank_error(); })
      .def_property_readonly("exponential", [](const Number& c) -> py::object {
        if (!c.exponential()) return py::none();
        const auto& found = *c.exponential();
        return py::make_tuple(found.scale(), found.n_zero(), found.positive().first(),
                              to_array<uint64_t>(found.positive().counts()), found.negative().first(),
                              to_array<uint64_t>(found.negative().counts()));
      });
}

void register_columns(py::module_& m) {
  py::class_<Column>(m, "Column")
      .def_property_readonly(
          "spec", [](const Column& c) { return std::const_pointer_cast<ColumnSpec>(c.shared_spec()); })
      .def_property_readonly("n_rows", [](const Column& c) { return c.homes().n_rows; })
      .def_property_readonly("n_absent", [](const Column& c) { return c.homes().n_absent; })
      .def_property_readonly("n_null", [](const Column& c) { return c.homes().n_null; })
      .def_property_readonly("n_mistyped", [](const Column& c) { return c.homes().n_mistyped; })
      .def_property_readonly("n_nan", [](const Column& c) { return c.homes().n_nan; })
      .def_property_readonly("n_pos_inf", [](const Column& c) { return c.homes().n_pos_inf; })
      .def_property_readonly("n_neg_inf", [](const Column& c) { return c.homes().n_neg_inf; })
      .def_property_readonly("n_present", &Column::n_present);
  register_number<double>(m, "FloatColumn");
  register_number<int64_t>(m, "IntegerColumn");
  py::class_<BooleanColumn, Column>(m, "BooleanColumn")
      .def_property_readonly("n_true", &BooleanColumn::n_true)
      .def_property_readonly("n_false", &BooleanColumn::n_false);
  py::class_<CategoryColumn, Column>(m, "CategoryColumn")
      .def_property_readonly("n_empty", [](const CategoryColumn& c) { return c.sizes().n_empty; })
      .def_property_readonly("n_bytes", [](const CategoryColumn& c) { return c.sizes().n_bytes; })
      .def_property_readonly("shortest", [](const CategoryColumn& c) { return c.sizes().shortest; })
      .def_property_readonly("longest", [](const CategoryColumn& c) { return c.sizes().longest; })
      .def_property_readonly("cells", [](const CategoryColumn& c) { return to_array<uint64_t>(c.cells()); })
      .def_property_readonly("n_distinct",
                             [](const CategoryColumn& c) -> py::object {
                               return c.distinct() ? py::object(py::float_(c.distinct()->estimate()))
                                                   : py::none();
                             })
      .def_property_readonly("distinct_is_exact",
                             [](const CategoryColumn& c) { return c.distinct() && c.distinct()->is_exact(); })
      .def_property_readonly("has_frequent", [](const CategoryColumn& c) { return c.frequent().has_value(); })
      .def_property_readonly("frequent_error",
                             [](const CategoryColumn& c) { return c.frequent() ? c.frequent()->error() : 0; })
      .def(
          "top",
          [](const CategoryColumn& c, size_t k) {
            py::list found;
            if (!c.frequent()) return found;
            for (const auto& entry : c.frequent()->top(k)) {
              found.append(py::make_tuple(entry.hash, entry.count,
                                          entry.named ? py::object(to_text(entry.name)) : py::none()));
            }
            return found;
          },
          py::arg("k"));
  py::class_<EmbeddingColumn, Column>(m, "EmbeddingColumn")
      .def_property_readonly("mean", [](const EmbeddingColumn& c) { return to_array<double>(c.mean()); })
      .def_property_readonly("norm_min", [](const EmbeddingColumn& c) { return c.norms().min(); })
      .def_property_readonly("norm_max", [](const EmbeddingColumn& c) { return c.norms().max(); })
      .def_property_readonly("norm_central", [](const EmbeddingColumn& c) {
        const auto central = c.norms().central();
        return py::make_tuple(central.n, central.mean, central.m2, central.m3, central.m4);
      });
}

Specs const_specs(const std::vector<std::shared_ptr<ColumnSpec>>& specs) {
  return {specs.begin(), specs.end()};
}

}  // namespace

void register_profile(py::module_& m) {
  register_spec(m);
  register_columns(m);

  py::class_<Profile>(m, "Profile")
      .def(py::init<uint8_t>(), py::arg("accumulators"))
      .def(py::init([](const std::vector<std::shared_ptr<ColumnSpec>>& specs) {
             return std::make_unique<Profile>(const_specs(specs));
           }),
           py::arg("specs"))
      .def("copy", [](const Profile& p) { return std::make_unique<Profile>(p); })
      .def("update", &Profile::update, py::arg("batch"), py::arg("n_threads"),
           py::call_guard<py::gil_scoped_release>())
      .def("merge", &Profile::merge, py::arg("other"), py::call_guard<py::gil_scoped_release>())
      .def("hide_rare_names", &Profile::hide_rare_names, py::arg("from"))
      .def_property_readonly("n_rows",
                             [](const Profile& p) {
                               const py::gil_scoped_release unlocked;
                               return p.n_rows();
                             })
      .def_property_readonly("open", &Profile::open)
      .def_property_readonly("names",
                             [](const Profile& p) {
                               std::vector<std::string> found;
                               {
                                 const py::gil_scoped_release unlocked;
                                 const auto guard = p.lock();
                                 for (const auto& column : p.columns()) found.push_back(column->spec().name);
                               }
                               py::list names;
                               for (const auto& name : found) names.append(to_text(name));
                               return names;
                             })
      .def_property_readonly("columns",
                             [](const Profile& p) {
                               std::vector<std::unique_ptr<Column>> snapshot;
                               {
                                 const py::gil_scoped_release unlocked;
                                 const auto guard = p.lock();
                                 for (const auto& column : p.columns()) snapshot.push_back(column->clone());
                               }
                               py::list columns;
                               for (auto& column : snapshot) columns.append(py::cast(std::move(column)));
                               return columns;
                             })
      .def(
          "column",
          [](const Profile& p, const std::string& name) {
            const py::gil_scoped_release unlocked;
            const auto guard = p.lock();
            const Column* column = p.find(name);
            return column ? column->clone() : nullptr;
          },
          py::arg("name"), "A snapshot of one column, or None.")
      .def_property_readonly("unexpected",
                             [](const Profile& p) {
                               py::dict found;
                               const auto guard = p.lock();
                               for (const auto& [name, rows] : p.unexpected()) found[to_text(name)] = rows;
                               return found;
                             })
      .def(
          "attach",
          [](Profile& p, const std::vector<std::shared_ptr<ColumnSpec>>& specs) {
            p.attach(const_specs(specs));
          },
          py::arg("specs"))
      .def(
          "to_bytes",
          [](const Profile& p, bool with_edges, const std::string& note) {
            std::vector<std::byte> bytes;
            {
              const py::gil_scoped_release unlocked;
              bytes = p.to_bytes(with_edges, note);
            }
            return to_python(bytes);
          },
          py::arg("with_edges"), py::arg("note") = "")
      .def_static(
          "from_bytes",
          [](const py::buffer& data) {
            const py::buffer_info info = data.request();
            const auto bytes = to_span(info);
            std::string note;
            std::unique_ptr<Profile> profile;
            {
              const py::gil_scoped_release unlocked;
              profile = std::make_unique<Profile>(Profile::from_bytes(bytes, &note));
            }
            return py::make_tuple(py::cast(std::move(profile)), to_text(note));
          },
          py::arg("data"), "The profile and the note beside it.");

  py::class_<Sample>(m, "Sample")
      .def(py::init([](const std::vector<std::shared_ptr<ColumnSpec>>& specs, size_t max_rows) {
             return std::make_unique<Sample>(const_specs(specs), max_rows);
           }),
           py::arg("specs"), py::arg("max_rows"))
      .def("update", &Sample::update, py::arg("batch"), py::call_guard<py::gil_scoped_release>())
      .def_property_readonly("names",
                             [](const Sample& s) {
                               py::list names;
                               for (const auto& c : s.columns()) names.append(to_text(c.spec->name));
                               return names;
                             })
      .def(
          "values",
          [](const Sample& s, size_t i) -> py::object {
            const auto& column = s.columns().at(i);
            if (column.spec->state == State::i64) return to_array<int64_t>(column.integers);
            return to_array<double>(column.reals);
          },
          py::arg("i"))
      .def(
          "categories",
          [](const Sample& s, size_t i, size_t k) {
            py::list found;
            for (const auto& entry : s.columns().at(i).categories.top(k)) {
              found.append(py::make_tuple(entry.hash, entry.count,
                                          entry.named ? py::object(py::bytes(entry.name)) : py::none()));
            }
            return found;
          },
          py::arg("i"), py::arg("k"))
      .def("n_distinct", [](const Sample& s, size_t i) { return s.columns().at(i).distinct.estimate(); })
      .def("n_present", [](const Sample& s, size_t i) { return s.columns().at(i).n_present; });

  m.def(
      "default_specs",
      [](const arrow::Batch& batch, uint8_t accumulators) {
        std::vector<ColumnSpec> specs;
        for (const auto& field : batch.schema().fields) specs.push_back(default_spec(field, accumulators));
        return specs;
      },
      py::arg("batch"), py::arg("accumulators"));
  m.def("isa", [] { return kernels::table().name; }, "The instruction set in use.");
  m.def("force_isa", [](const std::string& name) { kernels::force_level(name.c_str()); }, py::arg("name"));
  m.def("available_isas", [] { return std::string(kernels::available_levels()); });
}

}  // namespace tidegauge::python
