// must not compile: is to return as many states as scan was given to begin with
#include <xtape/autograd/scan.hpp>

auto swing(const xtape::Tensor<double>& x, const xtape::Tensor<double>& v, const xtape::Tensor<double>& force) {
    return xtape::scan(
        [](auto position, auto velocity, auto f) {
            auto faster = velocity + 0.1 * f;
#ifdef CORRECTED
            return std::array{position + 0.1 * faster, faster};
#else
            return std::array{position + 0.1 * faster};
#endif
        },
        {x, v}, force);
}
