// Format version 1. All integers are little-endian; "varint" is unsigned LEB128 in its shortest form.
//
//   magic      8 bytes  89 'T' 'I' 'D' 'E' 0d 0a 1a     not text, and mangled by newline translation
//   version    u16      1
//   type       u16      1 = profile
//   sections   each: tag u32, length varint, bytes. Readers skip tags that they do not know.
//   checksum   u64      hash_bytes of everything before it
//
//   ROWS   flags u8 (1 = open), accumulators u8, n_rows varint
//   SPEC   count varint, then each column's spec, by name
//   EDGE   count varint, then each set of edges by id: id u64, form u8 (f64, i64, categories), contents
//   COLS   in the order of SPEC, each column's state as length varint and bytes
//   JOIN   columns together: id u64 of their spec, numbers of columns and waves, sums, 1 and 32 parts or 0
//   JSPC   the spec of JOIN: seed u64, number of waves, then each column's name and score of each cell
//   OUTC   how right a model is: count varint, then by id each state's kind u8 (binary, confusion,
//   regression),
//          length varint, its spec and its counts
//   LABL   labels that came late: those given, then those taken back, each as length varint and an OUTC, or 0
//   LEAF   rows by leaf: the tree, the outcomes that are counted in its leaves, and counts
//   NOTE   the caller's text
//   MORE   unexpected columns by name: count varint, then name and rows

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "tidegauge/base/error.hpp"
#include "tidegauge/base/hash.hpp"
#include "tidegauge/profile/contents.hpp"
#include "tidegauge/profile/profile.hpp"

