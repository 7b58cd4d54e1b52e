// must not compile: convert one of them: x.cast<double>() or x.cast<float>()
#include <xtape/autograd/fuse.hpp>

auto mixed(const xtape::Tensor<float>& x, const xtape::Tensor<double>& y) {
#ifdef CORRECTED
    return xtape::fuse([](auto a, auto b) { return a * b; }, x.cast<double>(), y);
#else
    return xtape::fuse([](auto a, auto b) { return a * b; }, x, y);
#endif
}
