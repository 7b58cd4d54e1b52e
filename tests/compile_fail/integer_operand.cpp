// must not compile: write xtape::cast<T>(expression)
#include <xtape/autograd/elementwise.hpp>

auto converted(const xtape::Tensor<double>& x, const xt::xarray<int>& counts) {
#ifdef CORRECTED
    return x * xtape::cast<double>(counts);
#else
    return x * counts;
#endif
}