namespace tidegauge {
namespace {

constexpr unsigned char kMagic[8] = {0x89, 'T', 'I', 'D', 'E', 0x0d, 0x0a, 0x1a};
constexpr uint16_t kVersion = 1, kTypeProfile = 1;
constexpr uint64_t kChecksumSeed = 1;

constexpr uint32_t tag(const char (&text)[5]) {
  return static_cast<uint32_t>(text[0]) | static_cast<uint32_t>(text[1]) << 8 |
         static_cast<uint32_t>(text[2]) << 16 | static_cast<uint32_t>(text[3]) << 24;
}

enum class Form : uint8_t { f64, i64, categories };

void put_section(ByteWriter& out, uint32_t name, const ByteWriter& section) {
  out.put(name);
  out.put_varint(section.size());
  out.put_bytes(section.bytes());
}

void encode_edges(ByteWriter& out, const ColumnSpec& spec) {
  out.put(spec.edges_id);
  if (spec.edges_f64) {
    out.put(static_cast<uint8_t>(Form::f64));
    out.put_varint(spec.edges_f64->values.size());
    out.put_array(std::span<const double>(spec.edges_f64->values));
  } else if (spec.edges_i64) {
    out.put(static_cast<uint8_t>(Form::i64));
    out.put_varint(spec.edges_i64->values.size());
    out.put_array(std::span<const int64_t>(spec.edges_i64->values));
  } else {
    out.put(static_cast<uint8_t>(Form::categories));
    out.put(spec.categories->seed());
    out.put_varint(spec.categories->size());
    out.put_array(std::span<const uint64_t>(spec.categories->hashes()));
    out.put(static_cast<uint8_t>(spec.categories->names().empty() ? 0 : 1));
    for (const auto& name : spec.categories->names()) {
      out.put(static_cast<uint8_t>(name ? 1 : 0));
      if (name) out.put_text(*name);
    }
  }
}

/// Edges by id, as a spec that has nothing else.
ColumnSpec decode_edges(ByteReader& in) {
  constexpr const char* kWhat = "edges";
  ColumnSpec spec;
  const auto id = in.get<uint64_t>(kWhat);
  switch (static_cast<Form>(in.get<uint8_t>(kWhat))) {
    case Form::f64: {
      std::vector<double> values(in.get_count(sizeof(double), kWhat));
      in.get_array(std::span<double>(values), kWhat);
      for (const double edge : values) {
        if (edge == 0 && std::signbit(edge)) throw DecodeError("edges: an edge of minus zero");
      }
      spec.freeze(binning::Edges<double>::make(std::move(values)));
      break;
    }
    case Form::i64: {
      std::vector<int64_t> values(in.get_count(sizeof(int64_t), kWhat));
      in.get_array(std::span<int64_t>(values), kWhat);
      spec.freeze(binning::Edges<int64_t>::make(std::move(values)));
      break;
    }
    case Form::categories: {
      const auto seed = in.get<uint64_t>(kWhat);
      std::vector<uint64_t> hashes(in.get_count(sizeof(uint64_t), kWhat));
      in.get_array(std::span<uint64_t>(hashes), kWhat);
      binning::Categories::Names names;
      const auto named = in.get<uint8_t>(kWhat);
      if (named > 1 || (named == 1 && hashes.empty())) throw DecodeError("edges: not a flag");
      for (size_t i = 0; named && i < hashes.size(); ++i) {
        const auto shown = in.get<uint8_t>(kWhat);
        if (shown > 1) throw DecodeError("edges: not a flag");
        names.emplace_back();
        if (shown) names.back() = in.get_text(kWhat);
      }
      spec.freeze(binning::Categories::make(std::move(hashes), std::move(names), seed));
      break;
    }
    default:
      throw DecodeError("edges: a form that this version does not know");
  }
  if (spec.edges_id != id) throw DecodeError("edges: they do not have the id they are filed under");
  return spec;
}

std::map<uint64_t, ColumnSpec> decode_edge_section(ByteReader in) {
  std::map<uint64_t, ColumnSpec> edges;
  uint64_t last = 0;
  for (uint64_t left = in.get_varint("edges"); left > 0; --left) {
    ColumnSpec spec = decode_edges(in);
    const uint64_t id = spec.edges_id;
    if (id <= last) throw DecodeError("edges: not in the order of their ids");
    last = id;
    edges.emplace(id, std::move(spec));
  }
  in.expect_end("edges");
  if (edges.empty()) throw DecodeError("edges: an empty section");
  return edges;
}

struct Sections {
  std::span<const std::byte> rows, spec, edges, columns, joint, joint_spec, outcomes, labels, leaves, more,
      note;
};

/// Checks everything about the container and finds the sections in it.
Sections open_container(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof kMagic ||
      !std::equal(std::begin(kMagic), std::end(kMagic), bytes.begin(),
                  [](unsigned char a, std::byte b) { return std::byte{a} == b; })) {
    throw DecodeError("not a tidegauge profile: the first bytes are not its mark");
  }
  ByteReader head(bytes.subspan(sizeof kMagic));
  const auto version = head.get<uint16_t>("profile");
  if (version != kVersion) {
    throw DecodeError("profile: written in format version " + std::to_string(version) +
                      ", but this release reads version " + std::to_string(kVersion) + "; upgrade tidegauge");
  }
  if (head.get<uint16_t>("profile") != kTypeProfile)
    throw DecodeError("profile: the bytes hold something else");
  if (head.remaining() < sizeof(uint64_t)) throw DecodeError("profile: truncated");
  const auto body = bytes.first(bytes.size() - sizeof(uint64_t));
  ByteReader tail(bytes.last(sizeof(uint64_t)));
  if (tail.get<uint64_t>("checksum") != hash_bytes(body.data(), body.size(), kChecksumSeed)) {
    throw DecodeError("profile: the checksum does not match; the bytes were truncated or altered");
  }
  Sections found;
  ByteReader in(head.get_bytes(head.remaining() - sizeof(uint64_t), "profile"));
  while (in.remaining() > 0) {
    const auto name = in.get<uint32_t>("section");
    const auto content = in.get_bytes(in.get_count(1, "section"), "section");
    for (const auto& [known, place] :
         {std::pair{tag("ROWS"), &found.rows}, std::pair{tag("SPEC"), &found.spec},
          std::pair{tag("EDGE"), &found.edges}, std::pair{tag("COLS"), &found.columns},
          std::pair{tag("JOIN"), &found.joint}, std::pair{tag("JSPC"), &found.joint_spec},
          std::pair{tag("OUTC"), &found.outcomes}, std::pair{tag("LABL"), &found.labels},
          std::pair{tag("LEAF"), &found.leaves}, std::pair{tag("MORE"), &found.more},
          std::pair{tag("NOTE"), &found.note}}) {
      if (name != known) continue;
      if (place->data()) throw DecodeError("profile: a section appears twice");
      *place = content;
    }
  }
  if (!found.rows.data() || !found.spec.data() || !found.columns.data()) {
    throw DecodeError("profile: a section is missing");
  }
  return found;
}

}  // namespace

