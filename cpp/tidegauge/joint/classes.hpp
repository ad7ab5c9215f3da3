#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tidegauge/arrow/view.hpp"
#include "tidegauge/base/bytes.hpp"
#include "tidegauge/binning/categories.hpp"

namespace tidegauge::joint {

/// What a row's value is among the classes.
using Code = uint8_t;

/// The values of a label that are told apart, frozen: all of them texts, or all of them numbers, of which
/// false is 0 and true is 1. The i-th has the code i; behind them come the codes of any other value, of no
/// value (null, or NaN) and of a value of another type. Texts are told apart by their hash of 64 bits, as
/// categories are.
class Classes {
 public:
  /// A text, or else a number. No std::variant: libstdc++'s copies of one with a string or a vector in it
  /// free what was never there when memory runs out (its copying base resets a storage that has no index
  /// yet).
  struct Value {
    Value(double value = 0) : number(value) {}            // NOLINT(google-explicit-constructor)
    Value(std::string value) : text(std::move(value)) {}  // NOLINT(google-explicit-constructor)
    double number = 0;
    std::optional<std::string> text;
  };
  static constexpr size_t kCodes = 256, kMax = kCodes - 3;

  Classes() = default;
  /// 1 to kMax values, all different; throws SchemaError. `what` is the column's name, for messages.
  Classes(std::vector<Value> values, const std::string& what);

  const std::vector<Value>& values() const { return values_; }
  size_t size() const { return values_.size(); }
  Code other() const { return static_cast<Code>(size()); }
  Code missing() const { return static_cast<Code>(size() + 1); }
  Code mistyped() const { return static_cast<Code>(size() + 2); }
  bool of_texts() const { return values_.front().text.has_value(); }

  Code code_of(std::string_view text) const;
  Code code_of(double number) const;
  Code code_of(int64_t number) const;

  void encode(ByteWriter& out) const;
  /// Throws DecodeError, or SchemaError as the constructor does.
  static Classes decode(ByteReader& in, const std::string& what);

 private:
  std::vector<Value> values_;
  std::shared_ptr<const binning::Categories> found_;
};

/// Reads what each code stands for, of one array's rows, which have been checked; null: of a column that did
/// not come. What a dictionary holds is looked up once.
class ClassReader {
 public:
  using Meaning = std::array<Code, Classes::kCodes>;  // of a code

  ClassReader(const Classes& classes, const Meaning& meaning, const arrow::ColumnView* column);

  /// Of rows [begin, begin + n), n <= kTile; `out` has room for n + 8.
  void read(int64_t begin, int64_t n, Code* out) const;

 private:
  void read_texts(int64_t begin, int64_t n, Code* out) const;
  void read_booleans(int64_t begin, int64_t n, Code* out) const;
  void read_integers(int64_t begin, int64_t n, Code* out) const;
  void read_reals(int64_t begin, int64_t n, Code* out) const;

  const Classes& classes_;
  Meaning meaning_;
  const arrow::ColumnView* column_;
  std::vector<Code> entries_;  // of a dictionary
  // Of the numbers from low_ on, and at the end of any other; used where all classes lie among them.
  int64_t low_ = 0;
  Meaning near_{};
  bool all_near_ = false;
};

}  // namespace tidegauge::joint
