// Malformed Arrow structures by number: made, given to the engine, and what it says held against what the
// slow oracle (capsule_judge.cpp, capsule_cells.cpp) says. Drives `trust/capsules`.

#include <fcntl.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <list>
#include <map>
#include <set>

#include "capsule_build.hpp"
#include "memory_limit.hpp"
#include "tidegauge/arrow/batch.hpp"
#include "tidegauge/arrow/bits.hpp"
#include "tidegauge/arrow/place.hpp"
#include "tidegauge/arrow/read.hpp"
#include "tidegauge/arrow/stream.hpp"
#include "tidegauge/base/error.hpp"
#include "tidegauge/profile/profile.hpp"

namespace py = pybind11;
namespace ta = tidegauge::arrow;

namespace capsules {
namespace {

using Problems = std::vector<std::string>;

bool says_one_of(const std::string& message, const std::vector<std::string>& words) {
  return std::ranges::any_of(
      words, [&](const std::string& each) { return message.find(each) != std::string::npos; });
}

/// The engine's rows in the oracle's words.
Cells read_cells(const ta::ColumnView& column, int64_t n) {
  Cells cells;
  const auto size = static_cast<size_t>(n);
  const ta::Kind kind = column.type.kind;
  std::vector<uint64_t> valid(size / 64 + 1), bits(size / 64 + 1);
  ta::read_validity(column, 0, n, valid.data());
  std::vector<double> numbers(size * static_cast<size_t>(std::max(column.type.width, 1)));
  std::vector<std::string_view> texts(size);
  bits = valid;
  if (kind == ta::Kind::number || kind == ta::Kind::time) {
    ta::read_numbers(column, 0, n, ta::TimeUnit::none, numbers.data(), bits.data());
  } else if (kind == ta::Kind::boolean) {
    ta::read_booleans(column, 0, n, bits.data());
  } else if (kind == ta::Kind::category) {
    ta::read_texts(column, 0, n, texts.data());
  } else if (kind == ta::Kind::embedding) {
    ta::read_embeddings(column, 0, n, numbers.data());
  }
  for (size_t i = 0; i < size; ++i) {
    const bool is_valid = (valid[i / 64] >> (i % 64)) & 1, bit = (bits[i / 64] >> (i % 64)) & 1;
    std::string& cell = cells.emplace_back("-");
    if (!is_valid) continue;
    if (kind == ta::Kind::boolean) {
      cell = bit ? "true" : "false";
    } else if (kind == ta::Kind::category) {
      cell = texts[i];
    } else if (kind == ta::Kind::embedding) {
      cell.clear();
      const auto width = static_cast<size_t>(column.type.width);
      for (size_t j = 0; j < width; ++j) cell += cell_of(numbers[i * width + j]);
    } else {
      cell = bit ? cell_of(numbers[i]) : "m";
    }
  }
  return cells;
}

/// A profile that has seen the layout's columns, and its bytes.
struct Primed {
  tidegauge::Profile profile{tidegauge::accumulate::kAll};
  std::vector<std::byte> bytes;
};

const Primed& primed(size_t layout) {
  static std::map<size_t, std::unique_ptr<Primed>> kept;
  std::unique_ptr<Primed>& found = kept[layout];
  if (found) return *found;
  found = std::make_unique<Primed>();
  Random random(layout);
  std::string unused;
  Node table{.format = "+s", .name = "", .length = 20, .buffers = {Buffer::none()}};
  table.children.push_back(make_layout(layout, 20, random, unused));
  table.children.push_back(make_layout(4, 20, random, unused));
  table.children[1].name = "y";
  Built schema, array;
  ArrowSchema* raw = schema.schema(table);
  const auto parsed = std::make_shared<const ta::Schema>(ta::Schema::parse(*raw));
  raw->release(raw);
  found->profile.update(ta::Batch::parse(array.array(table, false, false), parsed), 1);
  found->bytes = found->profile.to_bytes(true);
  return *found;
}

/// What must come of a case as a whole.
struct Expected {
  std::vector<std::string> wrong;     // one of which must be said; nothing: all must be taken
  int64_t n_batches = 0, n_rows = 0;  // that are given before
};

Expected expected_of(const Case& made, const Verdict& verdict) {
  const Script& script = made.script;
  if (!made.is_stream) {
    const bool is_sound = verdict.wrong.empty();
    return {verdict.wrong, is_sound, is_sound ? made.root.length : 0};
  }
  if (script.released) return {{"it is already consumed"}, 0, 0};
  if (script.no_get_schema || script.no_get_next) return {{"get_schema or get_next is NULL"}, 0, 0};
  if (script.schema_code) return {{"at its schema: "}, 0, 0};
  if (verdict.is_schema) return {verdict.wrong, 0, 0};
  const int64_t n_rows = script.n_before * made.sound.length;
  if (script.next_code) return {{"at its next batch: "}, script.n_before, n_rows};
  if (made.root.released) return {{}, script.n_before, n_rows};  // which is how a stream says that it ends
  if (!verdict.wrong.empty()) return {verdict.wrong, script.n_before, n_rows};
  return {{},
          script.n_before + 1 + script.n_after,
          n_rows + made.root.length + script.n_after * made.sound.length};
}

/// How often part `i` of a stream, the schema first, is to be released.
bool is_release_due(const Case& made, size_t i) {
  if (i == 0) return !made.root.schema_released;
  return static_cast<int64_t>(i) != made.script.n_before + 1 || !made.root.released;
}

/// One case against the engine.
class Trial {
 public:
  Trial(const Case& made, Verdict verdict)
      : case_(made),
        verdict_(std::move(verdict)),
        expected_(expected_of(made, verdict_)),
        primed_(primed(made.which_layout)),
        profile_(primed_.profile) {}

