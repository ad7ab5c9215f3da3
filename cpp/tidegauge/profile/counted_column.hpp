#pragma once

#include "tidegauge/profile/column.hpp"

namespace tidegauge {

/// A column whose values are not looked at: ids, and types that are not supported. Rows and nulls are
/// counted.
class CountedColumn final : public Column {
 public:
  explicit CountedColumn(std::shared_ptr<const ColumnSpec> spec) : Column(std::move(spec)) {}
  std::unique_ptr<Column> clone() const override { return std::unique_ptr<Column>(new CountedColumn(*this)); }
  size_t memory_bytes(uint64_t) const override { return sizeof *this; }

 private:
  CountedColumn(const CountedColumn&) = default;
  bool accepts(const arrow::Type&) const override { return true; }
  void update_values(const arrow::ColumnView& view, Scratch& scratch) override;
  void merge_values(const Column&) override {}
  void encode_values(ByteWriter&) const override {}
  void decode_values(ByteReader&) override {}
};

}  // namespace tidegauge
