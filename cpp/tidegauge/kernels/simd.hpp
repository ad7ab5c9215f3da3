#pragma once

// Eight values at a time, whatever the machine's registers hold, and the only file with intrinsics: those for
// what compiler vector types cannot say. Everything has a plain twin, so that a level without the instruction
// computes the same thing. Include from level.cpp alone.

#include <cstddef>
#include <cstdint>
#include <utility>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#define TIDEGAUGE_INLINE [[gnu::always_inline]] static inline
#define TIDEGAUGE_MEMBER [[gnu::always_inline]] inline

namespace tidegauge::kernels::TIDEGAUGE_LEVEL {

#if defined(__AVX512F__)
inline constexpr size_t kRegisterBytes = 64;
#elif defined(__AVX2__)
inline constexpr size_t kRegisterBytes = 32;
#else
inline constexpr size_t kRegisterBytes = 16;
#endif

/// Eight 64-bit lanes in as many registers as they need. (One 64-byte compiler vector would be the same thing
/// in less text, but compilers lower it to scalar code where the registers are smaller.)
template <class T>
struct Pack {
  static_assert(sizeof(T) == 8);
  static constexpr size_t kParts = 64 / kRegisterBytes;
  static constexpr size_t kWidth = 8 / kParts;
  typedef T Register __attribute__((vector_size(kRegisterBytes)));
  Register part[kParts];

