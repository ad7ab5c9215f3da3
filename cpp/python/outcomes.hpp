#pragma once

#include <pybind11/pybind11.h>

#include <vector>

#include "tidegauge/joint/outcome_set.hpp"

namespace tidegauge::python {

/// By what the objects of a list count that this module registers. Throws SchemaError for
/// anything else in it.
std::vector<joint::OutcomeSpec> outcome_specs(const pybind11::list& outcomes);

/// What they have counted, under their ids. Throws SchemaError.
joint::OutcomeSet outcome_set(const pybind11::list& outcomes);

/// Such objects, of what a profile has counted.
pybind11::list outcome_list(const joint::OutcomeSet& outcomes);

}  // namespace tidegauge::python
