#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "laws.hpp"
#include "outcome_adaptors.hpp"
#include "streams.hpp"
#include "tidegauge/profile/leaf_outcomes.hpp"

namespace tidegauge::contract {

struct LeafRow {
  double x = 0, y = 0, score = 0, label = 0;
};

/// A tree of four leaves on two numbers: what is not x < 0; then y >= 1 or none; then y < -1, and the rest.
template <bool numbers>
struct LeafAdaptor : Members<LeafOutcomes> {
  using Value = LeafRow;
  static constexpr bool order_free = true;
  static std::shared_ptr<const LeafSpec> spec() {
    static const auto made = [] {
      LeafColumn x{"x", arrow::Kind::number, {0.0}, {}}, y{"y", arrow::Kind::number, {-1.0, 0.0, 1.0}, {}};
      std::vector<LeafTree::Node> nodes{
          {0, {1, 0, 0}, 1, 2}, {1, {1, 1, 1, 0, 0}, 3, 4}, {}, {1, {1, 0, 0, 0, 1}, 5, 6}, {}, {}, {}};
      LeafSpec::Judged judged = joint::BinarySpec::make("score", "label", "", {0.25, 0.5}, {0.0, 1.0});
      if (numbers) judged = joint::RegressionSpec::make("score", "label", {0.0});
      return LeafSpec::make(LeafTree({x, y}, std::move(nodes)), std::move(judged));
    }();
    return made;
  }
  static State make() { return State(spec()); }
  static State decode(ByteReader& in) { return State::decode(in, spec()); }
  static std::vector<size_t> sizes() { return {20, 300, 0, 1, 512, 513, 9'000}; }
  static std::vector<Value> stream(uint64_t seed, size_t n) {
    std::mt19937_64 random(seed);
    std::vector<Value> rows(n);
    const auto usual = [&](double value) { return random() % 30 ? value : random() % 2 ? NAN : INFINITY; };
    for (Value& row : rows) {
      row.x = usual(gaussian(random)), row.y = usual(2 * gaussian(random));
      row.score = usual(uniform(random));
      row.label = random() % 3 ? static_cast<double>(random() % 2) : random() % 9 ? NAN : 7.0;
    }
    return rows;
  }
  static void update(State& state, std::span<const Value> rows) {
    joint::Rows given(std::ssize(rows));
    const std::pair<const char*, double LeafRow::*> columns[] = {
        {"x", &LeafRow::x}, {"y", &LeafRow::y}, {"score", &LeafRow::score}, {"label", &LeafRow::label}};
    std::vector<double> values[4];
    for (size_t i = 0; i < 4; ++i) {
      for (const Value& row : rows) values[i].push_back(row.*columns[i].second);
      arrow::ColumnView view;
      view.type = {arrow::Kind::number, arrow::Physical::float64};
      view.length = std::ssize(rows);
      view.values = values[i].data();
      given.add(columns[i].first, view);
    }
    state.update(given);
  }
  static size_t leaf_of(const Value& row) {  // in the order of the nodes 2, 4, 5, 6
    if (!(row.x < 0)) return 0;
    if (row.y < -1) return 2;
    if (row.y < 1) return 3;
    return 1;
  }
  static void check(const State& state, std::span<const Value> rows) {
    require(state.n_rows() == rows.size(), "the homes do not add up");
    const size_t n_cells = numbers ? 1 : 3;
    std::vector<uint64_t> counts(4 * n_cells * joint::kCounted);
    uint64_t homeless = 0;
    for (const Value& row : rows) {
      const bool unlabelled = std::isnan(row.label), known = unlabelled || numbers || row.label <= 1;
      if (!std::isfinite(row.score) || !known) {
        ++homeless;
        continue;
      }
      const size_t cell = numbers ? 0 : (row.score >= 0.25) + size_t{row.score >= 0.5};
      const size_t outcome = unlabelled ? 2 : !numbers && row.label == 1;
      ++counts[(leaf_of(row) * n_cells + cell) * joint::kCounted + outcome];
    }
    require(std::ranges::equal(state.counts(), counts), "a count is wrong");
    require(state.n_homeless() == homeless, "homeless rows are counted wrong");
    require_subtractable(state, rows, update);
  }
  static void query(const State& state) { state.n_rows(); }
};

}  // namespace tidegauge::contract
