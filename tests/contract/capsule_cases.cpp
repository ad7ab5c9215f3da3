#include "capsule_model.hpp"

namespace capsules {
namespace {

constexpr int64_t kOffsets[] = {0, 1, 7, 8, 63};
constexpr int64_t kRows[] = {10, 10, 10, 1, 64, 65, 0};

/// A few rows more than the table looks at, sometimes.
Node column_of(size_t layout, int64_t total, int64_t offset, Random& random, std::string& name) {
  Node node = make_layout(layout, total, random, name);
  node.offset = offset;
  node.length = total - offset;
  return node;
}

/// What a schema says, so that two that say the same can share their batches.
std::string said(const Node& node) {
  std::string text = node.format.value_or("NULL") + "(";
  for (const Node& child : node.children) text += said(child) + ",";
  return text + ")" + (node.has_dictionary() ? "[" + said(node.dictionary[0]) + "]" : "");
}

Case make_sound(uint64_t number, Random& random) {
  Case made;
  made.number = number;
  made.which_layout = static_cast<size_t>(number % n_layouts());
  made.is_table = !random.one_in(5);
  made.is_stream = random.one_in(3);
  made.poisoned = random.one_in(2);
  made.unaligned = random.one_in(4);
  const int64_t n = random.pick(kRows), own = random.pick(kOffsets);
  const int64_t outer = made.is_table ? random.pick(kOffsets) : 0;
  const int64_t spare = random.one_in(4) ? random.below(9) : 0;
  made.root = column_of(made.which_layout, own + outer + n + spare, own, random, made.layout);
  if (!made.is_table) {
    made.root.length = n;
  } else {
    Node table{.format = "+s", .name = "", .length = n, .offset = outer, .buffers = {Buffer::none()}};
    if (random.one_in(4)) {
      table.buffers[0] = {.bytes = std::string(static_cast<size_t>((outer + n + 7) / 8), '\xa6')};
    }
    std::string unused;
    Node other = column_of(4, outer + n, 0, random, unused);
    other.name = "y";
    table.children.push_back(std::move(made.root));
    table.children.push_back(std::move(other));
    made.root = std::move(table);
  }
  made.sound = made.root;
  made.script.n_before = random.below(3);
  made.script.n_after = random.below(2);
  return made;
}

}  // namespace

/// Layouts change fastest, then faults: all pairs of them come by within n_layouts * n_faults cases. A fault
/// that does not fit the layout gives way to the next. Every third case has a second one, every ninth a
/// third; where together they cannot be noticed, the first alone is made, or none.
Case make_case(uint64_t number) {
  for (size_t most = 3;; most = most == 3 ? 1 : 0) {
    Random random(number);
    Case made = make_sound(number, random);
    size_t wanted = 1;
    while (wanted < 3 && random.one_in(3)) ++wanted;
    wanted = std::min(wanted, most);
    for (size_t at = number / n_layouts(); wanted && made.faults.empty(); ++at) make_fault(at, made, random);
    while (made.faults.size() < wanted) make_fault(static_cast<size_t>(random.next() >> 8), made, random);
    if (said(made.root) != said(made.sound)) made.script.n_before = made.script.n_after = 0;
    made.is_table = made.root.format == "+s";
    made.is_spared = most == 0;
    if (most == 0 || !judge(made.root).undetectable) return made;
  }
}

}  // namespace capsules
