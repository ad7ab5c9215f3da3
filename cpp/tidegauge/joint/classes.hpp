#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "tidegauge/arrow/view.hpp"
#include "tidegauge/base/bytes.hpp"
#include "tidegauge/binning/categories.hpp"

namespace tidegauge::joint {

/// The values of a label that are told apart, frozen: all of them texts, or all of them numbers, of which
/// false is 0 and true is 1. The i-th has the code i; behind them come the codes of any other value, of no
/// value (null, or NaN) and of a value of another type.
class Classes {
 public:
  using Value = std::variant<double, std::string>;
  static constexpr size_t kMax = 255;

  Classes() = default;
  /// 1 to kMax values, all different; throws SchemaError. `what` is the column's name, for messages.
  Classes(std::vector<Value> values, const std::string& what);

  const std::vector<Value>& values() const { return values_; }
  size_t size() const { return values_.size(); }
  size_t other() const { return size(); }
  size_t missing() const { return size() + 1; }
  size_t mistyped() const { return size() + 2; }
  bool of_texts() const { return std::holds_alternative<std::string>(values_.front()); }

  size_t code_of(std::string_view text) const;
  size_t code_of(double number) const;

  void encode(ByteWriter& out) const;
  /// Throws DecodeError, or SchemaError as the constructor does.
  static Classes decode(ByteReader& in, const std::string& what);

 private:
  std::vector<Value> values_;
  std::shared_ptr<const binning::Categories> found_;
};

/// The codes of one array's rows, which have been checked; null: of a column that did not come. What a
/// dictionary holds is looked up once.
class ClassReader {
 public:
  ClassReader(const Classes& classes, const arrow::ColumnView* column);

  /// Rows [begin, begin + n), n <= kTile.
  void read(int64_t begin, int64_t n, uint16_t* out) const;

 private:
  void read_texts(int64_t begin, int64_t n, uint16_t* out) const;
  void read_numbers(int64_t begin, int64_t n, uint16_t* out) const;

  const Classes& classes_;
  const arrow::ColumnView* column_;
  std::vector<uint16_t> entries_;
};

/// Rows read at a time: what they need stays in the first-level cache, beside what they change.
inline constexpr int64_t kTile = 512;

}  // namespace tidegauge::joint
