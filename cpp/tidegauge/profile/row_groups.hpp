#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace tidegauge {

/// Rows by a number that each has: groups by number, and within a group the rows in their order.
struct RowGroups {
  std::vector<int64_t> rows;
  std::vector<uint32_t> places;   // in `rows`, of each row
  std::vector<uint32_t> numbers;  // of each group
  std::vector<size_t> begins;     // of each group in `rows`, then the end of all

  size_t size() const { return numbers.size(); }
  size_t n_numbers() const { return numbers.empty() ? 0 : numbers.back() + size_t{1}; }
  std::span<const int64_t> operator[](size_t i) const {
    return std::span(rows).subspan(begins[i], begins[i + 1] - begins[i]);
  }
};

/// One counting sort of at most 2^32 rows; `n_numbers` is above every number.
inline RowGroups group_rows(std::span<const uint32_t> number_of, size_t n_numbers) {
  RowGroups groups;
  std::vector<size_t> at(n_numbers);
  for (const uint32_t number : number_of) {
    if (at[number]++ == 0) groups.numbers.push_back(number);
  }
  std::ranges::sort(groups.numbers);
  size_t end = 0;
  for (const uint32_t number : groups.numbers) {
    groups.begins.push_back(end);
    const size_t n = at[number];
    at[number] = end;
    end += n;
  }
  groups.begins.push_back(end);
  groups.rows.resize(number_of.size());
  groups.places.resize(number_of.size());
  for (size_t row = 0; row < number_of.size(); ++row) {
    const size_t place = at[number_of[row]]++;
    groups.places[row] = static_cast<uint32_t>(place);
    groups.rows[place] = static_cast<int64_t>(row);
  }
  return groups;
}

}  // namespace tidegauge
