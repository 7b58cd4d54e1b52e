// must not compile: xtape::cast<
#include <xtape/autograd/tensor.hpp>

auto converted(const xt::xarray<int>& counts) {
#ifdef CORRECTED
    return xtape::parameter(xtape::cast<double>(counts));
#else
    return xtape::parameter(counts);
#endif
}