std::vector<std::byte> encode(const Contents& contents, bool with_edges, std::string_view note) {
  std::vector<const Column*> by_name = contents.columns;
  std::ranges::sort(by_name, {}, [](const Column* column) { return std::string_view(column->spec().name); });

  ByteWriter rows, spec, edges, states, more;
  rows.put(static_cast<uint8_t>(contents.open ? 1 : 0));
  rows.put(contents.accumulators);
  rows.put_varint(contents.n_rows);

  spec.put_varint(by_name.size());
  std::map<uint64_t, const ColumnSpec*> frozen;
  ByteWriter state;
  for (const Column* column : by_name) {
    column->spec().encode(spec);
    if (with_edges && column->spec().frozen() && !column->spec().detached()) {
      frozen.emplace(column->spec().edges_id, &column->spec());
    }
    state.clear();
    column->encode(state);
    states.put_varint(state.size());
    states.put_bytes(state.bytes());
  }
  edges.put_varint(frozen.size());
  for (const auto& [id, holder] : frozen) encode_edges(edges, *holder);

  const std::map<std::string, uint64_t> unexpected(contents.unexpected.begin(), contents.unexpected.end());
  more.put_varint(unexpected.size());
  for (const auto& [name, n] : unexpected) more.put_text(name), more.put_varint(n);

  ByteWriter out;
  out.put_array(std::span<const unsigned char>(kMagic));
  out.put(kVersion);
  out.put(kTypeProfile);
  put_section(out, tag("ROWS"), rows);
  put_section(out, tag("SPEC"), spec);
  if (!frozen.empty()) put_section(out, tag("EDGE"), edges);
  put_section(out, tag("COLS"), states);
  const joint::Joint* joint = contents.joint;
  if (joint) {
    ByteWriter section;
    joint->encode(section);
    put_section(out, tag("JOIN"), section);
  }
  if (joint && with_edges && joint->spec()) {
    ByteWriter section;
    joint->spec()->encode(section);
    put_section(out, tag("JSPC"), section);
  }
  if (!contents.outcomes.empty()) {
    ByteWriter section;
    contents.outcomes.encode(section);
    put_section(out, tag("OUTC"), section);
  }
  const bool labels = contents.given && !(contents.given->empty() && contents.withdrawn->empty());
  if (labels) {
    ByteWriter section, set;
    for (const joint::OutcomeSet* each : {contents.given, contents.withdrawn}) {
      set.clear();
      if (!each->empty()) each->encode(set);
      section.put_varint(set.size());
      section.put_bytes(set.bytes());
    }
    put_section(out, tag("LABL"), section);
  }
  if (contents.leaves) {
    ByteWriter section;
    contents.leaves->spec()->encode(section);
    contents.leaves->encode(section);
    put_section(out, tag("LEAF"), section);
  }
  if (!unexpected.empty()) put_section(out, tag("MORE"), more);
  if (!note.empty()) {
    ByteWriter section;
    section.put_bytes(std::as_bytes(std::span(note)));
    put_section(out, tag("NOTE"), section);
  }
  out.put(hash_bytes(out.bytes().data(), out.size(), kChecksumSeed));
  return out.take();
}

std::vector<std::byte> Profile::to_bytes(bool with_edges, std::string_view note) const {
  const auto guard = lock();
  return encode(contents(), with_edges, note);
}

