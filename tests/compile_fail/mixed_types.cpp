// must not compile: convert one of them: x.cast<double>() or x.cast<float>()
#include <xtape/autograd/elementwise.hpp>

auto mixed(const xtape::Tensor<float>& x, const xtape::Tensor<double>& y) {
#ifdef CORRECTED
    return x.cast<double>() * y;
#else
    return x * y;
#endif
}
