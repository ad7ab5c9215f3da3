#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tidegauge/base/bytes.hpp"
#include "tidegauge/binning/categories.hpp"
#include "tidegauge/joint/outcomes.hpp"

namespace tidegauge {

struct Scratch;

/// A column as a tree asks for it: every value is one of a few codes.
///
/// Of a number, how many of `cuts` are at or below it; of a boolean, 0 or 1; of a category, the place of its
/// hash in `hashes`, or hashes.size() for any other value. The last code is that of a row without a usable
/// value: null, NaN, of another type, or in a batch without the column.
struct LeafColumn {
  static constexpr size_t kMaxCodes = 256;

  std::string name;
  arrow::Kind kind = arrow::Kind::number;  // or boolean, or category
  std::vector<double> cuts;                // ascending, finite
  std::vector<uint64_t> hashes;            // distinct, by kDefaultSeed

  /// Throws SchemaError.
  void check() const;
  size_t n_codes() const;
  size_t missing() const { return n_codes() - 1; }
  /// Of each row of a column that has been checked; null: that did not come.
  std::vector<uint8_t> read(const arrow::ColumnView* view, int64_t n_rows) const;

  void encode(ByteWriter& out) const;
  static LeafColumn decode(ByteReader& in);
};

/// A decision tree of 2 to 16 leaves. Leaves are numbered in the order of their nodes.
class LeafTree {
 public:
  static constexpr size_t kMaxLeaves = 16;

  /// A node that asks sends each code of a column to one of two later nodes; a leaf has no codes.
  struct Node {
    size_t column = 0;
    std::vector<uint8_t> goes_left;  // of each code, 0 or 1
    size_t left = 0, right = 0;
  };

  /// Node 0 is the root; every other one is the child of one earlier. Throws SchemaError.
  LeafTree(std::vector<LeafColumn> columns, std::vector<Node> nodes);

  const std::vector<LeafColumn>& columns() const { return columns_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  size_t n_leaves() const { return n_leaves_; }

  void encode(ByteWriter& out) const;
  /// Throws DecodeError, or SchemaError as the constructor does.
  static LeafTree decode(ByteReader& in);

 private:
  friend class LeafReader;
  /// The leaves that a code of a column leaves open, as bits: those of all columns have one in common.
  using Reach = std::vector<uint64_t>;

  std::vector<LeafColumn> columns_;
  std::vector<Node> nodes_;
  size_t n_leaves_ = 0;
  std::vector<Reach> reach_;                                       // of each column
  std::vector<Reach> flips_;                                       // where it changes from code to code
  std::vector<std::shared_ptr<const binning::Categories>> found_;  // of each column, or null
};

/// Reads the leaf of each of some rows, which have been checked. What a dictionary holds is looked up once.
class LeafReader {
 public:
  LeafReader(const LeafTree& tree, const joint::Rows& rows);

  /// Of rows [begin, begin + n), n <= joint::kTile.
  void read(int64_t begin, int64_t n, uint8_t* leaves) const;

 private:
  void narrow_numbers(size_t c, int64_t begin, int64_t n, uint64_t* open) const;
  void narrow_booleans(size_t c, int64_t begin, int64_t n, uint64_t* open) const;
  void narrow_categories(size_t c, int64_t begin, int64_t n, uint64_t* open) const;

  const LeafTree& tree_;
  std::vector<const arrow::ColumnView*> views_;  // of each column, or null
  std::vector<std::vector<uint64_t>> entries_;   // of a dictionary, or empty
};

}  // namespace tidegauge