  Problems problems;
  bool refused = false;

  void run() {
    if (verdict_.undetectable) problem("the harness makes what cannot be noticed");
    try {
      case_.is_stream ? run_stream() : run_array();
    } catch (const std::exception& error) {
      problem(std::string("throws ") + error.what());
    }
  }

 private:
  void problem(const std::string& words) { problems.push_back(words); }

  void run_array() {
    Built schema, array;
    ArrowArray* raw_array = array.array(case_.root, case_.poisoned, case_.unaligned);
    ArrowSchema* raw_schema = schema.schema(case_.root);
    try {
      std::shared_ptr<const ta::Schema> parsed;
      try {
        parsed = std::make_shared<const ta::Schema>(ta::Schema::parse(*raw_schema));
      } catch (...) {  // as the destructors of capsules do
        if (raw_schema->release) raw_schema->release(raw_schema);
        if (raw_array->release) raw_array->release(raw_array);
        throw;
      }
      if (raw_schema->release) raw_schema->release(raw_schema);
      use(ta::Batch::parse(raw_array, parsed), case_.root);
      settle(nullptr);
    } catch (const tidegauge::ArrowError& error) {
      settle(error.what());
    }
    check_releases(schema, !case_.root.schema_released);
    check_releases(array, !case_.root.released);
  }

  void run_stream() {
    Stream stream(case_);
    int64_t n_given = 0;
    std::string said;
    try {
      ta::Stream source(stream.raw());
      while (const std::optional<ta::Batch> batch = source.next()) {
        use(*batch, n_given == case_.script.n_before ? case_.root : case_.sound);
        ++n_given;
      }
    } catch (const tidegauge::ArrowError& error) {
      said = error.what();
    }
    settle(said.empty() ? nullptr : said.c_str());
    if (n_given != expected_.n_batches) problem("gives " + std::to_string(n_given) + " batches");
    if (stream.n_released() != !case_.script.released) {
      problem("the stream is released " + std::to_string(stream.n_released()) + " times");
    }
    for (size_t i = 0; i < stream.parts().size(); ++i)
      check_releases(stream.parts()[i], is_release_due(case_, i));
  }

