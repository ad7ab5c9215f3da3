#include <exception>

#include "convert.hpp"
#include "register.hpp"
#include "tidegauge/base/error.hpp"

namespace py = pybind11;

namespace tidegauge::python {
namespace {

/// The exceptions of Python, which live as long as the process: of each class that can be thrown.
template <class E>
py::handle& exception_of() {
  static py::handle held;
  return held;
}

/// Messages name columns, whose names may be any bytes.
template <class E>
void raise(const E& error) {
  PyErr_SetObject(exception_of<E>().ptr(), to_text(error.what()).ptr());
}

template <class E>
py::exception<E>& registered(py::module_& m, const char* name, py::handle base, const char* doc) {
  auto& made = py::register_exception<E>(m, name, base);
  made.attr("__doc__") = doc;
  exception_of<E>() = made;
  return made;
}

void translate(std::exception_ptr thrown) {
  try {
    if (thrown) std::rethrow_exception(thrown);
  } catch (const ArrowError& error) {
    raise(error);
  } catch (const MergeError& error) {
    raise(error);
  } catch (const DecodeError& error) {
    raise(error);
  } catch (const SchemaError& error) {
    raise(error);
  }
}

}  // namespace

void register_errors(py::module_& m) {
  // Registered base first: pybind11 asks the last registered translator first.
  auto& base = registered<Error>(m, "TidegaugeError", PyExc_ValueError,
                                 "The base of every error that tidegauge raises on purpose.");
  registered<ArrowError>(m, "ArrowError", base,
                         "Arrow structures that break the C Data Interface: a producer's bug.");
  registered<MergeError>(m, "MergeError", base,
                         "Two summaries that cannot be one: unlike kinds, edges, seeds or parameters.");
  registered<DecodeError>(
      m, "DecodeError", base,
      "Bytes that tidegauge did not write: truncated, altered, foreign, or of a later format.");
  registered<SchemaError>(m, "SchemaError", base, "A schema, option or argument that cannot be carried out.");
  py::register_exception_translator(&translate);
}

}  // namespace tidegauge::python
