#pragma once

#include <stdexcept>
#include <string>

namespace tidegauge {

/// Every refusal the engine makes. The message names the thing, its value, the limit and the remedy; the
/// class says whose mistake it was, and becomes the Python exception of the same name.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Arrow structures that break the C Data Interface: a producer's bug, not the data's.
struct ArrowError : Error {
  using Error::Error;
};

/// Two summaries that cannot be one: unlike kinds, edges, seeds or parameters.
struct MergeError : Error {
  using Error::Error;
};

/// Bytes that no encoder of ours wrote: truncated, altered, foreign, or of a later format.
struct DecodeError : Error {
  using Error::Error;
};

/// A schema, option or argument that cannot be carried out.
struct SchemaError : Error {
  using Error::Error;
};

}  // namespace tidegauge
