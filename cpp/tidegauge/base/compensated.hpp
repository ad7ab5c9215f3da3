#pragma once

#include <cmath>
#include <limits>

namespace tidegauge {

/// Neumaier's summation: `sum + correction` is the total to twice a double's digits. A total beyond a double
/// is +infinity, whichever way it went there.
inline void add_compensated(double& sum, double& correction, double x) {
  const double next = sum + x;
  correction += std::abs(sum) >= std::abs(x) ? (sum - next) + x : (x - next) + sum;
  sum = next;
  if (!std::isfinite(sum)) sum = std::numeric_limits<double>::infinity(), correction = 0;
}

}  // namespace tidegauge
