#include "limits.hpp"

#include <algorithm>

#if defined(__SANITIZE_ADDRESS__)
#define TIDEGAUGE_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TIDEGAUGE_ASAN
#endif
#endif

#if defined(TIDEGAUGE_ASAN)
// Of sanitizer/allocator_interface.h, which not every GCC brings along.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void*, size_t),
                                                         void (*)(const volatile void*));
extern "C" size_t __sanitizer_get_allocated_size(const volatile void*);
#endif

namespace tidegauge::fuzz {
namespace {

bool counting = false;
Used used;

#if defined(TIDEGAUGE_ASAN)
void on_malloc(const volatile void*, size_t size) {
  if (!counting) return;
  used.largest = std::max(used.largest, size);
  used.left += static_cast<long>(size);
  used.most = std::max(used.most, static_cast<size_t>(std::max(used.left, 0L)));
}

void on_free(const volatile void* memory) {
  if (counting && memory) used.left -= static_cast<long>(__sanitizer_get_allocated_size(memory));
}

[[maybe_unused]] const int installed = __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
#endif

}  // namespace

void begin_counting() {
  used = {};
  counting = true;
}

Used end_counting() {
  counting = false;
  return used;
}

}  // namespace tidegauge::fuzz
