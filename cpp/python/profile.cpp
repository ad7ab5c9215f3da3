#include "tidegauge/profile/profile.hpp"

#include <pybind11/stl.h>

#include "convert.hpp"
#include "leaves.hpp"
#include "outcomes.hpp"
#include "register.hpp"
#include "tidegauge/kernels/kernels.hpp"
#include "tidegauge/profile/boolean_column.hpp"
#include "tidegauge/profile/category_column.hpp"
#include "tidegauge/profile/embedding_column.hpp"
#include "tidegauge/profile/number_column.hpp"
#include "tidegauge/profile/sample.hpp"
#include "unlocked.hpp"

namespace py = pybind11;

namespace tidegauge::python {
namespace {

using Specs = std::vector<std::shared_ptr<const ColumnSpec>>;

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
      .def_property_readonly("cells", [](const Number& c) { return to_array<uint64_t>(c.cells().values()); })
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
      .def_property_readonly("cells",
                             [](const CategoryColumn& c) { return to_array<uint64_t>(c.cells().values()); })
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
      .def_property_readonly("products",
                             [](const EmbeddingColumn& c) -> py::object {
                               if (!c.scatter()) return py::none();
                               return to_array<double>(c.scatter()->products());
                             })
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
  register_columns(m);

  py::class_<Profile>(m, "Profile")
      .def(py::init<uint8_t>(), py::arg("accumulators"))
      .def(py::init([](const std::vector<std::shared_ptr<ColumnSpec>>& specs,
                       const std::shared_ptr<joint::Spec>& joint, bool with_parts, const py::list& outcomes,
                       const Leaves* leaves) {
             return std::make_unique<Profile>(const_specs(specs), joint, with_parts, outcome_specs(outcomes),
                                              leaves ? leaves->shared_spec() : nullptr);
           }),
           py::arg("specs"), py::arg("joint") = py::none(), py::arg("with_parts") = false,
           py::arg("outcomes") = py::list(), py::arg("leaves") = py::none())
      .def(
          "copy", [](const Profile& p) { return std::make_unique<Profile>(p); }, py::call_guard<Unlocked>())
      .def("update", &Profile::update, py::arg("batch"), py::arg("n_threads"), py::call_guard<Unlocked>())
      .def("merge", &Profile::merge, py::arg("other"), py::call_guard<Unlocked>())
      .def("hide_rare_names", &Profile::hide_rare_names, py::arg("from"), py::call_guard<Unlocked>())
      .def_property_readonly("n_rows",
                             [](const Profile& p) {
                               const Unlocked unlocked;
                               return p.n_rows();
                             })
      .def_property_readonly("open", &Profile::open)
      .def_property_readonly("names",
                             [](const Profile& p) {
                               std::vector<std::string> found;
                               {
                                 const Unlocked unlocked;
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
                                 const Unlocked unlocked;
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
            const Unlocked unlocked;
            const auto guard = p.lock();
            const Column* column = p.find(name);
            return column ? column->clone() : nullptr;
          },
          py::arg("name"), "A snapshot of one column, or None.")
      .def_property_readonly("unexpected",
                             [](const Profile& p) {
                               std::unordered_map<std::string, uint64_t> snapshot;
                               {
                                 const Unlocked unlocked;
                                 const auto guard = p.lock();
                                 snapshot = p.unexpected();
                               }
                               py::dict found;
                               for (const auto& [name, rows] : snapshot) found[to_text(name)] = rows;
                               return found;
                             })
      .def(
          "attach",
          [](Profile& p, const std::vector<std::shared_ptr<ColumnSpec>>& specs,
             const std::shared_ptr<joint::Spec>& joint) { p.attach(const_specs(specs), joint); },
          py::arg("specs"), py::arg("joint") = py::none(), py::call_guard<Unlocked>())
      .def_property_readonly(
          "joint_spec",
          [](const Profile& p) {
            const Unlocked unlocked;
            const auto guard = p.lock();
            return std::const_pointer_cast<joint::Spec>(p.joint() ? p.joint()->spec() : nullptr);
          })
      .def_property_readonly("joint",
                             [](const Profile& p) {
                               const Unlocked unlocked;
                               const auto guard = p.lock();
                               return p.joint();
                             })
      .def_property_readonly("outcomes",
                             [](const Profile& p) {
                               std::optional<joint::OutcomeSet> snapshot;
                               {
                                 const Unlocked unlocked;
                                 snapshot = p.labelled_outcomes();
                                 if (!snapshot) {
                                   const auto guard = p.lock();
                                   snapshot = p.outcomes();
                                 }
                               }
                               return outcome_list(*snapshot);
                             })
      .def_property_readonly("leaves",
                             [](const Profile& p) {
                               const Unlocked unlocked;
                               const auto guard = p.lock();
                               return p.leaves() ? std::make_unique<Leaves>(*p.leaves()) : nullptr;
                             })
      .def_property_readonly("labels_unresolved",
                             [](const Profile& p) {
                               const Unlocked unlocked;
                               return !p.labelled_outcomes();
                             })
      .def_static(
          "of_labels",
          [](const py::list& given, const py::list& withdrawn) {
            return std::unique_ptr<Profile>(
                new Profile(Profile::of_labels(outcome_set(given), outcome_set(withdrawn))));
          },
          py::arg("given"), py::arg("withdrawn"), "Labels that came late, of rows in other profiles.")
      .def(
          "to_bytes",
          [](const Profile& p, bool with_edges, const std::string& note) {
            std::vector<std::byte> bytes;
            {
              const Unlocked unlocked;
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
              const Unlocked unlocked;
              profile.reset(new Profile(Profile::from_bytes(bytes, &note)));  // without a copy
            }
            return py::make_tuple(py::cast(std::move(profile)), to_text(note));
          },
          py::arg("data"), "The profile and the note beside it.");

  py::class_<Sample>(m, "Sample")
      .def(py::init([](const std::vector<std::shared_ptr<ColumnSpec>>& specs, size_t max_rows) {
             return std::make_unique<Sample>(const_specs(specs), max_rows);
           }),
           py::arg("specs"), py::arg("max_rows"))
      .def("update", &Sample::update, py::arg("batch"), py::call_guard<Unlocked>())
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
