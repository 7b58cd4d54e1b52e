// must not compile: write xtape::cast<T>(expression)
#include <xtape/autograd/tensor.hpp>

auto converted(const xt::xarray<int>& counts) {
#ifdef CORRECTED
    return xtape::cast<double>(counts);
#else
    return xtape::Tensor<double>(counts);
#endif
}
