#include "tidegauge/profile/spec.hpp"

#include "tidegauge/base/error.hpp"
#include "tidegauge/sketch/scatter.hpp"

namespace tidegauge {

using arrow::Kind;
using arrow::Physical;
using arrow::TimeUnit;

namespace {
constexpr int32_t kMaxWidth = 65536;  // floats in a row of an embedding
}

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::unsupported:
      return "unsupported";
    case Kind::number:
      return "number";
    case Kind::boolean:
      return "boolean";
    case Kind::category:
      return "category";
    case Kind::time:
      return "time";
    case Kind::embedding:
      return "embedding";
  }
  return "unsupported";
}

const char* name_of(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::none:
      return "";
    case TimeUnit::second:
      return "s";
    case TimeUnit::milli:
      return "ms";
    case TimeUnit::micro:
      return "us";
    case TimeUnit::nano:
      return "ns";
    case TimeUnit::day:
      return "D";
  }
  return "";
}

void ColumnSpec::freeze(std::shared_ptr<const binning::Edges<double>> edges) {
  edges_f64 = std::move(edges);
  edges_id = edges_f64->id;
}
void ColumnSpec::freeze(std::shared_ptr<const binning::Edges<int64_t>> edges) {
  edges_i64 = std::move(edges);
  edges_id = edges_i64->id;
}
void ColumnSpec::freeze(std::shared_ptr<const binning::Categories> frozen_categories) {
  categories = std::move(frozen_categories);
  edges_id = categories->id();
}

void ColumnSpec::check() const {
  const auto refuse = [&](const char* why) { throw SchemaError("column '" + name + "': " + why); };
  const bool numeric = kind == Kind::number || kind == Kind::time;
  if (numeric != (state != State::none)) refuse("numbers and times, and only they, have a number type");
  if (kind == Kind::time && state != State::i64) refuse("times are kept as whole numbers of their unit");
  if ((kind == Kind::time) != (unit != TimeUnit::none)) refuse("times, and only they, have a unit");
  if (edges_f64 && state != State::f64) refuse("has edges of floats, but its values are not floats");
  if (edges_i64 && state != State::i64) refuse("has edges of integers, but its values are not integers");
  if (categories && kind != Kind::category) refuse("has categories, but is not of kind category");
  if (categories && categories->seed() != seed) refuse("its categories were hashed with another seed");
  if (kind == Kind::embedding ? width <= 0 || width > kMaxWidth : width != 0) {
    refuse("an embedding has 1 to 65536 floats in a row, other kinds none");
  }
  if (accumulators > accumulate::kAll) refuse("unknown accumulators");
  if ((accumulators & accumulate::kCovariance) &&
      (kind != Kind::embedding || static_cast<size_t>(width) > sketch::Scatter::kMaxWidth)) {
    refuse("only embeddings of at most 256 floats have a covariance");
  }
}

void ColumnSpec::check_mergeable(const ColumnSpec& other) const {
  const auto refuse = [&](const std::string& what, const std::string& remedy) {
    throw MergeError("column '" + name + "': " + what + "; " + remedy);
  };
  if (kind != other.kind || state != other.state || unit != other.unit || width != other.width) {
    refuse(std::string("one side is a ") + name_of(kind) + " and the other a " + name_of(other.kind) +
               (kind == other.kind ? " of another type" : ""),
           "give both the same schema");
  }
  if (edges_id != other.edges_id) {
    refuse("the two sides were counted between different edges",
           "profile both with the same reference, or make the new reference with "
           "Reference.fit(data, edges=old_reference)");
  }
  if (accumulators != other.accumulators || counted_only != other.counted_only) {
    refuse("the two sides have different accumulators", "profile both as \"full\" or both as \"light\"");
  }
  if (seed != other.seed || keep_values != other.keep_values) {
    refuse("the two sides hash or keep values differently", "give both the same schema");
  }
}

void ColumnSpec::encode(ByteWriter& out) const {
  out.put_text(name);
  out.put_text(role);
  out.put(static_cast<uint8_t>(kind));
  out.put(static_cast<uint8_t>(state));
  out.put(static_cast<uint8_t>(unit));
  out.put(accumulators);
  out.put(static_cast<uint8_t>((counted_only ? 1 : 0) | (keep_values ? 2 : 0)));
  out.put_varint(static_cast<uint32_t>(width));
  out.put(seed);
  out.put(edges_id);
}

ColumnSpec ColumnSpec::decode(ByteReader& in) {
  constexpr const char* kWhat = "column";
  ColumnSpec spec;
  spec.name = in.get_text(kWhat);
  spec.role = in.get_text(kWhat);
  const auto kind = in.get<uint8_t>(kWhat), state = in.get<uint8_t>(kWhat), unit = in.get<uint8_t>(kWhat);
  spec.accumulators = in.get<uint8_t>(kWhat);
  const auto flags = in.get<uint8_t>(kWhat);
  const uint64_t width = in.get_varint(kWhat);
  if (kind > static_cast<uint8_t>(Kind::embedding) || state > static_cast<uint8_t>(State::i64) ||
      unit > static_cast<uint8_t>(TimeUnit::day) || flags > 3 || width > kMaxWidth) {
    throw DecodeError("column '" + spec.name + "': a kind or option that this version does not know");
  }
  spec.kind = static_cast<Kind>(kind);
  spec.state = static_cast<State>(state);
  spec.unit = static_cast<TimeUnit>(unit);
  spec.counted_only = flags & 1;
  spec.keep_values = flags & 2;
  spec.width = static_cast<int32_t>(width);
  spec.seed = in.get<uint64_t>(kWhat);
  spec.edges_id = in.get<uint64_t>(kWhat);
  try {
    spec.check();
  } catch (const SchemaError& error) {
    throw DecodeError(error.what());
  }
  return spec;
}

ColumnSpec default_spec(const arrow::Field& field, uint8_t accumulators) {
  ColumnSpec spec;
  spec.name = field.name;
  spec.kind = field.type.kind;
  switch (field.type.kind) {
    case Kind::number: {
      const Physical p = field.type.physical;
      const bool real = p == Physical::float16 || p == Physical::float32 || p == Physical::float64 ||
                        p == Physical::decimal;
      spec.state = real ? State::f64 : State::i64;
      spec.accumulators =
          accumulators & (accumulate::kDistinct | accumulate::kQuantiles | accumulate::kExponential);
      break;
    }
    case Kind::time:
      spec.state = State::i64;
      spec.unit = field.type.unit;
      spec.accumulators = accumulators & accumulate::kDistinct;
      break;
    case Kind::category:
      spec.accumulators = accumulators & (accumulate::kDistinct | accumulate::kFrequent);
      break;
    case Kind::embedding:
      if (field.type.width <= 0 || field.type.width > kMaxWidth) {  // counted, so that the frame is kept
        spec.kind = Kind::unsupported;
        spec.counted_only = true;
        break;
      }
      spec.width = field.type.width;
      if (static_cast<size_t>(spec.width) <= sketch::Scatter::kMaxWidth) {
        spec.accumulators = accumulators & accumulate::kCovariance;
      }
      break;
    case Kind::boolean:
      break;
    case Kind::unsupported:
      spec.counted_only = true;
      break;
  }
  return spec;
}

}  // namespace tidegauge
