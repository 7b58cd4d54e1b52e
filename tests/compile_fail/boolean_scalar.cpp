// must not compile: bool
#include <xtape/autograd/tensor.hpp>

xtape::Tensor<double> converted(bool condition) {
#ifdef CORRECTED
    return condition ? 1.0 : 0.0;
#else
    return condition;
#endif
}
