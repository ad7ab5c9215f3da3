#include "tidegauge/arrow/stream.hpp"

#include <cstring>

#include "tidegauge/arrow/place.hpp"
#include "tidegauge/base/error.hpp"

namespace tidegauge::arrow {
namespace {

const Place kStream{nullptr, "stream"};

std::shared_ptr<ArrowArrayStream> take_over(ArrowArrayStream* stream) {
  if (!stream || !stream->release) refuse(kStream, "it is already consumed: release is NULL");
  auto release_and_delete = [](ArrowArrayStream* owned) {
    // NULL only where there was no memory to count references: trust/allocations goes there.
    if (owned->release) owned->release(owned);  // GCOVR_EXCL_BR_LINE
    delete owned;                               // GCOVR_EXCL_BR_LINE: asks for null itself
  };
  std::shared_ptr<ArrowArrayStream> taken(new ArrowArrayStream{}, release_and_delete);
  *taken = *stream;
  stream->release = nullptr;
  return taken;
}

/// Releases a schema when parsing is over, whichever way.
struct OwnedSchema {
  ArrowSchema schema{};
  OwnedSchema() = default;
  OwnedSchema(const OwnedSchema&) = delete;
  OwnedSchema& operator=(const OwnedSchema&) = delete;
  ~OwnedSchema() {
    if (schema.release) schema.release(&schema);
  }
};

}  // namespace

Stream::Stream(ArrowArrayStream* stream) : stream_(take_over(stream)) {
  if (!stream_->get_schema || !stream_->get_next) refuse(kStream, "get_schema or get_next is NULL");
  OwnedSchema owned;
  if (const int code = stream_->get_schema(stream_.get(), &owned.schema)) {
    owned.schema.release = nullptr;  // nothing was handed over
    throw ArrowError(last_error("schema", code));
  }
  schema_ = std::make_shared<const Schema>(Schema::parse(owned.schema));
}

std::optional<Batch> Stream::next() {
  if (!failure_.empty()) throw ArrowError(failure_);
  if (!stream_) return std::nullopt;
  ArrowArray array{};
  try {
    if (const int code = stream_->get_next(stream_.get(), &array)) {
      throw ArrowError(last_error("next batch", code));
    }
    if (!array.release) {
      stream_.reset();
      return std::nullopt;
    }
    return Batch::parse(&array, schema_);
  } catch (const ArrowError& error) {
    failure_ = error.what();
    stream_.reset();
    throw;
  }
}

std::string Stream::last_error(const char* call, int code) const {
  const char* text = stream_->get_last_error ? stream_->get_last_error(stream_.get()) : nullptr;
  return std::string("Arrow stream failed at its ") + call + ": " + (text ? quoted(text) : "no message") +
         " (" + std::strerror(code) + ", code " + std::to_string(code) + "). See what produces the stream";
}

}  // namespace tidegauge::arrow
