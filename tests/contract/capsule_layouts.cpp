// Sound columns of every physical type, with random values, nulls and offsets at every level.

#include <functional>
#include <span>

#include "capsule_model.hpp"

namespace capsules {
namespace {

using Make = std::function<Node(int64_t, Random&)>;

/// Nothing in a third of the columns: no buffer is the commonest bitmap.
Buffer bitmap(int64_t total, Random& random) {
  if (random.one_in(3)) return Buffer::none();
  std::string bits(static_cast<size_t>((total + 7) / 8), '\0');
  for (char& byte : bits) byte = static_cast<char>(random.next() | random.next());
  return {.bytes = bits};
}

Node column(std::string format, int64_t total, std::vector<Buffer> buffers) {
  return {.format = std::move(format), .length = total, .buffers = std::move(buffers)};
}

/// Skips a few rows at the front of a node that lies inside another.
Node inside(const Make& make, int64_t total, Random& random) {
  constexpr int64_t offsets[] = {0, 0, 1, 7, 8};
  const int64_t offset = random.pick(offsets);
  Node node = make(total + offset, random);
  node.offset = offset;
  node.length = total;
  return node;
}

Node fixed(const char* format, int64_t width, int64_t total, Random& random) {
  std::string values(static_cast<size_t>(width * total), '\0');
  const bool is_small = random.one_in(2);
  for (int64_t i = 0; i < total; ++i) {
    const auto value = static_cast<int64_t>(random.next());
    for (int64_t at = 0; at < width; at += 8) {
      const int64_t n = std::min<int64_t>(8, width - at);
      const int64_t piece = is_small ? (at ? 0 : value & 63) : value;
      for (int64_t j = 0; j < n; ++j) {
        values[static_cast<size_t>(i * width + at + j)] = static_cast<char>(piece >> (8 * j));
      }
    }
  }
  return column(format, total, {bitmap(total, random), {.bytes = values}});
}

/// Of at most 32 bits, so that the judge's plain division is exact.
Node decimal(const char* format, int64_t width, int64_t total, Random& random) {
  std::string values(static_cast<size_t>(width * total), '\0');
  for (int64_t i = 0; i < total; ++i) {
    const auto value = static_cast<int32_t>(random.next());
    for (int64_t j = 0; j < width; ++j) {
      values[static_cast<size_t>(i * width + j)] = static_cast<char>(j < 4       ? value >> (8 * j)
                                                                     : value < 0 ? -1
                                                                                 : 0);
    }
  }
  return column(format, total, {bitmap(total, random), {.bytes = values}});
}

Node bits(int64_t total, Random& random) {
  Buffer values;
  for (int64_t i = 0; i < (total + 7) / 8; ++i) values.bytes += static_cast<char>(random.next());
  return column("b", total, {bitmap(total, random), values});
}

Node texts(const char* format, int64_t width, int64_t total, Random& random) {
  Buffer offsets, text;
  offsets.bytes.resize(static_cast<size_t>(width * (total + 1)));
  text.bytes.assign(static_cast<size_t>(random.below(3)), '?');  // before the first
  for (int64_t i = 0; i <= total; ++i) {
    set_integer(offsets.bytes, width, i, static_cast<int64_t>(text.bytes.size()));
    if (i == total) break;
    for (int64_t n = random.below(4); n > 0; --n)
      text.bytes += random.pick(std::string_view("ab\xc3\xbc\xff"));
  }
  return column(format, total, {bitmap(total, random), offsets, text});
}

Node views(const char* format, int64_t total, Random& random) {
  const std::vector<std::string> data = {std::string(40, 'd'), "another text of more than twelve bytes"};
  Buffer rows;
  rows.bytes.resize(static_cast<size_t>(16 * total));
  for (int64_t i = 0; i < total; ++i) {
    const bool is_long = random.one_in(2);
    const auto size = static_cast<int32_t>(is_long ? 13 + random.below(8) : random.below(13));
    store(rows.bytes, 4 * i, size);
    if (!is_long) {
      rows.bytes.replace(static_cast<size_t>(16 * i + 4), static_cast<size_t>(size),
                         std::string(static_cast<size_t>(size), 's'));
      continue;
    }
    const auto buffer = static_cast<int32_t>(random.below(2));
    const auto held = static_cast<int64_t>(data[static_cast<size_t>(buffer)].size());
    const auto start = static_cast<int32_t>(random.below(held - size + 1));
    rows.bytes.replace(static_cast<size_t>(16 * i + 4), 4, data[static_cast<size_t>(buffer)],
                       static_cast<size_t>(start), 4);
    store(rows.bytes, 4 * i + 2, buffer);
    store(rows.bytes, 4 * i + 3, start);
  }
  Buffer sizes;
  sizes.bytes.resize(16);
  for (int64_t i = 0; i < 2; ++i)
    store(sizes.bytes, i, static_cast<int64_t>(data[static_cast<size_t>(i)].size()));
  return column(format, total, {bitmap(total, random), rows, {.bytes = data[0]}, {.bytes = data[1]}, sizes});
}

Node list(const Make& items, int64_t total, Random& random) {
  Node node = column("+w:2", total, {bitmap(total, random)});
  node.children.push_back(inside(items, 2 * total, random));
  return node;
}

Node codes(const char* format, int64_t width, const Make& values, int64_t total, Random& random) {
  const int64_t n_values = 1 + random.below(5);
  Buffer rows;
  rows.bytes.resize(static_cast<size_t>(width * total));
  for (int64_t i = 0; i < total; ++i) set_integer(rows.bytes, width, i, random.below(n_values));
  Node node = column(format, total, {bitmap(total, random), rows});
  node.dictionary.push_back(inside(values, n_values, random));
  return node;
}

Node runs(const char* format, int64_t width, const Make& values, int64_t total, Random& random) {
  const int64_t n_runs = std::min<int64_t>(total, 1 + random.below(5));
  const auto make_ends = [&](int64_t n, Random&) {
    Buffer ends;
    ends.bytes.resize(static_cast<size_t>(width * n));
    for (int64_t i = 0; i < n_runs; ++i) {
      set_integer(ends.bytes, width, n - n_runs + i, (i + 1) * total / n_runs);
    }
    Node node = column(format, n, {Buffer::none(), ends});
    node.null_count = 0;
    return node;
  };
  Node node = column("+r", total, {});
  node.null_count = 0;
  node.children.push_back(inside(make_ends, n_runs, random));
  node.children.push_back(inside(values, n_runs, random));
  return node;
}

/// A type that nothing is read of: its children are sound, in case somebody does.
Node unread(const char* format, std::vector<Make> children, size_t n_buffers, int64_t total, Random& random) {
  Node node = column(format, total, std::vector<Buffer>(n_buffers, Buffer{}));
  for (Buffer& buffer : node.buffers) buffer.bytes.resize(static_cast<size_t>(16 * (total + 1)));
  for (const Make& make : children) node.children.push_back(make(2 * total, random));
  return node;
}

struct Named {
  std::string name;
  Make make;
};

std::vector<Named> all() {
  std::vector<Named> list_of;
  const auto add = [&](std::string name, Make make) {
    list_of.push_back({std::move(name), std::move(make)});
  };
  const auto with = [](auto f, auto... arguments) {
    return [=](int64_t total, Random& random) { return f(arguments..., total, random); };
  };
  struct Fixed {
    const char* format;
    int64_t width;
  };
  constexpr Fixed plain[] = {{"c", 1},    {"C", 1},   {"s", 2},    {"S", 2},       {"i", 4},
                             {"I", 4},    {"l", 8},   {"L", 8},    {"e", 2},       {"f", 4},
                             {"g", 8},    {"tdD", 4}, {"tdm", 8},  {"tts", 4},     {"ttm", 4},
                             {"ttu", 8},  {"ttn", 8}, {"tss:", 8}, {"tsm:UTC", 8}, {"tsu:Europe/Berlin", 8},
                             {"tsn:", 8}, {"tDs", 8}, {"tDm", 8},  {"tDu", 8},     {"tDn", 8},
                             {"w:3", 3},  {"w:0", 0}};
  for (const Fixed& each : plain) add(each.format, with(fixed, each.format, each.width));
  const Named others[] = {
      {"b", with(bits)},
      {"d:9,2,32", with(decimal, "d:9,2,32", 4)},
      {"d:18,2,64", with(decimal, "d:18,2,64", 8)},
      {"d:9,2", with(decimal, "d:9,2", 16)},
      {"d:70,-2,256", with(decimal, "d:70,-2,256", 32)},
      {"u", with(texts, "u", 4)},
      {"z", with(texts, "z", 4)},
      {"U", with(texts, "U", 8)},
      {"Z", with(texts, "Z", 8)},
      {"vu", with(views, "vu")},
      {"vz", with(views, "vz")},
  };
  for (const Named& each : others) list_of.push_back(each);

  const Make text = with(texts, "u", 4), integers = with(fixed, "i", 4);
  std::vector<Named> values;
  for (const Named& each : list_of) {
    for (const char* name : {"u", "Z", "vu", "w:3", "e", "g", "l", "b", "tsm:UTC", "d:70,-2,256"}) {
      if (each.name == name) values.push_back(each);
    }
  }
  for (const char* format : {"e", "f", "g"}) {
    const int64_t width = *format == 'e' ? 2 : *format == 'f' ? 4 : 8;
    add(std::string("list of ") + format, with(list, Make(with(fixed, format, width))));
  }
  for (const Fixed& index : std::span(plain).first(8)) {
    for (const Named& value : values) {
      add(std::string("dictionary ") + index.format + " " + value.name,
          with(codes, index.format, index.width, value.make));
    }
  }
  values.push_back({"dictionary c u", with(codes, "c", 1, text)});
  for (const Fixed& ends : {plain[2], plain[4], plain[6]}) {
    for (const Named& value : values) {
      add(std::string("runs ") + ends.format + " " + value.name,
          with(runs, ends.format, ends.width, value.make));
    }
  }

  const Make pairs = [=](int64_t total, Random& random) {
    Node node = unread("+s", {text, integers}, 1, total, random);
    return node;
  };
  using Makes = std::vector<Make>;
  add("n", with(unread, "n", Makes{}, size_t{0}));
  for (const char* format : {"tiM", "tiD", "tin", "_pli128", "x"})
    add(format, with(unread, format, Makes{}, size_t{2}));
  for (const char* format : {"+l", "+L"}) add(format, with(unread, format, Makes{text}, size_t{2}));
  for (const char* format : {"+vl", "+vL"}) add(format, with(unread, format, Makes{pairs}, size_t{3}));
  add("+m", with(unread, "+m", Makes{pairs}, size_t{2}));
  add("+s", with(unread, "+s", Makes{text, integers}, size_t{1}));
  add("+us:0,1", with(unread, "+us:0,1", Makes{text, integers}, size_t{1}));
  add("+ud:0,1", with(unread, "+ud:0,1", Makes{text, pairs}, size_t{2}));
  add("list of i", with(list, integers));
  add("list of u", with(list, text));
  add("dictionary of pairs", with(codes, "i", 4, pairs));
  add("dictionary of dictionaries", with(codes, "i", 4, Make(with(codes, "c", 1, text))));
  add("runs I u", with(runs, "I", 4, text));
  add("runs of runs", with(runs, "i", 4, Make(with(runs, "i", 4, text))));
  return list_of;
}

const std::vector<Named>& layouts() {
  static const std::vector<Named> made = all();
  return made;
}

}  // namespace

size_t n_layouts() { return layouts().size(); }

Node make_layout(size_t which, int64_t total, Random& random, std::string& name) {
  const Named& layout = layouts()[which % layouts().size()];
  name = layout.name;
  return layout.make(total, random);
}

}  // namespace capsules
