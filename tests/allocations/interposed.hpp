#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include <cblas.h>

// OpenBLAS has it. With another BLAS there is no telling how many threads it takes.
extern "C" void openblas_set_num_threads(int) __attribute__((weak));

namespace xtape::testing {

/// Under a sanitizer the allocator is the sanitizer's and the pool is bypassed: then nothing is counted.
#ifdef XTAPE_POOL_BYPASS
inline constexpr bool counts_allocator_calls = false;
#else
inline constexpr bool counts_allocator_calls = true;
#endif

inline constexpr std::array allocator_functions{"malloc",        "calloc",         "realloc", "memalign",
                                                "aligned_alloc", "posix_memalign", "mmap"};
using AllocatorCalls = std::array<std::size_t, allocator_functions.size()>;

/// How often each function was called by anybody in this process, any library and any thread: this executable's
/// definitions take the C library's place.
[[nodiscard]] AllocatorCalls allocator_calls();

/// What `f()` adds to `allocator_calls()`.
template <class F>
[[nodiscard]] AllocatorCalls count_allocator_calls(F&& f) {
    const AllocatorCalls before = allocator_calls();
    f();
    AllocatorCalls calls = allocator_calls();
    for (std::size_t i = 0; i < calls.size(); ++i) {
        calls[i] -= before[i];
    }
    return calls;
}

[[nodiscard]] std::size_t total(const AllocatorCalls& calls);
/// "3 malloc, 1 mmap".
[[nodiscard]] std::string describe(const AllocatorCalls& calls);

/// Has the next allocator call leave its stack, one line a frame, for `traced_call`.
void trace_next_call();
[[nodiscard]] std::string traced_call();

/// One call of cblas_sgemm.
struct Product {
    CBLAS_ORDER order;
    CBLAS_TRANSPOSE transpose_a;
    CBLAS_TRANSPOSE transpose_b;
    int m, n, k;
    float alpha;
    int lda, ldb;
    float beta;
    int ldc;
};

/// Where to log products from now on; null for nowhere.
void set_product_log(std::vector<Product>* log);

/// The products that `f()` asks cblas for.
template <class F>
[[nodiscard]] std::vector<Product> record_products(F&& f) {
    std::vector<Product> log;
    set_product_log(&log);
    f();
    set_product_log(nullptr);
    return log;
}

}  // namespace xtape::testing
