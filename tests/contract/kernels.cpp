// The kernels one by one, at any level, for the tests that compare them with plain loops; and the hash that
// makes the checksum, for those that forge bytes.
#include "tidegauge/kernels/kernels.hpp"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "tidegauge/base/error.hpp"
#include "tidegauge/base/hash.hpp"
#include "tidegauge/binning/edges.hpp"
#include "tidegauge/joint/scores.hpp"

namespace py = pybind11;

namespace {

using namespace tidegauge;

template <class T>
using Array = py::array_t<T, py::array::c_style | py::array::forcecast>;

const kernels::Table& at_level(const std::string& level) {
  kernels::force_level(level.c_str());
  return kernels::table();
}

template <class T>
py::array_t<T> to_array(const T* values, size_t n) {
  return py::array_t<T>(static_cast<py::ssize_t>(n), values);
}

/// Room for n + 8 values, as the kernels ask for, and behind it a guard that they must not touch.
template <class T>
class Output {
 public:
  explicit Output(size_t n) : n_(n + 8), words_(n_ + 8, kGuard) {}

  T* data() { return reinterpret_cast<T*>(words_.data()); }

  py::array_t<T> first(size_t n) {
    if (std::any_of(words_.begin() + static_cast<ptrdiff_t>(n_), words_.end(),
                    [](uint64_t word) { return word != kGuard; })) {
      throw std::runtime_error("a kernel wrote more than eight values past its input");
    }
    return to_array(data(), n);
  }