  TIDEGAUGE_MEMBER T operator[](size_t lane) const { return part[lane / kWidth][lane % kWidth]; }
};

using F64 = Pack<double>;
using I64 = Pack<int64_t>;
using U64 = Pack<uint64_t>;

/// A pack made register by register. Expanded, not looped, so that the parts stay in registers.
template <class R, class F, size_t... i>
TIDEGAUGE_INLINE R each(F f, std::index_sequence<i...>) {
  return R{{f(i)...}};
}
template <class R, class F>
TIDEGAUGE_INLINE R each(F f) {
  return each<R>(f, std::make_index_sequence<R::kParts>());
}

#define TIDEGAUGE_LANEWISE(op)                                                      \
  template <class T>                                                                \
  TIDEGAUGE_INLINE Pack<T> operator op(Pack<T> a, Pack<T> b) {                      \
    return each<Pack<T>>([&](size_t i) { return a.part[i] op b.part[i]; });         \
  }                                                                                 \
  template <class T, class S>                                                       \
  TIDEGAUGE_INLINE Pack<T> operator op(Pack<T> a, S b) {                            \
    return each<Pack<T>>([&](size_t i) { return a.part[i] op static_cast<T>(b); }); \
  }
TIDEGAUGE_LANEWISE(+)
TIDEGAUGE_LANEWISE(-)
TIDEGAUGE_LANEWISE(*)
TIDEGAUGE_LANEWISE(&)
TIDEGAUGE_LANEWISE(|)
TIDEGAUGE_LANEWISE(^)
#undef TIDEGAUGE_LANEWISE

TIDEGAUGE_INLINE U64 operator>>(U64 a, int bits) {
  return each<U64>([&](size_t i) { return a.part[i] >> bits; });
}
TIDEGAUGE_INLINE U64 operator<<(U64 a, int bits) {
  return each<U64>([&](size_t i) { return a.part[i] << bits; });
}

/// -1 in the lanes where it holds, 0 elsewhere.
#define TIDEGAUGE_COMPARISON(op)                                                         \
  template <class T>                                                                     \
  TIDEGAUGE_INLINE I64 operator op(Pack<T> a, Pack<T> b) {                               \
    return each<I64>([&](size_t i) { return (I64::Register)(a.part[i] op b.part[i]); }); \
  }
TIDEGAUGE_COMPARISON(==)
TIDEGAUGE_COMPARISON(!=)
TIDEGAUGE_COMPARISON(<)
TIDEGAUGE_COMPARISON(>=)
#undef TIDEGAUGE_COMPARISON

/// The same bits as another type.
template <class R, class T>
TIDEGAUGE_INLINE R bits(Pack<T> a) {
  return each<R>([&](size_t i) { return (typename R::Register)a.part[i]; });
}

// Register by register: one copy of 64 bytes goes through the stack in pieces that stall the next load.
template <class T>
TIDEGAUGE_INLINE Pack<T> load(const void* p) {
  return each<Pack<T>>([&](size_t i) {
    typename Pack<T>::Register r;
    __builtin_memcpy(&r, static_cast<const char*>(p) + i * sizeof r, sizeof r);
    return r;
  });
}
template <class T>
TIDEGAUGE_INLINE Pack<T> load(const T* p) {
  return load<T>(static_cast<const void*>(p));
}

template <class T>
TIDEGAUGE_INLINE void store(T* p, Pack<T> v) {
  for (size_t i = 0; i < Pack<T>::kParts; ++i) {
    __builtin_memcpy(p + i * Pack<T>::kWidth, &v.part[i], sizeof v.part[i]);
  }
}

template <class T>
TIDEGAUGE_INLINE Pack<T> broadcast(T x) {
  return each<Pack<T>>([&](size_t) { return typename Pack<T>::Register{} + x; });
}

/// The smaller and the larger of two lanes; of a NaN and a number, the second argument.
template <class T>
TIDEGAUGE_INLINE Pack<T> least(Pack<T> a, Pack<T> b) {
  return each<Pack<T>>([&](size_t i) { return a.part[i] < b.part[i] ? a.part[i] : b.part[i]; });
}
template <class T>
TIDEGAUGE_INLINE Pack<T> greatest(Pack<T> a, Pack<T> b) {
  return each<Pack<T>>([&](size_t i) { return a.part[i] > b.part[i] ? a.part[i] : b.part[i]; });
}
#if defined(__AVX512F__)
// GCC 12 does not see that the choice above is one instruction.
TIDEGAUGE_INLINE F64 least(F64 a, F64 b) {
  return {(F64::Register)_mm512_min_pd((__m512d)a.part[0], (__m512d)b.part[0])};
}
TIDEGAUGE_INLINE F64 greatest(F64 a, F64 b) {
  return {(F64::Register)_mm512_max_pd((__m512d)a.part[0], (__m512d)b.part[0])};
}
#endif

/// Doubles are themselves; integers are rounded to the nearest double, as the scalar conversion does.
TIDEGAUGE_INLINE F64 as_double(F64 x) { return x; }
TIDEGAUGE_INLINE F64 as_double(I64 x) {
#if defined(__AVX512DQ__)
  return {__builtin_convertvector(x.part[0], F64::Register)};
#else
  // The halves become doubles by their bits: 2^52 + low, and 2^84 + 2^63 + high * 2^32. The subtraction is
  // exact, so the sum is rounded once.
  const U64 low = (bits<U64>(x) & 0xffffffffu) | 0x4330000000000000u;
  const U64 high = (bits<U64>(x) >> 32) ^ 0x4530000080000000u;
  return (bits<F64>(high) - broadcast(0x1.00000801p84)) + bits<F64>(low);
#endif
}

/// Bit i is set where lane i of a comparison's result is.
TIDEGAUGE_INLINE unsigned mask_of(I64 m) {
#if defined(__AVX512DQ__)
  return _mm512_movepi64_mask((__m512i)m.part[0]);
#elif defined(__AVX2__)
  return static_cast<unsigned>(_mm256_movemask_pd((__m256d)m.part[0])) |
         static_cast<unsigned>(_mm256_movemask_pd((__m256d)m.part[1])) << 4;
#else
  unsigned r = 0;
  for (size_t i = 0; i < 8; ++i) r |= (m[i] != 0 ? 1u : 0u) << i;
  return r;
#endif
}

/// mask_of(a < b) for unsigned lanes.
TIDEGAUGE_INLINE unsigned below_mask(U64 a, U64 b) {
#if defined(__AVX512F__)
  return _mm512_cmplt_epu64_mask((__m512i)a.part[0], (__m512i)b.part[0]);
#else
  return mask_of(a < b);
#endif
}

/// Writes the lanes whose bit is set next to each other and returns how many. May write up to 8 lanes.
template <class T>
TIDEGAUGE_INLINE size_t compress_store(void* out, Pack<T> v, unsigned mask) {
#if defined(__AVX512F__)
  _mm512_storeu_si512(out, _mm512_maskz_compress_epi64(static_cast<__mmask8>(mask), (__m512i)v.part[0]));
  return static_cast<size_t>(__builtin_popcount(mask));
#else
  T lanes[8];
  store(lanes, v);
  size_t n = 0;
  for (unsigned i = 0; i < 8; ++i) {
    __builtin_memcpy(static_cast<char*>(out) + n * sizeof(T), lanes + i, sizeof(T));
    n += (mask >> i) & 1;
  }
  return n;
#endif
}

#if defined(__AVX512F__)
/// What a gather merges into. Zeroed where the compiler cannot see it: it would otherwise merge into whatever
/// the register held, and each gather would wait for the one before it, four times the whole kernel's work.
template <class V>
TIDEGAUGE_INLINE V merge_source() {
  V zero{};
  asm("" : "+v"(zero));
  return zero;
}
#endif

/// Entries of a table of 16-bit numbers; the table has two bytes behind its last entry.
TIDEGAUGE_INLINE U64 gather(const uint16_t* p, U64 index) {
#if defined(__AVX512F__)
  const __m256i pairs =
      _mm512_mask_i64gather_epi32(merge_source<__m256i>(), 0xff, (__m512i)index.part[0], p, 2);
  return U64{(U64::Register)_mm512_cvtepu32_epi64(pairs)} & 0xffff;
#else
  uint64_t at[8];
  store(at, index);
  for (uint64_t& a : at) a = p[a];
  return load(at);
#endif
}

#if defined(__AVX512CD__)
/// Entries of a table of bytes, whose size is a multiple of four: the aligned word around each, shifted.
TIDEGAUGE_INLINE U64 gather_bytes(const uint8_t* p, U64 index) {
  const U64 word = index & ~uint64_t{3};
  const __m256i found =
      _mm512_mask_i64gather_epi32(merge_source<__m256i>(), 0xff, (__m512i)word.part[0], p, 1);
  const __m512i shift = (__m512i)((index & 3) << 3).part[0];
  return U64{(U64::Register)_mm512_srlv_epi64(_mm512_cvtepu32_epi64(found), shift)} & 0xff;
}

TIDEGAUGE_INLINE U64 leading_zeros(U64 a) { return {(U64::Register)_mm512_lzcnt_epi64((__m512i)a.part[0])}; }

/// a >> b, lane by lane; 0 where b is 64 or more.
TIDEGAUGE_INLINE U64 shift_right(U64 a, U64 b) {
  return {(U64::Register)_mm512_srlv_epi64((__m512i)a.part[0], (__m512i)b.part[0])};
}
#endif

template <class T>
TIDEGAUGE_INLINE Pack<T> gather(const T* p, U64 index) {
#if defined(__AVX512F__)
  return {(typename Pack<T>::Register)_mm512_mask_i64gather_epi64(merge_source<__m512i>(), 0xff,
                                                                  (__m512i)index.part[0], p, 8)};
#else
  uint64_t at[8];
  store(at, index);
  T found[8];
  for (size_t i = 0; i < 8; ++i) found[i] = p[at[i]];
  return load(found);
#endif
}

/// Whole registers of small integers, whose products are exact.
typedef int8_t I8 __attribute__((vector_size(kRegisterBytes)));
typedef int16_t I16 __attribute__((vector_size(kRegisterBytes)));
typedef uint16_t U16 __attribute__((vector_size(kRegisterBytes)));  // for what may wrap around
typedef int32_t I32 __attribute__((vector_size(kRegisterBytes)));
typedef int64_t I64s __attribute__((vector_size(kRegisterBytes)));
typedef uint64_t U64s __attribute__((vector_size(kRegisterBytes)));
inline constexpr size_t kHalves = kRegisterBytes / 2;  // lanes of 16 bits

/// The next kHalves numbers of 8 bits, in 16.
TIDEGAUGE_INLINE I16 widen(const int8_t* p) {
  typedef int8_t Half __attribute__((vector_size(kHalves)));
  Half x;
  __builtin_memcpy(&x, p, sizeof x);
#if defined(__AVX512BW__)
  return (I16)_mm512_cvtepi8_epi16((__m256i)x);
#elif defined(__AVX2__)
  return (I16)_mm256_cvtepi8_epi16((__m128i)x);
#else
  return __builtin_convertvector(x, I16);
#endif
}

/// a0 b0 + a1 b1, a2 b2 + a3 b3, ...
TIDEGAUGE_INLINE I32 dot_pairs(I16 a, I16 b) {
#if defined(__AVX512BW__)
  return (I32)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (I32)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
  return (I32)_mm_madd_epi16((__m128i)a, (__m128i)b);
#else
  I32 sums;
  for (size_t i = 0; i < kHalves / 2; ++i) sums[i] = a[2 * i] * b[2 * i] + a[2 * i + 1] * b[2 * i + 1];
  return sums;
#endif
}

/// The same of 8 bits, `a` from 0 to 127 and `b` from -127 to 127: no sum leaves 16 bits.
TIDEGAUGE_INLINE I16 dot_pairs_8(I8 a, I8 b) {
#if defined(__AVX512BW__)
  return (I16)_mm512_maddubs_epi16((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (I16)_mm256_maddubs_epi16((__m256i)a, (__m256i)b);
#else
  // The low halves with their sign, and the high halves, as numbers of 16 bits: a product fits in them.
  return ((I16)((U16)a << 8) >> 8) * ((I16)((U16)b << 8) >> 8) + ((I16)a >> 8) * ((I16)b >> 8);
#endif
}

/// Two numbers of 8 bits, again and again.
TIDEGAUGE_INLINE I8 twice(const int8_t* p) {
  int16_t both;
  __builtin_memcpy(&both, p, sizeof both);
  return (I8)(I16{} + both);
}

/// a0, b0, a1, b1, ... of the next kHalves numbers of 8 bits, in an order of pairs that is always the same.
TIDEGAUGE_INLINE I8 interleave(const int8_t* a, const int8_t* b) {
  // In 16 bits, the second of a pair is the high half.
  return (I8)(((U16)widen(a) & 0xff) | ((U16)widen(b) << 8));
}

/// The high halves of the products, rounded down.
TIDEGAUGE_INLINE I16 high_halves(I16 a, I16 b) {
#if defined(__AVX512BW__)
  return (I16)_mm512_mulhi_epi16((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (I16)_mm256_mulhi_epi16((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
  return (I16)_mm_mulhi_epi16((__m128i)a, (__m128i)b);
#else
  I16 high;
  for (size_t i = 0; i < kHalves; ++i) high[i] = static_cast<int16_t>((a[i] * b[i]) >> 16);
  return high;
#endif
}

/// The sum of the lanes, which may be more than a lane holds.
TIDEGAUGE_INLINE int64_t total(I32 lanes) {
  const I64s even = (I64s)((U64s)lanes << 32) >> 32, sums = even + ((I64s)lanes >> 32);
  int64_t sum = 0;
  for (size_t i = 0; i < kRegisterBytes / 8; ++i) sum += sums[i];
  return sum;
}

}  // namespace tidegauge::kernels::TIDEGAUGE_LEVEL
