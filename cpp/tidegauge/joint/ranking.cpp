#include "tidegauge/joint/ranking.hpp"

#include <algorithm>
#include <cmath>

#include "tidegauge/base/error.hpp"
#include "tidegauge/base/hash.hpp"
#include "tidegauge/base/logarithm.hpp"
#include "tidegauge/joint/tile.hpp"
#include "tidegauge/joint/wide.hpp"

namespace tidegauge::joint {
namespace {

constexpr const char* kWhat = "ranking outcomes";
constexpr int64_t kUnits = int64_t{1} << 40;

/// The largest values of some rows, by falling value; equal ones in the order they came.
class Largest {
 public:
  void add(double value, double kept) {
    if (n_ == Ranking::kMost && !(value > values_[n_ - 1])) return;
    size_t at = n_ < Ranking::kMost ? n_++ : n_ - 1;
    for (; at > 0 && value > values_[at - 1]; --at) {
      values_[at] = values_[at - 1];
      kept_[at] = kept_[at - 1];
    }
    values_[at] = value;
    kept_[at] = kept;
  }
  size_t size() const { return n_; }
  /// What was given beside the i-th.
  double operator[](size_t i) const { return kept_[i]; }

 private:
  size_t n_ = 0;
  double values_[Ranking::kMost], kept_[Ranking::kMost];
};

}  // namespace

std::shared_ptr<const RankingSpec> RankingSpec::make(std::string query, std::string score,
                                                     std::string label) {
  if (query == score || query == label || score == label) {
    throw SchemaError("outcomes: query '" + query + "', score '" + score + "' and label '" + label +
                      "' must be different columns");
  }
  auto spec = std::make_shared<RankingSpec>();
  spec->query = std::move(query);
  spec->score = std::move(score);
  spec->label = std::move(label);
  ByteWriter bytes;
  spec->encode(bytes);
  spec->id = hash_bytes(bytes.bytes().data(), bytes.size(), kDefaultSeed ^ 'q');
  return spec;
}

void RankingSpec::encode(ByteWriter& out) const {
  for (const std::string* name : {&query, &score, &label}) out.put_text(*name);
}

std::shared_ptr<const RankingSpec> RankingSpec::decode(ByteReader& in) {
  std::string names[3];
  for (std::string& name : names) name = in.get_text(kWhat);
  return make(names[0], names[1], names[2]);
}

uint64_t Ranking::n_rows() const {
  uint64_t n = 0;
  for (const uint64_t count : rows_) n += count;
  return n;
}

void Ranking::add(std::span<const RankedRow> rows) {
  size_t n_amiss = 0, n_unlabelled = 0, n_relevant = 0;
  for (const RankedRow& row : rows) {
    n_amiss += row.what != Ranked::ranked;
    n_unlabelled += row.what == Ranked::unlabelled;
    n_relevant += row.what == Ranked::ranked && row.relevance > 0;
  }
  Query what = Query::counted;
  if (n_unlabelled == rows.size()) {
    what = Query::unlabelled;
  } else if (n_amiss > 0) {
    what = Query::incomplete;
  } else if (rows.size() == 1) {
    what = Query::single;
  } else if (n_relevant == 0) {
    what = Query::without_relevant;
  }
  ++queries_[static_cast<size_t>(what)];
  for (const RankedRow& row : rows) {
    const bool fine = row.what == Ranked::ranked && what != Query::counted;
    ++rows_[static_cast<size_t>(fine ? Ranked::set_aside : row.what)];
  }
  if (what == Query::counted) count(rows, n_relevant);
}

void Ranking::count(std::span<const RankedRow> rows, size_t n_relevant) {
  Largest ranked, ideal;
  for (const RankedRow& row : rows) {
    ranked.add(row.score, row.relevance);
    ideal.add(row.relevance, row.relevance);
  }
  const auto n = static_cast<double>(n_relevant);
  double gain = 0, best = 0, precisions = 0, first = 0, found = 0;
  size_t next = 0;
  for (size_t i = 0; i < kMost; ++i) {
    const auto rank = static_cast<double>(i + 1);
    if (i < ranked.size()) {
      const double discount = logarithm(2) / logarithm(rank + 1);
      gain += ranked[i] * discount;
      best += ideal[i] * discount;
      if (ranked[i] > 0) {
        found += 1;
        precisions += found / rank;
        if (found == 1) first = 1 / rank;
      }
    }
    if (i + 1 < kFirst[next]) continue;
    const double values[kMetrics] = {
        gain / best, precisions / std::min(n, rank), first, found > 0 ? 1.0 : 0.0, found / n, found / rank};
    for (size_t of = 0; of < kMetrics; ++of) {
      const double value = std::min(values[of], 1.0);  // beyond by rounding only
      Sums& sums = sums_[next][of];
      sums.total += static_cast<int64_t>(std::nearbyint(value * kUnits));
      sums.square += static_cast<int64_t>(std::nearbyint(value * value * kUnits));
    }
    ++next;
  }
}

void Ranking::merge(const Ranking& other) {
  for (size_t i = 0; i < kRanked; ++i) rows_[i] += other.rows_[i];
  for (size_t i = 0; i < kQueries; ++i) queries_[i] += other.queries_[i];
  for (size_t k = 0; k < kFirsts; ++k) {
    for (size_t of = 0; of < kMetrics; ++of) {
      sums_[k][of].total += other.sums_[k][of].total;
      sums_[k][of].square += other.sums_[k][of].square;
    }
  }
}

void Ranking::subtract(const Ranking& other) {
  Ranking left = *this;
  bool more = false;
  const auto take = [&more](auto& from, const auto& part) {
    for (size_t i = 0; i < from.size(); ++i) {
      more |= part[i] > from[i];
      from[i] -= part[i];
    }
  };
  take(left.rows_, other.rows_);
  take(left.queries_, other.queries_);
  for (size_t k = 0; k < kFirsts; ++k) {
    for (size_t of = 0; of < kMetrics; ++of) {
      left.sums_[k][of].total -= other.sums_[k][of].total;
      left.sums_[k][of].square -= other.sums_[k][of].square;
    }
  }
  if (more || left.broken()) {
    throw MergeError(
        "ranking outcomes: what is to be taken away was never added; subtract only what an earlier update or "
        "merge added");
  }
  *this = std::move(left);
}

bool Ranking::operator==(const Ranking& other) const {
  return spec_->id == other.spec_->id && rows_ == other.rows_ && queries_ == other.queries_ &&
         sums_ == other.sums_;
}

/// Whether no queries have these counts and sums; the rows are of 2^62 at most.
bool Ranking::broken() const {
  uint64_t others = n_rows() - rows(Ranked::ranked) - rows(Ranked::query_null) - rows(Ranked::query_mistyped);
  for (size_t i = 1; i < kQueries; ++i) {
    if (queries_[i] > others) return true;
    others -= queries_[i];
  }
  const uint64_t n = queries(Query::counted), n_ranked = rows(Ranked::ranked);
  if (n > n_ranked / 2 || (n == 0 && n_ranked > 0)) return true;
  const int128 most = static_cast<int128>(n) * kUnits;
  for (const auto& of_first : sums_) {
    for (const Sums& sums : of_first) {
      if (sums.total < 0 || sums.total > most || sums.square < 0 || sums.square > most) return true;
    }
  }
  return false;
}

void Ranking::encode(ByteWriter& out) const {
  for (const uint64_t count : rows_) out.put_varint(count);
  for (const uint64_t count : queries_) out.put_varint(count);
  for (const auto& of_first : sums_) {
    for (const Sums& sums : of_first) put_wide(out, sums.total), put_wide(out, sums.square);
  }
}

Ranking Ranking::decode(ByteReader& in, std::shared_ptr<const RankingSpec> spec) {
  Ranking state(std::move(spec));
  uint64_t left = kMaxRows;
  for (uint64_t& count : state.rows_) {
    count = in.get_varint(kWhat);
    if (count > left) throw DecodeError("ranking outcomes: more than 2^62 rows");
    left -= count;
  }
  for (uint64_t& count : state.queries_) count = in.get_varint(kWhat);
  for (auto& of_first : state.sums_) {
    for (Sums& sums : of_first) sums.total = get_wide(in, kWhat), sums.square = get_wide(in, kWhat);
  }
  if (state.broken()) throw DecodeError("ranking outcomes: counts and sums that no queries have");
  return state;
}

}  // namespace tidegauge::joint
