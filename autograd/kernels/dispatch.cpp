#include <cstdlib>
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
    kernels::UpdateKernels<T> update_kernels();                                                        \
    template <class T>                                                                                 \
    kernels::Kernels<T> kernels_here() {                                                               \
        return {elementwise_kernels<T>(), reduce_kernels<T>(), row_kernels<T>(), update_kernels<T>()}; \
    }                                                                                                  \
    }

#if XTAPE_KERNELS_X86
XTAPE_DECLARE_KERNELS(sse2)
XTAPE_DECLARE_KERNELS(avx2)
XTAPE_DECLARE_KERNELS(avx512)
#else
XTAPE_DECLARE_KERNELS(generic)
#endif

namespace xtape::kernels {
namespace {

#if XTAPE_KERNELS_X86

enum class Level { sse2, avx2, avx512 };
constexpr const char* level_names[] = {"sse2", "avx2", "avx512"};

Level widest_here() {
    // xsimd's own detection reports no AVX on some machines that have it.
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma")) {
        return Level::avx512;
    }
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? Level::avx2 : Level::sse2;
}

Level choose() {
    const Level widest = widest_here();
    const char* wish = std::getenv("XTAPE_SIMD");
    if (wish == nullptr || *wish == '\0') {
        return widest;
    }
    for (const Level level : {Level::sse2, Level::avx2, Level::avx512}) {
        if (std::string_view(wish) == level_names[static_cast<int>(level)] && level <= widest) {
            return level;
        }
    }
    throw ValueError(fmt::format("XTAPE_SIMD is '{}' in the environment; this processor allows sse2 up to {}", wish,
                                 level_names[static_cast<int>(widest)]));
}

Level level_in_use() {
    static const Level level = choose();
    return level;
}

template <class T>
Kernels<T> choose_kernels() {
    switch (level_in_use()) {
    case Level::avx512: return avx512::kernels_here<T>();
    case Level::avx2: return avx2::kernels_here<T>();
    case Level::sse2: break;
    }
    return sse2::kernels_here<T>();
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
