#include "interposed.hpp"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <numeric>

#include <dlfcn.h>
#include <execinfo.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace xtape::testing {
namespace {

enum Function { f_malloc, f_calloc, f_realloc, f_memalign, f_aligned_alloc, f_posix_memalign, f_mmap };

std::array<std::atomic<std::size_t>, allocator_functions.size()> counts;
std::atomic<bool> trace_armed;
std::array<void*, 24> trace;
int trace_depth = 0;

[[maybe_unused]] void count(Function function) {
    counts[function].fetch_add(1, std::memory_order_relaxed);
    if (trace_armed.load(std::memory_order_relaxed) && trace_armed.exchange(false)) {
        trace_depth = backtrace(trace.data(), static_cast<int>(trace.size()));
    }
}

std::vector<Product>* product_log = nullptr;

// With cblas_sgemm defined here, a linker told --as-needed might see no need for the BLAS library.
[[gnu::used]] const auto needs_blas = &cblas_sdot;

}  // namespace

AllocatorCalls allocator_calls() {
    AllocatorCalls calls{};
    for (std::size_t i = 0; i < calls.size(); ++i) {
        calls[i] = counts[i].load(std::memory_order_relaxed);
    }
    return calls;
}

std::size_t total(const AllocatorCalls& calls) { return std::accumulate(calls.begin(), calls.end(), std::size_t{0}); }

std::string describe(const AllocatorCalls& calls) {
    std::string text;
    for (std::size_t i = 0; i < calls.size(); ++i) {
        if (calls[i] > 0) {
            text += (text.empty() ? "" : ", ") + std::to_string(calls[i]) + " " + allocator_functions[i];
        }
    }
    return text.empty() ? "nothing" : text;
}

std::string traced_call() {
    std::string text;
    char** lines = backtrace_symbols(trace.data(), trace_depth);
    for (int i = 0; i < trace_depth; ++i) {
        text += std::string("\n    ") + lines[i];
    }
    std::free(lines);
    return text;
}

void trace_next_call() {
    backtrace(trace.data(), 1);  // the first one allocates
    trace_depth = 0;
    trace_armed = true;
}

void set_product_log(std::vector<Product>* log) { product_log = log; }

}  // namespace xtape::testing

using namespace xtape::testing;

extern "C" {

void cblas_sgemm(CBLAS_ORDER order, CBLAS_TRANSPOSE transpose_a, CBLAS_TRANSPOSE transpose_b, int m, int n, int k,
                 float alpha, const float* a, int lda, const float* b, int ldb, float beta, float* c, int ldc) {
    static const auto next = reinterpret_cast<decltype(&cblas_sgemm)>(dlsym(RTLD_NEXT, "cblas_sgemm"));
    if (product_log != nullptr) {
        product_log->push_back({order, transpose_a, transpose_b, m, n, k, alpha, lda, ldb, beta, ldc});
    }
    next(order, transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

#ifndef XTAPE_POOL_BYPASS
// The C library's own, under the names it exports for this.
// NOLINTBEGIN(bugprone-reserved-identifier, readability-identifier-naming)
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
// NOLINTEND(bugprone-reserved-identifier, readability-identifier-naming)

void* malloc(std::size_t size) noexcept {
    count(f_malloc);
    return __libc_malloc(size);
}

void* calloc(std::size_t n, std::size_t size) noexcept {
    count(f_calloc);
    return __libc_calloc(n, size);
}

void* realloc(void* memory, std::size_t size) noexcept {
    count(f_realloc);
    return __libc_realloc(memory, size);
}

void* memalign(std::size_t alignment, std::size_t size) noexcept {
    count(f_memalign);
    return __libc_memalign(alignment, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
    count(f_aligned_alloc);
    return __libc_memalign(alignment, size);
}

int posix_memalign(void** result, std::size_t alignment, std::size_t size) noexcept {
    count(f_posix_memalign);
    if (alignment % sizeof(void*) != 0 || (alignment & (alignment - 1)) != 0) {
        return EINVAL;
    }
    void* memory = __libc_memalign(alignment, size);
    if (memory == nullptr) {
        return ENOMEM;
    }
    *result = memory;
    return 0;
}

void* mmap(void* address, std::size_t size, int protection, int flags, int file, off_t offset) noexcept {
    count(f_mmap);
    return reinterpret_cast<void*>(syscall(SYS_mmap, address, size, protection, flags, file, offset));
}

void* mmap64(void* address, std::size_t size, int protection, int flags, int file, off64_t offset) noexcept {
    return mmap(address, size, protection, flags, file, offset);
}
#endif
}