  /// Every use of a batch: each refuses it in the same words, or none does.
  void use(const ta::Batch& batch, const Node& root) {
    std::vector<int64_t> rows(static_cast<size_t>(batch.n_rows()));
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = batch.n_rows() - 1 - static_cast<int64_t>(i);
    std::string refusal;
    try {
      for (size_t i = 0; i < batch.columns().size(); ++i) batch.check_rows(i);
    } catch (const tidegauge::ArrowError& error) {
      refusal = error.what();
    }
    try {
      const std::vector<std::byte> before = profile_.to_bytes(true);
      const tidegauge::Profile held = profile_;
      try {
        profile_.update(batch, 1);
        if (!refusal.empty()) problem("the profile takes what is refused");
        check_homes(held, root);
      } catch (...) {
        if (profile_.to_bytes(true) != before) problem("a refused batch changes the profile");
        throw;
      }
    } catch (const tidegauge::SchemaError& error) {
      twice_ = error.what();
      if (!names_equal() || twice_.find("appears twice") == std::string::npos) throw;
    } catch (const tidegauge::ArrowError& error) {
      if (refusal != error.what()) problem("the profile says " + std::string(error.what()));
    }
    try {
      const ta::Batch taken = batch.take(rows);
      if (!refusal.empty()) problem("rows are taken of what is refused");
      for (size_t i = 0; i < batch.columns().size(); ++i) check_cells(batch, taken, root, i);
    } catch (const tidegauge::ArrowError& error) {
      if (refusal != error.what()) problem("take says " + std::string(error.what()));
    }
    if (!refusal.empty()) throw tidegauge::ArrowError(refusal);
  }

  bool names_equal() const {
    std::set<std::string> names;
    const auto is_new = [&](const Node& child) { return names.insert(child.name.value_or("")).second; };
    return case_.is_table && !std::ranges::all_of(case_.root.children, is_new);
  }

  /// Of a sound batch under a changed schema only what is the same can be asked.
  void check_cells(const ta::Batch& batch, const ta::Batch& taken, const Node& root, size_t i) {
    const Node& column = case_.is_table ? root.children[i] : root;
    const Cells expected = cells_of(column, case_.is_table ? &root : nullptr);
    Cells read = read_cells(batch.columns()[i], batch.n_rows());
    if (read != expected) problem("column " + std::to_string(i) + " is read as other values");
    Cells backwards = read_cells(taken.columns()[i], taken.n_rows());
    std::ranges::reverse(backwards);
    if (backwards != read) problem("column " + std::to_string(i) + " is taken as other values");
  }

  void check_homes(const tidegauge::Profile& before, const Node& root) {
    const auto n = static_cast<uint64_t>(root.length);
    if (profile_.n_rows() != before.n_rows() + n) problem("counts other rows");
    for (size_t i = 0; i < (case_.is_table ? root.children.size() : 1); ++i) {
      const Node& column = case_.is_table ? root.children[i] : root;
      const Node& told =
          case_.is_table ? case_.root.children[i] : case_.root;  // by the schema, for all batches
      const std::string name = told.name.value_or(""), shown = ta::quoted(name);
      const tidegauge::Column *now = profile_.find(name), *then = before.find(name);
      if (!now) return problem("does not know column " + shown);
      const tidegauge::Homes& homes = now->homes();
      const tidegauge::Homes held = then ? then->homes() : tidegauge::Homes{};
      const Cells cells = cells_of(column, case_.is_table ? &root : nullptr);
      const bool is_read = layout_of(column).shape != Shape::unsupported;
      const bool is_null_type = column.format == "n" && !column.has_dictionary();
      const auto n_null = static_cast<uint64_t>(is_read        ? std::ranges::count(cells, "-")
                                                : is_null_type ? root.length
                                                               : 0);
      const uint64_t n_absent = then ? 0 : before.n_rows();
      if (homes.n_rows - held.n_rows != n + n_absent) problem("counts other rows of " + shown);
      if (homes.n_null - held.n_null != n_null) problem("counts other nulls of " + shown);
      if (!is_read && !now->spec().counted_only && homes.n_mistyped - held.n_mistyped != n - n_null)
        problem("misses unreadable rows of " + shown);
      if (!is_read || !then || (column.format != "g" && column.format != "f" && column.format != "e"))
        continue;
      uint64_t n_nan = 0, n_infinite = 0;
      for (const std::string& cell : cells) {
        if (cell == "-") continue;
        n_nan += std::isnan(load<double>(cell, 0));
        n_infinite += std::isinf(load<double>(cell, 0));
      }
      if (homes.n_nan - held.n_nan != n_nan) problem("counts other NaN of " + shown);
      if (homes.n_pos_inf + homes.n_neg_inf - held.n_pos_inf - held.n_neg_inf != n_infinite) {
        problem("counts other infinities of " + shown);
      }
    }
  }

