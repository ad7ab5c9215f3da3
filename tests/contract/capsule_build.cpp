#include "capsule_build.hpp"

#include <cstring>

namespace capsules {
namespace {

template <class P>
P* nowhere() {
  return reinterpret_cast<P*>(uintptr_t{16});
}

}  // namespace

template <class T>
void Built::release_root(T* root) {
  auto& built = *static_cast<Built*>(root->private_data);
  ++built.n_released_;
  if (!built.keeps_release_) root->release = nullptr;
  built.bytes_.clear();
  built.pointers_.clear();
}

template <class T>
void Built::release_child(T* child) {
  ++static_cast<Built*>(child->private_data)->n_children_released_;
}

char* Built::keep(const std::string& bytes, bool unaligned) {
  bytes_.push_back(std::make_unique_for_overwrite<char[]>(bytes.size() + unaligned));
  char* at = bytes_.back().get() + unaligned;
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  return at;
}

void** Built::pointers(size_t n) {
  pointers_.push_back(std::make_unique<void*[]>(n));
  return pointers_.back().get();
}

ArrowSchema* Built::schema_node(const Node& node) {
  ArrowSchema* schema = &schemas_.emplace_back();
  const auto text = [&](const std::optional<std::string>& t) {
    return t ? keep(std::string(t->c_str(), t->size() + 1), false) : nullptr;
  };
  schema->format = text(node.format);
  schema->name = text(node.name);
  schema->metadata = node.metadata ? keep(*node.metadata, false) : nullptr;
  schema->flags = 2;
  const size_t n = node.cyclic ? 1 : node.n_wide ? static_cast<size_t>(node.n_wide) : node.children.size();
  schema->n_children = node.schema_n_children.value_or(static_cast<int64_t>(n));
  if (n > 0 && !node.schema_children_null) {
    schema->children = reinterpret_cast<ArrowSchema**>(pointers(n));
    for (size_t i = 0; i < n; ++i) {
      const Node* child = node.cyclic ? nullptr : &node.children[node.n_wide ? 0 : i];
      schema->children[i] = node.cyclic          ? schema
                            : child->schema_null ? nullptr
                            : node.n_wide && i   ? schema->children[0]
                                                 : schema_node(*child);
    }
  }
  if (node.has_dictionary()) schema->dictionary = schema_node(node.dictionary[0]);
  schema->release = node.schema_released ? nullptr : release_child<ArrowSchema>;
  schema->private_data = this;
  return schema;
}

ArrowArray* Built::array_node(const Node& node, bool poisoned, bool unaligned) {
  ArrowArray* array = &arrays_.emplace_back();
  array->length = node.length;
  array->null_count = node.null_count;
  array->offset = node.offset;
  const size_t n_buffers = node.buffers.size();
  array->n_buffers = node.n_buffers.value_or(static_cast<int64_t>(n_buffers));
  array->n_children = node.n_children.value_or(static_cast<int64_t>(node.children.size()));
  array->release = node.released ? nullptr : release_child<ArrowArray>;
  array->private_data = this;
  const bool is_unread = node.format != "+s" && layout_of(node).shape == Shape::unsupported;
  if (poisoned && is_unread) {
    array->buffers = nowhere<const void*>();
    array->children = nowhere<ArrowArray*>();
    array->dictionary = nowhere<ArrowArray>();
    return array;
  }
  if (!node.buffers_null) array->buffers = const_cast<const void**>(pointers(n_buffers));
  for (size_t i = 0; i < n_buffers && !node.buffers_null; ++i) {
    const Buffer& buffer = node.buffers[i];
    array->buffers[i] = buffer.null                    ? nullptr
                        : poisoned && node.length == 0 ? nowhere<void>()
                                                       : keep(buffer.bytes, unaligned);
  }
  if (!node.children.empty() && !node.children_null) {
    array->children = reinterpret_cast<ArrowArray**>(pointers(node.children.size()));
    for (size_t i = 0; i < node.children.size(); ++i) {
      const Node& child = node.children[i];
      array->children[i] = child.null ? nullptr : array_node(child, poisoned, unaligned);
    }
  }
  if (!node.dictionary.empty() && node.array_dictionary) {
    array->dictionary = array_node(node.dictionary[0], poisoned, unaligned);
  }
  return array;
}

ArrowSchema* Built::schema(const Node& root, bool keeps_release) {
  keeps_release_ = keeps_release;
  ArrowSchema* schema = schema_node(root);
  if (schema->release) schema->release = release_root<ArrowSchema>;
  return schema;
}

ArrowArray* Built::array(const Node& root, bool poisoned, bool unaligned, bool keeps_release) {
  keeps_release_ = keeps_release;
  ArrowArray* array = array_node(root, poisoned, unaligned);
  if (array->release) array->release = release_root<ArrowArray>;
  return array;
}

Stream::Stream(const Case& made) : case_(made), raw_{get_schema, get_next, get_last_error, release, this} {
  if (made.script.no_get_schema) raw_.get_schema = nullptr;
  if (made.script.no_get_next) raw_.get_next = nullptr;
  if (made.script.no_get_last_error) raw_.get_last_error = nullptr;
  if (made.script.released) raw_.release = nullptr;
}

int Stream::get_schema(ArrowArrayStream* raw, ArrowSchema* out) {
  Stream& stream = of(raw);
  if (const int code = stream.case_.script.schema_code) return code;
  *out = *stream.parts_.emplace_back().schema(stream.case_.root, stream.case_.script.keeps_release);
  return 0;
}

int Stream::get_next(ArrowArrayStream* raw, ArrowArray* out) {
  Stream& stream = of(raw);
  const Case& made = stream.case_;
  const int64_t which = stream.n_given_++;
  if (which > made.script.n_before + made.script.n_after) {
    out->release = nullptr;
    return 0;
  }
  const bool is_faulty = which == made.script.n_before;
  if (is_faulty && made.script.next_code) return made.script.next_code;
  const Node& root = is_faulty ? made.root : made.sound;
  *out = *stream.parts_.emplace_back().array(root, made.poisoned, made.unaligned, made.script.keeps_release);
  return 0;
}

const char* Stream::get_last_error(ArrowArrayStream* raw) {
  return of(raw).case_.script.no_message ? nullptr : "disk\x1bgone";
}

void Stream::release(ArrowArrayStream* raw) {
  ++of(raw).n_released_;
  if (!of(raw).case_.script.keeps_release) raw->release = nullptr;
}

}  // namespace capsules
