#include "tidegauge/arrow/builder.hpp"

#include <algorithm>
#include <utility>

#include "tidegauge/arrow/bits.hpp"

namespace tidegauge::arrow {
namespace {

constexpr uint32_t kContents = 4;

constexpr Type kFloat64{.kind = Kind::number, .physical = Physical::float64};

void flip(std::vector<uint8_t>& bits, uint32_t row) {
  bits[row >> 3] = static_cast<uint8_t>(bits[row >> 3] ^ (1u << (row & 7)));
}

/// Letters of Arrow's formats.
char letter_of(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::second:
      return 's';
    case TimeUnit::milli:
      return 'm';
    case TimeUnit::micro:
      return 'u';
    default:
      return 'n';
  }
}

}  // namespace

void Builder::become(const Shape& shape, int64_t n_rows) {
  Builder typed;  // which may be out of memory
  typed.shape_ = shape;
  if (typed.is_text()) typed.numbers_.put(int64_t{0});
  typed.numbers_.put_zeros(static_cast<size_t>(n_rows) * typed.row_size());
  shape_ = shape;
  numbers_ = std::move(typed.numbers_);
}

size_t Builder::row_size() const {
  switch (shape_.content) {
    case Content::null:
    case Content::other:
      return 0;
    case Content::embedding:
      return 8 * static_cast<size_t>(shape_.width);
    default:
      return 8;
  }
}

void Builder::add_without(Content why, int64_t n_rows) {
  without_.push_back(static_cast<uint32_t>(n_rows) * kContents + static_cast<uint32_t>(why));
  if (is_text()) {
    numbers_.put(static_cast<int64_t>(text_.size()));
  } else {
    numbers_.put_zeros(row_size());
  }
}

void Builder::truncate(int64_t n_rows) {
  const auto n = static_cast<size_t>(n_rows);
  while (!without_.empty() && without_.back() / kContents >= n) without_.pop_back();
  numbers_.truncate(std::min(numbers_.size(), (n + is_text()) * row_size()));
  if (is_text())
    text_.truncate(numbers_.size() ? static_cast<size_t>(load<int64_t>(numbers_.data(), n_rows)) : 0);
}

void Builder::reserve(int64_t n_rows) { numbers_.reserve(static_cast<size_t>(n_rows + 1) * row_size()); }

bool Builder::all_absent(int64_t n_rows) const {
  const auto is_absent = [](uint32_t entry) { return entry % kContents == 0; };
  return static_cast<int64_t>(without_.size()) == n_rows && std::ranges::all_of(without_, is_absent);
}

Field Builder::field(std::string name) const {
  Field field;
  field.name = std::move(name);
  Type& type = field.type;
  const auto set = [&](Kind kind, Physical physical, std::string format) {
    type.kind = kind;
    type.physical = physical;
    field.format = std::move(format);
  };
  switch (shape_.content) {
    case Content::real:
      set(Kind::number, Physical::float64, "g");
      break;
    case Content::integer:
      set(Kind::number, Physical::int64, "l");
      break;
    case Content::boolean:
      set(Kind::boolean, Physical::boolean, "b");
      break;
    case Content::text:
      set(Kind::category, Physical::offsets64, "U");
      break;
    case Content::bytes:
      set(Kind::category, Physical::offsets64, "Z");
      break;
    case Content::time:
      set(Kind::time, Physical::int64,
          shape_.unit == TimeUnit::day ? "tdD" : std::string("ts") + letter_of(shape_.unit) + ":");
      break;
    case Content::duration:
      set(Kind::time, Physical::int64, std::string("tD") + letter_of(shape_.unit));
      break;
    case Content::embedding: {
      set(Kind::embedding, Physical::fixed_list, "+w:" + std::to_string(shape_.width));
      Field floats;
      floats.format = "g";
      floats.type = kFloat64;
      field.value = std::make_shared<const Field>(std::move(floats));
      break;
    }
    case Content::other:
      field.format = "object";
      break;
    default:
      field.format = "n";
      type.null_type = true;
  }
  type.unit = shape_.unit;
  type.width = shape_.width;
  return field;
}

ColumnView Builder::finish(int64_t n_rows) {
  const auto n = static_cast<size_t>(n_rows), n_bytes = (n + 7) / 8;
  ColumnView view;
  view.type = field({}).type;
  view.length = n_rows;
  view.values = numbers_.data();
  view.text = text_.data();
  if (shape_.content == Content::boolean) {
    bits_.assign(n_bytes, 0);
    for (size_t i = 0; i < n; ++i) {
      if (load<int64_t>(numbers_.data(), static_cast<int64_t>(i)) != 0) flip(bits_, static_cast<uint32_t>(i));
    }
    view.values = bits_.data();
  } else if (shape_.content == Content::embedding) {
    ColumnView floats;
    floats.type = kFloat64;
    floats.length = n_rows * shape_.width;
    floats.values = numbers_.data();
    view.values = nullptr;
    view.child = std::make_shared<const ColumnView>(std::move(floats));
  }
  if (without_.empty()) return view;
  valid_.assign(n_bytes, 0xff);
  absent_.clear();
  mistyped_.clear();
  view.validity = valid_.data();
  for (const uint32_t entry : without_) {
    const uint32_t row = entry / kContents;
    flip(valid_, row);
    const auto why = static_cast<Content>(entry % kContents);
    if (why == Content::null) continue;
    std::vector<uint8_t>& bits = why == Content::absent ? absent_ : mistyped_;
    bits.resize(n_bytes);
    flip(bits, row);
  }
  if (!absent_.empty()) view.absent = absent_.data();
  if (!mistyped_.empty()) view.mistyped = mistyped_.data();
  return view;
}

}  // namespace tidegauge::arrow
