#pragma once

#include <pybind11/pybind11.h>

namespace tidegauge::python {

void register_errors(pybind11::module_& m);
void register_arrow(pybind11::module_& m);
void register_spec(pybind11::module_& m);
void register_joint(pybind11::module_& m);
void register_outcomes(pybind11::module_& m);
void register_leaves(pybind11::module_& m);
void register_profile(pybind11::module_& m);
void register_stage(pybind11::module_& m);
void register_segmented(pybind11::module_& m);
void register_ids(pybind11::module_& m);

}  // namespace tidegauge::python
