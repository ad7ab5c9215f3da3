#include "operations.hpp"

#include <cstring>
#include <random>
#include <stdexcept>
#include <utility>

#include "rows.hpp"
#include "tidegauge/arrow/partition.hpp"
#include "tidegauge/arrow/stream.hpp"
#include "tidegauge/base/error.hpp"
#include "tidegauge/profile/category_column.hpp"
#include "tidegauge/profile/embedding_column.hpp"
#include "tidegauge/profile/number_column.hpp"
#include "tidegauge/profile/profile.hpp"
#include "tidegauge/profile/segmented.hpp"
#include "tidegauge/profile/stage.hpp"

namespace trust {
namespace {

using tidegauge::Profile;
using tidegauge::SegmentedProfile;
using tidegauge::Stage;
namespace arrow = tidegauge::arrow;
namespace accumulate = tidegauge::accumulate;

const auto& full_specs() {
  static const auto specs = frozen_specs(accumulate::kAll);
  return specs;
}

int64_t some_rows(uint64_t seed) { return std::mt19937_64(seed)() % 4 ? 60 : 700; }

Profile closed(uint64_t seed, bool joint, int64_t n_rows) {
  Profile profile(full_specs(), joint ? frozen_joint() : nullptr, joint && seed % 2);
  if (n_rows > 0) profile.update(batch_of(seed + 1, n_rows), 1);
  return profile;
}

Profile open(uint64_t seed, int64_t n_rows) {
  Profile profile(accumulate::kAll);
  if (n_rows > 0) profile.update(batch_of(seed + 1, n_rows), 1);
  return profile;
}

/// Where memory that runs out may leave a profile that says so, by profile.hpp.
std::optional<Bytes> state_of(const Profile& profile) {
  try {
    return profile.to_bytes(true);
  } catch (const tidegauge::Error&) {
    return {};
  }
}

void append(Bytes& to, const Bytes& from) { to.insert(to.end(), from.begin(), from.end()); }

/// Batches' bytes: those of profiles of their rows, one after the other.
Bytes bytes_of(const std::vector<arrow::Batch>& batches) {
  Bytes bytes;
  for (const arrow::Batch& batch : batches) {
    Profile profile(accumulate::kAll);
    profile.update(batch, 1);
    append(bytes, profile.to_bytes(false));
  }
  return bytes;
}

struct Update final : Trial {
  Update(Profile given, arrow::Batch rows) : profile(std::move(given)), batch(std::move(rows)) {}
  void run() override { profile.update(batch, 1); }
  std::optional<Bytes> state() override { return state_of(profile); }
  Profile profile;
  arrow::Batch batch;
};

struct Merge final : Trial {
  Merge(Profile one, Profile two) : profile(std::move(one)), other(std::move(two)) {}
  void run() override { profile.merge(other); }
  std::optional<Bytes> state() override {
    auto ours = state_of(profile);
    const auto theirs = state_of(other);
    if (!theirs) throw std::logic_error("the argument of merge was harmed");
    if (ours) append(*ours, *theirs);
    return ours;
  }
  Profile profile, other;
};

/// What only reads a profile.
struct Read final : Trial {
  Read(Profile given, std::function<Bytes(const Profile&)> f)
      : profile(std::move(given)), read(std::move(f)) {}
  void run() override { result = read(profile); }
  std::optional<Bytes> state() override {
    Bytes bytes = profile.to_bytes(true);
    append(bytes, result);
    return bytes;
  }
  Profile profile;
  std::function<Bytes(const Profile&)> read;
  Bytes result;
};

struct Segmented final : Trial {
  Segmented(uint64_t seed, bool takes) : taking(takes), batch(batch_of(seed + 2, some_rows(seed))) {
    std::vector<std::vector<std::string>> dimensions{{"text"}, {"code", "flag"}};
    profile = std::make_unique<SegmentedProfile>(full_specs(), nullptr, std::move(dimensions), 40,
                                                 std::vector<std::vector<tidegauge::SegmentKey>>{});
    if (seed % 3) profile->update(batch_of(seed + 1, 50), 1);
  }
  void run() override {
    if (taking) {
      parts = profile->take_changed();
    } else {
      profile->update(batch, 1);
    }
  }
  std::optional<Bytes> state() override {
    Bytes bytes;
    try {
      if (taking && parts.empty()) parts = profile->take_changed();  // what the failed call left to be taken
      for (const auto& part : parts) append(bytes, part.bytes);
      if (taking) return bytes;
      for (const auto& part : profile->take_changed(true)) append(bytes, part.bytes);
    } catch (const tidegauge::Error&) {
      return {};
    }
    return bytes;
  }
  bool taking;
  arrow::Batch batch;
  std::unique_ptr<SegmentedProfile> profile;
  std::vector<SegmentedProfile::Part> parts;
};

enum class Staging { row, batch, take };

struct Staged final : Trial {
  Staged(uint64_t seed, Staging what)
      : staging(what),
        stage(full_specs(), {"id", "other"}, 1000, 1 << 20),
        row(stage.names().size()),
        batch(batch_of(seed + 3, 20)) {
    std::mt19937_64 random(seed);
    for (uint64_t i = random() % 5; i-- > 0;) {
      if (random() % 2) {
        stage.add(batch_of(random(), 10));
      } else {
        fill(random);
        stage.add(row);
      }
    }
    if (what == Staging::take) stage.add(batch);
    fill(random);
  }
  /// A row of a real, a text, perhaps a free column of either type, and perhaps a field that is unknown.
  void fill(std::mt19937_64& random) {
    row.clear();
    tidegauge::Cell cell;
    cell.content = arrow::Content::real;
    cell.real = static_cast<double>(random() % 100);
    row.put(0, cell);
    const std::string text(random() % 40, 'a');
    const auto put_text = [&](size_t place) {
      cell.content = arrow::Content::text;
      cell.at = row.heap.size();
      row.heap.put(text.size());
      row.heap.put(text.data(), text.size());
      row.put(place, cell);
    };
    put_text(4);
    const size_t last = stage.names().size() - 1;
    if (random() % 2) put_text(last);
    if (random() % 3 == 0) {
      cell.content = arrow::Content::real;
      cell.real = 1.5;
      row.put(last, cell);
    }
    if (random() % 2) {
      const std::string name = "new" + std::to_string(random() % 3);
      row.unknown.push_back({row.names.size(), name.size()});
      row.names.put(name.data(), name.size());
    }
  }
  void run() override {
    if (staging == Staging::row) stage.add(row);
    if (staging == Staging::batch) stage.add(batch);
    if (staging == Staging::take) taken = stage.take();
  }
  std::optional<Bytes> state() override {
    if (taken.empty()) taken = stage.take();
    return bytes_of(taken);
  }
  Staging staging;
  Stage stage;
  tidegauge::Row row;
  arrow::Batch batch;
  std::vector<arrow::Batch> taken;
};

/// A producer's structs are released exactly once, whatever happens.
struct Import final : Trial {
  explicit Import(uint64_t seed) : seed_(seed) {}
  void run() override {
    // The producer's own memory is not at stake: it is made while nothing fails.
    auto schema = std::make_shared<const arrow::Schema>(arrow::Schema::parse(table->schema));
    batches.push_back(arrow::Batch::parse(&table->array, std::move(schema)));
  }
  void prepare_again() override { table = table_of(seed_, 40); }
  std::optional<Bytes> state() override {
    const bool whole = !batches.empty();
    const Bytes bytes = bytes_of(batches);
    batches.clear();
    table = table_of(seed_, 40);
    return whole ? bytes : Bytes{};
  }
  uint64_t seed_;
  std::unique_ptr<Table> table = table_of(seed_, 40);
  std::vector<arrow::Batch> batches;
};

/// What changes a profile without adding a row.
struct Change final : Trial {
  Change(Profile given, std::function<void(Profile&)> f) : profile(std::move(given)), change(std::move(f)) {}
  void run() override { change(profile); }
  std::optional<Bytes> state() override { return profile.to_bytes(true); }
  Profile profile;
  std::function<void(Profile&)> change;
};

/// All that is asked of columns, which takes working memory.
Bytes answers(const Profile& profile) {
  std::vector<double> found;
  const double wanted[] = {0.0, 0.1, 0.5, 0.99, 1.0};
  for (const auto& column : profile.columns()) {
    if (const auto* numbers = dynamic_cast<const tidegauge::NumberColumn<double>*>(column.get())) {
      if (numbers->quantiles() && numbers->quantiles()->n() > 0) {
        for (const double each : numbers->quantiles()->quantiles(wanted)) found.push_back(each);
        found.push_back(numbers->quantiles()->rank(1.0));
      }
      if (numbers->distinct()) found.push_back(numbers->distinct()->estimate());
    }
    if (const auto* texts = dynamic_cast<const tidegauge::CategoryColumn*>(column.get())) {
      if (!texts->frequent()) continue;
      for (const auto& each : texts->frequent()->top(5)) found.push_back(static_cast<double>(each.count));
    }
    if (const auto* vectors = dynamic_cast<const tidegauge::EmbeddingColumn*>(column.get())) {
      for (const double each : vectors->mean()) found.push_back(each);
    }
  }
  Bytes bytes(found.size() * sizeof(double));
  if (!found.empty()) std::memcpy(bytes.data(), found.data(), bytes.size());
  return bytes;
}

/// What makes batches of a batch.
struct Cut final : Trial {
  Cut(arrow::Batch given, std::function<std::vector<arrow::Batch>(const arrow::Batch&)> f)
      : batch(std::move(given)), cut(std::move(f)) {}
  void run() override { result = cut(batch); }
  std::optional<Bytes> state() override {
    Bytes bytes = bytes_of({batch});
    append(bytes, bytes_of(result));
    return bytes;
  }
  arrow::Batch batch;
  std::function<std::vector<arrow::Batch>(const arrow::Batch&)> cut;
  std::vector<arrow::Batch> result;
};

struct Careless final : Trial {
  void run() override {
    ++n_added;
    working.assign(100, n_added);
  }
  std::optional<Bytes> state() override { return Bytes(static_cast<size_t>(n_added), std::byte{1}); }
  int n_added = 0;
  std::vector<int> working;
};

Operation update(std::string name, std::function<Profile(uint64_t)> profile) {
  return {std::move(name), [profile](uint64_t seed) {
            return std::make_unique<Update>(profile(seed), batch_of(seed + 2, some_rows(seed)));
          }};
}

Operation read(std::string name, std::function<Bytes(const Profile&)> f) {
  return {std::move(name), [f](uint64_t seed) {
            return std::make_unique<Read>(
                seed % 2 ? open(seed, some_rows(seed)) : closed(seed, true, some_rows(seed)), f);
          }};
}

Operation cut(std::string name, std::function<std::vector<arrow::Batch>(const arrow::Batch&)> f) {
  return {std::move(name), [f](uint64_t seed) { return std::make_unique<Cut>(batch_of(seed, 50), f); }};
}

Operation staged(std::string name, Staging what) {
  return {std::move(name), [what](uint64_t seed) { return std::make_unique<Staged>(seed, what); }};
}

}  // namespace

const std::vector<Operation>& operations() {
  static const std::vector<Operation> all{
      update("update a closed profile", [](uint64_t seed) { return closed(seed, false, seed % 3 ? 80 : 0); }),
      update("update a joint", [](uint64_t seed) { return closed(seed, true, seed % 3 ? 80 : 0); }),
      update("update an open profile", [](uint64_t seed) { return open(seed, seed % 2 ? 80 : 0); }),
      {"update segments", [](uint64_t seed) { return std::make_unique<Segmented>(seed, false); }},
      {"take segments", [](uint64_t seed) { return std::make_unique<Segmented>(seed, true); }},
      {"merge closed profiles",
       [](uint64_t seed) {
         return std::make_unique<Merge>(closed(seed, true, 300), closed(seed + 9, true, some_rows(seed)));
       }},
      {"merge open profiles",
       [](uint64_t seed) {
         return std::make_unique<Merge>(open(seed, seed % 3 ? 300 : 0), open(seed + 9, some_rows(seed)));
       }},
      read("encode", [](const Profile& profile) { return profile.to_bytes(true); }),
      read("copy", [](const Profile& profile) { return Profile(profile).to_bytes(true); }),
      {"decode",
       [](uint64_t seed) {
         const Bytes bytes = closed(seed, true, some_rows(seed)).to_bytes(true);
         return std::make_unique<Read>(closed(seed, false, 0), [bytes](const Profile&) {
           return Profile::from_bytes(bytes).to_bytes(true);
         });
       }},
      read("query", answers),
      {"hide names",
       [](uint64_t seed) {
         return std::make_unique<Change>(closed(seed, false, some_rows(seed)),
                                         [](Profile& profile) { profile.hide_rare_names(1000); });
       }},
      {"attach edges",
       [](uint64_t seed) {
         const Bytes bytes = closed(seed, true, some_rows(seed)).to_bytes(false);
         return std::make_unique<Change>(
             Profile::from_bytes(bytes),
             [joint = frozen_joint()](Profile& profile) { profile.attach(full_specs(), joint); });
       }},
      staged("stage a row", Staging::row),
      staged("stage a batch", Staging::batch),
      staged("take what is staged", Staging::take),
      {"import", [](uint64_t seed) { return std::make_unique<Import>(seed); }},
      cut("take rows",
          [](const arrow::Batch& batch) {
            const std::vector<int64_t> rows{3, 1, 1, 40, 7};
            return std::vector{batch.take(rows)};
          }),
      cut("split by time",
          [](const arrow::Batch& batch) {
            std::vector<arrow::Batch> parts;
            for (auto& part : arrow::partition(batch, 6, 100'000'000'000, 0)) parts.push_back(part.second);
            return parts;
          }),
      cut("slice and check",
          [](const arrow::Batch& batch) { return std::vector{batch.checked().slice(5, 30)}; }),
  };
  return all;
}

const std::vector<Operation>& planted() {
  static const std::vector<Operation> all{
      {"be careless", [](uint64_t) { return std::make_unique<Careless>(); }}};
  return all;
}

}  // namespace trust
