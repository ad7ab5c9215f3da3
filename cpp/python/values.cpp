#include <vector>

#include "columns.hpp"
#include "convert.hpp"
#include "tidegauge/arrow/bits.hpp"
#include "tidegauge/arrow/read.hpp"
#include "tidegauge/base/error.hpp"

namespace py = pybind11;

namespace tidegauge::python {
namespace {

using arrow::ColumnView;
using arrow::Kind;
using arrow::Physical;

/// Integers and times as int, floats and decimals as float; None where the engine would count a mistyped
/// value.
template <typename Number>
std::vector<py::object> numbers(const ColumnView& column, int64_t n, std::vector<uint64_t>& valid) {
  std::vector<Number> read(static_cast<size_t>(n));
  arrow::read_numbers(column, 0, n, column.type.unit, read.data(), valid.data());
  std::vector<py::object> values;
  for (const Number number : read) values.push_back(py::cast(number));
  return values;
}

std::vector<py::object> read_values(const ColumnView& column, int64_t n, std::vector<uint64_t>& valid) {
  std::vector<py::object> values;
  switch (column.type.kind) {
    case Kind::number:
    case Kind::time:
      return column.type.physical >= Physical::int8 && column.type.physical <= Physical::uint64
                 ? numbers<int64_t>(column, n, valid)
                 : numbers<double>(column, n, valid);
    case Kind::boolean: {
      std::vector<uint64_t> bits(valid.size());
      arrow::read_booleans(column, 0, n, bits.data());
      for (int64_t i = 0; i < n; ++i)
        values.push_back(py::bool_((bits[static_cast<size_t>(i / 64)] >> i % 64) & 1));
      return values;
    }
    case Kind::category: {
      std::vector<std::string_view> texts(static_cast<size_t>(n));
      arrow::read_texts(column, 0, n, texts.data());
      for (const std::string_view text : texts) values.push_back(to_text(text));
      return values;
    }
    case Kind::embedding: {
      const auto width = static_cast<size_t>(column.type.width);
      std::vector<double> floats(static_cast<size_t>(n) * width);
      arrow::read_embeddings(column, 0, n, floats.data());
      for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
        py::list row;
        for (size_t j = 0; j < width; ++j) row.append(floats[i * width + j]);
        values.push_back(std::move(row));
      }
      return values;
    }
    case Kind::unsupported:
      break;
  }
  return std::vector<py::object>(static_cast<size_t>(n), py::none());
}

}  // namespace

py::typing::List<py::object> to_pylist(const arrow::Batch& batch, size_t i) {
  if (i >= batch.columns().size()) {
    throw SchemaError("column " + std::to_string(i) + " of " + std::to_string(batch.columns().size()));
  }
  batch.check_rows(i);
  const int64_t n = batch.n_rows();
  std::vector<uint64_t> valid(static_cast<size_t>(arrow::n_words(n)));
  arrow::read_validity(batch.columns()[i], 0, n, valid.data());
  const std::vector<py::object> values = read_values(batch.columns()[i], n, valid);
  py::typing::List<py::object> list;
  for (size_t row = 0; row < values.size(); ++row) {
    const bool is_valid = (valid[row / 64] >> row % 64) & 1;
    list.append(is_valid ? values[row] : py::object(py::none()));
  }
  return list;
}

}  // namespace tidegauge::python
