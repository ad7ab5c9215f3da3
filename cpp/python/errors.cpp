#include "register.hpp"
#include "tidegauge/base/error.hpp"

namespace py = pybind11;

namespace tidegauge::python {

void register_errors(py::module_& m) {
  // Registered base first: pybind11 asks the last registered translator first.
  auto& base = py::register_exception<Error>(m, "TidegaugeError", PyExc_ValueError);
  base.attr("__doc__") = "The base of every error that tidegauge raises on purpose.";
  auto& arrow = py::register_exception<ArrowError>(m, "ArrowError", base);
  arrow.attr("__doc__") = "Arrow structures that break the C Data Interface: a producer's bug.";
  auto& merge = py::register_exception<MergeError>(m, "MergeError", base);
  merge.attr("__doc__") = "Two summaries that cannot be one: unlike kinds, edges, seeds or parameters.";
  auto& decode = py::register_exception<DecodeError>(m, "DecodeError", base);
  decode.attr("__doc__") =
      "Bytes that tidegauge did not write: truncated, altered, foreign, or of a later format.";
  auto& schema = py::register_exception<SchemaError>(m, "SchemaError", base);
  schema.attr("__doc__") = "A schema, option or argument that cannot be carried out.";
}

}  // namespace tidegauge::python
