#pragma once

#include "tidegauge/joint/outcomes.hpp"
#include "tidegauge/profile/leaf_outcomes.hpp"

namespace tidegauge::python {

/// Rows by leaf, for several threads.
using Leaves = joint::Outcomes<LeafOutcomes>;

}  // namespace tidegauge::python
