#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "laws.hpp"
#include "streams.hpp"
#include "tidegauge/joint/binary.hpp"
#include "tidegauge/joint/confusion.hpp"
#include "tidegauge/joint/multiclass.hpp"
#include "tidegauge/joint/ranking.hpp"
#include "tidegauge/joint/regression.hpp"
#include "tidegauge/joint/tile.hpp"

namespace tidegauge::contract {

/// Calls add(begin, n) for tiles of n_rows rows.
template <class Add>
void for_tiles(size_t n_rows, Add add) {
  constexpr auto kTile = static_cast<size_t>(joint::kTile);
  for (size_t begin = 0; begin < n_rows; begin += kTile) add(begin, std::min(kTile, n_rows - begin));
}

/// Rows that were added and taken away again leave the bytes of what was there before, where sums are exact.
template <class State, class Update, class Value>
void require_subtractable(const State& state, std::span<const Value> rows, Update update) {
  ByteWriter before, after;
  state.encode(before);
  State more = state;
  update(more, rows.first(rows.size() / 2));
  State part(state.spec());
  update(part, rows.first(rows.size() / 2));
  more.subtract(part);
  more.encode(after);
  require(std::ranges::equal(before.bytes(), after.bytes()), "a subtraction leaves other bytes");
  if (rows.empty()) return;
  State twice = state;
  twice.merge(state);
  try {
    State once = state;
    once.subtract(twice);
  } catch (const MergeError&) {
    return;
  }
  throw Broken("more can be taken away than there is");
}

struct ScoredRow {
  double score = 0;
  joint::Outcome outcome = joint::Outcome::negative;
  double weight = 1;
};

/// Few cells of probabilities, or many of scores on a wide scale, some far outside of it.
template <bool wide, bool weighted>
struct BinaryAdaptor : Members<joint::Binary> {
  using Value = ScoredRow;
  static constexpr bool order_free = !weighted;
  static std::shared_ptr<const joint::BinarySpec> spec() {
    static const auto made = [] {
      std::vector<double> edges;
      if (wide) {
        for (int i = -20; i <= 20; ++i) edges.push_back(i * 0.37);
      } else {
        edges = {0.125, 0.25, 0.5, 0.75};
      }
      return joint::BinarySpec::make("score", "label", weighted ? "weight" : "", edges, {0.0, 1.0});
    }();
    return made;
  }
  static State make() { return State(spec()); }
  static State decode(ByteReader& in) { return State::decode(in, spec()); }
  static std::vector<size_t> sizes() { return {12, 150, 0, 1, 511, 512, 513, 9'000}; }
  static std::vector<Value> stream(uint64_t seed, size_t n) {
    std::mt19937_64 random(seed);
    std::vector<Value> rows(n);
    for (Value& row : rows) {
      row.score = wide ? gaussian(random) * (random() % 50 ? 3 : 3e3) : uniform(random);
      if (random() % 40 == 0) row.score = spec()->edges->values[random() % 4];
      const auto outcome = static_cast<joint::Outcome>(
          random() % 8 ? random() % joint::kCounted : random() % (joint::kCounted + joint::kHomes));
      row.outcome = outcome;
      row.weight = random() % 10 ? uniform(random) * 5 : 0.0;
    }
    return rows;
  }
  static void update(State& state, std::span<const Value> rows) {
    std::vector<double> scores, weights;
    std::vector<joint::Code> outcomes;
    for (const Value& row : rows) {
      const bool counted = static_cast<size_t>(row.outcome) < joint::kCounted;
      scores.push_back(counted ? row.score : 0);
      outcomes.push_back(static_cast<joint::Code>(row.outcome));
      weights.push_back(row.weight);
    }
    for_tiles(rows.size(), [&](size_t begin, size_t n) {
      state.update(scores.data() + begin, outcomes.data() + begin,
                   weighted ? weights.data() + begin : nullptr, n);
    });
  }
  static void check(const State& state, std::span<const Value> rows) {
    require(state.n_rows() == rows.size(), "the homes do not add up");
    const std::vector<double>& edges = spec()->edges->values;
    const size_t n_slots = joint::kCounted * spec()->n_cells();
    std::vector<uint64_t> counts(n_slots), homes(joint::kHomes);
    std::vector<int128> z(n_slots), squares(n_slots);
    std::vector<long double> weights(n_slots), weighted_z(n_slots);
    long double weight_squares[joint::kCounted] = {};
    uint64_t n_clipped = 0;
    for (const Value& row : rows) {
      const auto outcome = static_cast<size_t>(row.outcome);
      if (outcome >= joint::kCounted) {
        ++homes[outcome - joint::kCounted];
        continue;
      }
      const auto cell = static_cast<size_t>(
          std::count_if(edges.begin(), edges.end(), [&](double edge) { return edge <= row.score; }));
      const size_t slot = joint::kCounted * cell + outcome;
      const double scaled = row.score * spec()->scale, within = std::clamp(scaled, -32.0, 32.0);
      ++counts[slot];
      z[slot] += std::llrint(within * 0x1p40);
      squares[slot] += std::llrint(within * within * 0x1p40);
      n_clipped += scaled != within;
      weights[slot] += static_cast<long double>(row.weight);
      weight_squares[outcome] += static_cast<long double>(row.weight) * static_cast<long double>(row.weight);
      weighted_z[slot] += static_cast<long double>(row.weight) * static_cast<long double>(within);
    }
    for (size_t i = 0; i < n_slots; ++i) {
      require(state.count(i) == counts[i], "a count is wrong");
      require(state.sums(i).z == z[i] && state.sums(i).squares == squares[i], "a sum is wrong");
      if (!weighted) continue;
      const auto close = [](double a, long double b) {
        return std::fabs(static_cast<double>(static_cast<long double>(a) - b)) <= 1e-9;
      };
      require(close(state.weights()[i].n, weights[i]) && close(state.weights()[i].z, weighted_z[i]),
              "a weighted sum is wrong");
    }
    for (size_t i = 0; weighted && i < joint::kCounted; ++i) {
      const double told = state.weight_squares(static_cast<joint::Outcome>(i));
      require(std::fabs(static_cast<long double>(told) - weight_squares[i]) <= 1e-12L * weight_squares[i],
              "a sum of squared weights is wrong");
    }
    for (size_t i = 0; i < joint::kHomes; ++i) {
      require(state.home(static_cast<joint::Outcome>(joint::kCounted + i)) == homes[i], "a home is wrong");
    }
    require(state.n_clipped() == n_clipped, "clipped scores are counted wrong");
    if (!weighted) require_subtractable(state, rows, update);
  }
  static void query(const State& state) {
    state.n_rows();
    state.sums(0);
  }
};

/// Pairs of codes, those of rows without a class among them.
struct ConfusionAdaptor : Members<joint::Confusion> {
  using Value = std::pair<joint::Code, joint::Code>;
  static constexpr bool order_free = true;
  static std::shared_ptr<const joint::ConfusionSpec> spec() {
    static const auto made = joint::ConfusionSpec::make(
        "prediction", "label", {std::string("a"), std::string("b"), std::string("c")});
    return made;
  }
  static State make() { return State(spec()); }
  static State decode(ByteReader& in) { return State::decode(in, spec()); }
  static std::vector<size_t> sizes() { return {20, 300, 0, 1, 9'000}; }
  static std::vector<Value> stream(uint64_t seed, size_t n) {
    std::mt19937_64 random(seed);
    std::vector<Value> rows(n);
    for (auto& [prediction, label] : rows) {
      prediction = static_cast<joint::Code>(random() % 6), label = static_cast<joint::Code>(random() % 6);
    }
    return rows;
  }
  static void update(State& state, std::span<const Value> rows) {
    std::vector<joint::Code> predictions, labels;
    for (const auto& [prediction, label] : rows) predictions.push_back(prediction), labels.push_back(label);
    state.update(predictions.data(), labels.data(), rows.size());
  }
  static void check(const State& state, std::span<const Value> rows) {
    require(state.n_rows() == rows.size(), "the homes do not add up");
    uint64_t counts[4][5] = {}, homes[3] = {};
    for (const auto& [prediction, label] : rows) {
      if (prediction >= 4 || label == 5) {
        ++homes[prediction == 4 ? 0 : prediction == 5 ? 1 : 2];
      } else {
        ++counts[prediction][label];
      }
    }
    for (size_t i = 0; i < 20; ++i) require(state.counts()[i] == counts[i / 5][i % 5], "a count is wrong");
    for (size_t i = 0; i < 3; ++i) {
      require(state.home(static_cast<State::Home>(i)) == homes[i], "a home is wrong");
    }
    require_subtractable(state, rows, update);
  }
  static void query(const State& state) { state.n_rows(); }
};

struct AnsweredRow {
  double prediction = 0, label = 0, lower = 0, upper = 0;
  joint::Answer answer = joint::Answer::labelled;
};

struct RegressionAdaptor : Members<joint::Regression> {
  using Value = AnsweredRow;
  static constexpr bool order_free = false;
  static std::shared_ptr<const joint::RegressionSpec> spec() {
    static const auto made =
        joint::RegressionSpec::make("prediction", "label", {-1.0, 0.0, 0.5, 2.0}, "lower", "upper");
    return made;
  }
  static State make() { return State(spec()); }
  static State decode(ByteReader& in) { return State::decode(in, spec()); }
  static std::vector<size_t> sizes() { return {20, 300, 0, 1, 512, 513, 9'000}; }
  static std::vector<Value> stream(uint64_t seed, size_t n) {
    std::mt19937_64 random(seed);
    std::vector<Value> rows(n);
    for (Value& row : rows) {
      row.answer = static_cast<joint::Answer>(random() % 4 ? 0 : random() % joint::kAnswers);
      if (row.answer != joint::Answer::labelled) continue;
      row.label = random() % 20 ? gaussian(random) * (random() % 2 ? 1e3 : 1) : 0;
      row.prediction = row.label + gaussian(random) * (seed == 4 && random() % 30 == 0 ? 1e140 : 1.0);
      row.lower = random() % 30 ? row.prediction - 1 : NAN;
      row.upper = random() % 30 ? row.prediction + 1 : NAN;
    }
    return rows;
  }
  static void update(State& state, std::span<const Value> rows) {
    std::vector<double> predictions, labels;
    std::vector<joint::Answer> answers;
    for (const Value& row : rows) {
      predictions.push_back(row.prediction), labels.push_back(row.label), answers.push_back(row.answer);
    }
    for_tiles(rows.size(), [&](size_t begin, size_t n) {
      double bounds[2 * joint::kTile];
      for (size_t i = 0; i < n; ++i) {
        bounds[i] = rows[begin + i].lower, bounds[joint::kTile + i] = rows[begin + i].upper;
      }
      state.update(predictions.data() + begin, labels.data() + begin, answers.data() + begin, bounds, n);
    });
  }
  static void check(const State& state, std::span<const Value> rows) {
    require(state.n_rows() == rows.size(), "the homes do not add up");
    const std::vector<double>& edges = spec()->edges->values;
    std::vector<uint64_t> cells(edges.size() + 1), answers(joint::kAnswers);
    long double sums[State::kSums] = {}, sizes[State::kSums] = {};
    uint64_t n_relative = 0, n_logs = 0, sides[joint::kSides] = {};
    for (const Value& row : rows) {
      ++answers[static_cast<size_t>(row.answer)];
      if (row.answer != joint::Answer::labelled) continue;
      const double residual = row.prediction - row.label;
      const auto e = static_cast<long double>(residual), y = static_cast<long double>(row.label);
      ++cells[static_cast<size_t>(
          std::count_if(edges.begin(), edges.end(), [&](double edge) { return edge <= residual; }))];
      const long double whole = std::fabs(y) + std::fabs(static_cast<long double>(row.prediction));
      const bool is_relative = row.label != 0 && std::fabs(residual / row.label) <= joint::kMaxValue;
      const long double r = is_relative ? std::fabs(e / y) : 0, s = whole > 0 ? 2 * std::fabs(e) / whole : 0;
      const bool has_logs = row.label > -1 && row.prediction > -1;
      const long double gap =
          has_logs ? std::log1p(static_cast<long double>(row.prediction)) - std::log1p(y) : 0;
      n_relative += is_relative;
      n_logs += has_logs;
      if (!std::isnan(row.lower) && !std::isnan(row.upper)) {
        ++sides[row.label < row.lower ? 0 : row.label > row.upper ? 2 : 1];
      }
      const long double added[State::kSums] = {
          e,     e * e,     std::fabs(e),         y, y * y, e > 0 ? e * e : 0, r, r * r, s,
          s * s, gap * gap, gap * gap * gap * gap};
      for (size_t of = 0; of < State::kSums; ++of) sums[of] += added[of], sizes[of] += std::fabs(added[of]);
    }
    require(state.cells() == cells, "a cell is wrong");
    for (size_t i = 0; i < joint::kAnswers; ++i) {
      require(state.answers(static_cast<joint::Answer>(i)) == answers[i], "an answer is wrong");
    }
    for (size_t of = 0; of < State::kSums; ++of) {
      const long double error = static_cast<long double>(state.sum(State::Of(of))) - sums[of];
      // Of logarithms that nearly cancel, what rounding leaves of each.
      const long double slack = of >= State::log_squared ? 1e-12L * static_cast<long double>(n_logs) : 0;
      require(std::fabs(error) <= (of >= State::relative ? 4e-15L : 1e-15L) * sizes[of] + slack,
              "sum " + std::to_string(of) + " is wrong");
    }
    require(state.rows_of(State::relative) == n_relative && state.rows_of(State::log_squared) == n_logs,
            "rows with relative errors are counted wrong");
    for (size_t i = 0; i < joint::kSides; ++i) {
      require(state.side(static_cast<joint::Side>(i)) == sides[i], "a side is wrong");
    }
  }
  static void query(const State& state) { state.sum(State::residual); }
};

struct ClassifiedRow {
  double scores[3] = {};
  joint::Code label = 0;
  uint8_t amiss = 0;
};

/// Scores of three classes that add up to 1, some that do not, and rows that lack one or whose label is none.
struct MulticlassAdaptor : Members<joint::Multiclass> {
  using Value = ClassifiedRow;
  static constexpr bool order_free = true;
  static std::shared_ptr<const joint::MulticlassSpec> spec() {
    static const auto made = joint::MulticlassSpec::make({"a", "b", "c"}, "label", {0.0, 1.0, 2.0},
                                                         {{0.25, 0.5}, {0.125}, {0.0, 0.5, 1.0}});
    return made;
  }
  static State make() { return State(spec()); }
  static State decode(ByteReader& in) { return State::decode(in, spec()); }
  static std::vector<size_t> sizes() { return {15, 200, 0, 1, 511, 512, 513, 5'000}; }
  static std::vector<Value> stream(uint64_t seed, size_t n) {
    std::mt19937_64 random(seed);
    std::vector<Value> rows(n);
    for (Value& row : rows) {
      row.label = static_cast<joint::Code>(random() % 6);
      row.amiss = static_cast<uint8_t>(random() % 12 ? 0 : random() % 5);
      if (row.amiss) continue;
      double whole = 0;
      for (double& score : row.scores) whole += score = random() % 9 ? uniform(random) : 0.25;
      for (double& score : row.scores) score = random() % 40 ? score / whole : 3 * gaussian(random);
      if (random() % 20 == 0) row.scores[0] = 1, row.scores[1] = row.scores[2] = 0;
    }
    return rows;
  }
  static void update(State& state, std::span<const Value> rows) {
    for_tiles(rows.size(), [&](size_t begin, size_t n) {
      std::vector<double> scores(3 * State::kStride);
      std::vector<joint::Code> labels;
      std::vector<uint8_t> amiss;
      for (size_t i = 0; i < n; ++i) {
        const Value& row = rows[begin + i];
        for (size_t c = 0; c < 3; ++c) scores[State::kStride * c + i] = row.scores[c];
        labels.push_back(row.label), amiss.push_back(row.amiss);
      }
      state.update(scores.data(), labels.data(), amiss.data(), n);
    });
  }
  static void check(const State& state, std::span<const Value> rows) {
    require(state.n_rows() == rows.size(), "the homes do not add up");
    std::vector<std::vector<uint64_t>> counts;
    for (size_t c = 0; c < 3; ++c) counts.emplace_back(State::kSlots * spec()->n_cells(c));
    uint64_t homes[State::kHomes] = {}, ranks[3] = {}, n = 0, n_clipped = 0;
    long double losses[State::kLosses] = {};
    for (const Value& row : rows) {
      if (row.amiss || row.label == 3 || row.label == 5) {
        ++homes[row.amiss ? row.amiss - 1 : row.label == 3 ? 4 : 5];
        continue;
      }
      const auto before = [&](size_t a, size_t b) {
        return row.scores[a] > row.scores[b] || (row.scores[a] == row.scores[b] && a > b);
      };
      bool probable = true;
      long double brier = 0;
      for (size_t c = 0; c < 3; ++c) {
        const double score = row.scores[c];
        const auto& edges = spec()->edges[c]->values;
        const auto cell = static_cast<size_t>(
            std::count_if(edges.begin(), edges.end(), [&](double edge) { return edge <= score; }));
        size_t rank = 0;
        for (size_t other = 0; other < 3; ++other) rank += other != c && before(other, c);
        ++counts[c][6 * cell + (rank == 0 ? 3 : 0) + (row.label == 4 ? 2 : row.label == c)];
        ranks[rank] += row.label == c;
        probable &= score >= -1e-9 && score <= 1 + 1e-9;
        const long double gap = static_cast<long double>(score) - (row.label == c ? 1 : 0);
        brier += gap * gap;
      }
      if (row.label == 4 || !probable) continue;
      const double own = row.scores[row.label], p = std::clamp(own, 0x1p-52, 1 - 0x1p-52);
      const long double log = -std::log(static_cast<long double>(p));
      ++n, n_clipped += p != own;
      const long double added[] = {log, log * log, brier, brier * brier};
      for (size_t of = 0; of < State::kLosses; ++of) losses[of] += added[of];
    }
    for (size_t c = 0; c < 3; ++c) require(state.counts(c) == counts[c], "a count is wrong");
    for (size_t i = 0; i < 3; ++i) require(state.ranks()[i] == ranks[i], "a rank is wrong");
    for (size_t i = 0; i < State::kHomes; ++i) {
      require(state.home(static_cast<State::Home>(i)) == homes[i], "a home is wrong");
    }
    require(state.n_probable() == n && state.n_clipped() == n_clipped, "rows with losses are counted wrong");
    for (size_t of = 0; of < State::kLosses; ++of) {
      const auto told = static_cast<long double>(state.loss(static_cast<State::Loss>(of))) * 0x1p-40L;
      require(std::fabs(told - losses[of]) <= 1e-12L * static_cast<long double>(n) + 1e-13L * losses[of],
              "a loss is wrong");
    }
    require_subtractable(state, rows, update);
  }
  static void query(const State& state) { state.n_rows(); }
};

/// Whole queries: of one row, without a relevant one, with one that is amiss, and others.
struct RankingAdaptor : Members<joint::Ranking> {
  using Value = std::vector<joint::RankedRow>;
  static constexpr bool order_free = true;
  static std::shared_ptr<const joint::RankingSpec> spec() {
    static const auto made = joint::RankingSpec::make("query", "score", "label");
    return made;
  }
  static State make() { return State(spec()); }
  static State decode(ByteReader& in) { return State::decode(in, spec()); }
  static std::vector<size_t> sizes() { return {10, 100, 0, 1, 2'000}; }
  static std::vector<Value> stream(uint64_t seed, size_t n) {
    std::mt19937_64 random(seed);
    std::vector<Value> queries(n);
    for (Value& rows : queries) {
      rows.resize(1 + random() % 14);
      const bool relevant = random() % 5;
      for (joint::RankedRow& row : rows) {
        row.score = random() % 4 ? gaussian(random) : 0.5;
        row.relevance = relevant && random() % 3 == 0 ? static_cast<double>(1 + random() % 3) : 0;
        if (random() % 60 == 0) row.what = static_cast<joint::Ranked>(5 + random() % 7);
      }
      if (random() % 12) continue;
      for (joint::RankedRow& row : rows) row.what = joint::Ranked::unlabelled;
    }
    return queries;
  }
  static void update(State& state, std::span<const Value> queries) {
    for (const Value& rows : queries) state.add(rows);
  }
  static void check(const State& state, std::span<const Value> queries) {
    uint64_t rows_by[joint::kRanked] = {}, queries_by[joint::kQueries] = {}, n_rows = 0;
    long double totals[State::kFirsts][State::kMetrics] = {}, squares[State::kFirsts][State::kMetrics] = {};
    for (const Value& rows : queries) {
      n_rows += rows.size();
      const auto are = [&](auto is) { return static_cast<size_t>(std::ranges::count_if(rows, is)); };
      const size_t n_fine = are([](const auto& row) { return row.what == joint::Ranked::ranked; });
      const size_t n_waiting = are([](const auto& row) { return row.what == joint::Ranked::unlabelled; });
      const size_t n_relevant = are([](const auto& row) { return row.relevance > 0; });
      const bool waits = n_waiting == rows.size(), whole = n_fine == rows.size();
      const bool counted = whole && rows.size() > 1 && n_relevant > 0;
      ++queries_by[waits ? 3 : !whole ? 4 : rows.size() == 1 ? 1 : n_relevant == 0 ? 2 : 0];
      for (const joint::RankedRow& row : rows) {
        const bool aside = row.what == joint::Ranked::ranked && !counted;
        ++rows_by[aside ? 1 : static_cast<size_t>(row.what)];
      }
      if (!counted) continue;
      std::vector<joint::RankedRow> ranked = rows, ideal = rows;
      std::ranges::stable_sort(ranked, std::greater{}, &joint::RankedRow::score);
      std::ranges::stable_sort(ideal, std::greater{}, &joint::RankedRow::relevance);
      for (size_t first = 0; first < State::kFirsts; ++first) {
        const size_t k = State::kFirst[first];
        long double gain = 0, best = 0, precisions = 0, top = 0, found = 0;
        for (size_t i = 0; i < std::min(k, rows.size()); ++i) {
          const long double discount = 1 / std::log2(static_cast<long double>(i + 2));
          gain += static_cast<long double>(ranked[i].relevance) * discount;
          best += static_cast<long double>(ideal[i].relevance) * discount;
          if (ranked[i].relevance <= 0) continue;
          found += 1, precisions += found / static_cast<long double>(i + 1);
          if (top == 0) top = 1 / static_cast<long double>(i + 1);
        }
        const auto n = static_cast<long double>(n_relevant), of_k = static_cast<long double>(k);
        const long double values[] = {
            gain / best, precisions / std::min(n, of_k), top, found > 0 ? 1.0L : 0, found / n, found / of_k};
        for (size_t of = 0; of < State::kMetrics; ++of) {
          totals[first][of] += values[of], squares[first][of] += values[of] * values[of];
        }
      }
    }
    require(state.n_rows() == n_rows, "the homes do not add up");
    for (size_t i = 0; i < joint::kRanked; ++i) {
      require(state.rows(static_cast<joint::Ranked>(i)) == rows_by[i], "a home is wrong");
    }
    for (size_t i = 0; i < joint::kQueries; ++i) {
      require(state.queries(static_cast<joint::Query>(i)) == queries_by[i], "a kind of query is wrong");
    }
    const long double slack = 1e-12L * static_cast<long double>(queries.size() + 1);
    for (size_t first = 0; first < State::kFirsts; ++first) {
      for (size_t of = 0; of < State::kMetrics; ++of) {
        const State::Sums& sums = state.sums(first, static_cast<State::Metric>(of));
        const auto off = [](int128 told, long double sum) {
          return std::fabs(static_cast<long double>(told) * 0x1p-40L - sum);
        };
        require(off(sums.total, totals[first][of]) <= slack && off(sums.square, squares[first][of]) <= slack,
                "a sum is wrong");
      }
    }
    require_subtractable(state, queries, update);
  }
  static void query(const State& state) { state.n_rows(); }
};

}  // namespace tidegauge::contract
