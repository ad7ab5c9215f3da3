#include "tidegauge/arrow/column.hpp"

#include <limits>

#include "tidegauge/arrow/bits.hpp"
#include "tidegauge/arrow/format.hpp"

namespace tidegauge::arrow {
namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
constexpr int64_t kMaxVariadic = std::numeric_limits<int32_t>::max();  // a view numbers them in 31 bits
constexpr int64_t kMaxEntries = std::numeric_limits<uint32_t>::max();  // of a dictionary, and runs

std::string shown(int64_t value) { return std::to_string(value); }

/// factor * n_values must fit, or an address computed from it would wrap.
int64_t product(int64_t n_values, int64_t factor, const char* what, const Place& place) {
  int64_t size = 0;
  if (__builtin_mul_overflow(n_values, factor, &size)) {
    refuse(place, std::string(what) + ": offset + length = " + shown(n_values) + " values of " +
                      shown(factor) + " overflow 64 bits");
  }
  return size;
}

const void* require_buffer(const ArrowArray& array, int64_t i, const char* what, const Place& place) {
  if (!array.buffers[i]) {
    refuse(place, std::string(what) + " buffer is NULL, but length is " + shown(array.length));
  }
  return array.buffers[i];
}

void read_bitmap(const ArrowArray& array, ColumnView& view, const Place& place) {
  view.validity = static_cast<const uint8_t*>(array.buffers[0]);
  if (!view.validity && array.null_count > 0) {
    refuse(place, "null_count is " + shown(array.null_count) + ", but the validity buffer is NULL");
  }
}

/// Fixed-width values, bits and dictionary codes.
void read_fixed(const ArrowArray& array, int64_t width, ColumnView& view, const Place& place) {
  const int64_t end = array.offset + array.length;
  const int64_t size = product(end, width, "values", place);
  view.values = size > 0 ? require_buffer(array, 1, "values", place) : array.buffers[1];
}

void read_offsets(const ArrowArray& array, int64_t width, ColumnView& view, const Place& place) {
  const int64_t end = array.offset + array.length;
  if (end == kMost) refuse(place, "offset + length + 1 overflows 64 bits");
  product(end + 1, width, "offsets", place);
  view.values = require_buffer(array, 1, "offsets", place);
  view.text = static_cast<const char*>(array.buffers[2]);
}

void read_views(const ArrowArray& array, ColumnView& view, const Place& place) {
  product(array.offset + array.length, 16, "views", place);
  view.values = require_buffer(array, 1, "views", place);
  view.n_variadic = array.n_buffers - 3;
  if (view.n_variadic == 0) return;
  view.variadic = array.buffers + 2;
  view.variadic_sizes = require_buffer(array, array.n_buffers - 1, "variadic sizes", place);
}

void read_plain(const ArrowArray& array, Physical physical, int64_t width, ColumnView& view,
                const Place& place) {
  switch (physical) {
    case Physical::offsets32:
      return read_offsets(array, 4, view, place);
    case Physical::offsets64:
      return read_offsets(array, 8, view, place);
    case Physical::views:
      return read_views(array, view, place);
    case Physical::boolean:
      return read_fixed(array, 1, view, place);  // a bit each: wider than need be, which only the check sees
    default:
      return read_fixed(array, width, view, place);
  }
}

std::shared_ptr<const ColumnView> parse_child(const ArrowArray* array, const Field& field,
                                              const Place& place) {
  return std::make_shared<const ColumnView>(parse_column(array, field, place));
}

void read_dictionary(const ArrowArray& array, const Field& field, ColumnView& view, const Place& place) {
  const Place inside = place.inside("dictionary");
  if (!array.dictionary) refuse(place, "dictionary is NULL, but the schema has one");
  view.child = parse_child(array.dictionary, *field.value, inside);
  require_between(inside, "length", view.child->length, 0, kMaxEntries);
}

void read_list(const ArrowArray& array, const Field& field, ColumnView& view, const Place& place) {
  const Place inside = place.inside("list items");
  view.child = parse_child(array.children[0], *field.value, inside);
  const int64_t end = array.offset + array.length;
  const int64_t needed = product(end, field.type.width, "list items", place);
  require_between(inside, "length", view.child->length, needed, kMost);
}

void read_runs(const ArrowArray& array, const Field& field, ColumnView& view, const Place& place) {
  const Place ends_place = place.inside("run ends"), values_place = place.inside("run values");
  const Field ends_field{.name = {},
                         .format = {},
                         .extension = {},
                         .timezone = {},
                         .type = {.kind = Kind::number, .physical = field.index},
                         .index = {},
                         .value = {}};
  const ColumnView ends = parse_column(array.children[0], ends_field, ends_place);
  if (array.children[0]->null_count > 0)
    refuse(ends_place, "null_count is above 0, but run ends have no nulls");
  ColumnView values = parse_column(array.children[1], *field.value, values_place);
  require_between(ends_place, "length", ends.length, array.length ? 1 : 0, kMaxEntries);
  require_between(values_place, "length", values.length, ends.length, kMost);
  values.length = ends.length;
  view.child = std::make_shared<const ColumnView>(std::move(values));
  if (ends.length == 0) return;
  if (ends.validity && count_bits(ends.validity, ends.offset, ends.length) < ends.length) {
    refuse(ends_place, "the validity buffer has nulls, but run ends have none");
  }
  view.values = static_cast<const char*>(ends.values) + ends.offset * value_width(field.index);
}

}  // namespace

