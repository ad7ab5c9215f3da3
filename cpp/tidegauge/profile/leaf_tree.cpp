#include "tidegauge/profile/leaf_tree.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <span>
#include <utility>

#include "tidegauge/arrow/bits.hpp"
#include "tidegauge/arrow/read.hpp"
#include "tidegauge/base/error.hpp"
#include "tidegauge/joint/tile.hpp"
#include "tidegauge/kernels/kernels.hpp"
#include "tidegauge/profile/texts.hpp"

namespace tidegauge {
namespace {

using arrow::ColumnView;
using arrow::Kind;
constexpr const char* kWhat = "leaves";
constexpr uint64_t kOpen = ~uint64_t{0};
constexpr int64_t kRows = joint::kTile;  // at a time

bool test(const uint64_t* words, int64_t i) { return (words[i >> 6] >> (i & 63)) & 1; }

bool is_plain(const ColumnView& view) {
  return view.type.kind == Kind::number && view.type.physical == arrow::Physical::float64 &&
         !view.type.dictionary && !view.type.run_end && !view.validity && !view.parent_validity;
}

std::shared_ptr<const binning::Categories> finder(const LeafColumn& column) {
  if (column.kind != Kind::category) return nullptr;
  return binning::Categories::make(column.hashes, {}, kDefaultSeed);
}

size_t code_of(const binning::Categories& found, std::string_view text) {
  return std::min(found.cell_of(hash_text(text, kDefaultSeed)), found.size());
}

/// Numbers of a tile, NaN where there is none.
const double* read_tile(const ColumnView& view, int64_t begin, int64_t n, double* buffer) {
  joint::prefetch_tile(view, begin + n);
  if (is_plain(view)) {
    const char* at = static_cast<const char*>(view.values) + (view.offset + begin) * 8;
    if (reinterpret_cast<uintptr_t>(at) % alignof(double) == 0) return reinterpret_cast<const double*>(at);
  }
  uint64_t words[kRows / 64];
  int64_t n_valid = arrow::read_validity(view, begin, n, words);
  n_valid -= arrow::read_numbers(view, begin, n, arrow::TimeUnit::none, buffer, words);
  if (n_valid < n) {
    for (int64_t i = 0; i < n; ++i) {
      if (!test(words, i)) buffer[i] = NAN;
    }
  }
  return buffer;
}

/// Calls use(i, code) for rows of a category column that is no dictionary.
template <class Use>
void for_texts(const ColumnView& view, const binning::Categories& found, int64_t begin, int64_t n, Use use) {
  Scratch& scratch = thread_scratch();
  if (arrow::read_validity(view, begin, n, scratch.words) == 0 || !readable_as_texts(view.type)) {
    for (int64_t i = 0; i < n; ++i) use(i, found.size() + 1);
    return;
  }
  read_as_texts(view, begin, n, scratch);
  for (int64_t i = 0; i < n; ++i) {
    use(i, test(scratch.words, i) ? code_of(found, scratch.texts[i]) : found.size() + 1);
  }
}

}  // namespace

void LeafColumn::check() const {
  const auto refuse = [&](const std::string& why) {
    throw SchemaError("leaves: column '" + name + "' " + why);
  };
  if (kind != Kind::number && kind != Kind::boolean && kind != Kind::category) {
    refuse("is no number, boolean or category, which a tree could ask for");
  }
  if (!cuts.empty() != (kind == Kind::number) || (!hashes.empty() && kind != Kind::category)) {
    refuse("needs cuts if it is a number, and only then; hashes only if it is a category");
  }
  for (size_t i = 0; i < cuts.size(); ++i) {
    if (!std::isfinite(cuts[i]) || (i > 0 && !(cuts[i - 1] < cuts[i])) ||
        (cuts[i] == 0 && std::signbit(cuts[i]))) {
      refuse("has cuts that do not ascend, are not finite, or are minus zero");
    }
  }
  if (n_codes() > kMaxCodes) refuse("has more than " + std::to_string(kMaxCodes) + " codes");
}

size_t LeafColumn::n_codes() const {
  if (kind == Kind::boolean) return 3;
  return (kind == Kind::number ? cuts.size() : hashes.size()) + 2;
}

std::vector<uint8_t> LeafColumn::read(const ColumnView* view, int64_t n_rows) const {
  std::vector<uint8_t> codes(static_cast<size_t>(n_rows), static_cast<uint8_t>(missing()));
  if (!view) return codes;
  const auto found = finder(*this);
  for (int64_t begin = 0; begin < n_rows; begin += kRows) {
    const int64_t n = std::min(kRows, n_rows - begin);
    uint8_t* out = &codes[static_cast<size_t>(begin)];
    if (kind == Kind::category) {
      for_texts(*view, *found, begin, n,
                [&](int64_t i, size_t code) { out[i] = static_cast<uint8_t>(code); });
    } else if (kind == Kind::number) {
      double buffer[kRows + 8];
      const double* x = read_tile(*view, begin, n, buffer);
      for (int64_t i = 0; i < n; ++i) {
        if (x[i] == x[i]) out[i] = static_cast<uint8_t>(std::ranges::upper_bound(cuts, x[i]) - cuts.begin());
      }
    } else if (view->type.kind == Kind::boolean) {
      uint64_t words[kRows / 64], bits[kRows / 64];
      arrow::read_validity(*view, begin, n, words);
      arrow::read_booleans(*view, begin, n, bits);
      for (int64_t i = 0; i < n; ++i) {
        if (test(words, i)) out[i] = test(bits, i);
      }
    }
  }
  return codes;
}

void LeafColumn::encode(ByteWriter& out) const {
  out.put_text(name);
  out.put(static_cast<uint8_t>(kind));
  out.put_varint(cuts.size());
  out.put_array(std::span(cuts));
  out.put_varint(hashes.size());
  out.put_array(std::span(hashes));
}

LeafColumn LeafColumn::decode(ByteReader& in) {
  LeafColumn column;
  column.name = in.get_text(kWhat);
  const auto kind = in.get<uint8_t>(kWhat);
  if (kind > static_cast<uint8_t>(Kind::embedding)) throw DecodeError("leaves: not a kind of column");
  column.kind = static_cast<Kind>(kind);
  column.cuts.resize(in.get_count(sizeof(double), kWhat));
  in.get_array(std::span(column.cuts), kWhat);
  column.hashes.resize(in.get_count(sizeof(uint64_t), kWhat));
  in.get_array(std::span(column.hashes), kWhat);
  column.check();
  return column;
}

LeafTree::LeafTree(std::vector<LeafColumn> columns, std::vector<Node> nodes)
    : columns_(std::move(columns)), nodes_(std::move(nodes)) {
  const auto require = [](bool sound, const char* why) {
    if (!sound) throw SchemaError(std::string("leaves: ") + why);
  };
  require(!columns_.empty() && columns_.size() < kMaxLeaves, "a tree asks for 1 to 15 columns");
  std::vector<std::string> names;
  for (const LeafColumn& column : columns_) {
    column.check();
    names.push_back(column.name);
    found_.push_back(finder(column));
    reach_.emplace_back(column.n_codes(), kOpen);
  }
  std::ranges::sort(names);
  require(std::ranges::adjacent_find(names) == names.end(), "a column is there twice");
  require(nodes_.size() >= 3 && nodes_.size() < 2 * kMaxLeaves, "a tree has 2 to 16 leaves");
  std::vector<size_t> parents(nodes_.size());
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    if (node.goes_left.empty()) {
      require(node.column == 0 && node.left == 0 && node.right == 0, "a leaf that asks");
      ++n_leaves_;
      continue;
    }
    require(node.column < columns_.size() && node.goes_left.size() == columns_[node.column].n_codes(),
            "a node asks for what its column has not");
    require(node.left > i && node.right > i && node.left < nodes_.size() && node.right < nodes_.size(),
            "a node's children do not come after it");
    ++parents[node.left], ++parents[node.right];
    for (const uint8_t side : node.goes_left) require(side <= 1, "a side is 0 or 1");
  }
  require(std::count(parents.begin() + 1, parents.end(), size_t{1}) + 1 == std::ssize(nodes_),
          "a node without a parent, or with two");
  // Which leaves lie below a node: children come after their parents.
  std::vector<uint64_t> below(nodes_.size());
  for (size_t i = nodes_.size(), leaf = n_leaves_; i-- > 0;) {
    const Node& node = nodes_[i];
    below[i] = node.goes_left.empty() ? uint64_t{1} << --leaf : below[node.left] | below[node.right];
    for (size_t code = 0; code < node.goes_left.size(); ++code) {
      reach_[node.column][code] &= ~below[node.goes_left[code] ? node.right : node.left];
    }
  }
  for (const Reach& reach : reach_) {
    flips_.emplace_back();
    for (size_t code = 1; code < reach.size(); ++code) flips_.back().push_back(reach[code - 1] ^ reach[code]);
  }
}

