// must not compile: hand it over as an input instead
#include <xtape/autograd/fuse.hpp>

auto captured(const xtape::Tensor<double>& x, const xt::xarray<double>& w) {
#ifdef CORRECTED
    return xtape::fuse([](auto v, auto u) { return maximum(v, u); }, x, xtape::Tensor<double>(w));
#else
    return xtape::fuse([&](auto v) { return maximum(v, w); }, x);
#endif
}
