#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// A malformed Arrow structure before it is C: what its producer claims beside what is really there. The judge
// reads this, the engine reads what the builder makes of it, and both must come to the same.

namespace capsules {

/// Numbers from a case's own number and nothing else (SplitMix64).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  int64_t below(int64_t n) { return static_cast<int64_t>(next() % static_cast<uint64_t>(n)); }
  bool one_in(int64_t n) { return below(n) == 0; }
  template <class List>
  auto pick(const List& list) {
    return list[static_cast<size_t>(below(static_cast<int64_t>(std::size(list))))];
  }

 private:
  uint64_t state_;
};

struct Buffer {
  std::string bytes;
  bool null = false;

  static Buffer none() { return {.bytes = {}, .null = true}; }
};

/// An ArrowSchema and its ArrowArray, node by node. What an optional count does not say is as it should be.
struct Node {
  std::optional<std::string> format;
  std::optional<std::string> name = "x";
  std::optional<std::string> metadata = {};
  std::optional<int64_t> schema_n_children = {};
  bool schema_null = false, schema_released = false, schema_children_null = false;
  bool cyclic = false;  // its schema's first child is its schema
  int64_t n_wide = 0;   // so many times its first child, in the schema alone

  int64_t length = 0, null_count = -1, offset = 0;
  std::optional<int64_t> n_buffers = {}, n_children = {};
  bool null = false, released = false, buffers_null = false, children_null = false;
  std::vector<Buffer> buffers = {};
  std::vector<Node> children = {};
  std::vector<Node> dictionary = {};                       // one or none
  bool schema_dictionary = true, array_dictionary = true;  // whether it is shown on each side

  bool has_dictionary() const { return !dictionary.empty() && schema_dictionary; }
};

/// What a stream does besides giving its batches.
struct Script {
  int schema_code = 0;
  int64_t n_before = 1, n_after = 1;  // sound batches before and after the one of the case
  int next_code = 0;                  // instead of the batch of the case
  bool no_get_schema = false, no_get_next = false, no_get_last_error = false, no_message = false;
  bool released = false, keeps_release = false, ends_instead = false;
};

struct Case {
  size_t which_layout = 0;
  uint64_t number = 0;
  std::string layout;
  std::vector<std::string> faults;  // their names
  bool is_table = true;             // else a column stands alone
  bool poisoned = false;            // what a consumer has no business with points nowhere
  bool unaligned = false;
  bool is_stream = false;
  Node root;   // the table of the columns, or the column
  Node sound;  // the same before anything was made wrong
  Script script;
  bool is_spared = false;  // its faults could not have been noticed, and were not made

  Node& column() { return is_table ? root.children[0] : root; }
};

/// The case of a number.
Case make_case(uint64_t number);
size_t n_layouts();
size_t n_faults();

/// A sound column of the layout (any number will do) of so many rows.
Node make_layout(size_t which, int64_t total, Random& random, std::string& name);
/// Makes one thing wrong, if the case has such a thing, and notes its name.
bool make_fault(size_t which, Case& made, Random& random);

/// How a format is laid out, and nothing of what it means.
enum class Shape { unsupported, bits, fixed, texts, views, list, codes, runs };
struct Layout {
  Shape shape = Shape::unsupported;
  int64_t width = 0;  // bytes of a value, an offset or a code; items of a list
};
Layout layout_of(const Node& node);
bool is_broken(std::string_view format);
extern const std::vector<const char*> kBroken;

/// What the specification says of a case, worked out the slow way with all sizes known.
struct Verdict {
  std::vector<std::string> wrong;  // one of which the refusal must say; nothing: it must be accepted
  bool is_schema = false;          // it is the schema that is wrong
  bool undetectable = false;       // a buffer is shorter than is claimed: nobody can tell
};
Verdict judge(const Node& root);

/// One row as text: "-" for null, "m" for a number that a double cannot hold, else its bytes.
using Cells = std::vector<std::string>;
Cells cells_of(const Node& column, const Node* table);
std::string cell_of(double value);

template <class T>
T load(const std::string& bytes, int64_t i) {
  T value;
  std::string_view(bytes).copy(reinterpret_cast<char*>(&value), sizeof value,
                               static_cast<size_t>(i) * sizeof value);
  return value;
}
/// Nothing where an earlier fault has left no room.
template <class T>
void store(std::string& bytes, int64_t i, T value) {
  if ((i + 1) * static_cast<int64_t>(sizeof value) > std::ssize(bytes)) return;
  bytes.replace(static_cast<size_t>(i) * sizeof value, sizeof value,
                std::string_view(reinterpret_cast<const char*>(&value), sizeof value));
}
inline bool bit_at(const std::string& bytes, int64_t i) {
  return (bytes[static_cast<size_t>(i / 8)] >> (i % 8)) & 1;
}
/// An integer of so many bytes, with or without a sign.
int64_t integer_at(const std::string& bytes, int64_t width, int64_t i, bool is_signed = true);
void set_integer(std::string& bytes, int64_t width, int64_t i, int64_t value);

}  // namespace capsules
