#include "arrays.hpp"

#include <algorithm>
#include <iterator>
#include <limits>

namespace tidegauge::fuzz {
namespace {

constexpr const char* kFixed[] = {"g",        "f",          "e",       "c",           "C",
                                  "s",        "S",          "i",       "I",           "l",
                                  "L",        "tdD",        "tdm",     "tts",         "ttm",
                                  "ttu",      "ttn",        "tDs",     "tDm",         "tDu",
                                  "tDn",      "tss:",       "tsm:UTC", "tsu:",        "tsn:Europe/Oslo",
                                  "d:9,2,32", "d:18,-3,64", "d:30,5",  "d:76,10,256", "w:0",
                                  "w:3",      "w:16"};
constexpr int64_t kWidths[] = {8, 4, 2, 1, 1, 2, 2, 4, 4, 8, 8, 4,  8,  4, 4, 8,
                               8, 8, 8, 8, 8, 8, 8, 8, 8, 4, 8, 16, 32, 0, 3, 16};
static_assert(std::size(kFixed) == std::size(kWidths));
constexpr const char* kCodes[] = {"c", "C", "s", "S", "i", "I", "l", "L"};
constexpr const char* kOdd[] = {"",   "w:-8", "w:99999999999", "+w:2147483647", "d:0,0",     "d:10",
                                "x",  "ts",   "tsx:",          "+ud:1,",        "+us:0,200", "polars",
                                "+r", "+s",   "u\xff",         "vu ",           "+w:",       "tdX"};
constexpr int64_t kOddNumbers[] = {-1,
                                   -2,
                                   0,
                                   1,
                                   2,
                                   3,
                                   64,
                                   1 << 20,
                                   std::numeric_limits<int32_t>::max(),
                                   int64_t{1} << 32,
                                   int64_t{1} << 61,
                                   std::numeric_limits<int64_t>::max() - 1,
                                   std::numeric_limits<int64_t>::max(),
                                   std::numeric_limits<int64_t>::min()};

int64_t code_width(size_t i) { return int64_t{1} << (i / 2); }

void put(char* to, int64_t width, int64_t value) { std::memcpy(to, &value, static_cast<size_t>(width)); }

template <class T>
Table& table_of(T* node) {
  return *static_cast<Table*>(node->private_data);
}
template <class T>
void release_child(T* node) {
  table_of(node).released_child = true;
}

}  // namespace

bool Table::fault() { return with_faults_ && feed_.byte() >= fault_from_; }

int64_t Table::wrong(int64_t right) {
  const int64_t odd = kOddNumbers[feed_.below(std::size(kOddNumbers))];
  return feed_.below(2) ? odd
                        : static_cast<int64_t>(static_cast<uint64_t>(right) + static_cast<uint64_t>(odd % 4));
}

char* Table::keep(int64_t size) {
  if (size < 0 || size > kMostBuffer) return nullptr;
  if (size == 0 && feed_.below(2)) return nullptr;
  const size_t shift = feed_.byte() % 8 == 7 ? 1 : 0;  // buffers may lie anywhere
  memory_.push_back(std::make_unique<char[]>(static_cast<size_t>(size) + shift));
  return memory_.back().get() + shift;
}

char* Table::text(const std::string& text) {
  memory_.push_back(std::make_unique<char[]>(text.size() + 1));
  std::copy_n(text.c_str(), text.size() + 1, memory_.back().get());
  return memory_.back().get();
}

template <class T>
T** Table::pointers(int64_t n) {
  pointers_.push_back(std::make_unique<void*[]>(static_cast<size_t>(n)));
  return reinterpret_cast<T**>(pointers_.back().get());
}

Table::Made Table::node(const std::string& format, int64_t length) {
  schemas_.emplace_back(), arrays_.emplace_back();
  const Made made{&schemas_.back(), &arrays_.back()};
  made.schema->format = fault() ? text(kOdd[feed_.below(std::size(kOdd))]) : text(format);
  made.schema->release = release_child<ArrowSchema>;
  made.schema->private_data = this;
  made.array->length = length;
  made.array->offset = feed_.byte() < 160 ? 0 : std::array<int64_t, 4>{1, 7, 8, 63}[feed_.below(4)];
  made.array->release = release_child<ArrowArray>;
  made.array->private_data = this;
  if (fault()) made.array->length = wrong(length);
  if (fault()) made.array->offset = wrong(made.array->offset);
  return made;
}

/// Rows that there are in the buffers of an array, or -1 where that is no number of rows.
static int64_t end_of(const ArrowArray& array) {
  int64_t end = 0;
  if (array.length < 0 || array.offset < 0 || __builtin_add_overflow(array.length, array.offset, &end))
    return -1;
  return end;
}

void Table::set_buffers(ArrowArray& to, std::span<const void* const> buffers) {
  to.n_buffers = static_cast<int64_t>(buffers.size());
  if (fault()) to.n_buffers = static_cast<int64_t>(feed_.below(6));
  if (fault()) return;  // none at all
  const void** held = const_cast<const void**>(pointers<void>(to.n_buffers));
  const size_t n = std::min(buffers.size(), static_cast<size_t>(to.n_buffers));
  for (size_t i = 0; i < n; ++i) held[i] = fault() ? nullptr : buffers[i];
  to.buffers = held;
}

void Table::set_children(Made made, std::span<const Made> children) {
  auto n_schemas = static_cast<int64_t>(children.size()), n_arrays = n_schemas;
  if (fault()) n_schemas = static_cast<int64_t>(feed_.below(4));
  if (fault()) n_arrays = static_cast<int64_t>(feed_.below(4));
  made.schema->n_children = n_schemas;
  made.array->n_children = n_arrays;
  if (!fault()) {
    made.schema->children = pointers<ArrowSchema>(n_schemas);
    for (size_t i = 0; i < std::min(children.size(), static_cast<size_t>(n_schemas)); ++i) {
      made.schema->children[i] = fault() ? nullptr : children[i].schema;
    }
  }
  if (!fault()) {
    made.array->children = pointers<ArrowArray>(n_arrays);
    for (size_t i = 0; i < std::min(children.size(), static_cast<size_t>(n_arrays)); ++i) {
      made.array->children[i] = fault() ? nullptr : children[i].array;
    }
  }
}

/// What may go wrong with any node, once it is whole.
void Table::bend(Made made) {
  if (!with_faults_) return;
  if (fault()) made.array->null_count = wrong(made.array->null_count);
  if (fault()) made.array->release = nullptr;
  if (fault()) made.schema->release = nullptr;
  if (fault()) made.schema->format = nullptr;
  if (fault()) made.schema->dictionary = made.schema;  // a cycle
  if (fault()) made.array->dictionary = nullptr;
  if (fault()) made.array->dictionary = &arrays_.front();
}

/// A bitmap of the rows, or none; sets null_count to one of the values that may stand there.
static char* fill_bits(char* bits, int64_t n_bytes, Feed& feed) {
  for (int64_t i = 0; bits && i < n_bytes; ++i) {
    bits[i] = static_cast<char>(feed.byte() < 128 ? 0xff : feed.byte());
  }
  return bits;
}

void Table::fixed(Made made, int64_t width) {
  const int64_t end = end_of(*made.array);
  const bool is_bits = width < 0;
  char* validity = nullptr;
  if (end >= 0 && feed_.below(2))
    validity = fill_bits(keep(end / 8 + (end % 8 != 0)), end / 8 + (end % 8 != 0), feed_);
  made.array->null_count = validity ? -1 : 0;
  int64_t size = 0;
  if (end < 0 || (!is_bits && __builtin_mul_overflow(end, width, &size))) size = -1;
  if (is_bits && end >= 0) size = end / 8 + (end % 8 != 0);
  char* values = keep(size);
  const uint8_t shape = feed_.byte();
  uint64_t state = feed_.byte();
  for (int64_t i = 0; values && i < size; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const auto random = static_cast<char>(state >> 56);
    values[i] = shape < 100   ? static_cast<char>(i % 8 == 7   ? 0x40
                                                  : i % 8 == 6 ? random
                                                               : 0)
                : shape < 220 ? random
                              : static_cast<char>(feed_.byte());
  }
  const void* buffers[] = {validity, values};
  set_buffers(*made.array, buffers);
}

void Table::texts(Made made, int64_t width) {
  const int64_t end = end_of(*made.array);
  const int64_t n_bits = end < 0 ? -1 : end / 8 + (end % 8 != 0);
  char* validity = feed_.below(2) ? fill_bits(keep(n_bits), n_bits, feed_) : nullptr;
  made.array->null_count = validity ? -1 : 0;
  char* offsets = end < 0 || end > kMostBuffer ? nullptr : keep((end + 1) * width);
  auto last = static_cast<int64_t>(feed_.below(3));
  int64_t most = 0;  // a reader of some of the rows knows the bytes by their own last offset
  for (int64_t i = 0; offsets && i <= end; ++i) {
    const bool before = i < made.array->offset;
    if (!before && i > made.array->offset) last += static_cast<int64_t>(feed_.below(5));
    int64_t value = before ? wrong(i) : last;
    if (!before && fault()) value = wrong(last);
    put(offsets + i * width, width, value);
    if (!before) most = std::max(most, width == 4 ? int64_t{static_cast<int32_t>(value)} : value);
  }
  const int64_t n_bytes = offsets ? most : 0;
  char* bytes = keep(n_bytes);
  for (int64_t i = 0; bytes && i < n_bytes; ++i) {
    const uint8_t letter = feed_.byte();
    bytes[i] = static_cast<char>(letter < 250 ? 'a' + letter % 3 : letter);
  }
  const void* buffers[] = {validity, offsets, bytes};
  set_buffers(*made.array, buffers);
}

void Table::views(Made made) {
  const int64_t end = end_of(*made.array);
  const int64_t n_bits = end < 0 ? -1 : end / 8 + (end % 8 != 0);
  char* validity = feed_.below(2) ? fill_bits(keep(n_bits), n_bits, feed_) : nullptr;
  made.array->null_count = validity ? -1 : 0;
  const size_t n_data = feed_.below(3);
  std::vector<const void*> buffers{validity, nullptr};
  char* sizes = keep(static_cast<int64_t>(8 * n_data));
  std::vector<int64_t> held;
  for (size_t i = 0; i < n_data; ++i) {
    held.push_back(static_cast<int64_t>(feed_.below(60)));
    char* data = keep(held.back());
    for (int64_t j = 0; data && j < held.back(); ++j) data[j] = static_cast<char>('a' + j % 7);
    if (!data) held.back() = 0;
    buffers.push_back(data);
    if (sizes) put(sizes + 8 * i, 8, fault() ? std::min<int64_t>(wrong(held[i]), held[i]) : held[i]);
  }
  buffers.push_back(sizes);
  char* views = end < 0 || end > kMostBuffer ? nullptr : keep(16 * end);
  for (int64_t i = 0; views && i < end; ++i) {
    char* view = views + 16 * i;
    const bool free = i < made.array->offset || (validity && !((validity[i / 8] >> (i % 8)) & 1));
    int64_t size = static_cast<int64_t>(feed_.below(13)), buffer = 0, start = 0;
    std::memset(view, 'b', 16);
    if (!held.empty() && feed_.below(2)) {
      buffer = static_cast<int64_t>(feed_.below(held.size()));
      if (held[static_cast<size_t>(buffer)] > 12) {
        size = 13 +
               static_cast<int64_t>(feed_.below(static_cast<size_t>(held[static_cast<size_t>(buffer)] - 12)));
        start = static_cast<int64_t>(
            feed_.below(static_cast<size_t>(held[static_cast<size_t>(buffer)] - size + 1)));
      }
    }
    if (free || fault()) size = wrong(size), buffer = wrong(buffer), start = wrong(start);
    put(view, 4, size);
    if (size > 12 || size < 0) put(view + 8, 4, buffer), put(view + 12, 4, start);
  }
  buffers[1] = views;
  set_buffers(*made.array, buffers);
}

void Table::dictionary(Made made, int depth) {
  const size_t code = feed_.below(std::size(kCodes));
  if (!fault()) made.schema->format = text(kCodes[code]);
  const auto n_values = static_cast<int64_t>(feed_.below(9));
  const Made dictionary = values(n_values, depth + 1, true);
  made.schema->dictionary = dictionary.schema;
  made.array->dictionary = dictionary.array;
  const int64_t end = end_of(*made.array), width = code_width(code);
  const int64_t n_bits = end < 0 ? -1 : end / 8 + (end % 8 != 0);
  char* validity = n_values == 0 || feed_.below(2) ? keep(n_bits) : nullptr;
  if (n_values > 0) {
    fill_bits(validity, n_bits, feed_);
  } else if (validity) {
    std::memset(validity, 0, static_cast<size_t>(n_bits));
  }
  made.array->null_count = validity ? -1 : 0;
  char* codes = end < 0 || end > kMostBuffer ? nullptr : keep(end * width);
  for (int64_t i = 0; codes && i < end; ++i) {
    const bool free = i < made.array->offset || (validity && !((validity[i / 8] >> (i % 8)) & 1));
    int64_t value = n_values ? static_cast<int64_t>(feed_.below(static_cast<size_t>(n_values))) : 0;
    if (free || fault()) value = wrong(value);
    put(codes + i * width, width, value);
  }
  const void* buffers[] = {validity, codes};
  set_buffers(*made.array, buffers);
}

void Table::list(Made made) {
  const auto width = static_cast<int64_t>(feed_.below(5));
  if (!fault()) made.schema->format = text("+w:" + std::to_string(width));
  const int64_t end = end_of(*made.array);
  int64_t n_items = 0;
  if (end < 0 || __builtin_mul_overflow(end, width, &n_items) || n_items > kMostBuffer) n_items = 0;
  constexpr const char* kFloats[] = {"f", "g", "e"};
  constexpr int64_t kFloatWidths[] = {4, 8, 2};
  const size_t type = feed_.below(3);
  const Made items = node(kFloats[type], n_items + static_cast<int64_t>(feed_.below(2)));
  fixed(items, kFloatWidths[type]);
  bend(items);
  set_children(made, {&items, 1});
  const int64_t n_bits = end < 0 ? -1 : end / 8 + (end % 8 != 0);
  char* validity = feed_.below(2) ? fill_bits(keep(n_bits), n_bits, feed_) : nullptr;
  made.array->null_count = validity ? -1 : 0;
  const void* buffers[] = {validity};
  set_buffers(*made.array, buffers);
}

void Table::runs(Made made, int depth) {
  if (!fault()) made.schema->format = text("+r");
  const int64_t end = end_of(*made.array);
  const size_t type = feed_.below(3);
  constexpr const char* kEnds[] = {"i", "l", "s"};
  constexpr int64_t kEndWidths[] = {4, 8, 2};
  const int64_t width = kEndWidths[type];
  std::vector<int64_t> ends;
  for (int64_t last = 0; last < std::min<int64_t>(end, kMostBuffer);) {
    last += 1 + static_cast<int64_t>(feed_.below(9));
    if (ends.size() > 60) last = std::max(last, end);
    ends.push_back(last);
  }
  const Made run_ends = node(kEnds[type], static_cast<int64_t>(ends.size()));
  const int64_t n_ends = end_of(*run_ends.array);
  char* held = n_ends < 0 || n_ends > kMostBuffer ? nullptr : keep(n_ends * width);
  for (int64_t i = 0; held && i < n_ends; ++i) {
    const int64_t at = i - run_ends.array->offset;
    int64_t value =
        at >= 0 && at < static_cast<int64_t>(ends.size()) ? ends[static_cast<size_t>(at)] : wrong(i);
    if (fault()) value = wrong(value);
    put(held + i * width, width, value);
  }
  const void* buffers[] = {nullptr, held};
  set_buffers(*run_ends.array, buffers);
  bend(run_ends);
  const Made run_values = values(static_cast<int64_t>(ends.size() + feed_.below(2)), depth + 1, false);
  const Made children[] = {run_ends, run_values};
  set_children(made, children);
  set_buffers(*made.array, {});
}

/// Types that are counted and not read: whatever lies in them.
void Table::nested(Made made, int depth) {
  constexpr const char* kNested[] = {"+s", "+l", "+L", "+vl", "+m", "n", "+ud:0,1", "vendor:x"};
  if (!fault()) made.schema->format = text(kNested[feed_.below(std::size(kNested))]);
  if (made.schema->format[0] == '+' && made.schema->format[1] != 'u') {
    const Made child = values(static_cast<int64_t>(feed_.below(4)), depth + 1, true);
    set_children(made, {&child, 1});
  }
  if (fault()) made.array->n_buffers = wrong(1);
}

Table::Made Table::values(int64_t length, int depth, bool plain) {
  const size_t type = feed_.below(std::size(kFixed) + 16);
  if (type < std::size(kFixed)) {
    const Made made = node(kFixed[type], length);
    fixed(made, kWidths[type]);
    bend(made);
    return made;
  }
  const size_t other = type - std::size(kFixed);
  constexpr const char* kTexts[] = {"u", "U", "z", "Z"};
  const Made made = node(other < 4 ? kTexts[other] : other < 7 ? (other == 4 ? "vz" : "vu") : "b", length);
  if (other < 4) {
    texts(made, other % 2 ? 8 : 4);
  } else if (other < 7) {
    views(made);
  } else if (plain || depth > 3 || other < 9) {
    fixed(made, -1);
  } else if (other < 12) {
    dictionary(made, depth);
  } else if (other < 14) {
    runs(made, depth);
  } else if (other < 15) {
    list(made);
  } else {
    nested(made, depth);
  }
  bend(made);
  return made;
}

Table::Made Table::column(int64_t n_rows, int depth) {
  return values(n_rows + static_cast<int64_t>(feed_.below(2)), depth, false);
}

Table::Table(Feed& feed, bool with_faults)
    : feed_(feed), with_faults_(with_faults), fault_from_(with_faults && feed.byte() % 2 ? 235 : 252) {
  const bool is_table = feed.byte() < 230;
  const uint8_t size = feed.byte();
  int64_t n_rows = size % 40;
  if (size >= 200) n_rows = 64 * (size % 4) + feed.byte() % 3;  // about a word of validity
  if (size >= 240) n_rows = 300 + 7 * feed.byte();              // more than a tile of texts
  Made root{};
  if (is_table) {
    root = node("+s", n_rows);
    const int64_t end = std::clamp<int64_t>(end_of(*root.array), 0, kMostBuffer);
    std::vector<Made> columns;
    for (size_t n = feed.below(5); n > 0; --n) {
      columns.push_back(column(end, 1));
      columns.back().schema->name = text("c" + std::to_string(fault() ? 1 : n));
      if (fault()) columns.back().schema->name = nullptr;
    }
    set_children(root, columns);
    const int64_t n_bits = end_of(*root.array) < 0 ? -1 : end / 8 + (end % 8 != 0);
    char* validity = feed.below(4) == 3 ? fill_bits(keep(n_bits), n_bits, feed) : nullptr;
    root.array->null_count = validity ? -1 : 0;
    const void* buffers[] = {validity};
    set_buffers(*root.array, buffers);
    bend(root);
  } else {
    root = values(n_rows, 1, false);
    const char* format = root.schema->format;
    if (format && std::string(format) == "+s") root.schema->format = text("+l");  // else it would be a table
  }
  if (root.array->release) {
    root.array->release = [](ArrowArray* released) {
      Table& table = table_of(released);
      ++table.n_released;
      table.memory_.clear();
      table.pointers_.clear();
      released->release = nullptr;
    };
  }
  schema = *root.schema;
  array = *root.array;
}

}  // namespace tidegauge::fuzz
