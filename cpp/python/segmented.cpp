#include "tidegauge/profile/segmented.hpp"

#include <pybind11/stl.h>
#include <pybind11/typing.h>

#include <algorithm>

#include "convert.hpp"
#include "leaves.hpp"
#include "outcomes.hpp"
#include "register.hpp"
#include "unlocked.hpp"

namespace py = pybind11;

namespace tidegauge::python {
namespace {

using Specs = std::vector<std::shared_ptr<ColumnSpec>>;
using Key = std::vector<std::optional<std::string>>;

std::vector<std::shared_ptr<const ColumnSpec>> const_specs(const Specs& specs) {
  return {specs.begin(), specs.end()};
}

py::object key_tuple(const std::optional<SegmentKey>& key) {
  if (!key) return py::none();
  py::tuple values(key->size());
  for (size_t i = 0; i < key->size(); ++i) {
    values[i] = (*key)[i] ? py::object(to_text(*(*key)[i])) : py::none();
  }
  return values;
}

py::list take_changed(SegmentedProfile& profile, bool everything) {
  std::vector<SegmentedProfile::Part> parts;
  {
    const Unlocked unlocked;
    parts = profile.take_changed(everything);
  }
  py::list found;
  for (const auto& part : parts) {
    const auto dimension = part.dimension ? static_cast<int64_t>(*part.dimension) : -1;
    found.append(py::make_tuple(dimension, key_tuple(part.key), part.n_rows, to_python(part.bytes)));
  }
  return found;
}

/// For each dimension the rows' numbers and what each stands for.
py::list segments_of(SegmentedProfile& profile, const arrow::Batch& batch) {
  std::vector<std::vector<uint32_t>> numbers;
  std::vector<std::vector<std::pair<uint32_t, std::optional<SegmentKey>>>> keys;
  {
    const Unlocked unlocked;
    numbers = profile.segments_of(batch);
    for (size_t d = 0; d < numbers.size(); ++d) {
      auto there = numbers[d];
      std::ranges::sort(there);
      there.erase(std::ranges::unique(there).begin(), there.end());
      auto& of_dimension = keys.emplace_back();
      for (const uint32_t number : there) of_dimension.emplace_back(number, profile.key_of(d, number));
    }
  }
  py::list found;
  for (size_t d = 0; d < numbers.size(); ++d) {
    py::dict named;
    for (const auto& [number, key] : keys[d]) named[py::int_(number)] = key_tuple(key);
    found.append(py::make_tuple(to_array<uint32_t>(numbers[d]), named));
  }
  return found;
}

}  // namespace

void register_segmented(py::module_& m) {
  py::class_<SegmentedProfile>(m, "SegmentedProfile",
                               "A full profile of all rows, and light ones of the rows of each segment.")
      .def(py::init([](const Specs& specs, const std::shared_ptr<joint::Spec>& joint,
                       std::vector<std::vector<std::string>> dimensions, size_t max_segments,
                       const std::vector<std::vector<Key>>& reserved, const py::list& outcomes,
                       const py::list& segment_outcomes, const Leaves* leaves) {
             const SegmentedProfile::Outcomes counted{outcome_specs(outcomes),
                                                      outcome_specs(segment_outcomes),
                                                      leaves ? leaves->shared_spec() : nullptr};
             return std::make_unique<SegmentedProfile>(const_specs(specs), joint, std::move(dimensions),
                                                       max_segments, reserved, counted);
           }),
           py::arg("specs"), py::arg("joint"), py::kw_only(), py::arg("dimensions"), py::arg("max_segments"),
           py::arg("reserved") = py::list(), py::arg("outcomes") = py::list(),
           py::arg("segment_outcomes") = py::list(), py::arg("leaves") = py::none())
      .def("update", &SegmentedProfile::update, py::arg("batch"), py::arg("n_threads"),
           py::call_guard<Unlocked>(), "False, and nothing is added, once sealed.")
      .def("seal", &SegmentedProfile::seal, py::call_guard<Unlocked>(),
           "Waits for updates under way; later ones add nothing.")
      .def("take_changed", &take_changed, py::arg("everything") = false,
           "(dimension or -1 for the total, values or None, n_rows, bytes without edges) of every part that "
           "changed since the last time, or of everything, all of one moment.")
      .def("segments_of", &segments_of, py::arg("batch"),
           "Of rows that were added: for each dimension their segments' numbers, and the values of each "
           "number, None for other rows.")
      .def_property_readonly("n_rows", &SegmentedProfile::n_rows)
      .def_property_readonly("whole", &SegmentedProfile::whole)
      .def_property_readonly("n_segments",
                             [](const SegmentedProfile& p) {
                               const Unlocked unlocked;
                               return p.n_segments();
                             })
      .def_property_readonly("n_other_rows",
                             [](const SegmentedProfile& p) {
                               const Unlocked unlocked;
                               return p.n_other_rows();
                             })
      .def_property_readonly("memory_bytes",
                             [](const SegmentedProfile& p) {
                               const Unlocked unlocked;
                               return p.memory_bytes();
                             })
      .def(
          "total", [](const SegmentedProfile& p) { return std::unique_ptr<Profile>(new Profile(p.total())); },
          py::call_guard<Unlocked>(), "A copy of the profile of all rows.")
      .def("segment", &SegmentedProfile::segment, py::arg("dimension"), py::arg("values"),
           py::call_guard<Unlocked>(),
           "A copy of a segment's profile, of the other rows' for None; None if there are no such rows.");
  m.def(
      "light_profile_bytes",
      [](const Specs& specs, const py::list& outcomes) {
        return light_profile_bytes(const_specs(specs), outcome_specs(outcomes));
      },
      py::arg("specs"), py::arg("outcomes") = py::list(),
      "What one light profile of these columns may hold in memory at most, in bytes.");
}

}  // namespace tidegauge::python
