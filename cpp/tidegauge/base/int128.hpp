#pragma once

namespace tidegauge {

// Every compiler we build with has it; the standard does not name it yet.
__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;

}  // namespace tidegauge
