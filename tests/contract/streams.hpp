#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace tidegauge::contract {

// The streams that sketches are known to fail on, next to plain ones.
inline constexpr const char* kShapes[] = {"uniform", "lognormal", "zero_inflated", "sorted",     "reversed",
                                          "zoom_in", "zoom_out",  "zipf",          "duplicates", "constant"};

inline double uniform(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1p-53; }

inline double gaussian(std::mt19937_64& random) {
  return std::sqrt(-2 * std::log(1 - uniform(random))) * std::cos(6.283185307179586 * uniform(random));
}

/// n values of the named shape; `at` runs from 0 to 1 along the stream.
inline std::vector<double> shaped(const std::string& shape, uint64_t seed, size_t n) {
  std::mt19937_64 random(seed);
  std::vector<double> values(n);
  for (size_t i = 0; i < n; ++i) {
    const double at = static_cast<double>(i) / static_cast<double>(n);
    const double side = i % 2 ? 1 : -1;
    double& x = values[i];
    if (shape == "uniform") x = uniform(random);
    if (shape == "lognormal") x = std::exp(2 * gaussian(random));
    if (shape == "zero_inflated") x = uniform(random) < 0.7 ? 0 : gaussian(random);
    if (shape == "sorted") x = at;
    if (shape == "reversed") x = -at;
    if (shape == "zoom_in") x = side * (1 - at);
    if (shape == "zoom_out") x = side * at;
    if (shape == "zipf") x = std::floor(std::exp(9 * uniform(random)));
    if (shape == "duplicates") x = static_cast<double>(random() % 7);
    if (shape == "constant") x = 42;
  }
  return values;
}

}  // namespace tidegauge::contract
