// Tables in C Data structures: imported, checked, profiled, split, taken, staged, segmented, released once.

#include "imports.hpp"

#include <memory>
#include <numeric>
#include <optional>

#include "arrays.hpp"
#include "profiles.hpp"
#include "random.hpp"
#include "tidegauge/arrow/batch.hpp"
#include "tidegauge/arrow/partition.hpp"
#include "tidegauge/base/error.hpp"
#include "tidegauge/profile/profile.hpp"
#include "tidegauge/profile/segmented.hpp"
#include "tidegauge/profile/stage.hpp"

namespace tidegauge::fuzz {
namespace {

constexpr int64_t kMostRows = 4'096;     // runs may stand for any number, and take the time of that many
constexpr int64_t kMostWindows = 1'024;  // a window takes 88 bytes, however few bytes its rows came as

using Specs = std::vector<std::shared_ptr<const ColumnSpec>>;

Specs specs_of(const Profile& profile) {
  Specs found;
  for (const auto& column : profile.columns()) found.push_back(column->shared_spec());
  return found;
}

Bytes of_all(Profile profile, std::span<const arrow::Batch> batches) {
  for (const arrow::Batch& batch : batches) profile.update(batch, 1);
  return profile.to_bytes(true);
}

/// No way of cutting, copying or staging rows shows in the profile of them.
void compare_ways(const arrow::Batch& batch, Feed& feed) {
  const auto accumulators = static_cast<uint8_t>(feed.byte() % (accumulate::kAll + 1));
  const int64_t n = batch.n_rows(),
                cut = n ? static_cast<int64_t>(feed.number() % static_cast<uint64_t>(n + 1)) : 0;
  Profile whole(accumulators);
  whole.update(batch, 1);
  query(whole);
  require_readable(whole, "given a table");
  const Bytes expected = whole.to_bytes(true);
  const Specs specs = specs_of(whole);
  switch (feed.below(5)) {
    case 0: {
      const arrow::Batch parts[] = {batch.slice(0, cut), batch.slice(cut, n - cut)};
      require(of_all(Profile(accumulators), parts) == expected, "split in two its profile differs");
      break;
    }
    case 1: {
      std::vector<int64_t> rows(static_cast<size_t>(n));
      std::iota(rows.begin(), rows.end(), 0);
      const arrow::Batch taken = batch.take(rows);
      require(of_all(Profile(accumulators), {&taken, 1}) == expected, "taken row by row its profile differs");
      break;
    }
    case 2: {
      Stage stage(specs, {}, 1 << 20, 1 << 24);
      if (!stage.add(batch)) break;
      const std::vector<arrow::Batch> staged = stage.take();
      require(of_all(Profile(specs), staged) == of_all(Profile(specs), {&batch, 1}),
              "staged its profile differs");
      break;
    }
    case 3: {
      if (specs.empty()) break;
      const std::string name = specs[feed.below(specs.size())]->name;
      SegmentedProfile segmented(specs, nullptr, {{name}}, 1 + feed.below(4), {});
      const arrow::Batch parts[] = {batch.slice(0, cut), batch.slice(cut, n - cut)};
      for (const arrow::Batch& part : parts) segmented.update(part, 1);
      require(segmented.total().to_bytes(true) == of_all(Profile(specs), {&batch, 1}),
              "segmented its total differs");
      uint64_t n_rows = 0;
      for (const auto& part : segmented.take_changed(true)) {
        if (part.dimension) n_rows += part.n_rows;
        require(Profile::from_bytes(part.bytes).n_rows() == part.n_rows,
                "a segment's bytes are of other rows");
      }
      require(n_rows == static_cast<uint64_t>(n), "its segments do not add up to its rows");
      break;
    }
    default: {
      const auto& fields = batch.schema().fields;
      for (size_t i = 0; i < fields.size(); ++i) {
        if (fields[i].type.kind != arrow::Kind::time || n > kMostWindows) continue;
        int64_t n_rows = 0;
        const auto width = static_cast<int64_t>(1 + feed.number() % 1'000'000'000'000'000);
        for (const auto& [start, part] : arrow::partition(batch, i, width, 0)) {
          n_rows += part.n_rows();
          Profile profile(accumulators);
          profile.update(part, 1);
        }
        require(n_rows == n, "its windows do not add up to its rows");
      }
    }
  }
}

/// Whether it was accepted.
bool import(Table& table, Feed& feed, bool is_valid) {
  std::shared_ptr<const arrow::Schema> schema;
  std::optional<arrow::Batch> batch;
  try {
    schema = std::make_shared<const arrow::Schema>(arrow::Schema::parse(table.schema));
    batch = arrow::Batch::parse(&table.array, schema);
    batch = batch->checked();
    if (batch->n_rows() <= kMostRows) compare_ways(*batch, feed);
  } catch (const ArrowError& error) {
    require(!is_valid, std::string("refuses a valid table: ") + error.what());
    return false;
  } catch (const SchemaError&) {  // two columns of a name, times of no date, a segment of vectors
  }
  return true;
}

bool run(std::span<const std::byte> bytes) {
  Feed feed(bytes);
  const bool is_valid = feed.byte() % 3 == 0;
  Table table(feed, !is_valid);
  const bool was_released = table.array.release == nullptr;
  bool accepted = import(table, feed, is_valid);
  const bool moved = table.array.release == nullptr;
  if (!moved) table.array.release(&table.array);  // the schema was refused
  require(table.n_released == (was_released ? 0 : 1),
          "released " + std::to_string(table.n_released) + " times");
  require(!table.released_child, "the consumer released a child");
  return accepted;
}

/// Choices drawn at random, some long and most of plain values.
std::vector<Bytes> seeds() {
  std::vector<Bytes> found;
  for (uint64_t seed = 0; seed < 96; ++seed) {
    Random random(seed);
    Bytes bytes(24 + random.below(seed % 8 == 7 ? 2'000 : 200));
    for (std::byte& byte : bytes) byte = std::byte(random.next() % (seed % 2 ? 256 : 240));
    found.push_back(std::move(bytes));
  }
  return found;
}

}  // namespace

Target import_target() { return {"import", 6, false, seeds, nullptr, run}; }

}  // namespace tidegauge::fuzz
