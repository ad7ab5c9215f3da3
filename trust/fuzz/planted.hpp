#pragma once

#include <optional>
#include <string>

#include "target.hpp"

namespace tidegauge::fuzz {

/// A target with a defect of this kind, that one input in some hundreds meets: what finds nothing here finds
/// nothing anywhere. Nothing for a kind that is not there.
std::optional<Target> planted(const std::string& kind);

}  // namespace tidegauge::fuzz
