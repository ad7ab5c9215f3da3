#include <limits>

#include "tidegauge/arrow/batch.hpp"
#include "tidegauge/arrow/format.hpp"
#include "tidegauge/arrow/metadata.hpp"
#include "tidegauge/base/error.hpp"

namespace tidegauge::arrow {
namespace {

constexpr int kMaxDepth = 64;          // Arrow's own limit
constexpr int64_t kMaxNodes = 10'000;  // columns, children and dictionaries together

std::string_view name_of(const ArrowSchema& schema) { return schema.name ? schema.name : ""; }

void check_arity(const ArrowSchema& schema, Nesting nesting, const Place& place) {
  constexpr int64_t most = std::numeric_limits<int64_t>::max();
  const int64_t least = nesting == Nesting::run_end                                  ? 2
                        : nesting == Nesting::list || nesting == Nesting::fixed_list ? 1
                                                                                     : 0;
  const bool free = nesting == Nesting::structure || nesting == Nesting::any;
  require_between(place, "n_children", schema.n_children, least, free ? most : least);
}

[[noreturn]] void refuse_size() {
  throw ArrowError("Arrow schema has more than " + std::to_string(kMaxNodes) +
                   " columns and children, or is cyclic: select fewer columns");
}

/// Before the first pointer is read: a count that is far too high would lead past their end.
void check_children(const ArrowSchema& schema, Nesting nesting, const Place& place, int64_t n_nodes) {
  check_arity(schema, nesting, place);
  if (schema.n_children && !schema.children) {
    refuse(place, "n_children is " + std::to_string(schema.n_children) + ", but children is NULL");
  }
  if (schema.n_children > kMaxNodes - n_nodes) refuse_size();
}

/// Checks every pointer, count and format of the tree before anything is built from it. A cycle is a tree too
/// deep or too large.
void check_tree(const ArrowSchema* schema, const Place& place, int depth, int64_t& n_nodes) {
  if (!schema) refuse(place, "pointer is NULL");
  if (depth > kMaxDepth) {
    throw ArrowError("Arrow schema is nested deeper than " + std::to_string(kMaxDepth) +
                     " levels, or cyclic: flatten it");
  }
  if (++n_nodes > kMaxNodes) refuse_size();
  if (!schema->release) refuse(place, "schema is already released: release is NULL");
  const Format format = parse_format(schema->format, place);
  check_children(*schema, format.nesting, place, n_nodes);
  for (int64_t i = 0; i < schema->n_children; ++i) {
    check_tree(schema->children[i], place.inside("child", i), depth + 1, n_nodes);
  }
  if (!schema->dictionary) return;
  if (!is_integer(format.type.physical) || format.type.kind != Kind::number) {
    refuse(place, "dictionary codes must be integers, but their format is " + quoted(schema->format));
  }
  check_tree(schema->dictionary, place.inside("dictionary"), depth + 1, n_nodes);
}

std::shared_ptr<const Field> build_value(const ArrowSchema& schema);

/// Values that a dictionary or runs may stand for: anything of one value a row.
bool is_scalar(const Type& type) {
  return type.kind != Kind::unsupported && type.kind != Kind::embedding && !type.run_end;
}

/// The field of a checked schema.
Field build_field(const ArrowSchema& schema) {
  const Place nowhere;
  Format format = parse_format(schema.format, nowhere);
  Field field;
  field.name = name_of(schema);
  field.format = schema.format;
  field.timezone = format.timezone;
  field.type = format.type;
  if (schema.dictionary) {
    field.index = format.type.physical;
    field.value = build_value(*schema.dictionary);
    field.timezone = field.value->timezone;
    field.type = field.value->type;
    if (is_scalar(field.type) && !field.type.dictionary) {
      field.type.dictionary = true;
    } else {
      field.type = {};
    }
  } else if (format.nesting == Nesting::run_end) {
    const Physical ends = parse_format(schema.children[0]->format, nowhere).type.physical;
    field.index = ends;
    field.value = build_value(*schema.children[1]);
    field.timezone = field.value->timezone;
    field.type = field.value->type;
    const bool readable = ends == Physical::int16 || ends == Physical::int32 || ends == Physical::int64;
    if (readable && is_scalar(field.type) && !schema.children[0]->dictionary) {
      field.type.dictionary = false;
      field.type.run_end = true;
    } else {
      field.type = {};
    }
  } else if (format.nesting == Nesting::fixed_list) {
    field.value = build_value(*schema.children[0]);
    const Type& item = field.value->type;
    if (item.kind == Kind::number && is_float(item.physical) && !item.dictionary && !item.run_end) {
      field.type.kind = Kind::embedding;
      field.type.physical = Physical::fixed_list;
    } else {
      field.type = {};
    }
  }
  if (field.type.kind == Kind::unsupported) field.value = nullptr;
  return field;
}

std::shared_ptr<const Field> build_value(const ArrowSchema& schema) {
  return std::make_shared<const Field>(build_field(schema));
}

Field build_column(const ArrowSchema& schema, const Place& place) {
  Field field = build_field(schema);
  field.extension = parse_extension_name(schema.metadata, place);
  return field;
}

}  // namespace

Schema Schema::parse(const ArrowSchema& schema) {
  const Place table;
  int64_t n_nodes = 0;
  Schema out;
  if (!schema.release) refuse(table, "schema is already consumed: release is NULL");
  const Format format = parse_format(schema.format, table);
  out.root = format.nesting == Nesting::structure;
  if (!out.root) {
    const Place column{&table, "column", name_of(schema)};
    check_tree(&schema, column, 1, n_nodes);
    out.fields.push_back(build_column(schema, column));
    return out;
  }
  // The table's own metadata (pandas writes megabytes there) is not read.
  if (schema.dictionary) refuse(table, "a struct cannot be the codes of a dictionary");
  check_children(schema, format.nesting, table, n_nodes);
  for (int64_t i = 0; i < schema.n_children; ++i) {
    const ArrowSchema* child = schema.children[i];
    if (!child) refuse(table.inside("column", i), "pointer is NULL");
    const Place column{&table, "column", name_of(*child)};
    check_tree(child, column, 2, n_nodes);
    out.fields.push_back(build_column(*child, column));
  }
  return out;
}

}  // namespace tidegauge::arrow
