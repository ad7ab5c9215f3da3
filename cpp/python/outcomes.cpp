#include "outcomes.hpp"

#include <pybind11/stl.h>

#include <cmath>

#include "convert.hpp"
#include "register.hpp"
#include "state.hpp"
#include "tidegauge/kernels/kernels.hpp"
#include "unlocked.hpp"

namespace py = pybind11;

namespace tidegauge::python {
namespace {

using joint::Binary;
using joint::Classes;
using joint::Confusion;
using joint::Multiclass;
using joint::Outcomes;
using joint::Ranking;
using joint::Regression;
template <class T>
using Array = py::array_t<T, py::array::c_style | py::array::forcecast>;

Classes::Value to_class(const py::handle& value) {
  if (py::isinstance<py::str>(value)) return value.cast<std::string>();
  const py::object number = py::reinterpret_steal<py::object>(PyNumber_Float(value.ptr()));
  if (!number) {
    PyErr_Clear();
    throw SchemaError("outcomes: a class is a text, a number or a boolean, not " +
                      py::repr(value).cast<std::string>());
  }
  if (!number.equal(value)) {
    throw SchemaError("outcomes: the class " + py::repr(value).cast<std::string>() +
                      " is no number that a double holds; give the column as text");
  }
  return number.cast<double>();
}

py::object from_class(const Classes::Value& value) {
  if (value.text) return to_text(*value.text);
  return py::float_(value.number);
}

std::vector<Classes::Value> to_classes(const py::list& classes) {
  std::vector<Classes::Value> values;
  for (const py::handle& value : classes) values.push_back(to_class(value));
  return values;
}

py::list from_classes(const Classes& classes) {
  py::list found;
  for (const auto& value : classes.values()) found.append(from_class(value));
  return found;
}

template <class T>
std::vector<T> copied(const py::object& array, const char* what) {
  if (array.is_none()) return {};
  const auto held = array.cast<py::array_t<T, py::array::c_style | py::array::forcecast>>();
  if (held.ndim() != 1) throw SchemaError(std::string("outcomes: ") + what + " have one dimension");
  return to_vector<T>(held);
}

/// `values` [n], or [n, width].
py::tuple to_arrays(const joint::Coded& rows) {
  py::array_t<double> values = to_array<double>(rows.values);
  if (rows.width > 1) {
    const auto width = static_cast<py::ssize_t>(rows.width);
    values = values.reshape({static_cast<py::ssize_t>(rows.codes.size()), width});
  }
  return py::make_tuple(values, to_array<joint::Code>(rows.codes), to_array<double>(rows.others));
}

/// What to_arrays made.
joint::Coded from_arrays(const py::object& values, const py::object& codes, const py::object& others) {
  joint::Coded rows;
  const auto held = values.cast<Array<double>>();
  if (held.ndim() != 1 && held.ndim() != 2) throw SchemaError("outcomes: values have one or two dimensions");
  rows.values.assign(held.data(), held.data() + held.size());
  if (held.ndim() == 2) rows.width = static_cast<size_t>(held.shape(1));
  rows.codes = copied<joint::Code>(codes, "codes");
  rows.others = copied<double>(others, "others");
  return rows;
}

template <class State>
State snapshot(const Outcomes<State>& self) {
  const Unlocked unlocked;  // an update may be at it for long
  return self.state();
}

/// What all of them have.
template <class State>
py::class_<Outcomes<State>> register_one(py::module_& m, const char* name) {
  using Self = Outcomes<State>;
  return register_state<Self>(m, name)
      .def_property_readonly("label", [](const Self& self) { return to_text(self.spec().label); })
      .def_property_readonly("n_rows", [](const Self& self) { return snapshot(self).n_rows(); });
}

/// What those have that a label can reach after its row.
template <class State>
py::class_<Outcomes<State>> register_late(py::module_& m, const char* name) {
  using Self = Outcomes<State>;
  return register_one<State>(m, name)
      .def(
          "read",
          [](const Self& self, const arrow::Batch& batch) {
            joint::Coded rows;
            {
              const Unlocked unlocked;
              rows = joint::coded(self.spec(), joint::Rows::checked(batch, joint::columns_of(self.spec())));
            }
            return to_arrays(rows);
          },
          py::arg("batch"), "Rows as `add` takes them: values, codes, and weights or the labels' numbers.")
      .def(
          "read_labels",
          [](const Self& self, const arrow::Batch& batch) {
            joint::Coded rows;
            {
              const Unlocked unlocked;
              rows = joint::coded_labels(self.spec(),
                                         joint::Rows::checked(batch, joint::columns_of(self.spec())));
            }
            return py::make_tuple(to_array<joint::Code>(rows.codes), to_array<double>(rows.others));
          },
          py::arg("batch"), "The codes, and the numbers, that rows with these labels have.")
      .def(
          "add",
          [](Self& self, const py::object& values, const py::object& codes, const py::object& others) {
            const joint::Coded rows = from_arrays(values, codes, others);
            const Unlocked unlocked;
            self.update(rows);
          },
          py::arg("values"), py::arg("codes"), py::arg("others"));
}

/// [kCounted, cells] of one number of each slot.
template <class T, class Of>
py::array_t<T> by_outcome(const Binary& state, Of of) {
  const size_t n_cells = state.spec()->n_cells();
  py::array_t<T> found({joint::kCounted, n_cells});
  for (size_t cell = 0; cell < n_cells; ++cell) {
    for (size_t outcome = 0; outcome < joint::kCounted; ++outcome) {
      found.mutable_at(outcome, cell) = of(joint::kCounted * cell + outcome);
    }
  }
  return found;
}

void register_binary(py::module_& m) {
  using Self = Outcomes<Binary>;
  register_late<Binary>(m, "BinaryOutcomes")
      .def(py::init([](std::string score, std::string label, const Array<double>& edges,
                       const py::object& positive, const py::object& negative, std::string weight) {
             std::vector<Classes::Value> classes{to_class(positive)};
             if (!negative.is_none()) classes.insert(classes.begin(), to_class(negative));
             return std::make_unique<Self>(
                 joint::BinarySpec::make(std::move(score), std::move(label), std::move(weight),
                                         to_vector<double>(edges), std::move(classes)));
           }),
           py::arg("score"), py::arg("label"), py::arg("edges"), py::kw_only(), py::arg("positive"),
           py::arg("negative") = py::none(), py::arg("weight") = "")
      .def_property_readonly("score", [](const Self& self) { return to_text(self.spec().score); })
      .def_property_readonly("weight", [](const Self& self) { return to_text(self.spec().weight); })
      .def_property_readonly("edges",
                             [](const Self& self) { return to_array<double>(self.spec().edges->values); })
      .def_property_readonly("positive",
                             [](const Self& self) { return from_class(self.spec().classes.values().back()); })
      .def_property_readonly("negative",
                             [](const Self& self) -> py::object {
                               const auto& values = self.spec().classes.values();
                               return values.size() == 2 ? from_class(values.front()) : py::none();
                             })
      .def_property_readonly("n_clipped", [](const Self& self) { return snapshot(self).n_clipped(); })
      .def_property_readonly("homes",
                             [](const Self& self) {
                               constexpr const char* kNames[] = {
                                   "score_null",    "score_mistyped", "score_nan",      "score_infinite",
                                   "label_unknown", "label_mistyped", "weight_unusable"};
                               const Binary state = snapshot(self);
                               py::dict homes;
                               for (size_t i = 0; i < joint::kHomes; ++i) {
                                 homes[kNames[i]] =
                                     state.home(static_cast<joint::Outcome>(joint::kCounted + i));
                               }
                               return homes;
                             })
      .def("counts",
           [](const Self& self) {
             const Binary state = snapshot(self);
             const double unit = std::ldexp(1 / state.spec()->scale, -kernels::kFixedBits);
             const double square_unit = unit / state.spec()->scale;
             return py::make_tuple(
                 by_outcome<uint64_t>(state, [&](size_t slot) { return state.count(slot); }),
                 by_outcome<double>(
                     state, [&](size_t slot) { return static_cast<double>(state.sums(slot).z) * unit; }),
                 by_outcome<double>(state, [&](size_t slot) {
                   return static_cast<double>(state.sums(slot).squares) * square_unit;
                 }));
           })
      .def("weight_squares",
           [](const Self& self) -> py::object {
             const Binary state = snapshot(self);
             if (state.weights().empty()) return py::none();
             std::vector<double> found;
             for (size_t i = 0; i < joint::kCounted; ++i) {
               found.push_back(state.weight_squares(static_cast<joint::Outcome>(i)));
             }
             return to_array<double>(found);
           })
      .def("weighted", [](const Self& self) -> py::object {
        const Binary state = snapshot(self);
        const auto& weights = state.weights();
        if (weights.empty()) return py::none();
        const double unit = 1 / state.spec()->scale, square_unit = unit * unit;
        return py::make_tuple(
            by_outcome<double>(state, [&](size_t slot) { return weights[slot].n; }),
            by_outcome<double>(state, [&](size_t slot) { return weights[slot].z * unit; }),
            by_outcome<double>(state, [&](size_t slot) { return weights[slot].squares * square_unit; }));
      });
}

void register_confusion(py::module_& m) {
  using Self = Outcomes<Confusion>;
  register_late<Confusion>(m, "ConfusionOutcomes")
      .def(py::init([](std::string prediction, std::string label, const py::list& classes) {
             return std::make_unique<Self>(
                 joint::ConfusionSpec::make(std::move(prediction), std::move(label), to_classes(classes)));
           }),
           py::arg("prediction"), py::arg("label"), py::arg("classes"))
      .def_property_readonly("prediction", [](const Self& self) { return to_text(self.spec().prediction); })
      .def_property_readonly("classes", [](const Self& self) { return from_classes(self.spec().classes); })
      .def_property_readonly("homes",
                             [](const Self& self) {
                               const Confusion state = snapshot(self);
                               py::dict homes;
                               homes["prediction_null"] = state.home(Confusion::Home::prediction_null);
                               homes["prediction_mistyped"] =
                                   state.home(Confusion::Home::prediction_mistyped);
                               homes["label_mistyped"] = state.home(Confusion::Home::label_mistyped);
                               return homes;
                             })
      .def("counts", [](const Self& self) {
        const Confusion state = snapshot(self);
        py::array_t<uint64_t> found({state.n_rows_of_matrix(), state.n_columns_of_matrix()});
        std::ranges::copy(state.counts(), found.mutable_data());
        return found;
      });
}

void register_regression(py::module_& m) {
  using Self = Outcomes<Regression>;
  register_late<Regression>(m, "RegressionOutcomes")
      .def(py::init([](std::string prediction, std::string label, const Array<double>& edges,
                       std::string lower, std::string upper) {
             return std::make_unique<Self>(
                 joint::RegressionSpec::make(std::move(prediction), std::move(label),
                                             to_vector<double>(edges), std::move(lower), std::move(upper)));
           }),
           py::arg("prediction"), py::arg("label"), py::arg("edges"), py::kw_only(), py::arg("lower") = "",
           py::arg("upper") = "")
      .def_property_readonly("lower", [](const Self& self) { return to_text(self.spec().lower); })
      .def_property_readonly("upper", [](const Self& self) { return to_text(self.spec().upper); })
      .def_property_readonly("prediction", [](const Self& self) { return to_text(self.spec().prediction); })
      .def_property_readonly("edges",
                             [](const Self& self) { return to_array<double>(self.spec().edges->values); })
      .def_property_readonly("homes",
                             [](const Self& self) {
                               constexpr const char* kNames[] = {"labelled",        "unlabelled",
                                                                 "prediction_null", "prediction_mistyped",
                                                                 "prediction_nan",  "prediction_infinite",
                                                                 "label_mistyped",  "label_infinite",
                                                                 "beyond"};
                               const Regression state = snapshot(self);
                               py::dict homes;
                               for (size_t i = 0; i < joint::kAnswers; ++i) {
                                 homes[kNames[i]] = state.answers(static_cast<joint::Answer>(i));
                               }
                               return homes;
                             })
      .def("counts", [](const Self& self) { return to_array<uint64_t>(self.state().cells()); })
      .def("sums",
           [](const Self& self) {
             constexpr const char* kNames[] = {
                 "residual",      "squared",           "absolute",    "label",
                 "label_squared", "over_squared",      "relative",    "relative_squared",
                 "symmetric",     "symmetric_squared", "log_squared", "log_fourth"};
             const Regression state = snapshot(self);
             py::dict sums;
             for (size_t of = 0; of < Regression::kSums; ++of) {
               sums[kNames[of]] = py::make_tuple(state.rows_of(static_cast<Regression::Of>(of)),
                                                 state.sum(static_cast<Regression::Of>(of)));
             }
             return sums;
           })
      .def("sides", [](const Self& self) -> py::object {
        const Regression state = snapshot(self);
        if (!state.spec()->bounded()) return py::none();
        return py::make_tuple(state.side(joint::Side::below), state.side(joint::Side::inside),
                              state.side(joint::Side::above));
      });
}

void register_multiclass(py::module_& m) {
  using Self = Outcomes<Multiclass>;
  register_late<Multiclass>(m, "MulticlassOutcomes")
      .def(py::init([](std::vector<std::string> scores, std::string label,
                       const std::vector<Array<double>>& edges, const py::list& classes) {
             std::vector<std::vector<double>> of_classes;
             for (const auto& each : edges) of_classes.push_back(to_vector<double>(each));
             return std::make_unique<Self>(joint::MulticlassSpec::make(
                 std::move(scores), std::move(label), to_classes(classes), std::move(of_classes)));
           }),
           py::arg("scores"), py::arg("label"), py::arg("edges"), py::arg("classes"))
      .def_property_readonly("scores",
                             [](const Self& self) {
                               py::list names;
                               for (const std::string& name : self.spec().scores) names.append(to_text(name));
                               return names;
                             })
      .def_property_readonly("edges",
                             [](const Self& self) {
                               py::list edges;
                               for (const auto& each : self.spec().edges) {
                                 edges.append(to_array<double>(each->values));
                               }
                               return edges;
                             })
      .def_property_readonly("classes", [](const Self& self) { return from_classes(self.spec().classes); })
      .def_property_readonly("homes",
                             [](const Self& self) {
                               constexpr const char* kNames[] = {"score_null",    "score_mistyped",
                                                                 "score_nan",     "score_infinite",
                                                                 "label_unknown", "label_mistyped"};
                               const Multiclass state = snapshot(self);
                               py::dict homes;
                               for (size_t i = 0; i < Multiclass::kHomes; ++i) {
                                 homes[kNames[i]] = state.home(static_cast<Multiclass::Home>(i));
                               }
                               return homes;
                             })
      .def("counts",
           [](const Self& self) {
             const Multiclass state = snapshot(self);
             py::list found;
             for (size_t c = 0; c < state.spec()->classes.size(); ++c) {
               py::array_t<uint64_t> of_class({state.spec()->n_cells(c), size_t{2}, Multiclass::kOutcomes});
               std::ranges::copy(state.counts(c), of_class.mutable_data());
               found.append(of_class);
             }
             return found;
           })
      .def("ranks", [](const Self& self) { return to_array<uint64_t>(snapshot(self).ranks()); })
      .def("losses", [](const Self& self) {
        constexpr const char* kNames[] = {"log_loss", "log_loss_squared", "brier", "brier_squared"};
        const Multiclass state = snapshot(self);
        py::dict found;
        found["n"] = state.n_probable();
        found["n_clipped"] = state.n_clipped();
        for (size_t of = 0; of < Multiclass::kLosses; ++of) {
          const auto units = static_cast<double>(state.loss(static_cast<Multiclass::Loss>(of)));
          found[kNames[of]] = std::ldexp(units, -kernels::kFixedBits);
        }
        return found;
      });
}

void register_ranking(py::module_& m) {
  using Self = Outcomes<Ranking>;
  register_one<Ranking>(m, "RankingOutcomes")
      .def(py::init([](std::string query, std::string score, std::string label) {
             return std::make_unique<Self>(
                 joint::RankingSpec::make(std::move(query), std::move(score), std::move(label)));
           }),
           py::arg("query"), py::arg("score"), py::arg("label"))
      .def_property_readonly("query", [](const Self& self) { return to_text(self.spec().query); })
      .def_property_readonly("score", [](const Self& self) { return to_text(self.spec().score); })
      .def_property_readonly(
          "homes",
          [](const Self& self) {
            constexpr const char* kNames[] = {
                "ranked",         "set_aside",          "unlabelled",         "query_null",
                "query_mistyped", "score_null",         "score_mistyped",     "score_nan",
                "score_infinite", "relevance_mistyped", "relevance_negative", "relevance_infinite"};
            const Ranking state = snapshot(self);
            py::dict homes;
            for (size_t i = 0; i < joint::kRanked; ++i) {
              homes[kNames[i]] = state.rows(static_cast<joint::Ranked>(i));
            }
            return homes;
          })
      .def_property_readonly("queries",
                             [](const Self& self) {
                               constexpr const char* kNames[] = {"counted", "single", "without_relevant",
                                                                 "unlabelled", "incomplete"};
                               const Ranking state = snapshot(self);
                               py::dict queries;
                               for (size_t i = 0; i < joint::kQueries; ++i) {
                                 queries[kNames[i]] = state.queries(static_cast<joint::Query>(i));
                               }
                               return queries;
                             })
      .def("sums", [](const Self& self) {
        constexpr const char* kNames[] = {"ndcg",   "average_precision", "reciprocal_rank", "hit",
                                          "recall", "precision"};
        const auto real = [](int128 units) {
          return std::ldexp(static_cast<double>(units), -kernels::kFixedBits);
        };
        const Ranking state = snapshot(self);
        py::dict found;
        for (size_t k = 0; k < Ranking::kFirsts; ++k) {
          py::dict of_first;
          for (size_t of = 0; of < Ranking::kMetrics; ++of) {
            const Ranking::Sums& sums = state.sums(k, static_cast<Ranking::Metric>(of));
            of_first[kNames[of]] = py::make_tuple(real(sums.total), real(sums.square));
          }
          found[py::int_(Ranking::kFirst[k])] = of_first;
        }
        return found;
      });
}

}  // namespace

namespace {

/// Calls use(outcomes) with whichever of these it is.
template <class... States, class Use>
bool with_any(const py::handle& object, Use use) {
  const auto one = [&]<class State>(State*) {
    if (!py::isinstance<Outcomes<State>>(object)) return false;
    use(object.cast<const Outcomes<State>&>());
    return true;
  };
  return (one(static_cast<States*>(nullptr)) || ...);
}

template <class Use>
void for_each_of(const py::list& outcomes, Use use) {
  for (const py::handle& each : outcomes) {
    if (!with_any<Binary, Confusion, Regression, Multiclass, Ranking>(each, use)) {
      throw SchemaError("outcomes: " + py::repr(each).cast<std::string>() + " is none");
    }
  }
}

}  // namespace

std::vector<joint::OutcomeSpec> outcome_specs(const py::list& outcomes) {
  std::vector<joint::OutcomeSpec> specs;
  for_each_of(outcomes, [&](const auto& each) { specs.emplace_back(each.shared_spec()); });
  return specs;
}

joint::OutcomeSet outcome_set(const py::list& outcomes) {
  joint::OutcomeSet found;
  for_each_of(outcomes, [&](const auto& each) { found.add(each.state()); });
  return found;
}

py::list outcome_list(const joint::OutcomeSet& outcomes) {
  py::list found;
  for (const auto& state : outcomes.states()) {
    std::visit([&]<class State>(const State& held) { found.append(std::make_unique<Outcomes<State>>(held)); },
               state);
  }
  return found;
}

void register_outcomes(py::module_& m) {
  register_binary(m);
  register_confusion(m);
  register_regression(m);
  register_multiclass(m);
  register_ranking(m);
  m.attr("MAX_SCORE_EDGES") = joint::BinarySpec::kMaxEdges;
  m.attr("MAX_CLASS_SCORE_EDGES") = joint::MulticlassSpec::kMaxEdges;
  m.attr("MAX_CLASSES") = Classes::kMax;
}

}  // namespace tidegauge::python
