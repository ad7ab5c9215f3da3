// The engine as its tests see it: the laws of the accumulators, and inner parts that _core does not show.
#include <pybind11/pybind11.h>

void register_arrow(pybind11::module_& m);
void register_capsules(pybind11::module_& m);
void register_kernels(pybind11::module_& m);
void register_sketches(pybind11::module_& m);

PYBIND11_MODULE(_contract, m) {
  register_arrow(m);
  register_capsules(m);
  register_kernels(m);
  register_sketches(m);
}
