#pragma once

#include "target.hpp"

namespace tidegauge::fuzz {

Target import_target();

}  // namespace tidegauge::fuzz
