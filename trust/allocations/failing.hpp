#pragma once

#include <cstdint>

namespace trust {

/// Has allocations of this process fail: the k-th from here on, and all after it too if `for_good`.
void fail_allocations(uint64_t k, bool for_good);

/// Lets them pass again; how many there were since, those that failed among them.
uint64_t allocations_since();

/// How many failed since `fail_allocations`.
uint64_t failed_allocations();

}  // namespace trust
