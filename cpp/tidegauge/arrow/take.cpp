#include "tidegauge/arrow/take.hpp"

#include <algorithm>
#include <cstddef>
#include <new>
#include <ranges>

#include "tidegauge/arrow/batch.hpp"
#include "tidegauge/arrow/format.hpp"
#include "tidegauge/arrow/gather.hpp"
#include "tidegauge/arrow/memory.hpp"
#include "tidegauge/arrow/read.hpp"
#include "tidegauge/arrow/rows.hpp"
#include "tidegauge/base/error.hpp"

// Values are gathered as they lie, whatever they mean: dictionary codes and views like numbers, their entries
// and data buffers left where they are. Only runs change their layout, to codes into the values of the runs.

namespace tidegauge::arrow {
namespace {

using Rows = std::span<const int64_t>;
using Places = std::span<const uint32_t>;

template <class IsSet>
uint64_t* gather_bits(Rows rows, IsSet is_set, Memory& memory) {
  const std::ptrdiff_t n = std::ssize(rows);
  auto* words = memory.make<uint64_t>(n_words(n));
  for (int64_t begin = 0; begin < n; begin += 64) {
    const Rows block =
        rows.subspan(static_cast<size_t>(begin), static_cast<size_t>(std::min<int64_t>(64, n - begin)));
    uint64_t word = 0;
    for (size_t i = 0; i < block.size(); ++i) word |= uint64_t{is_set(block[i])} << i;
    words[begin >> 6] = word;
  }
  return words;
}

/// A bitmap of what is_valid says, none where all rows are valid.
template <class IsValid>
const uint8_t* gather_validity(Rows rows, IsValid is_valid, Memory& memory) {
  const uint64_t* words = gather_bits(rows, is_valid, memory);
  int64_t n_valid = 0;
  for (int64_t i = 0; i < n_words(std::ssize(rows)); ++i) n_valid += std::popcount(words[i]);
  return n_valid == std::ssize(rows) ? nullptr : reinterpret_cast<const uint8_t*>(words);
}

/// The column's own bitmap and its parent's in one.
const uint8_t* take_validity(const ColumnView& column, Rows rows, Memory& memory) {
  const uint8_t *own = column.validity, *parent = column.parent_validity;
  if (!own && !parent) return nullptr;
  const auto is_set = [&](int64_t row) {
    return (!own || test_bit(own, column.offset + row)) &&
           (!parent || test_bit(parent, column.parent_offset + row));
  };
  return gather_validity(rows, is_set, memory);
}

/// A bitmap that lies like the column's own.
const uint8_t* take_marks(const ColumnView& column, const uint8_t* marks, Rows rows, Memory& memory) {
  if (!marks) return nullptr;
  const auto is_set = [&](int64_t row) { return test_bit(marks, column.offset + row); };
  return reinterpret_cast<const uint8_t*>(gather_bits(rows, is_set, memory));
}

const void* take_fixed(const ColumnView& column, int64_t width, Rows rows, Memory& memory, Places places) {
  auto* out = memory.make<char>(std::ssize(rows), width);
  if (width == 0) return out;
  const auto* first = static_cast<const char*>(column.values) + column.offset * width;
  if (places.empty()) {
    gather(first, width, rows.data(), std::ssize(rows), out);
  } else {
    scatter(first, width, places.data(), std::ssize(places), out);
  }
  return out;
}

template <class Offset>
void take_texts(const ColumnView& column, Rows rows, ColumnView& out, Memory& memory) {
  const auto begin_of = [&](int64_t row) {
    return int64_t{load<Offset>(column.values, column.offset + row)};
  };
  auto* offsets = memory.make<int64_t>(std::ssize(rows) + 1);
  int64_t end = 0;
  offsets[0] = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (__builtin_add_overflow(end, begin_of(rows[i] + 1) - begin_of(rows[i]), &end)) throw std::bad_alloc();
    offsets[i + 1] = end;
  }
  auto* text = memory.make<char>(end);
  for (size_t i = 0; i < rows.size(); ++i) {
    const int64_t size = offsets[i + 1] - offsets[i];
    if (size > 0) std::memcpy(text + offsets[i], column.text + begin_of(rows[i]), static_cast<size_t>(size));
  }
  out.type.physical = Physical::offsets64;  // rows taken twice may need more than 32 bits
  out.values = offsets;
  out.text = text;
}

/// The rows of an embedding's floats, one array after the other.
std::shared_ptr<const ColumnView> take_items(const ColumnView& column, Rows rows, Memory& memory) {
  const ColumnView& items = *column.child;
  const int64_t width = column.type.width, size = value_width(items.type);
  ColumnView out;
  out.type = items.type;
  out.length = std::ssize(rows) * width;
  auto* values = memory.make<char>(std::ssize(rows), width * size);
  if (width > 0) {
    const auto* first =
        static_cast<const char*>(items.values) + (items.offset + column.offset * width) * size;
    gather(first, width * size, rows.data(), std::ssize(rows), values);
  }
  out.values = values;
  if (items.validity && width > 0) {
    std::vector<int64_t> item_rows;
    for (const int64_t row : rows) {
      for (int64_t i = 0; i < width; ++i) item_rows.push_back((column.offset + row) * width + i);
    }
    const auto is_set = [&](int64_t item) { return test_bit(items.validity, items.offset + item); };
    out.validity = gather_validity(item_rows, is_set, memory);
  }
  return std::make_shared<const ColumnView>(std::move(out));
}

/// Runs as dictionary codes into their values: what a row holds no longer depends on its neighbours. Runs of
/// codes become codes into the dictionary below.
void take_runs(const ColumnView& column, Rows rows, ColumnView& out, Memory& memory) {
  const auto n = static_cast<size_t>(column.length);
  std::vector<uint32_t> codes(n);
  std::vector<uint64_t> valid(static_cast<size_t>(n_words(column.length)));
  leaf_rows(column, 0, column.length, codes.data());
  read_validity(column, 0, column.length, valid.data());
  const auto* bits = reinterpret_cast<const uint8_t*>(valid.data());
  out.type.run_end = false;
  out.type.dictionary = true;
  out.index = Physical::uint32;
  out.child = is_encoded(column.child->type) ? column.child->child : column.child;
  out.validity = gather_validity(rows, [&](int64_t row) { return test_bit(bits, row); }, memory);
  auto* values = memory.make<uint32_t>(std::ssize(rows));
  gather(reinterpret_cast<const char*>(codes.data()), 4, rows.data(), std::ssize(rows),
         reinterpret_cast<char*>(values));
  out.values = values;
}

}  // namespace