void check_counts(const ArrowArray& array, const Place& place) {
  if (!array.release) refuse(place, "array is already consumed: release is NULL");
  require_between(place, "length", array.length, 0, kMost);
  require_between(place, "offset", array.offset, 0, kMost);
  require_between(place, "length", array.length, 0, kMost - array.offset);
  require_between(place, "null_count", array.null_count, -1, array.length);
}

void check_shape(const ArrowArray& array, int64_t n_children, int64_t least_buffers, int64_t most_buffers,
                 const Place& place) {
  require_between(place, "n_children", array.n_children, n_children, n_children);
  require_between(place, "n_buffers", array.n_buffers, least_buffers, most_buffers);
  if (n_children && !array.children)
    refuse(place, "children is NULL, but n_children is " + shown(n_children));
  if (least_buffers && !array.buffers)
    refuse(place, "buffers is NULL, but n_buffers is " + shown(array.n_buffers));
}

ColumnView parse_column(const ArrowArray* array, const Field& field, const Place& place) {
  if (!array) refuse(place, "array pointer is NULL");
  ColumnView view;
  view.type = field.type;
  view.index = field.index;
  view.length = array->length;
  if (field.type.kind == Kind::unsupported) return view;

  check_counts(*array, place);
  view.offset = array->offset;
  const bool dictionary = field.type.dictionary, runs = field.type.run_end;
  const Physical own = dictionary ? field.index : runs ? Physical::none : field.type.physical;
  const int64_t width = dictionary ? value_width(own) : value_width(field.type);
  const bool views = own == Physical::views, texts = own == Physical::offsets32 || own == Physical::offsets64;
  const bool list = own == Physical::fixed_list;
  const int64_t n_buffers = runs ? 0 : list ? 1 : views || texts ? 3 : 2;
  check_shape(*array, runs ? 2 : list ? 1 : 0, n_buffers, views ? 3 + kMaxVariadic : n_buffers, place);
  if (!dictionary && array->dictionary) refuse(place, "dictionary is given, but the schema has none");

  // Arrays without rows may have any pointers: none is kept. What they hold is checked all the same.
  const bool empty = array->length == 0;
  if (!empty && !runs) read_bitmap(*array, view, place);
  if (!empty && !runs && !list) read_plain(*array, own, width, view, place);
  if (dictionary) read_dictionary(*array, field, view, place);
  if (runs) read_runs(*array, field, view, place);
  if (list) read_list(*array, field, view, place);
  return view;
}

}  // namespace tidegauge::arrow
