// The slow oracle's reading: one row after the other, from its bytes.

#include <cmath>
#include <limits>

#include "capsule_model.hpp"

namespace capsules {
namespace {

double half_at(const std::string& bytes, int64_t i) {
  const auto bits = load<uint16_t>(bytes, i);
  const int exponent = (bits >> 10) & 31, fraction = bits & 1023;
  const double size = exponent == 31 ? (fraction ? std::nan("") : std::numeric_limits<double>::infinity())
                      : exponent     ? std::ldexp(1024 + fraction, exponent - 25)
                                     : std::ldexp(fraction, -24);
  return bits >> 15 ? -size : size;
}

/// A value that a double holds as it is, or "m".
template <class T>
std::string exact(T value) {
  const auto nearest = static_cast<double>(value);
  return static_cast<long double>(nearest) == static_cast<long double>(value) ? cell_of(nearest) : "m";
}

std::string fixed_cell(const std::string& format, const std::string& bytes, int64_t width, int64_t i) {
  if (format.starts_with("w:")) {
    return bytes.substr(static_cast<size_t>(i * width), static_cast<size_t>(width));
  }
  if (format == "e") return cell_of(half_at(bytes, i));
  if (format == "f") return cell_of(static_cast<double>(load<float>(bytes, i)));
  if (format == "g") return cell_of(load<double>(bytes, i));
  if (format.starts_with("d:")) {  // of 32 bits, with a sign
    const auto low = static_cast<double>(integer_at(bytes.substr(static_cast<size_t>(i * width), 4), 4, 0));
    return cell_of(format == "d:70,-2,256" ? low * 100 : low / 100);
  }
  if (format == "L") return exact(load<uint64_t>(bytes, i));
  const bool is_signed = format != "C" && format != "S" && format != "I";
  return exact(integer_at(bytes, width, i, is_signed));
}

/// Row `i` of the node's buffers.
std::string cell_at(const Node& node, int64_t i) {
  const Layout layout = layout_of(node);
  if (layout.shape == Shape::runs) {
    const Node &ends = node.children[0], &values = node.children[1];
    int64_t run = 0;
    while (integer_at(ends.buffers[1].bytes, layout.width, ends.offset + run) <= i) ++run;
    return cell_at(values, values.offset + run);
  }
  if (!node.buffers[0].null && !bit_at(node.buffers[0].bytes, i)) return "-";
  const std::string& values = layout.shape == Shape::list ? *node.format : node.buffers[1].bytes;
  switch (layout.shape) {
    case Shape::bits:
      return bit_at(values, i) ? "true" : "false";
    case Shape::fixed:
      return fixed_cell(*node.format, values, layout.width, i);
    case Shape::texts: {
      const auto begin = static_cast<size_t>(integer_at(values, layout.width, i));
      return node.buffers[2].bytes.substr(
          begin, static_cast<size_t>(integer_at(values, layout.width, i + 1)) - begin);
    }
    case Shape::views: {
      const auto size = static_cast<size_t>(load<int32_t>(values, 4 * i));
      if (size <= 12) return values.substr(static_cast<size_t>(16 * i + 4), size);
      const Buffer& data = node.buffers[2 + static_cast<size_t>(load<int32_t>(values, 4 * i + 2))];
      return data.bytes.substr(static_cast<size_t>(load<int32_t>(values, 4 * i + 3)), size);
    }
    case Shape::codes: {
      const Node& dictionary = node.dictionary[0];
      return cell_at(dictionary, dictionary.offset + integer_at(values, layout.width, i, false));
    }
    case Shape::list: {
      const Node& items = node.children[0];
      std::string row;
      for (int64_t j = 0; j < layout.width; ++j) {
        const std::string item = cell_at(items, items.offset + i * layout.width + j);
        row += item == "-" ? cell_of(std::nan("")) : item;
      }
      return row;
    }
    default:
      return "?";
  }
}

}  // namespace

std::string cell_of(double value) {
  if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

int64_t integer_at(const std::string& bytes, int64_t width, int64_t i, bool is_signed) {
  uint64_t value = 0;
  for (int64_t j = width; j-- > 0;) {
    value = value << 8 | static_cast<unsigned char>(bytes[static_cast<size_t>(i * width + j)]);
  }
  const auto unused = static_cast<int>(64 - 8 * width);
  return is_signed ? static_cast<int64_t>(value << unused) >> unused : static_cast<int64_t>(value);
}

void set_integer(std::string& bytes, int64_t width, int64_t i, int64_t value) {
  if (i < 0 || (i + 1) * width > std::ssize(bytes)) return;
  for (int64_t j = 0; j < width; ++j) {
    bytes[static_cast<size_t>(i * width + j)] = static_cast<char>(value >> (8 * j));
  }
}

Cells cells_of(const Node& column, const Node* table) {
  Cells cells;
  const int64_t n = table ? table->length : column.length;
  const bool is_read = layout_of(column).shape != Shape::unsupported;
  for (int64_t i = 0; i < n; ++i) {
    const bool in_table =
        !table || table->buffers[0].null || bit_at(table->buffers[0].bytes, table->offset + i);
    cells.push_back(!is_read || !in_table ? "-"
                                          : cell_at(column, column.offset + (table ? table->offset : 0) + i));
  }
  return cells;
}

}  // namespace capsules
