#pragma once

#include "tidegauge/profile/column.hpp"

namespace tidegauge {

/// True and false, counted.
class BooleanColumn final : public Column {
 public:
  explicit BooleanColumn(std::shared_ptr<const ColumnSpec> spec) : Column(std::move(spec)) {}
  std::unique_ptr<Column> clone() const override { return std::unique_ptr<Column>(new BooleanColumn(*this)); }

  uint64_t n_true() const { return n_true_; }
  uint64_t n_false() const { return n_present() - n_true_; }
  size_t n_scored_cells() const override { return 2; }
  size_t memory_bytes(uint64_t) const override { return sizeof *this; }

 private:
  BooleanColumn(const BooleanColumn&) = default;
  bool accepts(const arrow::Type& type) const override { return type.kind == arrow::Kind::boolean; }
  void update_values(const arrow::ColumnView& view, Scratch& scratch) override;
  void merge_values(const Column& other) override {
    n_true_ += static_cast<const BooleanColumn&>(other).n_true_;
  }
  void encode_values(ByteWriter& out) const override { out.put_varint(n_true_); }
  void decode_values(ByteReader& in) override;

  uint64_t n_true_ = 0;
};

}  // namespace tidegauge