ColumnView take(const ColumnView& column, std::span<const int64_t> rows, Memory& memory,
                std::span<const uint32_t> places) {
  ColumnView out;
  out.type = column.type;
  out.index = column.index;
  out.length = std::ssize(rows);
  out.absent = take_marks(column, column.absent, rows, memory);
  out.mistyped = take_marks(column, column.mistyped, rows, memory);
  if (column.type.kind == Kind::unsupported) return out;
  if (column.type.run_end) {
    take_runs(column, rows, out, memory);
    return out;
  }
  out.validity = take_validity(column, rows, memory);
  if (column.type.dictionary) {
    out.child = column.child;
    out.values = take_fixed(column, value_width(column.index), rows, memory, places);
    return out;
  }
  switch (column.type.physical) {
    case Physical::boolean: {
      const auto* bits = static_cast<const uint8_t*>(column.values);
      out.values =
          gather_bits(rows, [&](int64_t row) { return test_bit(bits, column.offset + row); }, memory);
      break;
    }
    case Physical::offsets32:
      take_texts<int32_t>(column, rows, out, memory);
      break;
    case Physical::offsets64:
      take_texts<int64_t>(column, rows, out, memory);
      break;
    case Physical::fixed_list:
      out.child = take_items(column, rows, memory);
      break;
    default:
      out.variadic = column.variadic;
      out.variadic_sizes = column.variadic_sizes;
      out.n_variadic = column.n_variadic;
      out.values = take_fixed(column, value_width(column.type), rows, memory, places);
  }
  return out;
}

namespace {

/// The field of a taken column: runs have become a dictionary.
Field take_field(const Field& field, const ColumnView& taken) {
  Field out = field;
  if (field.type.run_end && is_encoded(field.value->type)) out.value = field.value->value;
  out.type = taken.type;
  out.index = taken.index;
  return out;
}

bool shares_memory(const Type& type) { return is_encoded(type) || type.physical == Physical::views; }

}  // namespace

Batch Batch::take(Rows rows) const {
  const auto outside = [&](int64_t row) { return row < 0 || row >= n_rows_; };
  if (const auto wrong = std::ranges::find_if(rows, outside); wrong != rows.end()) {
    throw SchemaError("take: row " + std::to_string(*wrong) + " of a batch of " + std::to_string(n_rows_) +
                      " rows; rows count from 0");
  }
  const Batch whole = checked();
  if (rows.empty()) return whole.slice(0, 0);
  const bool shares =
      std::ranges::any_of(columns_, [](const ColumnView& view) { return shares_memory(view.type); });
  auto memory = std::make_shared<Memory>(shares ? owner_ : nullptr);
  auto schema = std::make_shared<Schema>();
  schema->root = schema_->root;
  std::vector<ColumnView> taken;
  for (size_t i = 0; i < columns_.size(); ++i) {
    taken.push_back(arrow::take(columns_[i], rows, *memory));
    schema->fields.push_back(take_field(schema_->fields[i], taken.back()));
  }
  Batch batch = borrow(std::move(schema), std::move(taken), std::ssize(rows), std::move(memory));
  batch.rows_checked_ = true;  // they were, and nothing new is pointed to
  return batch;
}

}  // namespace tidegauge::arrow