Profile Profile::from_bytes(std::span<const std::byte> bytes, std::string* note) try {
  const Sections sections = open_container(bytes);
  std::map<uint64_t, ColumnSpec> edges;
  if (sections.edges.data()) edges = decode_edge_section(ByteReader(sections.edges));

  Profile profile;
  ByteReader rows(sections.rows);
  const auto flags = rows.get<uint8_t>("rows");
  profile.accumulators_ = rows.get<uint8_t>("rows");
  profile.n_rows_ = rows.get_varint("rows");
  rows.expect_end("rows");
  if (flags > 1 || profile.accumulators_ > accumulate::kAll) throw DecodeError("profile: unknown flags");
  if (profile.n_rows_ > kMaxRows) throw DecodeError("profile: more than 2^62 rows");
  profile.open_ = flags & 1;

  ByteReader specs(sections.spec), states(sections.columns);
  const std::string* last = nullptr;
  std::set<uint64_t> used;
  for (uint64_t left = specs.get_varint("columns"); left > 0; --left) {
    auto spec = std::make_shared<ColumnSpec>(ColumnSpec::decode(specs));
    if (last && !(*last < spec->name)) throw DecodeError("columns: not in the order of their names");
    if (const auto held = edges.find(spec->edges_id); held != edges.end()) {
      spec->edges_f64 = held->second.edges_f64;
      spec->edges_i64 = held->second.edges_i64;
      spec->categories = held->second.categories;
      spec->check();
      used.insert(spec->edges_id);
    }
    ByteReader state(states.get_bytes(states.get_count(1, "column"), "column"));
    auto column = Column::decode(std::move(spec), state);
    state.expect_end("column");
    if (column->homes().n_rows != profile.n_rows_) throw DecodeError("columns: not all of the same rows");
    profile.index_.emplace(column->spec().name, profile.columns_.size());
    profile.columns_.push_back(std::move(column));
    last = &profile.columns_.back()->spec().name;
  }
  specs.expect_end("columns");
  states.expect_end("columns");
  if (used.size() != edges.size()) throw DecodeError("edges: of no column");

  if (sections.joint.data()) {
    ByteReader joint(sections.joint);
    profile.joint_ = joint::Joint::decode(joint);
    joint.expect_end("joint");
    if (profile.joint_->total().n() != profile.n_rows_) throw DecodeError("joint: not of the same rows");
  }
  if (sections.joint_spec.data()) {
    ByteReader content(sections.joint_spec);
    auto spec = joint::Spec::decode(content);
    content.expect_end("joint");
    if (!profile.joint_ || profile.joint_->id() != spec->id()) {
      throw DecodeError("joint: scores that its sums are not of");
    }
    profile.require_columns(*spec);
    profile.joint_->attach(std::move(spec));
  }

  if (sections.outcomes.data()) {
    ByteReader content(sections.outcomes);
    profile.outcomes_ = joint::OutcomeSet::decode(content);
    if (profile.outcomes_.most_rows() > profile.n_rows_)
      throw DecodeError("outcomes: of more rows than there are");
  }
  if (sections.labels.data()) {
    ByteReader content(sections.labels);
    for (joint::OutcomeSet* each : {&profile.given_, &profile.withdrawn_}) {
      ByteReader set(content.get_bytes(content.get_count(1, "labels"), "labels"));
      if (set.remaining() > 0) *each = joint::OutcomeSet::decode(set);
    }
    content.expect_end("labels");
    if (profile.given_.empty() && profile.withdrawn_.empty()) throw DecodeError("labels: an empty section");
    profile.given_.check_mergeable(profile.withdrawn_);
    profile.outcomes_.check_mergeable(profile.given_.empty() ? profile.withdrawn_ : profile.given_);
  }

  if (sections.leaves.data()) {
    ByteReader content(sections.leaves);
    profile.leaves_ = LeafOutcomes::decode(content, LeafSpec::decode(content));
    content.expect_end("leaves");
    if (profile.leaves_->n_rows() > profile.n_rows_) throw DecodeError("leaves: of more rows than there are");
  }

  if (sections.more.data()) {
    ByteReader more(sections.more);
    std::string previous;
    bool first = true;
    for (uint64_t left = more.get_varint("unexpected"); left > 0; --left) {
      std::string name = more.get_text("unexpected");
      if (!first && name <= previous) throw DecodeError("unexpected: not in the order of their names");
      const uint64_t n_rows = more.get_varint("unexpected");
      if (n_rows > (name.empty() ? kMaxUnexpectedRows : profile.n_rows_.load())) {
        throw DecodeError("unexpected: a column with more rows than there are");
      }
      profile.unexpected_[name] = n_rows;
      if (profile.unexpected_.size() > kMaxUnexpected + 1) throw DecodeError("unexpected: too many columns");
      previous = std::move(name);
      first = false;
    }
    more.expect_end("unexpected");
    if (first) throw DecodeError("unexpected: an empty section");
  }
  if (sections.note.data() && sections.note.empty()) throw DecodeError("note: an empty section");
  if (note && sections.note.data()) {
    note->assign(reinterpret_cast<const char*>(sections.note.data()), sections.note.size());
  }
  return profile;
} catch (const SchemaError& error) {
  throw DecodeError(error.what());
} catch (const MergeError& error) {  // outcomes and labels that count by different things
  throw DecodeError(error.what());
}

}  // namespace tidegauge
