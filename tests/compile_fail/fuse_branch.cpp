// must not compile: choose with where(condition, a, b)
#include <xtape/autograd/fuse.hpp>

auto branched(const xtape::Tensor<double>& x) {
    return xtape::fuse(
        [](auto v) {
#ifdef CORRECTED
            return where(v > 0, v, 0.1 * v);
#else
            if (v > 0) {
                return v;
            }
            return 0.1 * v;
#endif
        },
        x);
}
