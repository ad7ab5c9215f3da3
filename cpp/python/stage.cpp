#include "tidegauge/profile/stage.hpp"

#include <cxxabi.h>
#include <pybind11/stl.h>

#include <atomic>
#include <list>
#include <memory>
#include <utility>
#include <vector>

#include "cell.hpp"
#include "register.hpp"
#include "row.hpp"
#include "tidegauge/base/error.hpp"
#include "unlocked.hpp"

namespace py = pybind11;

namespace tidegauge::python {
namespace {

/// A stage and what reads rows for it. The reader that lies ready is taken by whoever comes first; a thread,
/// or a row that records another row while it is read, that finds none makes one.
class PythonStage {
 public:
  PythonStage(const std::vector<std::shared_ptr<ColumnSpec>>& specs, const std::vector<std::string>& extra,
              int64_t max_rows, int64_t max_bytes)
      : stage_({specs.begin(), specs.end()}, extra, max_rows, max_bytes), names_(stage_.names()) {}
  ~PythonStage() { delete ready_.load(); }
  PythonStage(const PythonStage&) = delete;
  PythonStage& operator=(const PythonStage&) = delete;

  /// The stage's lock is taken when no Python is left to run, and whoever holds it never waits for the GIL.
  bool record(py::handle row) {
    std::unique_ptr<RowReader> reader(ready_.exchange(nullptr));
    if (!reader) reader = std::make_unique<RowReader>(names_);
    struct PutBack {
      std::atomic<RowReader*>& ready;
      std::unique_ptr<RowReader>& reader;
      ~PutBack() {
        reader->forget();
        reader.reset(ready.exchange(reader.release()));
      }
    } put_back{ready_, reader};
    return stage_.add(reader->read(row));
  }

  /// What is taken is the caller's when Python has objects for all of it: where it finds no memory for one,
  /// it waits for the next call. With the GIL.
  py::list take() {
    Batches taken(1);
    {
      const Unlocked unlocked;
      taken.front() = stage_.take();
    }
    taken.splice(taken.begin(), untaken_);
    const int64_t n_before = std::exchange(n_untaken_, 0);
    try {
      py::list list;
      for (const auto& batches : taken) {
        for (const arrow::Batch& batch : batches) list.append(py::cast(batch));
      }
      return list;
    } catch (...) {
      for (const arrow::Batch& batch : taken.back()) n_untaken_ += batch.n_rows();
      n_untaken_ += n_before;
      untaken_.splice(untaken_.begin(), taken);
      throw;
    }
  }

  /// Rows that wait now.
  int64_t n_rows() const { return stage_.n_rows() + n_untaken_; }

  Stage& stage() { return stage_; }

 private:
  using Batches = std::list<std::vector<arrow::Batch>>;  // a list: moving it takes no memory

  Stage stage_;
  Batches untaken_;
  int64_t n_untaken_ = 0;
  Names names_;
  std::atomic<RowReader*> ready_ = nullptr;
};

const py::detail::type_info* stage_type = nullptr;

/// What is called once a request is no pybind11 function: its dispatcher would take as long as the record, in
/// code and tables that have left the near caches since the last one.
PyObject* record(PyObject* self, PyObject* row) {
  try {
    const auto held = reinterpret_cast<py::detail::instance*>(self)->get_value_and_holder(stage_type);
    auto* stage = static_cast<PythonStage*>(held.value_ptr());
    if (!stage) throw py::type_error("Stage.record: Stage.__init__ has not run");
    return PyBool_FromLong(stage->record(row));
#ifdef __GLIBCXX__
  } catch (abi::__forced_unwind&) {  // the end of a thread that runs on when Python has ended
    throw;
#endif
  } catch (...) {
    py::detail::try_translate_exceptions();
    return nullptr;
  }
}

PyMethodDef record_method = {"record", record, METH_O,
                             "record(self: tidegauge._core.Stage, arg0: collections.abc.Mapping) -> bool\n\n"
                             "Add one row. True: take() is due; the row is in any case accepted."};

}  // namespace

void register_stage(py::module_& m) {
  import_datetime();
  const py::class_<PythonStage> stage =
      py::class_<PythonStage>(m, "Stage",
                              "Rows on their way into a profile, in typed columns; bounded; any thread.")
          .def(py::init<const std::vector<std::shared_ptr<ColumnSpec>>&, const std::vector<std::string>&,
                        int64_t, int64_t>(),
               py::arg("specs"), py::arg("extra") = std::vector<std::string>(), py::kw_only(),
               py::arg("max_rows") = 4096, py::arg("max_bytes") = int64_t{1} << 22)
          .def(
              "append", [](PythonStage& self, const arrow::Batch& batch) { return self.stage().add(batch); },
              py::arg("batch"), py::call_guard<Unlocked>(),
              "Copy the rows of a small batch. True: take() is due. None: it cannot be staged without loss.")
          .def("take", &PythonStage::take, "What waits, oldest first; nothing waits afterwards.")
          .def_property_readonly("n_rows", &PythonStage::n_rows, "Rows that wait now.")
          .def_property_readonly(
              "n_unknown", [](PythonStage& self) { return self.stage().n_unknown(); },
              "Fields of rows that were no column of the stage, so far.");
  stage_type = py::detail::get_type_info(reinterpret_cast<PyTypeObject*>(stage.ptr()));
  const auto method = py::reinterpret_steal<py::object>(
      PyDescr_NewMethod(reinterpret_cast<PyTypeObject*>(stage.ptr()), &record_method));
  if (!method) throw py::error_already_set();
  stage.attr("record") = method;
}

}  // namespace tidegauge::python
