#include "tidegauge/profile/category_column.hpp"

#include <algorithm>

#include "tidegauge/arrow/read.hpp"
#include "tidegauge/base/counts.hpp"
#include "tidegauge/base/hash.hpp"
#include "tidegauge/profile/texts.hpp"

namespace tidegauge {

CategoryColumn::CategoryColumn(std::shared_ptr<const ColumnSpec> spec) : Column(std::move(spec)) {
  const ColumnSpec& s = this->spec();
  if (s.categories) cells_ = store::Counts(s.categories->n_cells());
  if (s.accumulators & accumulate::kDistinct) distinct_.emplace();
  if (s.accumulators & accumulate::kFrequent) frequent_.emplace(s.keep_values);
}

bool CategoryColumn::accepts(const arrow::Type& type) const { return readable_as_texts(type); }

size_t CategoryColumn::memory_bytes(uint64_t n_rows) const {
  return sizeof *this + cells_.size() * store::Counts::width_for(n_rows) +
         (distinct_ ? distinct_->memory_bytes() : 0) + (frequent_ ? frequent_->memory_bytes() : 0);
}

void CategoryColumn::prefetch() const {
  prefetch_lines(this, sizeof *this);
  cells_.visit([](const auto& cells) {
    constexpr size_t kMost = 1024;  // of more, a few rows touch few
    const size_t n_bytes = cells.size() * sizeof cells[0];
    if (n_bytes <= kMost) prefetch_lines(cells.data(), n_bytes);
  });
}

void CategoryColumn::add_size(uint64_t size, uint64_t count) {
  sizes_.n_empty += size == 0 ? count : 0;
  sizes_.n_bytes += size * count;
  sizes_.shortest = std::min(sizes_.shortest, size);
  sizes_.longest = std::max(sizes_.longest, size);
}

void CategoryColumn::add(std::string_view text, uint64_t hash, uint64_t count) {
  const binning::Categories* frozen = spec().categories.get();
  if (frozen) {
    const size_t cell = frozen->cell_of(hash);
    cells_.change(homes_.n_rows, [&](auto& cells) {
      cells[cell] = static_cast<std::decay_t<decltype(cells[0])>>(cells[cell] + count);
    });
    if (cell < frozen->size()) return;
  }
  if (frequent_) frequent_->update(hash, count, text);
}

size_t CategoryColumn::room() const {
  // Adding a value once for all its rows equals adding it row by row only while every name that turns up can
  // be kept; afterwards the order of rows decides which names stay.
  return frequent_ ? frequent_->capacity() - frequent_->size() : Tally::kMaxEntries;
}

void CategoryColumn::update_values(const arrow::ColumnView& view, Scratch& scratch) {
  const bool by_code = view.type.dictionary && view.child->length <= 4 * view.length + 1024 &&
                       (!frequent_ || frequent_->fits(static_cast<size_t>(view.child->length)));
  if (by_code) {
    update_by_code(view, scratch);
  } else {
    update_by_text(view, scratch);
  }
}

void CategoryColumn::read_facts(const ColumnSpec& spec, const arrow::ColumnView& view, Scratch& scratch,
                                const uint32_t* places, TextFacts* out) {
  const binning::Categories* frozen = spec.categories.get();
  const auto read = [&](const arrow::ColumnView& texts, auto use) {
    for (int64_t begin = 0; begin < texts.length; begin += kTextTile) {
      const int64_t n = std::min(kTextTile, texts.length - begin);
      arrow::read_validity(texts, begin, n, scratch.words);
      uint64_t valid[kTextTile / 64];
      std::copy_n(scratch.words, std::size(valid), valid);
      read_as_texts(texts, begin, n, scratch);
      for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
        const auto bit = [i](const uint64_t* words) { return (words[i / 64] >> (i % 64)) & 1; };
        const std::string_view text = scratch.texts[i];
        TextFacts facts{0, bit(valid) ? TextFacts::kMistyped : TextFacts::kNull};
        if (bit(scratch.words)) {
          facts = {text.size(), 0};
          if (frozen) facts.cell = static_cast<uint32_t>(frozen->cell_of(hash_text(text, spec.seed)));
        }
        use(static_cast<size_t>(begin) + i, facts);
      }
    }
  };
  if (!view.type.dictionary || view.child->length > 4 * view.length + 1024) {
    return read(view, [&](size_t row, const TextFacts& facts) { out[places[row]] = facts; });
  }
  std::vector<TextFacts> entries(static_cast<size_t>(std::max<int64_t>(view.child->length, 1)));
  read(*view.child, [&](size_t entry, const TextFacts& facts) { entries[entry] = facts; });
  scratch.codes.resize(kTile);
  for (int64_t begin = 0; begin < view.length; begin += kTile, places += kTile) {
    const int64_t n = std::min(kTile, view.length - begin);
    arrow::read_codes(view, begin, n, scratch.codes.data());
    const bool all_valid = arrow::read_validity(view, begin, n, scratch.words) == n;
    for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
      const bool is_valid = all_valid || ((scratch.words[i / 64] >> (i % 64)) & 1);
      out[places[i]] = is_valid ? entries[scratch.codes[i]] : TextFacts{0, TextFacts::kNull};
    }
  }
}

