#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tidegauge/arrow/batch.hpp"

namespace tidegauge::arrow {

/// A producer's stream of batches, owned: released exactly once, when it ends, fails, or is destroyed. Calls
/// the producer, which may run Python: hold no lock. For one thread at a time.
class Stream {
 public:
  /// Moves `stream` in (its release becomes null), also when this throws ArrowError, and reads its schema.
  explicit Stream(ArrowArrayStream* stream);

  const std::shared_ptr<const Schema>& schema() const { return schema_; }

  /// The next batch, or nothing at the end. After it has thrown ArrowError it throws the same again: a stream
  /// that broke off must not look like one that ended.
  std::optional<Batch> next();

 private:
  std::string last_error(const char* call, int code) const;

  std::shared_ptr<ArrowArrayStream> stream_;
  std::shared_ptr<const Schema> schema_;
  std::string failure_;
};

}  // namespace tidegauge::arrow
