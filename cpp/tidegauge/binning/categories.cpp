#include "tidegauge/binning/categories.hpp"

#include <algorithm>
#include <bit>

#include "tidegauge/base/error.hpp"
#include "tidegauge/base/hash.hpp"

namespace tidegauge::binning {

std::shared_ptr<const Categories> Categories::make(std::vector<uint64_t> hashes, Names names, uint64_t seed) {
  if (hashes.size() > kMaxCategories) {
    throw SchemaError("categories: " + std::to_string(hashes.size()) + " of them; at most " +
                      std::to_string(kMaxCategories) + " can be kept");
  }
  if (!names.empty() && names.size() != hashes.size()) {
    throw SchemaError("categories: " + std::to_string(names.size()) + " names for " +
                      std::to_string(hashes.size()) + " hashes");
  }
  auto made = std::make_shared<Categories>();
  // Sparse while that stays in the cache: an unseen value then mostly meets an empty slot at once, and the
  // branch is guessed right.
  made->slots_.resize(
      std::bit_ceil(std::max(2 * hashes.size() + 2, std::min<size_t>(16 * hashes.size(), 4096))));
  made->mask_ = made->slots_.size() - 1;
  for (size_t i = 0; i < hashes.size(); ++i) {
    uint64_t at = hashes[i] & made->mask_;
    for (; made->slots_[at].cell != kEmpty; at = (at + 1) & made->mask_) {
      if (made->slots_[at].hash == hashes[i]) throw SchemaError("categories: one of them is named twice");
    }
    made->slots_[at] = {hashes[i], static_cast<uint32_t>(i)};
  }
  made->seed_ = seed;
  made->id_ = hash_bytes(hashes.data(), hashes.size() * sizeof(uint64_t), kDefaultSeed ^ seed ^ 'c');
  made->hashes_ = std::move(hashes);
  made->names_ = std::move(names);
  return made;
}

}  // namespace tidegauge::binning
