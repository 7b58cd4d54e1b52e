// must not compile: choose with where(condition, a, b)
#include <xtape/autograd/fuse.hpp>

auto branched(const xtape::Tensor<float>& x) {
    return xtape::fuse(
        [](auto v) {
#ifdef CORRECTED
            return where(v > 0 && v < 1, v, 0.1 * v);
#else
            return v > 0 && v < 1 ? v : 0.1 * v;
#endif
        },
        x);
}
