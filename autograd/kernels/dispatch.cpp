#include <cstdlib>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/autograd/kernels/kernels.hpp>

#define XTAPE_DECLARE_KERNELS(arch)                                                                    \
    namespace xtape::arch {                                                                            \
    template <class T>                                                                                 \
    kernels::ElementwiseKernels<T> elementwise_kernels();                                              \
    template <class T>                                                                                 \
    kernels::ReduceKernels<T> reduce_kernels();                                                        \
    template <class T>                                                                                 \
    kernels::RowKernels<T> row_kernels();                                                              \
    template <class T>                                                                                 \
    kernels::ProductKernels<T> product_kernels();                                                      \
    template <class T>                                                                                 \
    kernels::UpdateKernels<T> update_kernels();                                                        \
    template <class T>                                                                                 \
    kernels::Kernels<T> kernels_here() {                                                               \
        return {elementwise_kernels<T>(), reduce_kernels<T>(), row_kernels<T>(), product_kernels<T>(), \
                update_kernels<T>()};                                                                  \
    }                                                                                                  \
    }

#if XTAPE_KERNELS_X86
XTAPE_DECLARE_KERNELS(sse2)
#if XTAPE_KERNELS_AVX2
XTAPE_DECLARE_KERNELS(avx2)
#endif
#if XTAPE_KERNELS_AVX512
XTAPE_DECLARE_KERNELS(avx512)
#endif
#else
XTAPE_DECLARE_KERNELS(generic)
#endif

namespace xtape::kernels {
namespace {

#if XTAPE_KERNELS_X86

enum class Level { sse2, avx2, avx512 };
constexpr const char* level_names[] = {"sse2", "avx2", "avx512"};

// Compiled in, and there on this processor. (xsimd's own detection reports no AVX on some machines that have it.)
bool is_usable(Level level) {
    switch (level) {
    case Level::avx512:
        return XTAPE_KERNELS_AVX512 != 0 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512cd") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
    case Level::avx2: return XTAPE_KERNELS_AVX2 != 0 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Level::sse2: break;
    }
    return true;
}

Level choose() {
    const char* wish = std::getenv("XTAPE_SIMD");
    const std::string_view wished = wish == nullptr ? "" : wish;
    std::string usable;
    for (const Level level : {Level::avx512, Level::avx2, Level::sse2}) {
        const char* name = level_names[static_cast<int>(level)];
        if (!is_usable(level)) {
            continue;
        }
        if (wished.empty() || wished == name) {
            return level;
        }
        usable += (usable.empty() ? "" : ", ") + std::string(name);
    }
    throw ValueError(fmt::format(
        "XTAPE_SIMD is '{}' in the environment; of the instruction sets in this build this processor allows {}", wished,
        usable));
}

Level level_in_use() {
    static const Level level = choose();
    return level;
}

template <class T>
Kernels<T> choose_kernels() {
    switch (level_in_use()) {
#if XTAPE_KERNELS_AVX512
    case Level::avx512: return avx512::kernels_here<T>();
#endif
#if XTAPE_KERNELS_AVX2
    case Level::avx2: return avx2::kernels_here<T>();
#endif
    default: return sse2::kernels_here<T>();
    }
}

#else

template <class T>
Kernels<T> choose_kernels() {
    return generic::kernels_here<T>();
}

#endif

}  // namespace

template <class T>
const Kernels<T>& detail::choose() {
    static const Kernels<T> kernels = choose_kernels<T>();
    __atomic_store_n(&chosen<T>, &kernels, __ATOMIC_RELEASE);
    return kernels;
}
template const Kernels<float>& detail::choose<float>();
template const Kernels<double>& detail::choose<double>();

const char* instruction_set() {
#if XTAPE_KERNELS_X86
    return level_names[static_cast<int>(level_in_use())];
#else
    return "generic";
#endif
}

}  // namespace xtape::kernels
