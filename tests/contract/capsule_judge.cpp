// The slow oracle: the rules of the specification, one after the other, over claims beside true sizes. It
// collects all that is wrong; a consumer may stop at any of it.

#include <algorithm>
#include <limits>

#include "capsule_model.hpp"
#include "tidegauge/arrow/place.hpp"

namespace capsules {

const std::vector<const char*> kBroken = {
    "w:-8", "w:99999999999", "w:",     "w:3x",    "w:1048577", "+w:-1",    "+w:2147483648",
    "d:",   "d:9",           "d:0,2",  "d:77,2",  "d:9,2,64x", "d:9,2,12", "d:9,99999999999",
    "tss",  "tsnUTC",        "+ud:1,", "+us:128", "+ud:a",
};

bool is_broken(std::string_view format) {
  return std::ranges::any_of(kBroken, [&](const char* each) { return each == format; });
}

namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
constexpr int64_t kMaxDepth = 64, kMaxNodes = 10'000;  // of a schema; Arrow's own limit, and ours
constexpr int64_t kMaxBuffers = kMost >> 32;           // of views, which name a buffer in 31 bits
constexpr int64_t kMaxEntries = 0xffffffff;            // of a dictionary, and runs

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> list) {
  return std::ranges::find(list, text) != list.end();
}

Layout layout_of_format(std::string_view format) {
  if (is_one_of(format, {"b"})) return {Shape::bits, 0};
  if (is_one_of(format, {"c", "C"})) return {Shape::fixed, 1};
  if (is_one_of(format, {"s", "S", "e"})) return {Shape::fixed, 2};
  if (is_one_of(format, {"i", "I", "f", "tdD", "tts", "ttm", "d:9,2,32"})) return {Shape::fixed, 4};
  if (is_one_of(format, {"l", "L", "g", "tdm", "ttu", "ttn", "tDs", "tDm", "tDu", "tDn", "d:18,2,64"}) ||
      (format.size() > 3 && is_one_of(format.substr(0, 4), {"tss:", "tsm:", "tsu:", "tsn:"}))) {
    return {Shape::fixed, 8};
  }
  if (format == "d:9,2") return {Shape::fixed, 16};
  if (format == "d:70,-2,256") return {Shape::fixed, 32};
  if (format == "w:3") return {Shape::fixed, 3};
  if (format == "w:0") return {Shape::fixed, 0};
  if (is_one_of(format, {"u", "z"})) return {Shape::texts, 4};
  if (is_one_of(format, {"U", "Z"})) return {Shape::texts, 8};
  if (is_one_of(format, {"vu", "vz"})) return {Shape::views, 16};
  return {};
}

int64_t integer_width(std::string_view format) {
  const bool is_integer = is_one_of(format, {"c", "C", "s", "S", "i", "I", "l", "L"});
  return is_integer ? layout_of_format(format).width : 0;
}

class Judge {
 public:
  Verdict verdict;

  void wrong(const std::string& place, const std::string& words) {
    verdict.wrong.push_back(place + ": " + words);
  }
  void count(const std::string& place, const char* what, int64_t value) {
    wrong(place, std::string(what) + " is " + std::to_string(value) + ", allowed are ");
  }

  void schema(const Node& node, const std::string& place, int64_t depth) {
    if (node.schema_null) return wrong(place, "pointer is NULL");
    if (depth > kMaxDepth) return verdict.wrong.push_back("nested deeper than 64 levels");
    ++n_nodes_;
    if (node.schema_released) wrong(place, "schema is already released");
    if (!node.format) return wrong(place, "format is NULL");
    if (node.format->empty()) return wrong(place, "format is empty");
    if (is_broken(*node.format)) return wrong(place, "format is \"" + *node.format);
    children(node, place, depth);
    if (!node.has_dictionary()) return;
    if (integer_width(*node.format) == 0) wrong(place, "dictionary codes must be integers");
    schema(node.dictionary[0], place + ", dictionary", depth + 1);
  }

