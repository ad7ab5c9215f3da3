#include "tidegauge/arrow/partition.hpp"

#include <algorithm>
#include <numeric>

#include "tidegauge/arrow/place.hpp"
#include "tidegauge/arrow/read.hpp"
#include "tidegauge/arrow/rows.hpp"
#include "tidegauge/base/error.hpp"

namespace tidegauge::arrow {
namespace {

/// Windows by number, without leaving 64 bits.
struct Windows {
  int64_t width, origin;  // the origin in [0, width)

  Windows(int64_t width_ns, int64_t origin_ns) : width(width_ns), origin(origin_ns % width_ns) {
    if (origin < 0) origin += width;
  }

  /// The number of the window that `time` lies in, nothing where an end of that window does not fit.
  std::optional<int64_t> number_of(int64_t time) const {
    int64_t number = time / width, within = time % width, start = 0, end = 0;
    if (within < 0) {
      --number;
      within += width;
    }
    if (within < origin) --number;
    within += within < origin ? width - origin : -origin;
    if (__builtin_sub_overflow(time, within, &start) || __builtin_add_overflow(start, width, &end)) return {};
    return number;
  }

  /// Exact although the product alone may overflow: unsigned sums wrap, and the start is known to fit.
  int64_t start_of(int64_t number) const {
    return static_cast<int64_t>(static_cast<uint64_t>(number) * static_cast<uint64_t>(width) +
                                static_cast<uint64_t>(origin));
  }
};

/// Rows [begin, begin + n), all of one window.
struct Run {
  int64_t window, begin, n;
};

/// A column as runs: of the windows, and of rows that are in none.
struct Runs {
  std::vector<Run> timed, untimed;
};

void extend(std::vector<Run>& runs, int64_t window, int64_t row) {
  if (runs.empty() || runs.back().window != window || runs.back().begin + runs.back().n != row) {
    runs.push_back({window, row, 0});
  }
  ++runs.back().n;
}

/// Adds the rows of one tile. `start` is that of the last timed run.
void add_rows(const Windows& windows, const int64_t* times, const uint64_t* valid, int64_t begin, int64_t n,
              int64_t& start, Runs& runs) {
  const auto width = static_cast<uint64_t>(windows.width);
  for (int64_t i = 0; i < n; ++i) {
    const bool is_valid = (valid[i >> 6] >> (i & 63)) & 1;
    const bool as_before =
        !runs.timed.empty() && static_cast<uint64_t>(times[i]) - static_cast<uint64_t>(start) < width;
    if (is_valid && as_before) {
      extend(runs.timed, runs.timed.back().window, begin + i);
    } else if (const auto window = is_valid ? windows.number_of(times[i]) : std::nullopt) {
      start = windows.start_of(*window);
      extend(runs.timed, *window, begin + i);
    } else {
      extend(runs.untimed, 0, begin + i);
    }
  }
}

Runs find_runs(const ColumnView& column, const Windows& windows) {
  Runs runs;
  int64_t start = 0, times[kChunk];
  uint64_t valid[kChunk / 64];
  for (int64_t begin = 0; begin < column.length; begin += kChunk) {
    const int64_t n = std::min(kChunk, column.length - begin);
    const int64_t n_valid = read_validity(column, begin, n, valid);
    const int64_t n_lost = read_numbers(column, begin, n, TimeUnit::nano, times, valid);
    // Most tiles of ordered data lie within the window of the last row: one vectorised look, no division.
    if (!runs.timed.empty() && n_valid - n_lost == n &&
        runs.timed.back().begin + runs.timed.back().n == begin) {
      bool outside = false;
      for (int64_t i = 0; i < n; ++i) {
        outside |= static_cast<uint64_t>(times[i]) - static_cast<uint64_t>(start) >=
                   static_cast<uint64_t>(windows.width);
      }
      if (!outside) {
        runs.timed.back().n += n;
        continue;
      }
    }
    add_rows(windows, times, valid, begin, n, start, runs);
  }
  return runs;
}

/// By window; runs of one window stay in their order. Counting sorts over as many digits of the windows'
/// numbers as the batch spans: the cost does not depend on what the times are, beyond that.
void sort_runs(std::vector<Run>& runs) {
  constexpr int kBits = 11;
  constexpr size_t kDigits = size_t{1} << kBits;
  const auto by_window = [](const Run& a, const Run& b) { return a.window < b.window; };
  if (std::ranges::is_sorted(runs, by_window)) return;
  const auto [lowest, highest] = std::ranges::minmax_element(runs, by_window);
  const auto low = static_cast<uint64_t>(lowest->window);
  const uint64_t span = static_cast<uint64_t>(highest->window) - low;
  std::vector<Run> other(runs.size());
  for (int shift = 0; shift < 64 && span >> shift; shift += kBits) {
    const auto digit = [&](const Run& run) {
      return (static_cast<uint64_t>(run.window) - low) >> shift & (kDigits - 1);
    };
    size_t at[kDigits + 1] = {};
    for (const Run& run : runs) ++at[digit(run) + 1];
    std::partial_sum(at, at + kDigits, at);
    for (const Run& run : runs) other[at[digit(run)]++] = run;
    runs.swap(other);
  }
}

/// The batch with its rows in the order of the runs.
Batch take_runs(const Batch& batch, const std::vector<Run>& runs) {
  std::vector<int64_t> rows;
  rows.reserve(static_cast<size_t>(batch.n_rows()));
  for (const Run& run : runs) {
    for (int64_t i = 0; i < run.n; ++i) rows.push_back(run.begin + i);
  }
  return batch.take(rows);
}

const Field& leaf_of(const Field& field) { return is_encoded(field.type) ? leaf_of(*field.value) : field; }

/// Refuses what is no point in time, times of day and durations included.
void require_times(const Field& field) {
  const auto refuse = [&](const std::string& what, const char* remedy) {
    throw SchemaError("column " + quoted(field.name) + " holds " + what +
                      ", but windows need dates or timestamps: " + remedy);
  };
  constexpr const char* parse = "parse it, for instance with pandas.to_datetime";
  constexpr const char* choose = "choose a column that says when";
  switch (field.type.kind) {
    case Kind::time:
      if (!leaf_of(field).format.starts_with("td") && !leaf_of(field).format.starts_with("ts")) {
        refuse("durations or times of day", "add the day to them");
      }
      return;
    case Kind::number:
      return refuse("numbers",
                    "if they count seconds since 1970, pass them as datetime64[s], or cast to timestamp");
    case Kind::category:
      return refuse("texts", parse);
    case Kind::boolean:
      return refuse("booleans", choose);
    case Kind::embedding:
      return refuse("embeddings", choose);
    case Kind::unsupported:
      if (!field.type.null_type) refuse("values of the unsupported type " + quoted(field.format), parse);
  }
}

}  // namespace

std::vector<Part> partition(const Batch& batch, size_t column, int64_t width_ns, int64_t origin_ns) {
  if (column >= batch.columns().size()) {
    throw SchemaError("partition: column " + std::to_string(column) + " of a batch of " +
                      std::to_string(batch.columns().size()) + "; columns count from 0");
  }
  if (width_ns < 1) {
    throw SchemaError("partition: a window of " + std::to_string(width_ns) +
                      " ns; it must last 1 ns or more");
  }
  require_times(batch.schema().fields[column]);
  const Batch checked = batch.checked();
  const Windows windows(width_ns, origin_ns);
  auto [runs, untimed] = find_runs(checked.columns()[column], windows);
  sort_runs(runs);
  const size_t n_timed = runs.size();
  runs.insert(runs.end(), untimed.begin(), untimed.end());

  // Neighbours of one window are one part.
  struct Bounds {
    std::optional<int64_t> start;
    int64_t n_rows;
  };
  std::vector<Bounds> bounds;
  for (size_t i = 0; i < runs.size(); ++i) {
    const bool is_timed = i < n_timed;
    const bool goes_on = i > 0 && i != n_timed && (!is_timed || runs[i].window == runs[i - 1].window);
    if (!goes_on)
      bounds.push_back({is_timed ? std::optional(windows.start_of(runs[i].window)) : std::nullopt, 0});
    bounds.back().n_rows += runs[i].n;
  }
  const bool in_place = bounds.size() == runs.size();
  const Batch rows = in_place ? checked : take_runs(checked, runs);
  std::vector<Part> parts;
  parts.reserve(bounds.size());
  int64_t begin = 0;
  for (size_t i = 0; i < bounds.size(); ++i) {
    parts.emplace_back(bounds[i].start, rows.slice(in_place ? runs[i].begin : begin, bounds[i].n_rows));
    begin += bounds[i].n_rows;
  }
  return parts;
}

}  // namespace tidegauge::arrow
