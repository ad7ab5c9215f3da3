#pragma once

#include <pybind11/pybind11.h>

#include <memory>

#include "convert.hpp"
#include "tidegauge/arrow/batch.hpp"
#include "tidegauge/base/bytes.hpp"
#include "unlocked.hpp"

namespace tidegauge::python {

/// Binds what every state has that threads share: rows, merges, copies, an id, bytes.
template <class Self, class... Words>
pybind11::class_<Self> register_state(pybind11::module_& m, const char* name, const Words*... words) {
  namespace py = pybind11;
  return py::class_<Self>(m, name, words...)
      .def("update", py::overload_cast<const arrow::Batch&>(&Self::update), py::arg("batch"),
           py::call_guard<Unlocked>())
      .def("merge", &Self::merge, py::arg("other"), py::call_guard<Unlocked>())
      .def("subtract", &Self::subtract, py::arg("other"), py::call_guard<Unlocked>())
      .def(
          "copy", [](const Self& self) { return std::make_unique<Self>(self.state()); },
          py::call_guard<Unlocked>())
      .def_property_readonly("id", [](const Self& self) { return self.spec().id; })
      .def("to_bytes",
           [](const Self& self) {
             ByteWriter out;
             {
               const Unlocked unlocked;
               self.encode(out);
             }
             return to_python(out.bytes());
           })
      .def_static(
          "from_bytes",
          [](const py::buffer& data) {
            const py::buffer_info info = data.request();
            ByteReader in(to_span(info));
            return std::make_unique<Self>(Self::decode(in));
          },
          py::arg("data"));
}

}  // namespace tidegauge::python
