#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "tidegauge/base/bytes.hpp"
#include "tidegauge/base/int128.hpp"

namespace tidegauge::joint {

/// The columns of ranked lists: rows of one query are ranked by score, and the label says how relevant a row
/// is, 0 or more.
struct RankingSpec {
  std::string query, score, label;
  uint64_t id = 0;

  /// Throws SchemaError.
  static std::shared_ptr<const RankingSpec> make(std::string query, std::string score, std::string label);
  void encode(ByteWriter& out) const;
  static std::shared_ptr<const RankingSpec> decode(ByteReader& in);
};

/// What became of a row: its query was counted, or the row was fine and its query was not, or what is amiss.
enum class Ranked : uint8_t {
  ranked,
  set_aside,
  unlabelled,  // a relevance that is null or NaN
  query_null,
  query_mistyped,
  score_null,
  score_mistyped,
  score_nan,
  score_infinite,
  relevance_mistyped,
  relevance_negative,
  relevance_infinite,  // or beyond what sums can hold
};
inline constexpr size_t kRanked = 12;

/// What became of a query: counted, or why not.
enum class Query : uint8_t {
  counted,
  single,            // one row: any order is the best
  without_relevant,  // no row above 0: no order is
  unlabelled,        // no row has a relevance yet
  incomplete,        // some row lacks a usable score or relevance
};
inline constexpr size_t kQueries = 5;

/// A row that is ranked, as far as it is known.
struct RankedRow {
  double score = 0, relevance = 0;
  Ranked what = Ranked::ranked;  // set_aside is never given
};

/// Metrics of ranked lists, summed over queries, among the first 1, 5 and 10 rows of each.
///
/// All lie in [0, 1] and are summed, as are their squares, in fixed point of 2^-40: any order of queries and
/// any tree of merges gives the same bytes. Equal scores stay in the order of the rows.
class Ranking {
 public:
  using Spec = RankingSpec;
  enum Metric : size_t { ndcg, average_precision, reciprocal_rank, hit, recall, precision };
  static constexpr size_t kMetrics = 6;
  static constexpr size_t kFirst[] = {1, 5, 10};
  static constexpr size_t kFirsts = 3, kMost = 10;
  struct Sums {
    int128 total = 0, square = 0;
    bool operator==(const Sums&) const = default;
  };

  explicit Ranking(std::shared_ptr<const RankingSpec> spec) : spec_(std::move(spec)) {}

  const std::shared_ptr<const RankingSpec>& spec() const { return spec_; }
  uint64_t n_rows() const;
  uint64_t rows(Ranked what) const { return rows_[static_cast<size_t>(what)]; }
  uint64_t queries(Query what) const { return queries_[static_cast<size_t>(what)]; }
  const Sums& sums(size_t first, Metric metric) const { return sums_[first][metric]; }

  /// Adds one query: all its rows.
  void add(std::span<const RankedRow> rows);
  /// Adds a row that is of no query.
  void add_without_query(Ranked why) { ++rows_[static_cast<size_t>(why)]; }
  /// Of an equal spec.
  void merge(const Ranking& other);
  /// Takes away queries that were added; throws MergeError, and changes nothing, where they cannot have been.
  void subtract(const Ranking& other);
  /// The same: a label that comes later than its row finds the query gone, and changes nothing.
  Ranking without_labels() const { return *this; }
  bool operator==(const Ranking& other) const;

  void encode(ByteWriter& out) const;
  static Ranking decode(ByteReader& in, std::shared_ptr<const RankingSpec> spec);

 private:
  void count(std::span<const RankedRow> rows, size_t n_relevant);
  bool broken() const;

  std::shared_ptr<const RankingSpec> spec_;
  std::array<uint64_t, kRanked> rows_{};
  std::array<uint64_t, kQueries> queries_{};
  std::array<std::array<Sums, kMetrics>, kFirsts> sums_{};
};

}  // namespace tidegauge::joint
