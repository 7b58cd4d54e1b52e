// The loops of ops_loops.hpp. Compiled three times: XTAPE_LOOPS is plain, fast or batches, with the flags to match.

#include "ops_loops.hpp"

#include "ops_formulas.hpp"

namespace xtape::bench::XTAPE_LOOPS {
namespace {

#if XTAPE_LOOPS_OF_BATCHES
template <class Op, class T>
void run(const T* __restrict__ a, [[maybe_unused]] const T* __restrict__ b, T* __restrict__ y, std::size_t n) {
    using Batch = xsimd::batch<T>;
    for (std::size_t i = 0; i < n; i += Batch::size) {
        if constexpr (requires(Batch x) { Op::of(x); }) {
            Op::of(Batch::load_unaligned(a + i)).store_unaligned(y + i);
        } else {
            Op::of(Batch::load_unaligned(a + i), Batch::load_unaligned(b + i)).store_unaligned(y + i);
        }
    }
}
template <class Op>
constexpr bool has_loop = Op::of_batches;
#else
template <class Op, class T>
void run(const T* __restrict__ a, [[maybe_unused]] const T* __restrict__ b, T* __restrict__ y, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
        if constexpr (requires(T x) { Op::of(x); }) {
            y[i] = Op::of(a[i]);
        } else {
            y[i] = Op::of(a[i], b[i]);
        }
    }
}
template <class>
constexpr bool has_loop = true;
#endif

template <class T, class... Ops>
Loop<T> find(std::string_view name, List<Ops...>) {
    Loop<T> found = nullptr;
    const auto look_at = [&]<class Op>(Op) {
        if constexpr (has_loop<Op>) {
            if (name == Op::name) {
                found = run<Op, T>;
            }
        }
    };
    (look_at(Ops{}), ...);
    return found;
}

}  // namespace

template <class T>
Loop<T> loop(std::string_view op) {
    const Loop<T> found = find<T>(op, OneInput{});
    return found != nullptr ? found : find<T>(op, TwoInputs{});
}
template Loop<float> loop<float>(std::string_view);
template Loop<double> loop<double>(std::string_view);

}  // namespace xtape::bench::XTAPE_LOOPS