void LeafTree::encode(ByteWriter& out) const {
  out.put_varint(columns_.size());
  for (const LeafColumn& column : columns_) column.encode(out);
  out.put_varint(nodes_.size());
  for (const Node& node : nodes_) {
    out.put_varint(node.goes_left.empty() ? 0 : node.column + 1);
    if (node.goes_left.empty()) continue;
    out.put_varint(node.left);
    out.put_varint(node.right);
    out.put_array(std::span(node.goes_left));
  }
}

LeafTree LeafTree::decode(ByteReader& in) {
  std::vector<LeafColumn> columns;
  for (size_t left = in.get_count(1, kWhat); left > 0; --left) columns.push_back(LeafColumn::decode(in));
  std::vector<Node> nodes(in.get_count(1, kWhat));
  for (Node& node : nodes) {
    const uint64_t column = in.get_varint(kWhat);
    if (column == 0) continue;
    if (column > columns.size()) throw DecodeError("leaves: a node asks for a column that is not there");
    node.column = static_cast<size_t>(column - 1);
    node.left = static_cast<size_t>(in.get_varint(kWhat));
    node.right = static_cast<size_t>(in.get_varint(kWhat));
    node.goes_left.resize(columns[node.column].n_codes());
    in.get_array(std::span(node.goes_left), kWhat);
  }
  return {std::move(columns), std::move(nodes)};
}

