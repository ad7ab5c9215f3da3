// Whole profiles: read, asked, merged, fed and written again.

#include "profiles.hpp"

#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>

#include "laws.hpp"
#include "mutate.hpp"
#include "tidegauge/arrow/builder.hpp"
#include "tidegauge/profile/boolean_column.hpp"
#include "tidegauge/profile/category_column.hpp"
#include "tidegauge/profile/embedding_column.hpp"
#include "tidegauge/profile/number_column.hpp"
#include "tidegauge/profile/profile.hpp"

namespace tidegauge::fuzz {
namespace {

using arrow::Builder;
using arrow::Content;
using arrow::Kind;

constexpr int64_t kRows = 7;

template <class T>
void query_number(const NumberColumn<T>& column) {
  column.moments().sum(), column.moments().exact_sum(), column.cells().values();
  const sketch::CentralMoments central = column.moments().central();
  require(!(central.m2 < 0) && !(central.m4 < 0), "a sum of even powers is negative");
  if (column.distinct()) column.distinct()->estimate();
  if (column.quantiles()) {
    const sketch::Kll<T>& found = *column.quantiles();
    found.rank_error(), found.rank(T{});
    if (found.n() > 0) found.quantile(0.5), found.quantile(1.0);
  }
  if (column.exponential() && column.exponential()->n() > 0) column.exponential()->quantile(0.5);
}

void query_column(const Column& column) {
  require(column.n_present() <= column.homes().n_rows, "more values than rows");
  column.memory_bytes(column.homes().n_rows), column.prefetch(), column.n_scored_cells(), column.is_blank();
  if (const auto* reals = dynamic_cast<const NumberColumn<double>*>(&column)) query_number(*reals);
  if (const auto* integers = dynamic_cast<const NumberColumn<int64_t>*>(&column)) query_number(*integers);
  if (const auto* flags = dynamic_cast<const BooleanColumn*>(&column)) flags->n_false();
  if (const auto* category = dynamic_cast<const CategoryColumn*>(&column)) {
    category->cells().values();
    if (category->distinct()) category->distinct()->estimate();
    if (category->frequent()) category->frequent()->top(5);
  }
  if (const auto* embedding = dynamic_cast<const EmbeddingColumn*>(&column)) {
    for (const double mean : embedding->mean()) {
      require(std::isfinite(mean) || embedding->n_present() == 0, "a mean of finite vectors is not finite");
    }
    if (embedding->scatter()) embedding->scatter()->products();
  }
}

Bytes written(const Profile& profile, std::string_view note = {}) { return profile.to_bytes(true, note); }

/// A refused change leaves what was there.
template <class Change>
void change_or_keep(Profile& profile, Change change, const char* when) {
  const Bytes before = written(profile);
  try {
    change();
  } catch (const Error&) {
    require(written(profile) == before, std::string(when) + ": a refused call changes it");
    return;
  }
  query(profile);
  require_readable(profile, when);
}

/// Columns that a batch may show, of each kind.
class Rows {
 public:
  Rows() {
    reals_.become({Content::real}, 0), integers_.become({Content::integer}, 0);
    booleans_.become({Content::boolean}, 0), texts_.become({Content::text}, 0);
    times_.become({Content::time, arrow::TimeUnit::milli}, 0);
    constexpr double kReals[kRows] = {0.5, -3.0, NAN, INFINITY, 1e300, 0.0, 12.25};
    constexpr const char* kTexts[kRows] = {"a", "red", "", "word 3", "a", "\xff", "green"};
    for (size_t i = 0; i < kRows; ++i) {
      const auto whole = static_cast<int64_t>(i) * 1'000'003 - 5;
      reals_.add(kReals[i]), integers_.add(whole), booleans_.add(static_cast<int64_t>(i % 2));
      texts_.add(std::string_view(kTexts[i])), times_.add(whole);
    }
  }

  arrow::Batch batch(const Profile& of) {
    auto schema = std::make_shared<arrow::Schema>();
    std::vector<arrow::ColumnView> views;
    vectors_.clear();
    for (const auto& column : of.columns()) {
      Builder& builder = builder_of(column->spec());
      schema->fields.push_back(builder.field(column->spec().name));
      views.push_back(builder.finish(kRows));
    }
    return arrow::Batch::borrow(std::move(schema), std::move(views), kRows, nullptr);
  }

 private:
  Builder& builder_of(const ColumnSpec& spec) {
    switch (spec.kind) {
      case Kind::number:
        return spec.state == State::f64 ? reals_ : integers_;
      case Kind::boolean:
        return booleans_;
      case Kind::time:
        return times_;
      case Kind::embedding:
        if (spec.width <= 64) return vectors_of(spec.width);
        return texts_;
      default:
        return texts_;
    }
  }
  Builder& vectors_of(int32_t width) {
    vectors_.push_back(std::make_unique<Builder>());
    Builder& vectors = *vectors_.back();
    vectors.become({Content::embedding, arrow::TimeUnit::none, width}, 0);
    for (int64_t i = 0; i < kRows; ++i) {
      vectors.add(std::vector<double>(static_cast<size_t>(width), static_cast<double>(i) - 2.5));
    }
    return vectors;
  }