void CategoryColumn::update(std::span<const TextFacts> rows) {
  homes_.n_rows += rows.size();
  TextSizes sizes = sizes_;
  cells_.change(homes_.n_rows, [&](auto& cells) {
    for (const auto& [size, cell] : rows) {
      if (cell >= TextFacts::kMistyped) {
        ++(cell == TextFacts::kNull ? homes_.n_null : homes_.n_mistyped);
        continue;
      }
      if (!cells.empty()) ++cells[cell];
      sizes.n_empty += size == 0;
      sizes.n_bytes += size;
      sizes.shortest = std::min(sizes.shortest, size);
      sizes.longest = std::max(sizes.longest, size);
    }
  });
  sizes_ = sizes;
}

void CategoryColumn::update_by_code(const arrow::ColumnView& view, Scratch& scratch) {
  const arrow::ColumnView& dictionary = *view.child;
  scratch.codes.resize(kTile);
  scratch.code_counts.assign(static_cast<size_t>(std::max<int64_t>(dictionary.length, 1)), 0);
  const bool nullable = view.validity || view.parent_validity || dictionary.validity || dictionary.child;
  for (int64_t begin = 0; begin < view.length; begin += kTile) {
    const int64_t n = std::min<int64_t>(kTile, view.length - begin);
    arrow::read_codes(view, begin, n, scratch.codes.data());
    const int64_t valid = nullable ? arrow::read_validity(view, begin, n, scratch.words) : n;
    homes_.n_null += static_cast<uint64_t>(n - valid);
    const uint32_t* codes = scratch.codes.data();
    uint32_t* counts = scratch.code_counts.data();
    if (valid == n) {
      for (int64_t i = 0; i < n; ++i) ++counts[codes[i]];
    } else {
      for_each_bit(scratch.words, (static_cast<size_t>(n) + 63) / 64, [&](size_t i) { ++counts[codes[i]]; });
    }
  }
  for (int64_t begin = 0; begin < dictionary.length; begin += kTile) {
    const int64_t n = std::min<int64_t>(kTile, dictionary.length - begin);
    arrow::read_validity(dictionary, begin, n, scratch.words);
    const uint32_t* counts = scratch.code_counts.data() + begin;
    read_as_texts(dictionary, begin, n, scratch);
    size_t used = 0;
    for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
      if (counts[i] == 0) continue;
      if (((scratch.words[i / 64] >> (i % 64)) & 1) == 0) {  // a number that is no category
        homes_.n_mistyped += counts[i];
        continue;
      }
      const std::string_view text = scratch.texts[i];
      const uint64_t hash = hash_text(text, spec().seed);
      scratch.hashes[used++] = hash;
      add_size(text.size(), counts[i]);
      add(text, hash, counts[i]);
    }
    if (distinct_) distinct_->update({scratch.hashes, used});
  }
}

