#pragma once

#include "target.hpp"

namespace tidegauge {
class Profile;
}

namespace tidegauge::fuzz {

/// Asks a profile everything that can be asked of it.
void query(const Profile& profile);

/// What a profile writes is read again, as the same profile.
void require_readable(const Profile& profile, const char* when);

Target profile_target();

}  // namespace tidegauge::fuzz
