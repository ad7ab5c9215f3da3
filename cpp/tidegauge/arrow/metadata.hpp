#pragma once

#include <string>

#include "tidegauge/arrow/place.hpp"

namespace tidegauge::arrow {

/// The value of ARROW:extension:name in a schema's metadata blob, "" where there is none. The blob carries no
/// size of its own, so the counts in it are capped (65,536 pairs, 1 MiB) before anything behind them is read.
std::string parse_extension_name(const char* metadata, const Place& place);

}  // namespace tidegauge::arrow
