// Everything that can be wrong with a structure and can be noticed, and some that looks wrong and is not.
// Each fault looks for a place it fits, at any depth, and says whether it found one.

#include <algorithm>
#include <functional>
#include <limits>

#include "capsule_model.hpp"

namespace capsules {
namespace {

constexpr int64_t kHuge = std::numeric_limits<int64_t>::max(), kLeast = std::numeric_limits<int64_t>::min();

using Nodes = std::vector<Node*>;
struct Fault {
  const char* name;
  std::function<bool(Case&, Random&)> make;
};

void gather(Node& node, Nodes& found) {
  found.push_back(&node);
  for (Node& child : node.children) gather(child, found);
  for (Node& values : node.dictionary) gather(values, found);
}

/// Nodes of the table and its columns, or below the first column alone, that some fault fits.
template <class Fits>
Nodes nodes(Node& root, Fits fits) {
  Nodes all, found;
  gather(root, all);
  std::ranges::copy_if(all, std::back_inserter(found), [&](Node* node) { return fits(*node); });
  return found;
}

bool is_read(const Node& node) { return layout_of(node).shape != Shape::unsupported; }
bool any(const Node&) { return true; }
/// A node of a shape, with the buffers that go with it: an earlier fault may have left it the format alone.
auto shaped(Shape shape) {
  const size_t least = shape == Shape::texts ? 3 : shape == Shape::views ? 5 : 0;
  return [=](const Node& node) { return layout_of(node).shape == shape && node.buffers.size() >= least; };
}

/// A fault of one node: those that fit, with a change of any of them.
template <class Fits, class Change>
Fault fault(const char* name, Fits fits, Change change) {
  return {name, [=](Case& made, Random& random) {
            const Nodes found = nodes(made.root, fits);
            if (found.empty()) return false;
            change(*random.pick(found), random);
            return true;
          }};
}

bool is_nested(const Node& node) { return !node.children.empty(); }
Node& child_of(Node& node, Random& random) {
  return node.children[static_cast<size_t>(random.below(std::ssize(node.children)))];
}

/// Rows, and values of theirs that an earlier fault has left there.
bool has_rows(const Node& node) {
  constexpr int64_t most = 1000;
  if (node.length <= 0 || node.length > most || node.offset < 0 || node.offset > most) return false;
  const Layout layout = layout_of(node);
  if (layout.shape == Shape::runs) {
    const Node& ends = node.children[0];
    return has_rows(ends) && layout_of(ends).width == layout.width;
  }
  if (node.buffers.size() < 2 || layout.width > 32) return false;
  const int64_t size = std::ssize(node.buffers[1].bytes), end = node.offset + node.length;
  return layout.shape == Shape::bits ? 8 * size >= end
                                     : size >= layout.width * (end + (layout.shape == Shape::texts));
}
bool has_bitmap(const Node& node) { return is_read(node) && !node.buffers.empty() && node.length > 0; }
bool has_values(const Node& node) {
  const Layout layout = layout_of(node);
  const bool is_of_values = layout.shape == Shape::bits || layout.width > 0;
  return is_of_values && layout.shape != Shape::list && layout.shape != Shape::runs && has_rows(node);
}
bool is_read_or_table(const Node& node) { return is_read(node) || node.format == "+s"; }
template <class Fits>
auto with_rows(Fits fits) {
  return [fits](const Node& node) { return fits(node) && has_rows(node); };
}

std::string pair_count(int32_t n) { return {reinterpret_cast<const char*>(&n), sizeof n}; }

void set_view(Node& node, Random& random, int64_t field, int32_t value) {
  const int64_t row = node.offset + random.below(node.length);
  store(node.buffers[1].bytes, 4 * row, int32_t{20});
  store(node.buffers[1].bytes, 4 * row + 2, int32_t{0});
  store(node.buffers[1].bytes, 4 * row + 3, int32_t{0});
  store(node.buffers[1].bytes, 4 * row + field, value);
}

void set_offset(Node& node, int64_t row, int64_t value) {
  set_integer(node.buffers[1].bytes, layout_of(node).width, node.offset + row, value);
}

void set_run_end(Node& node, int64_t run, int64_t value) {
  Node& ends = node.children[0];
  set_integer(ends.buffers[1].bytes, layout_of(node).width, ends.offset + run, value);
}

Node lists_around(Node inner, int64_t levels) {
  for (; levels > 0; --levels) {
    Node outer{.format = "+l", .length = inner.length, .buffers = {Buffer::none(), {}}};
    outer.children.push_back(std::move(inner));
    inner = std::move(outer);
  }
  return inner;
}

std::vector<Fault> of_schemas() {
  return {
      fault("schema released", any, [](Node& node, Random&) { node.schema_released = true; }),
      fault("format NULL", any, [](Node& node, Random&) { node.format.reset(); }),
      fault("format empty", any, [](Node& node, Random&) { node.format = ""; }),
      fault("format broken", any, [](Node& node, Random& random) { node.format = random.pick(kBroken); }),
      fault("format unknown", any,
            [](Node& node, Random& random) {
              constexpr const char* unknown[] = {"x", "ux", "tDx", "w", "_pl", "+xx", "tsx:UTC", "vx"};
              node.format = random.pick(unknown);
            }),
      fault("schema child count", any,
            [](Node& node, Random& random) {
              const int64_t counts[] = {-1, kLeast, int64_t{1} << 40, kHuge, 10'001, 3};
              node.schema_n_children = random.pick(counts), node.n_wide = 0;
            }),
      fault("schema children NULL", is_nested, [](Node& node, Random&) { node.schema_children_null = true; }),
      fault("schema child NULL", is_nested,
            [](Node& node, Random& random) { child_of(node, random).schema_null = true; }),
      fault("schema cyclic", is_nested, [](Node& node, Random&) { node.cyclic = true; }),
      fault("schema wide", is_nested,
            [](Node& node, Random&) { node.n_wide = 10'001, node.schema_n_children.reset(); }),
      {"schema deep",
       [](Case& made, Random& random) {
         constexpr int64_t levels[] = {1, 3, 20, 60, 63, 64, 65, 100};
         const std::optional<std::string> name = made.column().name;
         made.column() = lists_around(made.column(), random.pick(levels));
         made.column().name = name;
         return true;
       }},
      fault("metadata", any,
            [](Node& node, Random& random) {
              const std::string key = pair_count(1) + "k", one = pair_count(1);
              const std::string metadata[] = {
                  pair_count(-1),
                  pair_count(0x7fffffff),
                  pair_count(65'537),
                  one + pair_count(-1),
                  one + pair_count(1 << 30),
                  one + key + pair_count(-7),
                  one + key + pair_count(1 << 20),
                  pair_count(0),
                  one + key + pair_count(0),
              };
              node.metadata = random.pick(metadata);
            }),
      fault("extension", any,
            [](Node& node, Random&) {
              const std::string key = "ARROW:extension:name", value = "geoarrow.point";
              node.metadata = pair_count(1) + pair_count(static_cast<int32_t>(key.size())) + key +
                              pair_count(static_cast<int32_t>(value.size())) + value;
            }),
      fault("name", any,
            [](Node& node, Random& random) {
              const std::optional<std::string> names[] = {
                  std::nullopt, "", "a\x1b[31m\xff\"", "\xed\xa0\x80", std::string(300, 'n'), "<b>&"};
              node.name = random.pick(names);
            }),
      {"names equal",
       [](Case& made, Random&) {
         if (!made.is_table) return false;
         for (Node& child : made.root.children) child.name = "twice";
         return true;
       }},
      fault(
          "codes no integers", [](const Node& node) { return node.has_dictionary(); },
          [](Node& node, Random& random) {
            constexpr const char* formats[] = {"u", "g", "tdD", "b", "n"};
            node.format = random.pick(formats);
          }),
      fault("schema without dictionary", shaped(Shape::codes),
            [](Node& node, Random&) { node.schema_dictionary = false; }),
      fault("run ends of another type", shaped(Shape::runs),
            [](Node& node, Random&) { node.children[0].format = "I"; }),
      fault("list of too many", shaped(Shape::list),
            [](Node& node, Random&) { node.format = "+w:2147483647"; }),
  };
}

std::vector<Fault> of_arrays() {
  return {
      fault("array released", any, [](Node& node, Random&) { node.released = true; }),
      fault("length negative", is_read_or_table,
            [](Node& node, Random& random) { node.length = random.one_in(2) ? -1 : kLeast; }),
      fault("offset negative", is_read_or_table,
            [](Node& node, Random& random) { node.offset = random.one_in(2) ? -1 : kLeast; }),
      fault("length and offset overflow", is_read_or_table,
            [](Node& node, Random&) { node.length = 2, node.offset = kHuge - 1; }),
      fault(
          "size overflow", [](const Node& node) { return is_read(node) && layout_of(node).width > 1; },
          [](Node& node, Random&) { node.length = int64_t{1} << 62, node.offset = (int64_t{1} << 62) - 1; }),
      fault("offset huge", any,
            [](Node& node, Random&) { node.length = 0, node.offset = kHuge, node.null_count = 0; }),
      {"offsets huge at two levels",
       [](Case& made, Random&) {
         for (Node* node : {&made.root, &made.column()})
           node->length = 0, node->offset = kHuge, node->null_count = 0;
         return true;
       }},
      fault("null_count out of range", is_read_or_table,
            [](Node& node, Random& random) {
              const int64_t counts[] = {-2, kLeast, node.length + 1, kHuge};
              node.null_count = random.pick(counts);
            }),
      fault("null_count untrue", any,
            [](Node& node, Random& random) {
              node.null_count = random.below(std::max<int64_t>(1, node.length));
            }),
      fault("nulls without bitmap", has_bitmap,
            [](Node& node, Random&) { node.null_count = 1, node.buffers[0] = Buffer::none(); }),
      fault("child count", any,
            [](Node& node, Random& random) {
              const int64_t counts[] = {-1, 0, 1, 3, 10'001, kHuge, kLeast};
              node.n_children = random.pick(counts);
            }),
      fault("buffer count", any,
            [](Node& node, Random& random) {
              const int64_t right = std::ssize(node.buffers);
              const bool is_views = layout_of(node).shape == Shape::views;  // whose count nobody else knows
              const int64_t counts[] = {
                  -1, kLeast, 0, is_views ? 2 : right - 1, is_views ? 1 : right + 1, int64_t{1} << 40, kHuge};
              node.n_buffers = random.pick(counts);
            }),
      fault(
          "buffers NULL", [](const Node& node) { return !node.buffers.empty(); },
          [](Node& node, Random&) { node.buffers_null = true; }),
      fault("children NULL", is_nested, [](Node& node, Random&) { node.children_null = true; }),
      fault("child NULL", is_nested, [](Node& node, Random& random) { child_of(node, random).null = true; }),
      fault("values NULL", has_values, [](Node& node, Random&) { node.buffers[1] = Buffer::none(); }),
      fault("text NULL", shaped(Shape::texts), [](Node& node, Random&) { node.buffers[2] = Buffer::none(); }),
      fault("no rows, no buffers", any,
            [](Node& node, Random&) {
              node.length = node.null_count = 0;
              std::ranges::fill(node.buffers, Buffer::none());
            }),
      fault(
          "child shorter",
          [](const Node& node) { return !node.children.empty() || !node.dictionary.empty(); },
          [](Node& node, Random& random) {
            Node& inner = node.dictionary.empty() ? child_of(node, random) : node.dictionary[0];
            inner.length = random.one_in(2) && inner.length > 0 ? inner.length - 1 : inner.length / 2;
            inner.null_count = -1;
          }),
      fault("dictionary missing", shaped(Shape::codes),
            [](Node& node, Random&) { node.array_dictionary = false; }),
      fault(
          "dictionary unexpected", [](const Node& node) { return node.dictionary.empty(); },
          [](Node& node, Random&) {
            node.dictionary.push_back({.format = "w:0", .buffers = {Buffer::none(), Buffer{}}});
            node.schema_dictionary = false;
          }),
      fault("dictionary too long", shaped(Shape::codes),
            [](Node& node, Random&) {
              Node& values = node.dictionary[0];
              values = Node{.format = "w:0", .length = int64_t{1} << 32, .buffers = {Buffer::none(), {}}};
            }),
  };
}

std::vector<Fault> of_rows() {
  const auto texts = with_rows(shaped(Shape::texts)), codes = with_rows(shaped(Shape::codes)),
             views = with_rows(shaped(Shape::views)), runs = with_rows(shaped(Shape::runs));
  return {
      fault("offsets decrease", texts,
            [](Node& node, Random& random) {
              const int64_t row = random.below(node.length), width = layout_of(node).width;
              set_offset(node, row, integer_at(node.buffers[1].bytes, width, node.offset + row + 1) + 1);
            }),
      fault("offset leaps", texts,
            [](Node& node, Random& random) { set_offset(node, random.below(node.length), 2'000'000'000); }),
      fault("offset negative in a buffer", texts,
            [](Node& node, Random& random) {
              constexpr int64_t values[] = {-1, -5, std::numeric_limits<int32_t>::min()};
              set_offset(node, random.below(node.length + 1), random.pick(values));
            }),
      fault("offset least", with_rows([](const Node& node) {
              return layout_of(node).shape == Shape::texts && layout_of(node).width == 8;
            }),
            [](Node& node, Random& random) {
              set_offset(node, random.below(node.length), random.one_in(2) ? kLeast : kHuge);
            }),
      fault("code out of range", codes,
            [](Node& node, Random& random) {
              const int64_t n = node.dictionary[0].length, values[] = {n, -1, n + 1, 127, kLeast, kHuge};
              set_integer(node.buffers[1].bytes, layout_of(node).width,
                          node.offset + random.below(node.length), random.pick(values));
            }),
      fault("dictionary empty", codes,
            [](Node& node, Random&) { node.dictionary[0].length = node.dictionary[0].null_count = 0; }),
      fault("codes all null", codes,
            [](Node& node, Random&) {
              node.buffers[0] = {
                  .bytes = std::string(static_cast<size_t>((node.offset + node.length + 7) / 8), '\0')};
              node.dictionary[0].length = node.dictionary[0].null_count = 0;
              std::ranges::fill(node.buffers[1].bytes, '\xff');
            }),
      fault("view size", views,
            [](Node& node, Random& random) {
              constexpr int32_t sizes[] = {-1, std::numeric_limits<int32_t>::min(), 41, 1000, 0x7fffffff};
              set_view(node, random, 0, random.pick(sizes));
            }),
      fault("view buffer index", views,
            [](Node& node, Random& random) {
              constexpr int32_t values[] = {-1, 2, 7, 0x7fffffff, std::numeric_limits<int32_t>::min()};
              set_view(node, random, 2, random.pick(values));
            }),
      fault("view offset", views,
            [](Node& node, Random& random) {
              constexpr int32_t values[] = {-1, 21, 1000, 0x7fffffff, std::numeric_limits<int32_t>::min()};
              set_view(node, random, 3, random.pick(values));
            }),
      fault("view data NULL", views, [](Node& node, Random&) { node.buffers[3] = Buffer::none(); }),
      fault("view sizes NULL", views, [](Node& node, Random&) { node.buffers[4] = Buffer::none(); }),
      fault("view sizes negative", views,
            [](Node& node, Random& random) {
              store(node.buffers[4].bytes, random.below(2), random.one_in(2) ? int64_t{-1} : kLeast);
            }),
      fault("view sizes shorter", views,
            [](Node& node, Random& random) { store(node.buffers[4].bytes, 0, random.below(40)); }),
      fault("run end", runs,
            [](Node& node, Random& random) {
              const int64_t n = node.children[0].length, end = node.offset + node.length;
              const int64_t run = random.below(n), width = layout_of(node).width;
              const int64_t least = width == 8 ? kLeast : -(int64_t{1} << (8 * width - 1));
              const int64_t values[] = {0, -3, least, 1, end - 1, end};
              set_run_end(node, run, random.pick(values));
            }),
      fault("runs too short", runs,
            [](Node& node, Random& random) {
              const int64_t n = node.children[0].length;
              set_run_end(node, n - 1, node.offset + random.below(node.length));
            }),
      fault("run ends null", runs,
            [](Node& node, Random& random) {
              Node& ends = node.children[0];
              ends.buffers[0] = {.bytes = std::string(static_cast<size_t>(ends.offset + ends.length + 7) / 8,
                                                      random.one_in(2) ? '\x5a' : '\xff')};
              ends.null_count = random.one_in(2) ? -1 : random.below(2);
            }),
      fault("garbage under nulls", has_values,
            [](Node& node, Random& random) {
              const Layout layout = layout_of(node);
              if (layout.shape == Shape::texts || layout.shape == Shape::bits) return;
              Buffer& bits = node.buffers[0];
              bits = {.bytes = std::string(static_cast<size_t>((node.offset + node.length + 7) / 8), '\0')};
              node.null_count = -1;
              for (char& byte : node.buffers[1].bytes) byte = static_cast<char>(random.next());
            }),
      fault("any byte", has_values,
            [](Node& node, Random& random) {
              std::string& bytes = node.buffers[1].bytes;
              if (node.format->starts_with("d:") || bytes.empty()) return;
              bytes[static_cast<size_t>(random.below(std::ssize(bytes)))] = static_cast<char>(random.next());
            }),
  };
}

/// What a stream can do wrong, whatever is in it.
std::vector<Fault> of_streams() {
  const auto stream = [](const char* name, auto change) {
    return Fault{name, [=](Case& made, Random& random) {
                   if (!made.is_stream) return false;
                   change(made.script, random);
                   return true;
                 }};
  };
  return {
      stream("get_schema fails", [](Script& script, Random&) { script.schema_code = 22; }),
      stream("get_next fails", [](Script& script, Random&) { script.next_code = 5; }),
      stream("get_next fails without words",
             [](Script& script, Random& random) {
               script.next_code = random.one_in(2) ? -1 : 5;
               (random.one_in(2) ? script.no_message : script.no_get_last_error) = true;
             }),
      stream("get_schema NULL", [](Script& script, Random&) { script.no_get_schema = true; }),
      stream("get_next NULL", [](Script& script, Random&) { script.no_get_next = true; }),
      stream("stream released", [](Script& script, Random&) { script.released = true; }),
      stream("release keeps itself", [](Script& script, Random&) { script.keeps_release = true; }),
      {"a column fewer",
       [](Case& made, Random&) {
         if (!made.is_stream || !made.is_table) return false;
         made.root.n_children = 1;
         return true;
       }},
      {"unaligned", [](Case& made, Random&) { return made.unaligned = true; }},
      {"nothing wrong", [](Case&, Random&) { return true; }},
  };
}

const std::vector<Fault>& faults() {
  static const std::vector<Fault> made = [] {
    std::vector<Fault> all;
    for (const auto& family : {of_schemas(), of_arrays(), of_rows(), of_streams()}) {
      all.insert(all.end(), family.begin(), family.end());
    }
    return all;
  }();
  return made;
}

}  // namespace

size_t n_faults() { return faults().size(); }

bool make_fault(size_t which, Case& made, Random& random) {
  const Fault& chosen = faults()[which % faults().size()];
  if (!chosen.make(made, random)) return false;
  made.faults.emplace_back(chosen.name);
  return true;
}

}  // namespace capsules
