#include "tidegauge/profile/staged_column.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <span>

#include "tidegauge/arrow/bits.hpp"
#include "tidegauge/arrow/convert.hpp"
#include "tidegauge/arrow/read.hpp"
#include "tidegauge/arrow/rows.hpp"
#include "tidegauge/profile/texts.hpp"

namespace tidegauge {

using arrow::Builder;
using arrow::ColumnView;
using arrow::Content;
using arrow::Kind;
using arrow::Physical;
using arrow::Shape;
using arrow::TimeUnit;

namespace {

/// One value by the rule of tiles; false where the state type cannot hold it exactly.
template <class From, class To>
bool convert_one(Physical physical, From value, To& out) {
  uint64_t word = 1;
  return arrow::convert({.kind = Kind::number, .physical = physical}, &value, 1, &out, &word) == 0;
}

template <class T>
bool to_number(const Cell& cell, T& out) {
  if (cell.content == Content::real) return convert_one(Physical::float64, cell.real, out);
  return cell.content == Content::integer && convert_one(Physical::int64, cell.integer, out);
}

/// As read_as_texts writes it; the text of a number goes to `digits`.
bool to_text(const Cell& cell, const char* heap, std::span<char> digits, std::string_view& out) {
  int64_t whole = 0;
  switch (cell.content) {
    case Content::text:
    case Content::bytes:
      out = text_at(heap, cell.at);
      return true;
    case Content::boolean:
      out = cell.integer ? "true" : "false";
      return true;
    default:
      if (!to_number(cell, whole)) return false;
      out = {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), whole).ptr};
      return true;
  }
}

void add_floats(const char* floats, Builder& out) { out.add_all(floats + 8, arrow::load<size_t>(floats, 0)); }

const arrow::Field& leaf_of(const arrow::Field& field) {
  return is_encoded(field.type) ? leaf_of(*field.value) : field;
}

bool has_bit(const uint64_t* words, int64_t i) { return (words[i >> 6] >> (i & 63)) & 1; }

/// Adds the rows of a view: those whose bit is in `read` through add(i); of the others, those whose bit is in
/// `valid` hold a value that could not be read.
template <class Add>
void put_rows(const ColumnView& view, const uint64_t* valid, const uint64_t* read, int64_t at, Builder& out,
              Add add) {
  const auto is_marked = [&](const uint8_t* marks, int64_t i) {
    return marks && arrow::test_bit(marks, view.offset + i);
  };
  for (int64_t i = 0; i < view.length; ++i) {
    if (has_bit(read, i)) {
      add(i);
    } else if (is_marked(view.absent, i)) {
      out.add_without(Content::absent, at + i);
    } else {
      const bool mistyped = has_bit(valid, i) || is_marked(view.mistyped, i);
      out.add_without(mistyped ? Content::mistyped : Content::null, at + i);
    }
  }
}

}  // namespace

StagedColumn::StagedColumn(const ColumnSpec& spec)
    : plan_(Plan::counted), shape_{.content = Content::boolean} {
  if (spec.counted_only) return;
  switch (spec.kind) {
    case Kind::number:
      shape_.content = spec.state == State::f64 ? Content::real : Content::integer;
      break;
    case Kind::time:
      shape_ = {.content = Content::time, .unit = spec.unit};
      break;
    case Kind::category:
      shape_.content = Content::text;
      break;
    case Kind::embedding:
      shape_ = {.content = Content::embedding, .width = spec.width};
      break;
    case Kind::boolean:
      break;
    case Kind::unsupported:
      return;
  }
  plan_ = plan_of(shape_);
}

/// What values of a shape are read as.
StagedColumn::Plan StagedColumn::plan_of(const Shape& shape) {
  switch (shape.content) {
    case Content::real:
      return Plan::real;
    case Content::integer:
      return Plan::integer;
    case Content::boolean:
      return Plan::boolean;
    case Content::text:
    case Content::bytes:
      return Plan::category;
    case Content::time:
    case Content::duration:
      return Plan::time;
    case Content::embedding:
      return Plan::embedding;
    default:
      return Plan::counted;
  }
}

void StagedColumn::put_free(const Cell& cell, const char* heap, int64_t at, Builder& out) {
  switch (cell.content) {
    case Content::real:
      return out.add(cell.real);
    case Content::text:
    case Content::bytes:
      return out.add(text_at(heap, cell.at));
    case Content::embedding:
      return add_floats(heap + cell.at, out);
    case Content::other:
      return;
    case Content::integer:
    case Content::boolean:
    case Content::time:
    case Content::duration:
      return out.add(cell.integer);
    default:
      return out.add_without(cell.content, at);
  }
}

void StagedColumn::put(const RowLog& rows, size_t place, int64_t at, Builder& out) const {
  const int64_t n_rows = rows.n_rows();
  for (int64_t i = 0; i < n_rows; ++i) {
    const char* row = rows.row(i);
    put(rows.layout().cell(row, place), rows.heap(row), at + i, out);
  }
}