 private:
  static constexpr uint64_t kGuard = 0xA5A5A5A5A5A5A5A5u;
  size_t n_;
  std::vector<uint64_t> words_;
};

/// Where a kernel reads: the array's own memory, or with `in_place` where it will write.
template <class T>
const T* input(const Array<T>& x, Output<T>& out, bool in_place) {
  if (!in_place) return x.data();
  std::copy_n(x.data(), x.size(), out.data());
  return out.data();
}

template <class T>
py::dict facts_of(const kernels::TileFacts<T>& facts) {
  py::dict told;
  told["n_nan"] = facts.n_nan;
  told["n_pos_inf"] = facts.n_pos_inf;
  told["n_neg_inf"] = facts.n_neg_inf;
  told["n_zero"] = facts.n_zero;
  told["n_negative"] = facts.n_negative;
  told["min"] = facts.min;
  told["max"] = facts.max;
  const py::int_ low(static_cast<uint64_t>(facts.sum)), high(static_cast<int64_t>(facts.sum >> 64));
  told["sum"] = py::int_((high << py::int_(64)) | low);
  return told;
}

/// The surveys of the pieces of one stream, each in the lane where the one before it ended, and the lanes
/// after the last: sum, s1 to s4 in rows, float64 [5, 8].
template <class T>
py::tuple survey(const std::string& level, const std::vector<Array<T>>& pieces, double pivot) {
  const kernels::Table& kernel = at_level(level);
  kernels::PowerLanes lanes;
  lanes.pivot = pivot;
  size_t phase = 0;
  py::list told;
  for (const auto& piece : pieces) {
    const auto n = static_cast<size_t>(piece.size());
    kernels::TileFacts<T> facts;
    size_t homeless = 0;
    if constexpr (std::is_same_v<T, double>) {
      homeless = kernel.survey_f64(piece.data(), n, phase, lanes, facts);
    } else {
      kernel.survey_i64(piece.data(), n, phase, lanes, facts);
    }
    py::dict one = facts_of(facts);
    one["homeless"] = homeless;
    told.append(one);
    if (homeless == 0) phase = (phase + n) % kernels::kLanes;
  }
  py::array_t<double> sums({size_t{5}, kernels::kLanes});
  const double* rows[] = {lanes.sum, lanes.s1, lanes.s2, lanes.s3, lanes.s4};
  for (size_t row = 0; row < 5; ++row) std::copy_n(rows[row], kernels::kLanes, sums.mutable_data(row, 0));
  return py::make_tuple(told, sums);
}

template <class T>
py::array_t<uint64_t> count(const std::string& level, const Array<T>& x, const Array<T>& edges,
                            const kernels::CellScores& scores = {}) {
  const kernels::Table& kernel = at_level(level);
  const auto frozen = binning::Edges<T>::make(std::vector<T>(edges.data(), edges.data() + edges.size()));
  const size_t stride = frozen->grid().stride, n_cells = frozen->values.size() + 1;
  std::vector<uint32_t> tables(4 * stride);
  if constexpr (std::is_same_v<T, double>) {
    kernel.count_f64(x.data(), static_cast<size_t>(x.size()), frozen->grid(), tables.data(), scores);
  } else {
    kernel.count_i64(x.data(), static_cast<size_t>(x.size()), frozen->grid(), tables.data(), scores);
  }
  std::vector<uint64_t> cells(stride);
  for (size_t i = 0; i < tables.size(); ++i) cells[i % stride] += tables[i];
  if (std::any_of(cells.begin() + static_cast<ptrdiff_t>(n_cells), cells.end(),
                  [](uint64_t c) { return c != 0; })) {
    throw std::runtime_error("a kernel counted a value in a cell that there is not");
  }
  return to_array(cells.data(), n_cells);
}

/// The score of each value's cell, written while they are counted.
template <class T>
py::array_t<int8_t> score(const std::string& level, const Array<T>& x, const Array<T>& edges,
                          const Array<int8_t>& scores) {
  if (scores.size() != edges.size() + 1) throw std::invalid_argument("scores: one for each cell is needed");
  py::array_t<int8_t> out(x.size() + 1);
  out.mutable_at(x.size()) = 77;
  count(level, x, edges, {scores.data(), out.mutable_data()});
  if (out.at(x.size()) != 77) throw std::runtime_error("a kernel wrote past its output");
  return out;
}

/// Rows [n, d] of scores as the kernels want them.
joint::Scores columns_of(const Array<int8_t>& rows) {
  joint::Scores scores;
  scores.reset(static_cast<size_t>(rows.shape(1)), static_cast<size_t>(rows.shape(0)));
  for (py::ssize_t j = 0; j < rows.shape(1); ++j) {
    for (py::ssize_t i = 0; i < rows.shape(0); ++i) scores.column(static_cast<size_t>(j))[i] = rows.at(i, j);
  }
  return scores;
}

py::tuple add_scores(const std::string& level, const Array<int8_t>& rows) {
  const joint::Scores scores = columns_of(rows);
  const size_t d = scores.view().n_columns;
  std::vector<int64_t> sums(d), products(d * (d + 1) / 2), squares(d * (d + 1) / 2);
  at_level(level).add_scores(scores.view(), {sums.data(), products.data(), squares.data()});
  return py::make_tuple(to_array(sums.data(), sums.size()), to_array(products.data(), products.size()),
                        to_array(squares.data(), squares.size()));
}

/// `weights` [k, d rounded up to a multiple of four].
py::array_t<int64_t> add_waves(const std::string& level, const Array<int8_t>& rows,
                               const Array<int8_t>& weights) {
  const joint::Scores scores = columns_of(rows);
  std::vector<int64_t> sums(2 * static_cast<size_t>(weights.shape(0)));
  at_level(level).add_waves(scores.view(), {weights.data(), sums.size() / 2}, sums.data());
  return to_array(sums.data(), sums.size());
}

/// What the search of very small batches says of each value.
template <class T>
py::array_t<uint64_t> search(const Array<T>& x, const Array<T>& edges) {
  const auto frozen = binning::Edges<T>::make(std::vector<T>(edges.data(), edges.data() + edges.size()),
                                              kernels::kMaxGridEdges);
  std::vector<uint64_t> cells;
  for (py::ssize_t i = 0; i < x.size(); ++i) cells.push_back(kernels::cell_of(frozen->grid(), x.data()[i]));
  return to_array(cells.data(), cells.size());
}

template <class T>
py::array_t<uint64_t> cells(const std::string& level, const Array<T>& x, const Array<T>& edges) {
  const auto frozen = binning::Edges<T>::make(std::vector<T>(edges.data(), edges.data() + edges.size()),
                                              kernels::kMaxGridEdges);
  const auto n = static_cast<size_t>(x.size());
  Output<uint64_t> out(n);
  if constexpr (std::is_same_v<T, double>) {
    at_level(level).cells_f64(x.data(), n, frozen->grid(), out.data());
  } else {
    at_level(level).cells_i64(x.data(), n, frozen->grid(), out.data());
  }
  return out.first(n);
}

/// The largest |z|, and the fixed points of z and of its square.
py::tuple fixed(const std::string& level, const Array<double>& x, double scale) {
  const auto n = static_cast<size_t>(x.size());
  Output<int64_t> z(n), squares(n);
  const double largest = at_level(level).fixed_f64(x.data(), n, scale, z.data(), squares.data());
  return py::make_tuple(largest, z.first(n), squares.first(n));
}

/// What is left open of all bits.
py::array_t<uint64_t> narrow(const std::string& level, const Array<double>& x, const Array<double>& cuts,
                             const Array<uint64_t>& flips, uint64_t kept, uint64_t missing) {
  const auto n = static_cast<size_t>(x.size());
  Output<uint64_t> open(n);
  std::fill_n(open.data(), n, ~uint64_t{0});
  const kernels::Cuts among{cuts.data(), flips.data(), static_cast<size_t>(cuts.size()), kept, missing};
  at_level(level).narrow_f64(x.data(), n, among, open.data());
  return open.first(n);
}

template <class T>
py::array_t<uint64_t> hash(const std::string& level, const Array<T>& x, uint64_t seed, uint64_t limit) {
  const kernels::Table& kernel = at_level(level);
  const auto n = static_cast<size_t>(x.size());
  Output<uint64_t> out(n);
  if constexpr (std::is_same_v<T, double>) {
    return out.first(kernel.hash_f64(x.data(), n, seed, limit, out.data()));
  } else {
    return out.first(kernel.hash_i64(x.data(), n, seed, limit, out.data()));
  }
}

}  // namespace

