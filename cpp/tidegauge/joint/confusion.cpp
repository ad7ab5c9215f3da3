#include "tidegauge/joint/confusion.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "tidegauge/base/counts.hpp"
#include "tidegauge/base/error.hpp"
#include "tidegauge/base/hash.hpp"
#include "tidegauge/joint/tile.hpp"

namespace tidegauge::joint {
namespace {

constexpr const char* kWhat = "confusion outcomes";

}  // namespace

std::shared_ptr<const ConfusionSpec> ConfusionSpec::make(std::string prediction, std::string label,
                                                         std::vector<Classes::Value> classes) {
  if (prediction == label) {
    throw SchemaError("outcomes: prediction and label are both column '" + label + "'; they must be two");
  }
  auto spec = std::make_shared<ConfusionSpec>();
  spec->classes = Classes(std::move(classes), label);
  spec->prediction = std::move(prediction);
  spec->label = std::move(label);
  ByteWriter bytes;
  spec->encode(bytes);
  spec->id = hash_bytes(bytes.bytes().data(), bytes.size(), kDefaultSeed ^ 'c');
  return spec;
}

void ConfusionSpec::encode(ByteWriter& out) const {
  out.put_text(prediction);
  out.put_text(label);
  classes.encode(out);
}

std::shared_ptr<const ConfusionSpec> ConfusionSpec::decode(ByteReader& in) {
  std::string prediction = in.get_text(kWhat), label = in.get_text(kWhat);
  const Classes classes = Classes::decode(in, label);
  return make(std::move(prediction), std::move(label), classes.values());
}

Confusion::Confusion(std::shared_ptr<const ConfusionSpec> spec)
    : spec_(std::move(spec)), counts_(n_rows_of_matrix() * n_columns_of_matrix()) {}

void Confusion::update(const Code* predictions, const Code* labels, size_t n) {
  const size_t rows = n_rows_of_matrix(), columns = n_columns_of_matrix();
  n_rows_ += n;
  for (size_t i = 0; i < n; ++i) {
    if (predictions[i] >= rows) {
      ++homes_[predictions[i] - rows];
    } else if (labels[i] >= columns) {
      ++homes_[static_cast<size_t>(Home::label_mistyped)];
    } else {
      ++counts_[predictions[i] * columns + labels[i]];
    }
  }
}

void Confusion::merge(const Confusion& other) {
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  for (size_t i = 0; i < kHomes; ++i) homes_[i] += other.homes_[i];
  n_rows_ += other.n_rows_;
}

void Confusion::subtract(const Confusion& other) {
  bool more = false;
  for (size_t i = 0; i < counts_.size(); ++i) more |= other.counts_[i] > counts_[i];
  for (size_t i = 0; i < kHomes; ++i) more |= other.homes_[i] > homes_[i];
  if (more) {
    throw MergeError(
        "confusion outcomes: what is to be taken away was never added; subtract only what an earlier update "
        "or merge added");
  }
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] -= other.counts_[i];
  for (size_t i = 0; i < kHomes; ++i) homes_[i] -= other.homes_[i];
  n_rows_ -= other.n_rows_;
}

Confusion Confusion::without_labels() const {
  Confusion left = *this;
  const size_t columns = n_columns_of_matrix(), missing = columns - 1;
  for (size_t at = 0; at < counts_.size(); at += columns) {
    for (size_t i = 0; i < missing; ++i) {
      left.counts_[at + missing] += std::exchange(left.counts_[at + i], uint64_t{0});
    }
  }
  return left;
}

bool Confusion::operator==(const Confusion& other) const {
  return spec_->id == other.spec_->id && counts_ == other.counts_ && homes_ == other.homes_;
}

void Confusion::encode(ByteWriter& out) const {
  encode_counts(out, std::span<const uint64_t>(counts_));
  for (const uint64_t count : homes_) out.put_varint(count);
}

Confusion Confusion::decode(ByteReader& in, std::shared_ptr<const ConfusionSpec> spec) {
  Confusion state(std::move(spec));
  std::vector<uint64_t> counts = decode_counts(in, state.counts_.size(), kWhat);
  if (counts.size() != state.counts_.size()) {
    throw DecodeError("confusion outcomes: of another number of classes");
  }
  state.counts_ = std::move(counts);
  for (uint64_t& count : state.homes_) count = in.get_varint(kWhat);
  const auto add = [&](uint64_t count) {  // one by one, as their sum might not fit
    if (count > kMaxRows - state.n_rows_) throw DecodeError("confusion outcomes: more than 2^62 rows");
    state.n_rows_ += count;
  };
  std::ranges::for_each(state.counts_, add);
  std::ranges::for_each(state.homes_, add);
  return state;
}

}  // namespace tidegauge::joint
