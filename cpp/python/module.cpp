#include "register.hpp"

PYBIND11_MODULE(_core, m, pybind11::mod_gil_not_used()) {
  m.doc() = "The engine of tidegauge. Internal: use the tidegauge package.";
  tidegauge::python::register_errors(m);
  tidegauge::python::register_arrow(m);
  tidegauge::python::register_spec(m);
  tidegauge::python::register_joint(m);
  tidegauge::python::register_outcomes(m);
  tidegauge::python::register_leaves(m);
  tidegauge::python::register_profile(m);
  tidegauge::python::register_stage(m);
  tidegauge::python::register_segmented(m);
  tidegauge::python::register_ids(m);
}