  void metadata(const Node& node, const std::string& place) {
    if (!node.metadata) return;
    const std::string& text = *node.metadata;
    const auto pairs = int64_t{load<int32_t>(text, 0)};
    const std::string inside = place + ", metadata";
    if (pairs < 0 || pairs > 65'536) return count(inside, "number of pairs", pairs);
    int64_t at = 4;
    for (int64_t i = 0; i < 2 * pairs; ++i) {
      if (at + 4 > static_cast<int64_t>(text.size())) return void(verdict.undetectable = true);
      const int64_t size = integer_at(text.substr(static_cast<size_t>(at)), 4, 0);
      at += 4;
      if (size < 0 || size > (1 << 20) - at) {
        return count(inside, i % 2 ? "length of a value" : "length of a key", size);
      }
      at += size;
    }
    if (at > static_cast<int64_t>(text.size())) verdict.undetectable = true;
  }

  void root_schema(const Node& root, bool is_table) {
    if (!is_table) {
      const std::string place = "column " + tidegauge::arrow::quoted(root.name.value_or(""));
      if (root.schema_released) return wrong("table", "schema is already consumed");
      if (!root.format) return wrong("table", "format is NULL");
      if (root.format->empty()) return wrong("table", "format is empty");
      if (is_broken(*root.format)) return wrong("table", "format is \"" + *root.format);
      schema(root, place, 1);
      return metadata(root, place);
    }
    if (root.schema_released) wrong("table", "schema is already consumed");
    if (root.has_dictionary()) wrong("table", "a struct cannot be the codes of a dictionary");
    if (!root.format) return wrong("table", "format is NULL");
    if (root.format->empty()) return wrong("table", "format is empty");
    if (is_broken(*root.format)) return wrong("table", "format is \"" + *root.format);
    children(root, "table", 1);
    for (const Node& each : root.children) {
      metadata(each, "column " + tidegauge::arrow::quoted(each.name.value_or("")));
    }
  }

  void root_array(const Node& root, bool is_table) {
    if (root.released) return wrong("table", "array is already consumed");
    if (!counts(root, "table")) return;
    if (!is_table) return array(root, "column " + tidegauge::arrow::quoted(root.name.value_or("")));
    const auto n = static_cast<int64_t>(root.children.size());
    if (!shape(root, "table", n, 1, 1)) return;
    if (!root.dictionary.empty() && root.array_dictionary) wrong("table", "dictionary is given");
    if (root.length > 0) bitmap(root, "table");
    for (const Node& each : root.children) {
      const std::string place = "column " + tidegauge::arrow::quoted(each.name.value_or(""));
      array(each, place);
      const bool is_read = layout_of(each).shape != Shape::unsupported && !each.null;
      if (is_read && root.length > 0 && each.length < root.offset + root.length) {
        count(place, "length", each.length);
      }
    }
  }

  /// Rows [begin, begin + n) of the node's buffers, of which the table says which it has.
  void rows(const Node& node, const std::string& place, int64_t begin, int64_t n, const Node* table) {
    const Layout layout = layout_of(node);
    if (verdict.undetectable) return;
    const auto is_valid = [&](int64_t i) {
      const bool in_table =
          !table || table->buffers[0].null || bit_at(table->buffers[0].bytes, table->offset + i);
      return in_table && (node.buffers[0].null || bit_at(node.buffers[0].bytes, begin + i));
    };
    const auto row_is = [&](const char* what, int64_t row, int64_t value) {
      wrong(place, std::string(what) + " of row " + std::to_string(row) + " is " + std::to_string(value));
    };
    if (n == 0) {
      if (layout.shape == Shape::codes) {
        const Node& values = node.dictionary[0];
        rows(values, place + ", dictionary", values.offset, values.length, nullptr);
      } else if (layout.shape == Shape::runs) {
        const Node& values = node.children[1];
        rows(values, place + ", run values", values.offset, node.children[0].length, nullptr);
      }
    } else if (layout.shape == Shape::texts) {
      int64_t low = integer_at(node.buffers[1].bytes, layout.width, begin);
      if (low < 0) row_is("offset", 0, low);
      for (int64_t i = 0; i < n; ++i) {
        const int64_t next = integer_at(node.buffers[1].bytes, layout.width, begin + i + 1);
        if (next < low) row_is("end offset", i, next);
        low = next;
      }
      if (node.buffers[2].null && low > 0) wrong(place, "text buffer is NULL, but the last offset is");
      if (!node.buffers[2].null && low > std::ssize(node.buffers[2].bytes)) verdict.undetectable = true;
    } else if (layout.shape == Shape::codes) {
      const Node& values = node.dictionary[0];
      const bool is_signed = std::islower(static_cast<unsigned char>((*node.format)[0]));
      for (int64_t i = 0; i < n; ++i) {
        if (!is_valid(i)) continue;
        const int64_t code = integer_at(node.buffers[1].bytes, layout.width, begin + i, is_signed);
        if (code >= 0 && code < values.length) continue;
        const std::string shown =
            is_signed ? std::to_string(code) : std::to_string(static_cast<uint64_t>(code));
        if (values.length == 0)
          wrong(place, "dictionary is empty, but row " + std::to_string(i) + " is not");
        else
          wrong(place, "dictionary code of row " + std::to_string(i) + " is " + shown + ", allowed are");
      }
      rows(values, place + ", dictionary", values.offset, values.length, nullptr);
    } else if (layout.shape == Shape::views) {
      check_views(node, place, begin, n, is_valid, row_is);
    } else if (layout.shape == Shape::runs) {
      const Node &ends = node.children[0], &values = node.children[1];
      int64_t last = 0;
      for (int64_t i = 0; i < ends.length; ++i) {
        const int64_t end = integer_at(ends.buffers[1].bytes, layout.width, ends.offset + i);
        if (end <= last) wrong(place, "run end " + std::to_string(i) + " is " + std::to_string(end));
        last = end;
      }
      if (last < begin + n) wrong(place, "last run end is " + std::to_string(last));
      rows(values, place + ", run values", values.offset, ends.length, nullptr);
    }
  }

 private:
  void children(const Node& node, const std::string& place, int64_t depth) {
    const std::string_view format = *node.format;
    const bool is_free = format == "+s" || layout_arity(format) < 0;
    const auto held = node.cyclic ? 1 : node.n_wide ? node.n_wide : std::ssize(node.children);
    const int64_t n = node.schema_n_children.value_or(held);
    if (n < 0 || (!is_free && n != layout_arity(format))) return count(place, "n_children", n);
    if (n > 0 && (node.schema_children_null || held == 0)) {
      return wrong(place, "n_children is " + std::to_string(n) + ", but children is NULL");
    }
    if (node.cyclic) verdict.wrong.push_back("cyclic");
    if (n > kMaxNodes - n_nodes_) return verdict.wrong.push_back("more than 10000 columns and children");
    if (n > held) return void(verdict.undetectable = true);
    for (int64_t i = 0; i < n && !node.cyclic && !node.n_wide; ++i) {
      const Node& child = node.children[static_cast<size_t>(i)];
      const bool is_column = depth == 1 && place == "table" && !child.schema_null;
      schema(child,
             is_column          ? "column " + tidegauge::arrow::quoted(child.name.value_or(""))
             : place == "table" ? "column " + std::to_string(i)
                                : place + ", child " + std::to_string(i),
             depth + 1);
    }
  }

  /// How many children a format has; -1 for any number.
  static int64_t layout_arity(std::string_view format) {
    if (is_one_of(format, {"+l", "+L", "+vl", "+vL", "+m"}) || format.starts_with("+w:")) return 1;
    if (format == "+r") return 2;
    const bool is_known = layout_of_format(format).shape != Shape::unsupported || format == "n";
    return is_known ? 0 : -1;
  }

  bool counts(const Node& node, const std::string& place) {
    const size_t before = verdict.wrong.size();
    if (node.released) wrong(place, "array is already consumed");
    if (node.length < 0) count(place, "length", node.length);
    if (node.offset < 0) count(place, "offset", node.offset);
    if (verdict.wrong.size() == before && node.length > kMost - node.offset)
      count(place, "length", node.length);
    if (node.null_count < -1 || (node.length >= 0 && node.null_count > node.length)) {
      count(place, "null_count", node.null_count);
    }
    return verdict.wrong.size() == before;
  }

  bool shape(const Node& node, const std::string& place, int64_t n_children, int64_t least, int64_t most) {
    const size_t before = verdict.wrong.size();
    const int64_t nested = node.n_children.value_or(std::ssize(node.children));
    const int64_t n_buffers = node.n_buffers.value_or(std::ssize(node.buffers));
    if (nested != n_children) count(place, "n_children", nested);
    if (n_buffers < least || n_buffers > most) count(place, "n_buffers", n_buffers);
    if (n_children > 0 && node.children_null) wrong(place, "children is NULL");
    if (least > 0 && node.buffers_null) wrong(place, "buffers is NULL");
    if (verdict.wrong.size() == before && n_buffers > std::ssize(node.buffers)) verdict.undetectable = true;
    return verdict.wrong.size() == before && !verdict.undetectable;
  }

  void bitmap(const Node& node, const std::string& place) {
    const Buffer& bits = node.buffers[0];
    if (bits.null && node.null_count > 0) {
      wrong(place, "null_count is " + std::to_string(node.null_count) + ", but the validity buffer is NULL");
    }
    if (!bits.null && 8 * std::ssize(bits.bytes) < node.offset + node.length) verdict.undetectable = true;
  }

  /// n values of a width, which must fit 64 bits and be there.
  void buffer(const Node& node, size_t i, const char* what, int64_t n, int64_t width,
              const std::string& place) {
    int64_t size = 0;
    if (__builtin_mul_overflow(n, width, &size)) {
      wrong(place, std::string(what) + ": offset + length = " + std::to_string(n) + " values of " +
                       std::to_string(width) + " overflow 64 bits");
    } else if (size > 0 && node.buffers[i].null) {
      wrong(place, std::string(what) + " buffer is NULL, but length is");
    } else if (size > std::ssize(node.buffers[i].bytes)) {
      verdict.undetectable = true;
    }
  }

  void array(const Node& node, const std::string& place) {
    const Layout layout = layout_of(node);
    if (node.null) return wrong(place, "array pointer is NULL");
    if (layout.shape == Shape::unsupported) return;
    const bool is_views = layout.shape == Shape::views, is_runs = layout.shape == Shape::runs;
    const bool is_list = layout.shape == Shape::list;
    const int64_t n_buffers = is_runs ? 0 : is_list ? 1 : is_views || layout.shape == Shape::texts ? 3 : 2;
    if (!counts(node, place)) return;
    if (!shape(node, place,
               is_runs   ? 2
               : is_list ? 1
                         : 0,
               n_buffers, is_views ? kMaxBuffers + 3 : n_buffers)) {
      return;
    }
    const bool shows_dictionary = !node.dictionary.empty() && node.array_dictionary;
    if (layout.shape != Shape::codes && shows_dictionary) wrong(place, "dictionary is given");
    const int64_t end = node.offset + node.length;
    if (node.length > 0 && !is_runs) {
      bitmap(node, place);
      values(node, layout, end, place);
    }
    if (layout.shape == Shape::codes) {
      if (!shows_dictionary) return wrong(place, "dictionary is NULL, but the schema has one");
      const Node& dictionary = node.dictionary[0];
      array(dictionary, place + ", dictionary");
      if (dictionary.length > kMaxEntries) count(place + ", dictionary", "length", dictionary.length);
    } else if (is_list) {
      int64_t needed = 0;
      if (__builtin_mul_overflow(end, layout.width, &needed)) {
        wrong(place, "list items: offset + length = " + std::to_string(end) + " values of ");
      }
      array(node.children[0], place + ", list items");
      if (node.children[0].length < needed) count(place + ", list items", "length", node.children[0].length);
    } else if (is_runs) {
      runs(node, place);
    }
  }

  void values(const Node& node, const Layout& layout, int64_t end, const std::string& place) {
    switch (layout.shape) {
      case Shape::bits:
        if (node.buffers[1].null) return wrong(place, "values buffer is NULL");
        if (end > 8 * std::ssize(node.buffers[1].bytes)) verdict.undetectable = true;
        return;
      case Shape::texts:
        if (end == kMost) return wrong(place, "offset + length + 1 overflows 64 bits");
        return buffer(node, 1, "offsets", end + 1, layout.width, place);
      case Shape::views: {
        buffer(node, 1, "views", end, 16, place);
        const int64_t n_buffers = node.n_buffers.value_or(std::ssize(node.buffers));
        if (n_buffers > 3 && node.buffers[static_cast<size_t>(n_buffers - 1)].null) {
          wrong(place, "variadic sizes buffer is NULL");
        } else if (n_buffers > 3 && 8 * (n_buffers - 3) > std::ssize(sizes_of(node))) {
          verdict.undetectable = true;
        }
        return;
      }
      case Shape::fixed:
      case Shape::codes:
        return buffer(node, 1, "values", end, layout.width, place);
      default:
        return;
    }
  }

  void runs(const Node& node, const std::string& place) {
    const Node &ends = node.children[0], &values = node.children[1];
    const std::string ends_place = place + ", run ends", values_place = place + ", run values";
    array(ends, ends_place);
    array(values, values_place);
    if (!ends.null && ends.null_count > 0) wrong(ends_place, "null_count is above 0");
    if (ends.null || values.null || verdict.undetectable) return;
    if (ends.length < (node.length > 0) || ends.length > kMaxEntries)
      count(ends_place, "length", ends.length);
    if (values.length < ends.length) count(values_place, "length", values.length);
    if (!verdict.wrong.empty() || ends.buffers[0].null) return;
    for (int64_t i = 0; i < ends.length; ++i) {
      if (!bit_at(ends.buffers[0].bytes, ends.offset + i))
        return wrong(ends_place, "the validity buffer has nulls");
    }
  }

  static const std::string& sizes_of(const Node& node) {
    return node.buffers[static_cast<size_t>(node.n_buffers.value_or(std::ssize(node.buffers)) - 1)].bytes;
  }

  template <class IsValid, class RowIs>
  void check_views(const Node& node, const std::string& place, int64_t begin, int64_t n, IsValid is_valid,
                   RowIs row_is) {
    const int64_t n_data = node.n_buffers.value_or(std::ssize(node.buffers)) - 3;
    for (int64_t i = 0; i < n_data; ++i) {
      const Buffer& data = node.buffers[static_cast<size_t>(2 + i)];
      const auto size = load<int64_t>(sizes_of(node), i);
      if (size < 0 || (size > 0 && data.null)) {
        wrong(place, "data buffer " + std::to_string(i) + " has size " + std::to_string(size));
      } else if (size > std::ssize(data.bytes)) {
        verdict.undetectable = true;
      }
    }
    for (int64_t i = 0; i < n; ++i) {
      const std::string view = node.buffers[1].bytes.substr(static_cast<size_t>(16 * (begin + i)), 16);
      const auto size = int64_t{load<int32_t>(view, 0)}, which = int64_t{load<int32_t>(view, 2)},
                 start = int64_t{load<int32_t>(view, 3)};
      if (!is_valid(i) || (size >= 0 && size <= 12)) continue;
      if (size < 0) {
        row_is("view size", i, size);
      } else if (which < 0 || which >= n_data) {
        row_is("view buffer index", i, which);
      } else if (start < 0 || start + size > load<int64_t>(sizes_of(node), which)) {
        row_is("view offset", i, start);
      }
    }
  }

  int64_t n_nodes_ = 0;
};

}  // namespace

