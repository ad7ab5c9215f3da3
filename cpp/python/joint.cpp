#include "tidegauge/joint/joint.hpp"

#include <pybind11/stl.h>

#include "convert.hpp"
#include "register.hpp"
#include "tidegauge/base/hash.hpp"

namespace py = pybind11;

namespace tidegauge::python {
namespace {

using joint::Joint;
using joint::Spec;
using joint::Sums;

py::tuple told(const Sums& sums) {
  return py::make_tuple(sums.n(), to_array<int64_t>(sums.sums()), to_array<int64_t>(sums.products()),
                        to_array<int64_t>(sums.squares()), to_array<int64_t>(sums.waves()));
}

}  // namespace

void register_joint(py::module_& m) {
  py::class_<Spec, std::shared_ptr<Spec>>(m, "JointSpec")
      .def(py::init([](const std::vector<std::string>& names, const std::vector<py::array_t<int8_t>>& scores,
                       size_t n_waves, uint64_t seed) {
             if (names.size() != scores.size()) throw SchemaError("joint: a table of scores for each name");
             std::vector<joint::Member> columns;
             for (size_t i = 0; i < names.size(); ++i) {
               columns.push_back({names[i], to_vector<int8_t>(scores[i])});
             }
             return std::const_pointer_cast<Spec>(Spec::make(std::move(columns), n_waves, seed));
           }),
           py::arg("names"), py::arg("scores"), py::arg("n_waves"), py::arg("seed") = kDefaultSeed)
      .def_property_readonly("id", &Spec::id)
      .def_property_readonly("seed", &Spec::seed)
      .def_property_readonly("n_waves", &Spec::n_waves)
      .def_property_readonly("names",
                             [](const Spec& s) {
                               py::list names;
                               for (const auto& column : s.columns()) names.append(to_text(column.name));
                               return names;
                             })
      .def_property_readonly("scores",
                             [](const Spec& s) {
                               py::list scores;
                               for (const auto& column : s.columns()) {
                                 scores.append(to_array<int8_t>(column.scores));
                               }
                               return scores;
                             })
      .def_property_readonly("weights", [](const Spec& s) {
        const size_t d = s.n_columns(), width = kernels::round_up(d, kernels::kScoreColumns);
        py::array_t<int8_t> weights({s.n_waves(), d});
        for (size_t k = 0; k < s.n_waves(); ++k) {
          std::copy_n(s.weights().data() + k * width, d, weights.mutable_data() + k * d);
        }
        return weights;
      });
  py::class_<Joint>(m, "Joint")
      .def_property_readonly("id", &Joint::id)
      .def_property_readonly("spec", [](const Joint& j) { return std::const_pointer_cast<Spec>(j.spec()); })
      .def_property_readonly("n_columns", [](const Joint& j) { return j.total().n_columns(); })
      .def_property_readonly("n_waves", [](const Joint& j) { return j.total().n_waves(); })
      .def_property_readonly("total", [](const Joint& j) { return told(j.total()); })
      .def_property_readonly("parts", [](const Joint& j) {
        py::list parts;
        for (const Sums& part : j.parts()) parts.append(told(part));
        return parts;
      });
  m.attr("MAX_JOINT_COLUMNS") = joint::kMaxColumns;
  m.attr("MAX_SCORE") = kernels::kMaxScore;
}

}  // namespace tidegauge::python
