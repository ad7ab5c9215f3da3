// The laws of every accumulator by name, and the sketches themselves for the tests that ask them in Python.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <numeric>

#include "leaf_adaptor.hpp"
#include "outcome_adaptors.hpp"
#include "sketch_adaptors.hpp"

namespace py = pybind11;

namespace {

using namespace tidegauge;
using namespace tidegauge::contract;

const std::map<std::string, Laws>& accumulators() {
  static const std::map<std::string, Laws> all = {
      {"kll float64", laws<KllAdaptor<double, 200>>()},
      {"kll int64", laws<KllAdaptor<int64_t, 200>>()},
      {"kll float64, k 16", laws<KllAdaptor<double, 16>>()},
      {"kll int64, k 16", laws<KllAdaptor<int64_t, 16>>()},
      {"distinct", laws<DistinctAdaptor>()},
      {"frequent, names", laws<FrequentAdaptor<true, 64, 1'000>>()},
      {"frequent, names, exact", laws<FrequentAdaptor<true, 64, 50>>()},
      {"frequent, hashes", laws<FrequentAdaptor<false, 64, 1'000>>()},
      {"frequent, hashes, exact", laws<FrequentAdaptor<false, 64, 50>>()},
      {"exponential", laws<ExponentialAdaptor>()},
      {"scatter", laws<ScatterAdaptor>()},
      {"joint", laws<JointAdaptor<true>>()},
      {"joint, a part", laws<JointAdaptor<false>>()},
      {"binary", laws<BinaryAdaptor<false, false>>()},
      {"binary, wide", laws<BinaryAdaptor<true, false>>()},
      {"binary, weighted", laws<BinaryAdaptor<false, true>>()},
      {"confusion", laws<ConfusionAdaptor>()},
      {"leaves", laws<LeafAdaptor<false>>()},
      {"leaves of numbers", laws<LeafAdaptor<true>>()},
      {"regression", laws<RegressionAdaptor>()},
      {"multiclass", laws<MulticlassAdaptor>()},
      {"ranking", laws<RankingAdaptor>()},
  };
  return all;
}

template <class T>
using Array = py::array_t<T, py::array::c_style | py::array::forcecast>;

template <class T>
std::span<const T> span_of(const Array<T>& array) {
  return {array.data(), static_cast<size_t>(array.size())};
}

template <class S>
py::bytes to_py_bytes(const S& state) {
  ByteWriter out;
  state.encode(out);
  const auto bytes = out.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <class S, class... Arguments>
S from_py_bytes(const py::bytes& bytes, Arguments... arguments) {
  const std::string_view view = bytes;
  ByteReader in(std::as_bytes(std::span(view.data(), view.size())));
  S state = S::decode(in, arguments...);
  in.expect_end("state");
  return state;
}

/// Largest rank error and bound of `runs` sketches of n values of a shape, each merged from n_parts equal
/// parts. Array [runs, 2]; fractions.
Array<double> kll_errors(const std::string& shape, size_t n, uint32_t k, size_t n_parts, size_t runs) {
  Array<double> errors({runs, size_t{2}});
  for (size_t run = 0; run < runs; ++run) {
    std::vector<double> values, sorted;
    if (shape == "ranks") {
      sorted.resize(n);
      std::iota(sorted.begin(), sorted.end(), 0.0);
      values = sorted;
      std::shuffle(values.begin(), values.end(), std::mt19937_64(run));
    } else {
      values = sorted = shaped(shape, 1'000 + run, n);
      std::sort(sorted.begin(), sorted.end());
    }
    sketch::Kll<double> state(k, run);
    for (size_t part = 0; part < n_parts; ++part) {
      sketch::Kll<double> one(k, run);
      const size_t begin = n * part / n_parts, end = n * (part + 1) / n_parts;
      one.update(std::span(values).subspan(begin, end - begin));
      state.merge(one);
    }
    errors.mutable_at(run, 0) = largest_rank_error<double>(state, sorted);
    errors.mutable_at(run, 1) = state.rank_error();
  }
  return errors;
}

/// Relative errors of the estimate over `runs` streams, at each of the ascending cardinalities. Array [runs,
/// n].
Array<double> distinct_errors(const std::vector<uint64_t>& cardinalities, size_t runs) {
  Array<double> errors({runs, cardinalities.size()});
  for (size_t run = 0; run < runs; ++run) {
    sketch::Distinct state;
    uint64_t seen = 0;
    for (size_t i = 0; i < cardinalities.size(); ++i) {
      for (; seen < cardinalities[i]; ++seen) {
        const uint64_t hash = hash_bits(seen, mix64(run + 1));
        state.update({&hash, 1});
      }
      errors.mutable_at(run, i) = state.estimate() / static_cast<double>(seen) - 1;
    }
  }
  return errors;
}

template <class T>
void register_kll(py::module_& m, const char* name) {
  using S = sketch::Kll<T>;
  py::class_<S>(m, name, py::module_local())
      .def(py::init<uint32_t, uint64_t>(), py::arg("k") = sketch::kKllDefaultK,
           py::arg("seed") = kDefaultSeed)
      .def("update", [](S& s, const Array<T>& values) { s.update(span_of(values)); })
      .def("merge", &S::merge)
      .def("rank", &S::rank)
      .def("quantile", &S::quantile)
      .def_property_readonly("n", &S::n)
      .def_property_readonly("size", &S::size)
      .def_property_readonly("is_exact", &S::is_exact)
      .def_property_readonly("rank_error", &S::rank_error)
      .def("to_bytes", &to_py_bytes<S>)
      .def_static("from_bytes", [](const py::bytes& bytes) { return from_py_bytes<S>(bytes); });
}

void register_distinct(py::module_& m) {
  using S = sketch::Distinct;
  py::class_<S>(m, "Distinct", py::module_local())
      .def(py::init())
      .def("update", [](S& s, const Array<uint64_t>& hashes) { s.update(span_of(hashes)); })
      .def("merge", &S::merge)
      .def("estimate", &S::estimate)
      .def_property_readonly("is_exact", &S::is_exact)
      .def_property_readonly("limit", &S::limit)
      .def("to_bytes", &to_py_bytes<S>)
      .def_static("from_bytes", [](const py::bytes& bytes) { return from_py_bytes<S>(bytes); });
}

void register_frequent(py::module_& m) {
  using S = sketch::Frequent;
  py::class_<S>(m, "Frequent", py::module_local())
      .def(py::init<bool, size_t>(), py::arg("keep_values") = true, py::arg("capacity") = S::kDefaultCapacity)
      .def("update", [](S& s, uint64_t hash, uint64_t weight,
                        const py::bytes& name) { s.update(hash, weight, std::string_view(name)); })
      .def("merge", &S::merge)
      .def("fits", &S::fits)
      .def("top",
           [](const S& s, size_t k) {
             py::list found;
             for (const auto& entry : s.top(k)) {
               const py::object name = entry.named ? py::object(py::bytes(entry.name)) : py::none();
               found.append(py::make_tuple(entry.hash, entry.count, name, entry.truncated));
             }
             return found;
           })
      .def_property_readonly("n", &S::n)
      .def_property_readonly("error", &S::error)
      .def_property_readonly("size", &S::size)
      .def_property_readonly("is_exact", &S::is_exact)
      .def("to_bytes", &to_py_bytes<S>)
      .def_static("from_bytes",
                  [](const py::bytes& bytes, bool keep) { return from_py_bytes<S>(bytes, keep); });
}

void register_exponential(py::module_& m) {
  using S = sketch::Exponential;
  const auto buckets = [](const store::Collapsing& store) {
    return py::make_tuple(store.first(), store.counts());
  };
  py::class_<S>(m, "Exponential", py::module_local())
      .def(py::init())
      .def("update", [](S& s, const Array<double>& values) { s.update(span_of(values)); })
      .def("merge", &S::merge)
      .def("quantile", &S::quantile)
      .def_property_readonly("n", &S::n)
      .def_property_readonly("n_zero", &S::n_zero)
      .def_property_readonly("scale", &S::scale)
      .def_property_readonly("quantile_error", &S::quantile_error)
      .def_property_readonly("positive", [=](const S& s) { return buckets(s.positive()); })
      .def_property_readonly("negative", [=](const S& s) { return buckets(s.negative()); })
      .def("to_bytes", &to_py_bytes<S>)
      .def_static("from_bytes", [](const py::bytes& bytes) { return from_py_bytes<S>(bytes); });
  m.def("exponential_index", py::vectorize(&binning::exponential_index));
}

}  // namespace

void register_sketches(py::module_& m) {
  py::register_local_exception<DecodeError>(m, "DecodeError", PyExc_ValueError);
  py::register_local_exception<MergeError>(m, "MergeError", PyExc_ValueError);
  py::register_local_exception<SchemaError>(m, "SchemaError", PyExc_ValueError);
  py::register_local_exception<Broken>(m, "Broken", PyExc_AssertionError);

  m.def("laws", [] {
    std::vector<std::pair<std::string, std::string>> names;
    for (const auto& [accumulator, laws] : accumulators()) {
      for (const auto& law : laws) names.emplace_back(accumulator, law.first);
    }
    return names;
  });
  m.def("check_law", [](const std::string& accumulator, const std::string& law) {
    accumulators().at(accumulator).at(law)();
  });
  m.attr("SHAPES") = std::vector<std::string>(std::begin(kShapes), std::end(kShapes));
  m.def("kll_errors", &kll_errors, py::arg("shape"), py::arg("n"), py::arg("k") = sketch::kKllDefaultK,
        py::arg("n_parts") = 1, py::arg("runs") = 1);
  m.def("distinct_errors", &distinct_errors, py::arg("cardinalities"), py::arg("runs"));
  register_kll<double>(m, "KllFloat");
  register_kll<int64_t>(m, "KllInteger");
  register_distinct(m);
  register_frequent(m);
  register_exponential(m);
}
