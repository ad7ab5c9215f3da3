#include "target.hpp"

#include "imports.hpp"
#include "profiles.hpp"
#include "sketches.hpp"

namespace tidegauge::fuzz {

std::span<const Target> targets() {
  static const std::vector<Target> all = [] {
    const auto sketches = sketch_targets();
    std::vector<Target> found(sketches.begin(), sketches.end());
    found.push_back(profile_target());
    found.push_back(import_target());
    return found;
  }();
  return all;
}

}  // namespace tidegauge::fuzz
