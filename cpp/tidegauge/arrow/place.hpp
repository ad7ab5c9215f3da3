#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tidegauge::arrow {

/// Where in a table we are, for messages: a list on the stack from the inside out, rendered only on refusal.
struct Place {
  const Place* outside = nullptr;
  const char* what = "table";
  std::string_view name = {};  // of a column
  int64_t number = -1;         // of a child

  Place inside(const char* part, int64_t child_number = -1) const { return {this, part, {}, child_number}; }
};

/// Text from outside in quotes, safe for a terminal, a log and a UTF-8 decoder: control characters and what
/// is not UTF-8 become \xNN, and at most 100 bytes of it are shown.
std::string quoted(std::string_view text);

/// Throws ArrowError: the place, what is wrong there, and whose fault it is.
[[noreturn]] void refuse(const Place& place, const std::string& wrong);

/// Refuses unless value lies in [least, most].
void require_between(const Place& place, const char* what, int64_t value, int64_t least, int64_t most);

}  // namespace tidegauge::arrow
