// must not compile: arange(steps) if the steps are all alike
#include <xtape/autograd/creation.hpp>
#include <xtape/autograd/scan.hpp>

auto decay(const xtape::Tensor<double>& x) {
#ifdef CORRECTED
    return xtape::scan([](auto y, auto) { return 0.9 * y; }, x, xtape::arange<double>(10));
#else
    return xtape::scan([](auto y) { return 0.9 * y; }, x);
#endif
}
