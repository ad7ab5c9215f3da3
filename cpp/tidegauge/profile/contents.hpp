#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tidegauge/joint/joint.hpp"
#include "tidegauge/joint/outcome_set.hpp"
#include "tidegauge/profile/column.hpp"
#include "tidegauge/profile/leaf_outcomes.hpp"
#include "tidegauge/profile/unexpected.hpp"

namespace tidegauge {

/// What a profile's bytes are made of, whoever holds it.
struct Contents {
  bool open;
  uint8_t accumulators;
  uint64_t n_rows;
  std::vector<const Column*> columns;
  const joint::Joint* joint;  // or null
  const joint::OutcomeSet& outcomes;
  const Unexpected& unexpected;
  const joint::OutcomeSet* given = nullptr;  // labels that came late, or null
  const joint::OutcomeSet* withdrawn = nullptr;
  const LeafOutcomes* leaves = nullptr;  // or null
};

/// The bytes of a profile; see Profile::to_bytes.
std::vector<std::byte> encode(const Contents& contents, bool with_edges, std::string_view note = {});

}  // namespace tidegauge
