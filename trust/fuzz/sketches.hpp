#pragma once

#include "target.hpp"

namespace tidegauge::fuzz {

std::span<const Target> sketch_targets();

}  // namespace tidegauge::fuzz
