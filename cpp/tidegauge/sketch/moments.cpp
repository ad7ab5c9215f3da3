#include "tidegauge/sketch/moments.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "tidegauge/base/compensated.hpp"

namespace tidegauge::sketch {
namespace {

constexpr double kBeyond = std::numeric_limits<double>::infinity();
constexpr uint64_t kMaxCount = uint64_t{1} << 62;

double total(const double (&lanes)[kernels::kLanes]) {
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

/// Writes a sum that overflowed, and all of higher power, as +infinity, whatever they overflowed through.
CentralMoments checked(CentralMoments m) {
  m.m2 = std::max(m.m2, 0.0);
  m.m4 = std::max(m.m4, 0.0);
  bool beyond = false;
  for (double* power : {&m.mean, &m.m2, &m.m3, &m.m4}) {
    beyond |= !std::isfinite(*power);
    if (beyond) *power = kBeyond;
  }
  if (!std::isfinite(m.mean)) m.mean_rest = 0;
  return m;
}

/// Makes the mean the sum of two numbers, without loss (Knuth's two-sum: either may be the larger).
void set_mean(CentralMoments& m, double a, double b) {
  m.mean = a + b;
  const double of_b = m.mean - a;
  m.mean_rest = (a - (m.mean - of_b)) + (b - of_b);
}

/// Central sums of a block from its power sums about the pivot; the mean is returned as its distance from it.
CentralMoments from_lanes(const kernels::PowerLanes& lanes, size_t n, double& shift) {
  const auto count = static_cast<double>(n);
  const double s1 = total(lanes.s1), s2 = total(lanes.s2), s3 = total(lanes.s3), s4 = total(lanes.s4);
  const double d = s1 / count;
  shift = d;
  CentralMoments m;
  m.n = n;
  set_mean(m, lanes.pivot, d);
  m.m2 = s2 - d * s1;
  m.m3 = s3 - 3 * d * s2 + 2 * d * d * s1;
  m.m4 = s4 - 4 * d * s3 + 6 * d * d * s2 - 3 * d * d * d * s1;
  return checked(m);
}

/// Adds a block to what came before; the block's pivot is the mean before it, or arbitrary for the first.
CentralMoments append(const CentralMoments& before, const kernels::PowerLanes& lanes, size_t n) {
  double shift = 0;
  const CentralMoments block = from_lanes(lanes, n, shift);
  if (before.n == 0) return block;
  return CentralMoments::combine(before, block, (lanes.pivot - before.mean) - before.mean_rest + shift);
}

}  // namespace

CentralMoments CentralMoments::combine(const CentralMoments& a, const CentralMoments& b, double shift) {
  if (a.n == 0) return b;
  if (b.n == 0) return a;
  const auto na = static_cast<double>(a.n), nb = static_cast<double>(b.n), n = na + nb;
  const double d = shift, dn = d / n;
  CentralMoments m;
  m.n = a.n + b.n;
  set_mean(m, a.mean, a.mean_rest + dn * nb);
  m.m2 = a.m2 + b.m2 + d * dn * na * nb;
  m.m3 = a.m3 + b.m3 + d * dn * dn * na * nb * (na - nb) + 3 * dn * (na * b.m2 - nb * a.m2);
  m.m4 = a.m4 + b.m4 + d * dn * dn * dn * na * nb * (na * na - na * nb + nb * nb) +
         6 * dn * dn * (na * na * b.m2 + nb * nb * a.m2) + 4 * dn * (na * b.m3 - nb * a.m3);
  return checked(m);
}

template <class T>
size_t Moments<T>::update(const T* x, size_t n, kernels::TileFacts<T>& facts) {
  if (n == 0) return 0;
  if (waiting_ == 0) {
    const double mean = settled_.mean;
    lanes_ = {};
    lanes_.pivot = (settled_.n > 0 && std::isfinite(mean) ? mean : static_cast<double>(x[0])) + 0.0;
  }
  if constexpr (std::is_same_v<T, double>) {
    const size_t homeless = kernels::table().survey_f64(x, n, waiting_, lanes_, facts);
    if (homeless) return homeless;
    facts.min += 0.0;  // no -0.0: which of two equal zeros came first must not show
    facts.max += 0.0;
  } else {
    kernels::table().survey_i64(x, n, waiting_, lanes_, facts);
    exact_ += facts.sum;
  }
  const bool first = this->n() == 0;
  min_ = first ? facts.min : std::min(min_, facts.min);
  max_ = first ? facts.max : std::max(max_, facts.max);
  waiting_ += n;
  if (waiting_ == kBlock) settle();
  return 0;
}

template <class T>
void Moments<T>::settle() {
  if (waiting_ == 0) return;
  settled_ = append(settled_, lanes_, waiting_);
  if constexpr (std::is_same_v<T, double>) add_compensated(sum_, correction_, total(lanes_.sum));
  waiting_ = 0;
  lanes_ = {};
}

template <class T>
void Moments<T>::merge(const Moments& other) {
  if (other.n() == 0) return;
  if (n() == 0) {
    *this = other;
    return;
  }
  Moments theirs = other;
  theirs.settle();
  settle();
  const CentralMoments &a = settled_, &b = theirs.settled_;
  settled_ = CentralMoments::combine(a, b, (b.mean - a.mean) + (b.mean_rest - a.mean_rest));
  add_compensated(sum_, correction_, theirs.sum_);
  correction_ += theirs.correction_;
  exact_ += theirs.exact_;
  min_ = std::min(min_, theirs.min_);
  max_ = std::max(max_, theirs.max_);
}

template <class T>
double Moments<T>::sum() const {
  if constexpr (std::is_same_v<T, int64_t>) return static_cast<double>(exact_);
  double sum = sum_, correction = correction_;
  add_compensated(sum, correction, total(lanes_.sum));
  return sum + correction;
}

template <class T>
int128 Moments<T>::exact_sum() const {
  return exact_;
}

template <class T>
CentralMoments Moments<T>::central() const {
  return waiting_ == 0 ? settled_ : append(settled_, lanes_, waiting_);
}

template <class T>
bool Moments<T>::operator==(const Moments& other) const {
  ByteWriter a, b;
  encode(a);
  other.encode(b);
  return std::ranges::equal(a.bytes(), b.bytes());
}

template <class T>
void Moments<T>::encode(ByteWriter& out) const {
  // Overflowed lanes may hold either sign of infinity or a NaN; what they mean is the same.
  const auto put = [&](double x) { out.put(std::isfinite(x) ? x : kBeyond); };
  out.put_varint(settled_.n);
  out.put_varint(waiting_);
  if (n() == 0) return;
  out.put(min_);
  out.put(max_);
  if constexpr (std::is_same_v<T, int64_t>) {
    out.put(static_cast<uint64_t>(exact_));
    out.put(static_cast<int64_t>(exact_ >> 64));
  }
  if (settled_.n > 0) {
    put(settled_.mean), put(settled_.mean_rest), put(settled_.m2), put(settled_.m3), put(settled_.m4);
    if constexpr (std::is_same_v<T, double>) put(sum_), put(correction_);
  }
  if (waiting_ > 0) {
    put(lanes_.pivot);
    if constexpr (std::is_same_v<T, double>) {
      for (const double lane : lanes_.sum) put(lane);
    }
    for (const auto* powers : {&lanes_.s1, &lanes_.s2, &lanes_.s3, &lanes_.s4}) {
      for (const double lane : *powers) put(lane);
    }
  }
}

template <class T>
Moments<T> Moments<T>::decode(ByteReader& in) {
  constexpr const char* kWhat = "moments";
  const auto get = [&](bool sign_matters) {
    const auto x = in.get<double>(kWhat);
    if (std::isnan(x) || x == -kBeyond || (!sign_matters && x < 0)) {
      throw DecodeError("moments: a sum that no stream of finite numbers has");
    }
    return x;
  };
  Moments m;
  m.settled_.n = in.get_varint(kWhat);
  m.waiting_ = in.get_varint(kWhat);
  if (m.waiting_ >= kBlock) throw DecodeError("moments: more values wait than a block holds");
  if (m.settled_.n > kMaxCount - m.waiting_) throw DecodeError("moments: count beyond 2^62");
  if (m.n() == 0) return m;
  m.min_ = in.get<T>(kWhat);
  m.max_ = in.get<T>(kWhat);
  if constexpr (std::is_same_v<T, double>) {
    if (!std::isfinite(m.min_) || !std::isfinite(m.max_) || (m.min_ == 0 && std::signbit(m.min_)) ||
        (m.max_ == 0 && std::signbit(m.max_))) {
      throw DecodeError("moments: extremes that are not canonical finite numbers");
    }
  } else {
    const auto low = in.get<uint64_t>(kWhat);
    const auto high = in.get<int64_t>(kWhat);
    m.exact_ = (static_cast<int128>(high) << 64) | static_cast<int128>(low);
    const auto n = static_cast<int128>(m.n());  // below 2^63: neither product leaves 127 bits, nor do sums
    if (m.exact_ < n * m.min_ || m.exact_ > n * m.max_) {
      throw DecodeError("moments: a sum that no values between the extremes have");
    }
  }
  if (m.min_ > m.max_) throw DecodeError("moments: minimum above maximum");
  if (m.settled_.n > 0) {
    m.settled_.mean = get(true);
    m.settled_.mean_rest = get(true);
    m.settled_.m2 = get(false);
    m.settled_.m3 = get(true);
    m.settled_.m4 = get(false);
    bool beyond = false;
    for (const double power : {m.settled_.mean, m.settled_.m2, m.settled_.m3, m.settled_.m4}) {
      if (beyond && std::isfinite(power)) throw DecodeError("moments: finite above a power that overflowed");
      beyond = !std::isfinite(power);
    }
    if (m.settled_.mean + m.settled_.mean_rest != m.settled_.mean) {
      throw DecodeError("moments: a mean that is not the nearest double");
    }
    if constexpr (std::is_same_v<T, double>) m.sum_ = get(true), m.correction_ = get(true);
  }
  if (m.waiting_ > 0) {
    m.lanes_.pivot = get(true);
    if constexpr (std::is_same_v<T, double>) {
      for (double& lane : m.lanes_.sum) lane = get(true);
    }
    for (auto* powers : {&m.lanes_.s1, &m.lanes_.s2, &m.lanes_.s3, &m.lanes_.s4}) {
      for (double& lane : *powers) lane = get(true);
    }
  }
  return m;
}

template class Moments<double>;
template class Moments<int64_t>;

}  // namespace tidegauge::sketch
