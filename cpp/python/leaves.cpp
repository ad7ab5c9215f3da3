#include "leaves.hpp"

#include <pybind11/stl.h>

#include <algorithm>
#include <tuple>

#include "convert.hpp"
#include "register.hpp"
#include "state.hpp"
#include "tidegauge/profile/spec.hpp"
#include "unlocked.hpp"

namespace py = pybind11;

namespace tidegauge::python {

arrow::Kind kind_named(const std::string& name);  // spec.cpp

namespace {

using Binary = joint::Outcomes<joint::Binary>;
using Regression = joint::Outcomes<joint::Regression>;
template <class T>
using Array = py::array_t<T, py::array::c_style | py::array::forcecast>;
using Node = std::tuple<int64_t, Array<uint8_t>, size_t, size_t>;  // column, or -1; its codes; children

LeafTree tree_of(const std::vector<LeafColumn>& columns, const std::vector<Node>& nodes) {
  std::vector<LeafTree::Node> found;
  for (const auto& [column, goes_left, left, right] : nodes) {
    found.emplace_back();
    if (column < 0) continue;
    found.back() = {static_cast<size_t>(column), to_vector<uint8_t>(goes_left), left, right};
  }
  return {columns, std::move(found)};
}

py::list nodes_of(const LeafTree& tree) {
  py::list found;
  for (const LeafTree::Node& node : tree.nodes()) {
    const int64_t column = node.goes_left.empty() ? -1 : static_cast<int64_t>(node.column);
    found.append(py::make_tuple(column, to_array<uint8_t>(node.goes_left), node.left, node.right));
  }
  return found;
}

LeafSpec::Judged judged_by(const py::object& outcomes) {
  if (py::isinstance<Binary>(outcomes)) return outcomes.cast<const Binary&>().shared_spec();
  if (py::isinstance<Regression>(outcomes)) return outcomes.cast<const Regression&>().shared_spec();
  throw SchemaError("leaves: " + py::repr(outcomes).cast<std::string>() +
                    " is neither BinaryOutcomes nor RegressionOutcomes");
}

/// The score, or the predicted number.
const std::string& column_of(const LeafSpec& spec) {
  if (const auto* score = std::get_if<0>(&spec.judged)) return (*score)->score;
  return std::get<1>(spec.judged)->prediction;
}

LeafOutcomes snapshot(const Leaves& self) {
  const Unlocked unlocked;  // an update may be at it for long
  return self.state();
}

/// [leaves, kCounted, cells].
py::array_t<uint64_t> counts_of(const LeafOutcomes& state) {
  const size_t n_leaves = state.spec()->tree->n_leaves(), n_cells = state.n_cells();
  py::array_t<uint64_t> found({n_leaves, joint::kCounted, n_cells});
  for (size_t slot = 0; slot < state.counts().size(); ++slot) {
    const size_t outcome = slot % joint::kCounted, cell = slot / joint::kCounted;
    found.mutable_at(cell / n_cells, outcome, cell % n_cells) = state.counts()[slot];
  }
  return found;
}

py::array_t<uint8_t> leaf_of(const Leaves& self, const arrow::Batch& batch) {
  std::vector<uint8_t> found(static_cast<size_t>(batch.n_rows()));
  {
    const Unlocked unlocked;
    const joint::Rows rows = joint::Rows::checked(batch, columns_of(self.spec()));
    const LeafReader reader(*self.spec().tree, rows);
    for (int64_t begin = 0; begin < batch.n_rows(); begin += joint::kTile) {
      reader.read(begin, std::min(joint::kTile, batch.n_rows() - begin), &found[static_cast<size_t>(begin)]);
    }
  }
  return to_array<uint8_t>(found);
}

}  // namespace

void register_leaves(py::module_& m) {
  py::class_<LeafColumn>(m, "LeafColumn", "A column as a tree asks for it: each value is one of few codes.")
      .def(py::init([](std::string name, const std::string& kind, const Array<double>& cuts,
                       const Array<uint64_t>& hashes) {
             LeafColumn column{std::move(name), kind_named(kind), to_vector<double>(cuts),
                               to_vector<uint64_t>(hashes)};
             column.check();
             return column;
           }),
           py::arg("name"), py::arg("kind"), py::kw_only(), py::arg("cuts") = Array<double>(0),
           py::arg("hashes") = Array<uint64_t>(0))
      .def_property_readonly("name", [](const LeafColumn& c) { return to_text(c.name); })
      .def_property_readonly("kind", [](const LeafColumn& c) { return name_of(c.kind); })
      .def_property_readonly("cuts", [](const LeafColumn& c) { return to_array<double>(c.cuts); })
      .def_property_readonly("hashes", [](const LeafColumn& c) { return to_array<uint64_t>(c.hashes); })
      .def_property_readonly("n_codes", &LeafColumn::n_codes)
      .def(
          "read",
          [](const LeafColumn& self, const arrow::Batch& batch) {
            std::vector<uint8_t> codes;
            {
              const Unlocked unlocked;
              const std::string names[] = {self.name};
              const joint::Rows rows = joint::Rows::checked(batch, names);
              codes = self.read(rows.find(self.name), batch.n_rows());
            }
            return to_array<uint8_t>(codes);
          },
          py::arg("batch"), "The code of each row.");
  register_state<Leaves>(m, "LeafOutcomes",
                         "Rows by leaf of a tree, cell of a score, and label; or of a predicted number.")
      .def(py::init([](const py::object& outcomes, const std::vector<LeafColumn>& columns,
                       const std::vector<Node>& nodes) {
             return std::make_unique<Leaves>(LeafSpec::make(tree_of(columns, nodes), judged_by(outcomes)));
           }),
           py::arg("outcomes"), py::arg("columns"), py::arg("nodes"),
           "A node is (column, its codes that go left as 1, left, right), a leaf (-1, [], 0, 0).")
      .def("leaf_of", &leaf_of, py::arg("batch"), "The leaf of each row.")
      .def_property_readonly("column", [](const Leaves& self) { return to_text(column_of(self.spec())); })
      .def_property_readonly("label", [](const Leaves& self) { return to_text(self.spec().label()); })
      .def_property_readonly(
          "edges",
          [](const Leaves& self) {
            const auto* score = std::get_if<0>(&self.spec().judged);
            return to_array<double>(score ? (*score)->edges->values : std::vector<double>());
          })
      .def_property_readonly("columns", [](const Leaves& self) { return self.spec().tree->columns(); })
      .def_property_readonly("nodes", [](const Leaves& self) { return nodes_of(*self.spec().tree); })
      .def_property_readonly("n_leaves", [](const Leaves& self) { return self.spec().tree->n_leaves(); })
      .def_property_readonly("n_rows", [](const Leaves& self) { return snapshot(self).n_rows(); })
      .def_property_readonly("n_homeless", [](const Leaves& self) { return snapshot(self).n_homeless(); })
      .def(
          "counts", [](const Leaves& self) { return counts_of(snapshot(self)); },
          "[leaves, (negative, positive, unlabelled), cells]; labelled rows of a number are negative.");
  m.attr("MAX_LEAVES") = LeafTree::kMaxLeaves;
}

}  // namespace tidegauge::python
