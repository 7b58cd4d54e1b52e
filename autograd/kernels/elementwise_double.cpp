#include <xtape/autograd/kernels/elementwise.hpp>

namespace xtape::XTAPE_ARCH {
template kernels::ElementwiseKernels<double> elementwise_kernels<double>();
}