void StagedColumn::put(const Cell& cell, const char* heap, int64_t at, Builder& out) const {
  double real = 0;
  int64_t integer = 0;
  std::string_view text;
  char digits[24];
  switch (plan_) {
    case Plan::free:
      return put_free(cell, heap, at, out);
    case Plan::real:
      if (cell.content == Content::real) return out.add(cell.real);
      if (to_number(cell, real)) return out.add(real);
      break;
    case Plan::integer:
      if (cell.content == Content::integer) return out.add(cell.integer);
      if (to_number(cell, integer)) return out.add(integer);
      break;
    case Plan::time:
      if (cell.content == Content::time || cell.content == Content::duration) {
        integer = cell.integer;
        uint64_t word = 1;
        if (arrow::rescale(cell.unit, shape_.unit, 1, &integer, &word) == 0) return out.add(integer);
      }
      break;
    case Plan::boolean:
      if (cell.content == Content::boolean) return out.add(cell.integer);
      break;
    case Plan::category:
      if (has_value(cell.content) && to_text(cell, heap, digits, text)) return out.add(text);
      break;
    case Plan::embedding:
      if (cell.content == Content::embedding && shape_of(cell, heap) == shape_) {
        return add_floats(heap + cell.at, out);
      }
      break;
    case Plan::counted:
      if (has_value(cell.content)) return out.add(int64_t{0});
      break;
  }
  out.add_without(has_value(cell.content) ? Content::mistyped : cell.content, at);
}

bool StagedColumn::accepts(const arrow::Type& type, Plan plan, const Shape& shape) {
  switch (plan) {
    case Plan::real:
    case Plan::integer:
      return type.kind == Kind::number;
    case Plan::time:
      return type.kind == Kind::time;
    case Plan::boolean:
      return type.kind == Kind::boolean;
    case Plan::category:
      return readable_as_texts(type);
    case Plan::embedding:
      return type.kind == Kind::embedding && type.width == shape.width && !is_encoded(type);
    default:
      return true;
  }
}

void StagedColumn::put(const ColumnView& view, int64_t at, Builder& out, Scratch& scratch) const {
  const int64_t n = view.length;
  const Shape& shape = is_free() ? out.shape() : shape_;
  const Plan plan = is_free() ? plan_of(shape) : plan_;
  uint64_t valid[kTile / 64] = {}, *read = scratch.words;
  if (view.type.kind == Kind::unsupported && !view.type.null_type) {  // not even the nulls are known
    std::fill_n(plan == Plan::counted ? read : valid, arrow::n_words(n), ~uint64_t{0});
    if (plan != Plan::counted) std::fill_n(read, arrow::n_words(n), uint64_t{0});
  } else {
    arrow::read_validity(view, 0, n, valid);
    std::copy_n(valid, arrow::n_words(n), read);
    if (!accepts(view.type, plan, shape)) std::fill_n(read, arrow::n_words(n), uint64_t{0});
  }
  const auto put_numbers = [&](auto* values) {
    if (accepts(view.type, plan, shape)) arrow::read_numbers(view, 0, n, shape.unit, values, read);
    bool all = true;
    for (int64_t i = 0; i < n; i += 64) all = all && read[i >> 6] == arrow::low_bits(n - i);
    if (all) return out.add_all(values, static_cast<size_t>(n));
    put_rows(view, valid, read, at, out, [&](int64_t i) { out.add(values[i]); });
  };
  switch (plan) {
    case Plan::real:
      return put_numbers(scratch.reals);
    case Plan::integer:
    case Plan::time:
      return put_numbers(scratch.integers);
    case Plan::boolean: {
      uint64_t bits[kTile / 64];
      arrow::read_booleans(view, 0, n, bits);
      return put_rows(view, valid, read, at, out,
                      [&](int64_t i) { out.add(static_cast<int64_t>(has_bit(bits, i))); });
    }
    case Plan::category:
      if (accepts(view.type, plan, shape)) read_as_texts(view, 0, n, scratch);
      return put_rows(view, valid, read, at, out,
                      [&](int64_t i) { out.add(scratch.texts[static_cast<size_t>(i)]); });
    case Plan::embedding: {
      const auto width = static_cast<size_t>(shape.width);
      std::vector<double> floats(width);
      return put_rows(view, valid, read, at, out, [&](int64_t i) {
        arrow::read_embeddings(view, i, 1, floats.data());
        out.add_all(floats.data(), width);
      });
    }
    default:
      return put_rows(view, valid, read, at, out, [&](int64_t) { out.add(int64_t{0}); });
  }
}

std::optional<Shape> free_shape(const arrow::Field& field) {
  const arrow::Field& leaf = leaf_of(field);
  const Physical physical = leaf.type.physical;
  switch (field.type.kind) {
    case Kind::number:
      if (physical == Physical::float64) return Shape{.content = Content::real};
      if (physical < Physical::int8 || physical > Physical::uint32) return {};
      return Shape{.content = Content::integer};
    case Kind::boolean:
      return Shape{.content = Content::boolean};
    case Kind::category: {
      const bool utf8 = leaf.format == "u" || leaf.format == "U" || leaf.format == "vu";
      return Shape{.content = utf8 ? Content::text : Content::bytes};
    }
    case Kind::time: {
      if (leaf.format.starts_with("tt")) return {};
      const bool by_day = leaf.type.unit == TimeUnit::day;
      return Shape{.content = leaf.format.starts_with("tD") ? Content::duration : Content::time,
                   .unit = by_day ? TimeUnit::second : leaf.type.unit};
    }
    case Kind::embedding:
      return {};
    case Kind::unsupported:
      if (field.type.null_type) return Shape{};
  }
  return {};
}

}  // namespace tidegauge