void CategoryColumn::update_by_text(const arrow::ColumnView& view, Scratch& scratch) {
  const bool stays = view.type.kind == arrow::Kind::category;  // else texts are written anew for each tile
  Tally& tally = scratch.tally;
  tally.clear();
  size_t limit = std::min(room(), Tally::kMaxEntries);
  size_t n_hashes = 0;
  const auto add_row = [&](std::string_view text) {
    const uint64_t hash = hash_text(text, spec().seed);
    if (limit > 0) {
      if (tally.add(hash, text, limit)) return;
      add_tally(tally);
      limit = std::min(room(), Tally::kMaxEntries);
      if (limit > 0 && tally.add(hash, text, limit)) return;
    }
    scratch.hashes[n_hashes++] = hash;
    add_size(text.size(), 1);
    add(text, hash, 1);
  };
  for (int64_t begin = 0; begin < view.length; begin += kTextTile) {
    const int64_t n = std::min(kTextTile, view.length - begin);
    const int64_t valid = arrow::read_validity(view, begin, n, scratch.words);
    const int64_t mistyped = read_as_texts(view, begin, n, scratch);
    homes_.n_null += static_cast<uint64_t>(n - valid);
    homes_.n_mistyped += static_cast<uint64_t>(mistyped);
    if (valid - mistyped == n) {
      for (int64_t i = 0; i < n; ++i) add_row(scratch.texts[i]);
    } else {
      for_each_bit(scratch.words, (static_cast<size_t>(n) + 63) / 64,
                   [&](size_t i) { add_row(scratch.texts[i]); });
    }
    if (!stays) {
      add_tally(tally);
      limit = std::min(room(), Tally::kMaxEntries);
    }
    if (distinct_ && n_hashes > 0) distinct_->update({scratch.hashes, n_hashes});
    n_hashes = 0;
  }
  add_tally(tally);
}

void CategoryColumn::add_tally(Tally& tally) {
  for (const Tally::Entry& entry : tally.entries()) {
    add_size(entry.text.size(), entry.count);
    add(entry.text, entry.hash, entry.count);
    if (distinct_) distinct_->update({&entry.hash, 1});
  }
  tally.clear();
}

void CategoryColumn::merge_values(const Column& other) {
  const auto& theirs = static_cast<const CategoryColumn&>(other);
  sizes_.n_empty += theirs.sizes_.n_empty;
  sizes_.n_bytes += theirs.sizes_.n_bytes;
  sizes_.shortest = std::min(sizes_.shortest, theirs.sizes_.shortest);
  sizes_.longest = std::max(sizes_.longest, theirs.sizes_.longest);
  cells_.merge(theirs.cells_, homes_.n_rows);
  if (distinct_) distinct_->merge(*theirs.distinct_);
  if (frequent_) frequent_->merge(*theirs.frequent_);
}

void CategoryColumn::encode_values(ByteWriter& out) const {
  if (n_present() > 0) {
    for (const uint64_t n : {sizes_.n_empty, sizes_.n_bytes, sizes_.shortest, sizes_.longest})
      out.put_varint(n);
  }
  if (spec().frozen()) cells_.visit([&](const auto& cells) { encode_counts(out, std::span(cells)); });
  if (distinct_) distinct_->encode(out);
  if (frequent_) frequent_->encode(out);
}

void CategoryColumn::decode_values(ByteReader& in) {
  const auto refuse = [&](const char* why) { throw DecodeError("column '" + spec().name + "': " + why); };
  if (n_present() > 0) {
    for (uint64_t* n : {&sizes_.n_empty, &sizes_.n_bytes, &sizes_.shortest, &sizes_.longest}) {
      *n = in.get_varint("text sizes");
    }
    if (sizes_.n_empty > n_present() || sizes_.shortest > sizes_.longest) refuse("text sizes that cannot be");
  }
  uint64_t unseen = n_present();
  if (spec().frozen()) {
    auto cells = decode_counts(in, binning::kMaxCategories + binning::kHashCells, "cells");
    uint64_t total = 0;
    for (const uint64_t count : cells) total += count;
    if (cells.size() < binning::kHashCells || (spec().categories && cells.size() != cells_.size()) ||
        total != n_present()) {
      refuse("its cells do not add up to its present values");
    }
    unseen = 0;
    for (size_t i = cells.size() - binning::kHashCells; i < cells.size(); ++i) unseen += cells[i];
    cells_ = store::Counts(std::move(cells));
  }
  if (distinct_) distinct_ = sketch::Distinct::decode(in);
  if (frequent_) {
    frequent_ = sketch::Frequent::decode(in, spec().keep_values);
    if (frequent_->n() != unseen) refuse("its names do not add up to its values");
    if (frequent_->capacity() != sketch::Frequent::kDefaultCapacity)
      refuse("its names are of another number");
  }
}

}  // namespace tidegauge
