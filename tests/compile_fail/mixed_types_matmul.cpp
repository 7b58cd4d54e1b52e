// must not compile: convert one of them: x.cast<double>() or x.cast<float>()
#include <xtape/autograd/products.hpp>

auto mixed(const xtape::Tensor<float>& x, const xtape::Tensor<double>& y) {
#ifdef CORRECTED
    return matmul(x, y.cast<float>());
#else
    return matmul(x, y);
#endif
}
