#pragma once

#include <string>
#include <string_view>

namespace tidegauge {

/// Whether a text is UTF-8 as Unicode defines it: shortest forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

/// The text with every byte that is not part of UTF-8 written as \xhh: equal to the text if it is UTF-8.
std::string to_utf8(std::string_view text);

}  // namespace tidegauge
