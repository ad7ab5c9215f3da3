#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "tidegauge/arrow/batch.hpp"
#include "tidegauge/joint/spec.hpp"
#include "tidegauge/profile/spec.hpp"

namespace trust {

/// Random rows of a column of every kind, as a producer's C structs whose release frees them.
struct Table {
  ArrowSchema schema{};
  ArrowArray array{};
  ~Table();
};
std::unique_ptr<Table> table_of(uint64_t seed, int64_t n_rows);

/// Arrays and schemas that were made and not released.
int64_t n_unreleased();

/// The same rows, parsed.
tidegauge::arrow::Batch batch_of(uint64_t seed, int64_t n_rows);

/// What a reference of such rows freezes, with all accumulators or none but cells; and its joint.
std::vector<std::shared_ptr<const tidegauge::ColumnSpec>> frozen_specs(uint8_t accumulators);
std::shared_ptr<const tidegauge::joint::Spec> frozen_joint();

}  // namespace trust