  Builder reals_, integers_, booleans_, texts_, times_;
  std::vector<std::unique_ptr<Builder>> vectors_;
};

/// Good profiles by the spec of their columns, as bytes.
struct Peers {
  std::map<Bytes, std::shared_ptr<const Profile>> by_spec;
  std::shared_ptr<const Profile> any;
};
Peers& peers() {
  static Peers held;
  return held;
}

void prepare(const std::vector<Bytes>& good) {
  for (const Bytes& bytes : good) {
    try {
      const auto spec = section(bytes, "SPEC");
      auto profile = std::make_shared<const Profile>(Profile::from_bytes(bytes));
      if (profile->n_rows() == 0 || profile->columns().size() > 3) continue;
      if (!peers().any) peers().any = profile;
      peers().by_spec.emplace(Bytes(spec.begin(), spec.end()), profile);
    } catch (const DecodeError&) {  // a regression entry is no good profile
    }
  }
}

const Profile* peer_of(const Bytes& bytes) {
  const auto spec = section(bytes, "SPEC");
  const auto found = peers().by_spec.find(Bytes(spec.begin(), spec.end()));
  return found == peers().by_spec.end() ? peers().any.get() : found->second.get();
}

/// Whether the encoder lays sections out so: known ones, in its order.
bool is_laid_out(const Bytes& bytes) {
  constexpr std::array kOrder = {"ROWS", "SPEC", "EDGE", "COLS", "JOIN", "JSPC", "MORE", "NOTE"};
  size_t next = 0;
  for (size_t i = 12; i + 8 < bytes.size();) {
    while (next < kOrder.size() && std::memcmp(bytes.data() + i, kOrder[next], 4) != 0) ++next;
    if (next == kOrder.size()) return false;
    i += 4;
    uint64_t size = 0;
    if (!read_varint(bytes, i, size)) return false;
    i += size;
  }
  return true;
}

bool run(std::span<const std::byte> input) {
  const Bytes bytes(input.begin(), input.end());
  std::string note;
  std::unique_ptr<Profile> read;
  try {
    read = std::make_unique<Profile>(Profile::from_bytes(bytes, &note));
  } catch (const DecodeError&) {
    return false;
  }
  Profile& profile = *read;
  query(profile);
  const Bytes again = written(profile, note);
  if (is_laid_out(bytes)) require(again == bytes, "accepted as a profile that has other bytes");
  require_readable(profile, "read");
  switch (turn(bytes) % 5) {
    case 0: {
      Profile copy(profile);
      change_or_keep(copy, [&] { copy.merge(copy); }, "merged into itself");
      break;
    }
    case 1: {  // as on a machine that has no edges
      Profile apart = Profile::from_bytes(profile.to_bytes(false));
      query(apart);
      change_or_keep(apart, [&] { apart.merge(profile); }, "merged into one without edges");
      Profile copy(profile);
      const Profile other = Profile::from_bytes(profile.to_bytes(false));
      change_or_keep(copy, [&] { copy.merge(other); }, "merged with one without edges");
      break;
    }
    case 2:
      if (const Profile* peer = peer_of(bytes)) {
        Profile merged(*peer);
        change_or_keep(merged, [&] { merged.merge(profile); }, "merged into a good one");
        change_or_keep(profile, [&] { profile.merge(*peer); }, "merged with a good one");
      }
      break;
    case 3: {
      static Rows rows;
      const arrow::Batch batch = rows.batch(profile);
      change_or_keep(profile, [&] { profile.update(batch, 1); }, "given rows");
      break;
    }
    default:
      change_or_keep(profile, [&] { profile.hide_rare_names(5); }, "with rare names hidden");
  }
  return true;
}

std::vector<Bytes> no_seeds() { return {}; }

}  // namespace

void query(const Profile& profile) {
  if (const auto found = profile.labelled_outcomes()) {
    ByteWriter bytes;
    if (!found->empty()) found->encode(bytes);
  }
  const auto guard = profile.lock();
  for (const auto& column : profile.columns()) {
    require(profile.find(column->spec().name) == column.get(), "a column is not found by its name");
    query_column(*column);
  }
}

void require_readable(const Profile& profile, const char* when) {
  const Bytes bytes = written(profile);
  try {
    require(written(Profile::from_bytes(bytes)) == bytes,
            std::string(when) + ": saved and loaded it has other bytes");
  } catch (const DecodeError& error) {
    throw Broken(std::string(when) + ": it writes bytes that it refuses: " + error.what());
  }
}

Target profile_target() { return {"profile", 12, true, no_seeds, prepare, run}; }

}  // namespace tidegauge::fuzz
