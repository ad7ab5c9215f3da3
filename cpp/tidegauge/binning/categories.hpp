#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidegauge::binning {

inline constexpr size_t kMaxCategories = 4096;
inline constexpr size_t kHashCells = 256;

/// The frozen categories of one column. A value has the cell of its hash: cell i for the i-th category, and
/// for any other value one of kHashCells further cells by the hash's leading bits. Values are told apart by a
/// keyed hash of 64 bits, so that names need not be kept.
class Categories {
 public:
  /// Nothing where a name is not to be shown.
  using Names = std::vector<std::optional<std::string>>;

  /// `hashes` must be distinct; `names` is empty, or as long as `hashes`. Throws SchemaError.
  static std::shared_ptr<const Categories> make(std::vector<uint64_t> hashes, Names names, uint64_t seed);

  size_t size() const { return hashes_.size(); }
  size_t n_cells() const { return hashes_.size() + kHashCells; }
  uint64_t id() const { return id_; }
  uint64_t seed() const { return seed_; }
  const std::vector<uint64_t>& hashes() const { return hashes_; }
  const Names& names() const { return names_; }

  size_t cell_of(uint64_t hash) const {
    for (uint64_t at = hash & mask_;; at = (at + 1) & mask_) {
      const Slot& slot = slots_[at];
      if (slot.cell == kEmpty) return hashes_.size() + (hash >> 56);
      if (slot.hash == hash) return slot.cell;
    }
  }

 private:
  static constexpr uint32_t kEmpty = ~uint32_t{0};
  struct Slot {
    uint64_t hash = 0;
    uint32_t cell = kEmpty;
  };

  std::vector<uint64_t> hashes_;
  Names names_;
  std::vector<Slot> slots_;  // open addressing, at most half full
  uint64_t mask_ = 0;
  uint64_t seed_ = 0;
  uint64_t id_ = 0;
};

}  // namespace tidegauge::binning
