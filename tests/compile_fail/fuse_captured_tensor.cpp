// must not compile: hand it over as an input instead
#include <xtape/autograd/fuse.hpp>

auto captured(const xtape::Tensor<double>& x, const xtape::Tensor<double>& w) {
#ifdef CORRECTED
    return xtape::fuse([](auto v, auto u) { return v * u; }, x, w);
#else
    return xtape::fuse([&](auto v) { return v * w; }, x);
#endif
}