Layout layout_of(const Node& node) {
  if (!node.format) return {};
  const std::string_view format = *node.format;
  const auto is_scalar = [](const Layout& each) {
    return each.shape != Shape::unsupported && each.shape != Shape::list && each.shape != Shape::runs;
  };
  if (node.has_dictionary()) {
    const Layout values = layout_of(node.dictionary[0]);
    const bool is_read = is_scalar(values) && values.shape != Shape::codes;
    return is_read ? Layout{Shape::codes, integer_width(format)} : Layout{};
  }
  if (format == "+r") {
    const Node& ends = node.children[0];
    const bool is_read = ends.format && is_one_of(*ends.format, {"s", "i", "l"}) && !ends.has_dictionary();
    return is_read && is_scalar(layout_of(node.children[1]))
               ? Layout{Shape::runs, integer_width(*ends.format)}
               : Layout{};
  }
  if (format == "+w:2" || format == "+w:2147483647") {
    const Node& items = node.children[0];
    const bool is_read = items.format && is_one_of(*items.format, {"e", "f", "g"}) && !items.has_dictionary();
    return is_read ? Layout{Shape::list, format == "+w:2" ? 2 : 2147483647} : Layout{};
  }
  return layout_of_format(format);
}

Verdict judge(const Node& root) {
  const bool is_table = root.format == "+s";
  Judge schema;
  schema.root_schema(root, is_table);
  if (!schema.verdict.wrong.empty() || schema.verdict.undetectable) {
    schema.verdict.is_schema = true;
    return schema.verdict;
  }
  Judge judged;
  judged.root_array(root, is_table);
  // So many rows of no bytes are sound, and nobody has the time to read them.
  judged.verdict.undetectable |= judged.verdict.wrong.empty() && root.length > 1'000'000;
  if (!judged.verdict.wrong.empty() || judged.verdict.undetectable) return judged.verdict;
  if (!is_table) {
    judged.rows(root, "column " + tidegauge::arrow::quoted(root.name.value_or("")), root.offset, root.length,
                nullptr);
    return judged.verdict;
  }
  for (const Node& each : root.children) {
    // Of a type that nobody looks at, the sum may be beyond all numbers.
    const auto begin =
        static_cast<int64_t>(static_cast<uint64_t>(each.offset) + static_cast<uint64_t>(root.offset));
    judged.rows(each, "column " + tidegauge::arrow::quoted(each.name.value_or("")),
                each.length && root.length ? begin : 0, root.length, &root);
  }
  return judged.verdict;
}

}  // namespace capsules
