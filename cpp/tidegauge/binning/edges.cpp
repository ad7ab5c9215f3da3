#include "tidegauge/binning/edges.hpp"

#include <cmath>
#include <string>
#include <type_traits>

#include "tidegauge/base/error.hpp"
#include "tidegauge/base/hash.hpp"

namespace tidegauge::binning {

template <class T>
std::shared_ptr<const Edges<T>> Edges<T>::make(std::vector<T> values, size_t most) {
  if (values.empty() || values.size() > most) {
    throw SchemaError("edges: " + std::to_string(values.size()) + " of them; 1 to " + std::to_string(most) +
                      " can be kept");
  }
  for (size_t i = 0; i < values.size(); ++i) {
    if constexpr (std::is_same_v<T, double>) {
      if (!std::isfinite(values[i])) throw SchemaError("edges: edge " + std::to_string(i) + " is not finite");
      values[i] += 0.0;  // -0.0 is not another edge
    }
    if (i > 0 && !(values[i - 1] < values[i])) {
      throw SchemaError("edges: edge " + std::to_string(i) + " is not above the one before it");
    }
  }
  auto edges = std::make_shared<Edges>();
  edges->id = hash_bytes(values.data(), values.size() * sizeof(T),
                         kDefaultSeed ^ (std::is_same_v<T, double> ? 'f' : 'i'));
  edges->values = std::move(values);
  return edges;
}

template <class T>
const kernels::Grid<T>& Edges<T>::made() const {
  auto mine = std::make_unique<const kernels::Grid<T>>(kernels::make_grid(values.data(), values.size()));
  const kernels::Grid<T>* held = nullptr;
  if (!grid_.compare_exchange_strong(held, mine.get(), std::memory_order_acq_rel)) return *held;
  return *mine.release();
}

template struct Edges<double>;
template struct Edges<int64_t>;

}  // namespace tidegauge::binning
