#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "tidegauge/base/error.hpp"

namespace tidegauge {

static_assert(std::endian::native == std::endian::little, "the byte format is written as it lies in memory");

inline constexpr size_t kMaxVarint = 10;  // bytes

/// Writes unsigned LEB128 to where there is room for it, and returns the place behind it.
inline std::byte* write_varint(std::byte* at, uint64_t value) {
  while (value >= 0x80) {
    *at++ = static_cast<std::byte>(value | 0x80);
    value >>= 7;
  }
  *at++ = static_cast<std::byte>(value);
  return at;
}

/// Appends little-endian values to a growing buffer.
class ByteWriter {
 public:
  template <class T>
    requires std::is_arithmetic_v<T>
  void put(T value) {
    const auto at = buffer_.size();
    buffer_.resize(at + sizeof(T));
    std::memcpy(buffer_.data() + at, &value, sizeof(T));
  }

  template <class T>
    requires std::is_arithmetic_v<T>
  void put_array(std::span<const T> values) {
    const auto at = buffer_.size();
    buffer_.resize(at + values.size_bytes());
    if (!values.empty()) std::memcpy(buffer_.data() + at, values.data(), values.size_bytes());
  }

  void put_bytes(std::span<const std::byte> bytes) {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  }

  /// Unsigned LEB128: small counts take one byte.
  void put_varint(uint64_t value) {
    std::byte bytes[kMaxVarint];
    put_bytes({bytes, write_varint(bytes, value)});
  }

  /// Room for so many bytes more, to be written and then cut to what was used.
  std::byte* extend(size_t n_bytes) {
    buffer_.resize(buffer_.size() + n_bytes);
    return buffer_.data() + buffer_.size() - n_bytes;
  }
  void cut(const std::byte* end) { buffer_.resize(static_cast<size_t>(end - buffer_.data())); }

  void put_text(std::string_view text) {
    put_varint(text.size());
    put_array(std::span<const char>(text.data(), text.size()));
  }

  void clear() { buffer_.clear(); }
  size_t size() const { return buffer_.size(); }
  std::span<const std::byte> bytes() const { return buffer_; }
  std::vector<std::byte> take() { return std::move(buffer_); }

 private:
  std::vector<std::byte> buffer_;
};

/// Reads what ByteWriter wrote and refuses anything else. No read passes the end, and no count is believed
/// before the bytes that it announces are known to be there, so decoding allocates at most what was sent.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  template <class T>
    requires std::is_arithmetic_v<T>
  T get(const char* what) {
    need(sizeof(T), what);
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }

  template <class T>
    requires std::is_arithmetic_v<T>
  void get_array(std::span<T> out, const char* what) {
    need(out.size_bytes(), what);
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + at_, out.size_bytes());
    at_ += out.size_bytes();
  }

  /// Only the shortest form is accepted, so that equal state has one encoding.
  uint64_t get_varint(const char* what) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      need(1, what);
      const auto byte = static_cast<uint64_t>(bytes_[at_++]);
      if (shift == 63 && byte > 1) break;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (byte == 0 && shift != 0) break;
        return value;
      }
    }
    throw DecodeError(std::string(what) + ": not a number in its shortest form");
  }

  /// A count of items that take at least `item_bytes` each in what follows.
  size_t get_count(size_t item_bytes, const char* what) {
    const uint64_t count = get_varint(what);
    if (count > remaining() / (item_bytes ? item_bytes : 1)) {
      throw DecodeError(std::string(what) + ": announces " + std::to_string(count) + " items, but only " +
                        std::to_string(remaining()) + " bytes follow");
    }
    return static_cast<size_t>(count);
  }

  std::string get_text(const char* what) {
    const size_t size = get_count(1, what);
    std::string text(reinterpret_cast<const char*>(bytes_.data() + at_), size);
    at_ += size;
    return text;
  }

  std::span<const std::byte> get_bytes(size_t size, const char* what) {
    need(size, what);
    at_ += size;
    return bytes_.subspan(at_ - size, size);
  }

  size_t remaining() const { return bytes_.size() - at_; }

  void expect_end(const char* what) const {
    if (remaining()) {
      throw DecodeError(std::string(what) + ": " + std::to_string(remaining()) + " bytes too many");
    }
  }

 private:
  void need(size_t size, const char* what) const {
    if (size > remaining()) {
      throw DecodeError(std::string(what) + ": needs " + std::to_string(size) + " bytes, but only " +
                        std::to_string(remaining()) + " are left (truncated?)");
    }
  }

  std::span<const std::byte> bytes_;
  size_t at_ = 0;
};

}  // namespace tidegauge