  /// What was said against what had to be said.
  void settle(const char* said) {
    refused = said != nullptr || !twice_.empty();
    const std::vector<std::string>& wrong = expected_.wrong;
    if (said && wrong.empty()) problem(std::string("is refused, but nothing is wrong: ") + said);
    if (!said && !wrong.empty()) problem("is accepted, but " + wrong[0]);
    if (!said || wrong.empty() || says_one_of(said, wrong)) return;
    problem(std::string("says \"") + said + "\", not \"" + wrong[0] + "\"");
  }

  void check_releases(const Built& built, bool is_due) {
    if (built.n_released() != is_due) problem("is released " + std::to_string(built.n_released()) + " times");
    if (built.n_children_released()) problem("has a child released apart");
  }

  const Case& case_;
  Verdict verdict_;
  Expected expected_;
  const Primed& primed_;
  tidegauge::Profile profile_;
  std::string twice_;
};

std::string title(const Case& made) {
  std::string text = "case " + std::to_string(made.number) + " (" + made.layout + ", ";
  text += made.is_stream ? "stream" : made.is_table ? "table" : "array";
  for (const std::string& fault : made.faults) text += ", " + fault;
  return text + ")";
}

/// A number in a file that outlives this process: the case that is being tried.
class Progress {
 public:
  explicit Progress(const std::string& path) {
    const int file = open(path.c_str(), O_RDWR);
    if (file < 0) throw py::value_error("no file " + path);
    at_ = static_cast<volatile uint64_t*>(
        mmap(nullptr, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
    if (at_ == MAP_FAILED) throw py::value_error(path + " is no file to be mapped");
    close(file);
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { munmap(const_cast<uint64_t*>(at_), sizeof(uint64_t)); }
  void set(uint64_t number) { *at_ = number; }

 private:
  volatile uint64_t* at_;
};

constexpr size_t kRoom = size_t{1} << 30;  // more than any case needs

/// Every `step`th of the cases. `blind`: what was judged is not what the engine gets, which is the same
/// before anything was made wrong, as if it noticed nothing: the harness must.
py::dict run(uint64_t first, uint64_t n, uint64_t step, double seconds, const std::string& path, bool blind) {
  using Clock = std::chrono::steady_clock;
  const tidegauge::contract::MemoryLimit limit(kRoom);
  Progress progress(path);
  const Clock::time_point began = Clock::now();
  std::vector<std::string> findings;
  std::map<std::string, uint64_t> counts;
  std::map<std::string, std::pair<uint64_t, uint64_t>>
      alone;  // a fault alone, in what is read: refused, accepted
  uint64_t tried = 0;
  for (; tried < n; tried += step) {
    if (std::chrono::duration<double>(Clock::now() - began).count() > seconds) break;
    progress.set(first + tried);
    Case made = make_case(first + tried);
    Verdict verdict = judge(made.root);
    if (blind) made.root = made.sound;
    Trial trial(made, std::move(verdict));
    trial.run();
    for (const std::string& problem : trial.problems) findings.push_back(title(made) + " " + problem);
    ++counts[trial.refused ? "refused" : "accepted"];
    if (made.is_stream) ++counts["in a stream"];
    if (made.faults.size() > 1) ++counts["of several faults"];
    if (made.is_spared) ++counts["spared: none could notice"];
    const Node& column = made.sound.format == "+s" ? made.sound.children[0] : made.sound;
    if (made.faults.size() != 1 || layout_of(column).shape == Shape::unsupported) continue;
    auto& [n_refused, n_accepted] = alone[made.faults[0]];
    ++(trial.refused ? n_refused : n_accepted);
  }
  py::dict out;
  out["tried"] = std::min(tried, n);
  out["findings"] = findings;
  out["counts"] = counts;
  out["alone"] = alone;
  return out;
}

/// What Python's own capsules of a case hold; freed by settle, once all is released.
struct Held {
  Case made;
  Built schema, array;
  std::optional<Stream> stream;
};
std::list<Held> held;

template <class T>
py::capsule capsule_of(T* raw, const char* name) {
  return py::capsule(raw, name, [](PyObject* object) {
    auto* raw_again = static_cast<T*>(PyCapsule_GetPointer(object, PyCapsule_GetName(object)));
    if (raw_again->release) raw_again->release(raw_again);
  });
}

/// The case's capsules and what is expected of them: a dict.
py::dict case_of(uint64_t number, bool poisoned, bool sound) {
  Held& kept = held.emplace_back();
  kept.made = make_case(number);
  kept.made.poisoned &= poisoned;
  if (sound) kept.made.root = kept.made.sound;
  Case& made = kept.made;
  const Verdict verdict = judge(made.root);
  py::dict out;
  out["title"] = title(made);
  out["faults"] = made.faults;
  out["layout"] = made.layout;
  const Expected expected = expected_of(made, verdict);
  out["wrong"] = expected.wrong;
  out["n_rows"] = expected.n_rows;
  out["n_batches"] = expected.n_batches;
  out["is_consumed"] =
      made.is_stream ? made.script.released : made.root.released || made.root.schema_released;
  out["is_stream"] = made.is_stream;
  py::list names;
  for (const Node& child : made.root.children) names.append(py::bytes(child.name.value_or("")));
  if (!made.is_table) names = py::list();
  if (!made.is_table) names.append(py::bytes(made.root.name.value_or("")));
  out["names"] = names;
  if (made.is_stream) {
    kept.stream.emplace(made);
    out["capsules"] = capsule_of(kept.stream->raw(), "arrow_array_stream");
    return out;
  }
  ArrowArray* array = kept.array.array(made.root, made.poisoned, made.unaligned);
  out["capsules"] = py::make_tuple(capsule_of(kept.schema.schema(made.root), "arrow_schema"),
                                   capsule_of(array, "arrow_array"));
  return out;
}

/// What was not released exactly once, of all cases whose capsules are gone.
std::vector<std::string> settle_all() {
  std::vector<std::string> found;
  for (const Held& each : held) {
    const Case& made = each.made;
    const auto check = [&](const char* what, int n, bool is_due) {
      if (n == is_due) return;
      found.push_back(title(made) + " " + what + " is released " + std::to_string(n) + " times");
    };
    if (!made.is_stream) {
      check("schema", each.schema.n_released(), !made.root.schema_released);
      check("array", each.array.n_released(), !made.root.released);
      continue;
    }
    check("stream", each.stream->n_released(), !made.script.released);
    for (size_t i = 0; i < each.stream->parts().size(); ++i) {
      check("part", each.stream->parts()[i].n_released(), is_release_due(made, i));
    }
  }
  held.clear();
  return found;
}

}  // namespace
}  // namespace capsules

void register_capsules(py::module_& m) {
  m.def("capsules_run", &capsules::run, py::arg("first"), py::arg("n"), py::arg("step"), py::arg("seconds"),
        py::arg("progress"), py::arg("blind") = false);
  m.def("capsules_case", &capsules::case_of, py::arg("number"), py::arg("poisoned") = true,
        py::arg("sound") = false);
  m.def("capsules_settle", &capsules::settle_all);
  m.def("capsules_pairs", [] { return capsules::n_layouts() * capsules::n_faults(); });
}
