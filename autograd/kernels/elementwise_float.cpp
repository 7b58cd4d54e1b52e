#include <xtape/autograd/kernels/elementwise.hpp>

namespace xtape::XTAPE_ARCH {
template kernels::ElementwiseKernels<float> elementwise_kernels<float>();
}