void register_kernels(py::module_& m) {
  m.def("hash_bytes", [](const py::bytes& data, uint64_t seed) {
    const std::string_view view = data;
    return hash_bytes(view.data(), view.size(), seed);
  });
  m.def("kernel_levels", [] { return std::string(kernels::available_levels()); });
  m.def("kernel_survey_f64", &survey<double>, py::arg("level"), py::arg("pieces"), py::arg("pivot"));
  m.def("kernel_survey_i64", &survey<int64_t>, py::arg("level"), py::arg("pieces"), py::arg("pivot"));
  m.def("kernel_finite_f64", [](const std::string& level, const Array<double>& x, bool in_place) {
    const auto n = static_cast<size_t>(x.size());
    Output<double> out(n);
    kernels::TileFacts<double> facts;
    const double* from = input(x, out, in_place);
    const size_t kept = at_level(level).finite_f64(from, n, out.data(), facts);
    return py::make_tuple(out.first(kept), facts_of(facts));
  });
  m.def(
      "kernel_count_f64",
      [](const std::string& level, const Array<double>& x, const Array<double>& edges) {
        return count(level, x, edges);
      },
      py::arg("level"), py::arg("x"), py::arg("edges"));
  m.def(
      "kernel_count_i64",
      [](const std::string& level, const Array<int64_t>& x, const Array<int64_t>& edges) {
        return count(level, x, edges);
      },
      py::arg("level"), py::arg("x"), py::arg("edges"));
  m.def("kernel_cells_f64", &cells<double>, py::arg("level"), py::arg("x"), py::arg("edges"));
  m.def("kernel_cells_i64", &cells<int64_t>, py::arg("level"), py::arg("x"), py::arg("edges"));
  m.def("kernel_fixed_f64", &fixed, py::arg("level"), py::arg("x"), py::arg("scale"));
  m.def("kernel_narrow_f64", &narrow, py::arg("level"), py::arg("x"), py::arg("cuts"), py::arg("flips"),
        py::arg("kept"), py::arg("missing"));
  m.def("kernel_score_f64", &score<double>, py::arg("level"), py::arg("x"), py::arg("edges"),
        py::arg("scores"));
  m.def("kernel_score_i64", &score<int64_t>, py::arg("level"), py::arg("x"), py::arg("edges"),
        py::arg("scores"));
  m.def("kernel_add_scores", &add_scores, py::arg("level"), py::arg("rows"));
  m.def("kernel_add_waves", &add_waves, py::arg("level"), py::arg("rows"), py::arg("weights"));
  m.def("search_f64", &search<double>, py::arg("x"), py::arg("edges"));
  m.def("search_i64", &search<int64_t>, py::arg("x"), py::arg("edges"));
  m.def("kernel_hash_f64", &hash<double>, py::arg("level"), py::arg("x"), py::arg("seed"), py::arg("limit"));
  m.def("kernel_hash_i64", &hash<int64_t>, py::arg("level"), py::arg("x"), py::arg("seed"), py::arg("limit"));
  m.def("kernel_unseen",
        [](const std::string& level, const Array<uint64_t>& x, const Array<uint64_t>& slots, bool in_place) {
          const auto n = static_cast<size_t>(x.size());
          if (slots.size() == 0 || !std::has_single_bit(static_cast<size_t>(slots.size()))) {
            throw std::invalid_argument("slots: a power of two of them is needed");
          }
          Output<uint64_t> out(n);
          const uint64_t* from = input(x, out, in_place);
          return out.first(at_level(level).unseen(from, n, slots.data(),
                                                  static_cast<uint64_t>(slots.size()) - 1, out.data()));
        });
  m.def("kernel_unobserved", [](const std::string& level, const Array<uint64_t>& x,
                                const Array<uint8_t>& registers, bool in_place) {
    const auto n = static_cast<size_t>(x.size());
    if (registers.size() != 4096) throw std::invalid_argument("registers: 4,096 are needed");
    Output<uint64_t> out(n);
    const uint64_t* from = input(x, out, in_place);
    return out.first(at_level(level).unobserved(from, n, registers.data(), out.data()));
  });
  m.def("kernel_compress_64",
        [](const std::string& level, const Array<uint64_t>& x, const Array<uint64_t>& words, bool in_place) {
          const auto n = static_cast<size_t>(x.size());
          if (words.size() < static_cast<py::ssize_t>((n + 63) / 64)) {
            throw std::invalid_argument("words: one for each 64 values is needed");
          }
          Output<uint64_t> out(n);
          const uint64_t* from = input(x, out, in_place);
          return out.first(at_level(level).compress_64(from, n, words.data(), out.data()));
        });
}