LeafReader::LeafReader(const LeafTree& tree, const joint::Rows& rows)
    : tree_(tree), entries_(tree.columns_.size()) {
  for (size_t c = 0; c < tree.columns_.size(); ++c) {
    const ColumnView* view = rows.find(tree.columns_[c].name);
    views_.push_back(view);
    const binning::Categories* found = tree.found_[c].get();
    if (!view || !found || !view->type.dictionary || view->child->length > 4 * view->length + 1024) continue;
    const ColumnView& dictionary = *view->child;
    const LeafTree::Reach& reach = tree.reach_[c];
    entries_[c].assign(static_cast<size_t>(dictionary.length) + 1, reach.back());
    for (int64_t begin = 0; begin < dictionary.length; begin += kRows) {
      for_texts(dictionary, *found, begin, std::min(kRows, dictionary.length - begin),
                [&](int64_t i, size_t code) { entries_[c][static_cast<size_t>(begin + i)] = reach[code]; });
    }
  }
}

void LeafReader::read(int64_t begin, int64_t n, uint8_t* leaves) const {
  uint64_t open[kRows + 8];
  std::fill_n(open, n, kOpen);
  for (size_t c = 0; c < views_.size(); ++c) {
    if (!views_[c]) {
      const uint64_t missing = tree_.reach_[c].back();
      for (int64_t i = 0; i < n; ++i) open[i] &= missing;
    } else if (tree_.columns_[c].kind == Kind::number) {
      narrow_numbers(c, begin, n, open);
    } else if (tree_.columns_[c].kind == Kind::boolean) {
      narrow_booleans(c, begin, n, open);
    } else {
      narrow_categories(c, begin, n, open);
    }
  }
  for (int64_t i = 0; i < n; ++i) leaves[i] = static_cast<uint8_t>(std::countr_zero(open[i]));
}

void LeafReader::narrow_numbers(size_t c, int64_t begin, int64_t n, uint64_t* open) const {
  double buffer[kRows + 8];
  const double* x = read_tile(*views_[c], begin, n, buffer);
  const std::vector<double>& cuts = tree_.columns_[c].cuts;
  const LeafTree::Reach& reach = tree_.reach_[c];
  const kernels::Cuts among{cuts.data(), tree_.flips_[c].data(), cuts.size(), reach.front(), reach.back()};
  kernels::table().narrow_f64(x, static_cast<size_t>(n), among, open);
}

void LeafReader::narrow_booleans(size_t c, int64_t begin, int64_t n, uint64_t* open) const {
  const LeafTree::Reach& reach = tree_.reach_[c];
  uint64_t words[kRows / 64] = {}, bits[kRows / 64] = {};
  int64_t n_valid = 0;
  if (views_[c]->type.kind == Kind::boolean) {
    n_valid = arrow::read_validity(*views_[c], begin, n, words);
    arrow::read_booleans(*views_[c], begin, n, bits);
  }
  const uint64_t no = reach[0], turned = reach[0] ^ reach[1];
  if (n_valid == n) {
    for (int64_t i = 0; i < n; ++i) open[i] &= no ^ (turned & -uint64_t{test(bits, i)});
    return;
  }
  for (int64_t i = 0; i < n; ++i) open[i] &= test(words, i) ? reach[test(bits, i)] : reach.back();
}

void LeafReader::narrow_categories(size_t c, int64_t begin, int64_t n, uint64_t* open) const {
  const ColumnView& view = *views_[c];
  const LeafTree::Reach& reach = tree_.reach_[c];
  if (entries_[c].empty()) {
    for_texts(view, *tree_.found_[c], begin, n, [&](int64_t i, size_t code) { open[i] &= reach[code]; });
    return;
  }
  uint32_t codes[kRows];
  uint64_t words[kRows / 64];
  arrow::read_codes(view, begin, n, codes);
  const bool all_valid = arrow::read_validity(view, begin, n, words) == n;
  for (int64_t i = 0; i < n; ++i) {
    open[i] &= all_valid || test(words, i) ? entries_[c][codes[i]] : reach.back();
  }
}

}  // namespace tidegauge
