#include "rows.hpp"

#include <cmath>
#include <cstring>
#include <random>
#include <string>

#include "tidegauge/base/hash.hpp"

namespace trust {
namespace {

using tidegauge::ColumnSpec;
namespace arrow = tidegauge::arrow;

int64_t unreleased = 0;

/// What a C struct points to; freed by its release.
struct Held {
  std::vector<std::vector<uint64_t>> buffers;
  std::vector<const void*> pointers;
  std::vector<ArrowArray> children;
  std::vector<ArrowArray*> child_pointers;
  ArrowArray dictionary{};
};

void release_array(ArrowArray* array) {
  auto* held = static_cast<Held*>(array->private_data);
  for (ArrowArray& child : held->children) {
    if (child.release) child.release(&child);
  }
  if (held->dictionary.release) held->dictionary.release(&held->dictionary);
  delete held;
  array->release = nullptr;
  --unreleased;
}

struct HeldSchema {
  std::string format, name;
  std::vector<ArrowSchema> children;
  std::vector<ArrowSchema*> child_pointers;
  ArrowSchema dictionary{};
};

void release_schema(ArrowSchema* schema) {
  auto* held = static_cast<HeldSchema*>(schema->private_data);
  for (ArrowSchema& child : held->children) {
    if (child.release) child.release(&child);
  }
  if (held->dictionary.release) held->dictionary.release(&held->dictionary);
  delete held;
  schema->release = nullptr;
  --unreleased;
}

ArrowSchema schema_of(std::string format, std::string name, std::vector<ArrowSchema> children = {},
                      const ArrowSchema* dictionary = nullptr) {
  auto* held = new HeldSchema{std::move(format), std::move(name), std::move(children), {}, {}};
  for (ArrowSchema& child : held->children) held->child_pointers.push_back(&child);
  if (dictionary) held->dictionary = *dictionary;
  ArrowSchema schema{};
  schema.format = held->format.c_str();
  schema.name = held->name.c_str();
  schema.flags = 2;
  schema.n_children = static_cast<int64_t>(held->children.size());
  schema.children = held->child_pointers.data();
  schema.dictionary = dictionary ? &held->dictionary : nullptr;
  schema.release = release_schema;
  schema.private_data = held;
  ++unreleased;
  return schema;
}

/// Buffers, the first of which is the validity and may be empty.
ArrowArray array_of(int64_t length, std::vector<std::vector<uint64_t>> buffers,
                    std::vector<ArrowArray> children = {}, const ArrowArray* dictionary = nullptr) {
  auto* held = new Held{std::move(buffers), {}, std::move(children), {}, {}};
  for (const auto& buffer : held->buffers) held->pointers.push_back(buffer.empty() ? nullptr : buffer.data());
  for (ArrowArray& child : held->children) held->child_pointers.push_back(&child);
  if (dictionary) held->dictionary = *dictionary;
  ArrowArray array{};
  array.length = length;
  array.null_count = -1;
  array.n_buffers = static_cast<int64_t>(held->buffers.size());
  array.buffers = held->pointers.data();
  array.n_children = static_cast<int64_t>(held->children.size());
  array.children = held->child_pointers.data();
  array.dictionary = dictionary ? &held->dictionary : nullptr;
  array.release = release_array;
  array.private_data = held;
  ++unreleased;
  return array;
}

template <class T>
std::vector<uint64_t> bytes_of(const std::vector<T>& values) {
  std::vector<uint64_t> words(values.size() * sizeof(T) / 8 + 1);
  if (!values.empty()) std::memcpy(words.data(), values.data(), values.size() * sizeof(T));
  return words;
}

std::string word(std::mt19937_64& random) {
  std::string text(random() % 12, 'a');
  for (char& each : text) each = static_cast<char>('a' + random() % 3);
  return text;
}

ArrowArray texts_of(std::mt19937_64& random, int64_t n, std::vector<uint64_t> validity) {
  std::vector<int32_t> offsets{0};
  std::vector<char> data;
  for (int64_t i = 0; i < n; ++i) {
    const std::string text = word(random);
    data.insert(data.end(), text.begin(), text.end());
    offsets.push_back(static_cast<int32_t>(data.size()));
  }
  return array_of(n, {std::move(validity), bytes_of(offsets), bytes_of(data)});
}

}  // namespace

Table::~Table() {
  if (schema.release) schema.release(&schema);
  if (array.release) array.release(&array);
}

int64_t n_unreleased() { return unreleased; }

std::unique_ptr<Table> table_of(uint64_t seed, int64_t n) {
  std::mt19937_64 random(seed);
  const auto size = static_cast<size_t>(n);
  const auto validity = [&] {
    std::vector<uint64_t> bits(size / 64 + 1);
    for (uint64_t& each : bits) each = random() | random();
    return bits;
  };
  std::vector<double> reals(size), more(size);
  std::vector<int64_t> integers(size), times(size);
  std::vector<int32_t> codes(size);
  std::vector<float> floats(4 * size);
  for (size_t i = 0; i < size; ++i) {
    reals[i] = random() % 50 == 0 ? std::nan("") : std::ldexp(static_cast<double>(random() % 4096), -6) - 20;
    more[i] = static_cast<double>(random() % 1000) * (random() % 9 ? 0.1 : 1e6);
    integers[i] = static_cast<int64_t>(random() % 3000) - 1500;
    times[i] = static_cast<int64_t>(random() % 1'000'000'000'000);
    codes[i] = static_cast<int32_t>(random() % 5);
  }
  for (float& each : floats) each = static_cast<float>(random() % 100);
  auto table = std::make_unique<Table>();
  const ArrowSchema values = schema_of("u", ""), item = schema_of("f", "item");
  table->schema = schema_of(
      "+s", "",
      {schema_of("g", "real"), schema_of("g", "more"), schema_of("l", "integer"), schema_of("b", "flag"),
       schema_of("u", "text"), schema_of("i", "code", {}, &values), schema_of("tsn:", "time"),
       schema_of("+w:4", "vector", {item}), schema_of("u", "id"), schema_of("u", "unexpected")});
  const ArrowArray dictionary = texts_of(random, 5, {});
  table->array = array_of(
      n, {{}},
      {array_of(n, {validity(), bytes_of(reals)}), array_of(n, {{}, bytes_of(more)}),
       array_of(n, {validity(), bytes_of(integers)}), array_of(n, {validity(), validity()}),
       texts_of(random, n, validity()), array_of(n, {{}, bytes_of(codes)}, {}, &dictionary),
       array_of(n, {{}, bytes_of(times)}), array_of(n, {{}}, {array_of(4 * n, {{}, bytes_of(floats)})}),
       texts_of(random, n, {}), texts_of(random, n, {})});
  return table;
}

arrow::Batch batch_of(uint64_t seed, int64_t n_rows) {
  const auto table = table_of(seed, n_rows);
  auto schema = std::make_shared<const arrow::Schema>(arrow::Schema::parse(table->schema));
  return arrow::Batch::parse(&table->array, std::move(schema));
}

std::vector<std::shared_ptr<const ColumnSpec>> frozen_specs(uint8_t accumulators) {
  using tidegauge::binning::Categories;
  using tidegauge::binning::Edges;
  const auto table = table_of(0, 1);
  const arrow::Schema schema = arrow::Schema::parse(table->schema);
  std::vector<std::shared_ptr<const ColumnSpec>> specs;
  for (size_t i = 0; i + 1 < schema.fields.size(); ++i) {  // the last one stays unexpected
    ColumnSpec spec = tidegauge::default_spec(schema.fields[i], accumulators);
    if (spec.name == "id") {
      spec.counted_only = true;
      spec.accumulators = 0;
    } else if (spec.state == tidegauge::State::f64) {
      std::vector<double> edges;
      for (int j = 0; j < 40; ++j) edges.push_back(j - 15.5);
      spec.freeze(Edges<double>::make(std::move(edges)));
    } else if (spec.state == tidegauge::State::i64 && spec.name == "integer") {
      spec.freeze(Edges<int64_t>::make({-1000, -100, -10, 0, 10, 100, 1000}));
    } else if (spec.kind == arrow::Kind::category) {
      std::vector<uint64_t> hashes;
      Categories::Names names;
      for (const char* name : {"", "a", "b", "ab", "ba", "abc"}) {
        hashes.push_back(tidegauge::hash_text(name, spec.seed));
        names.emplace_back(name);
      }
      spec.freeze(Categories::make(std::move(hashes), std::move(names), spec.seed));
    }
    specs.push_back(std::make_shared<const ColumnSpec>(std::move(spec)));
  }
  return specs;
}

std::shared_ptr<const tidegauge::joint::Spec> frozen_joint() {
  std::vector<tidegauge::joint::Member> members;
  for (const char* name : {"real", "more"}) {
    tidegauge::joint::Member member{name, {}};
    for (int j = 0; j < 41; ++j) member.scores.push_back(static_cast<int8_t>(j - 20));
    members.push_back(std::move(member));
  }
  return tidegauge::joint::Spec::make(std::move(members), 8, 1);
}

}  // namespace trust
