#include <xtape/autograd/creation.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <xtape/autograd/recording.hpp>

namespace xtape {

template <class T>
Tensor<T> full(const Shape& shape, double value) {
    Tensor<T> x = Tensor<T>::uninitialized(shape);
    std::fill_n(raw(x), x.size(), static_cast<T>(value));
    return x;
}

template <class T>
Tensor<T> eye(std::size_t n) {
    Tensor<T> x = zeros<T>({n, n});
    for (std::size_t i = 0; i < n; ++i) {
        raw(x)[i * n + i] = T(1);
    }
    return x;
}

template <class T>
Tensor<T> arange(double start, double stop, double step) {
    const double count = std::ceil((stop - start) / step);
    if (!(step != 0) || !std::isfinite(count)) {
        throw ValueError(fmt::format("arange: from {} to {} by {}: the step must not be 0, and all must be finite",
                                     start, stop, step));
    }
    Tensor<T> x = Tensor<T>::uninitialized({count > 0 ? static_cast<std::size_t>(count) : std::size_t{0}});
    for (std::size_t i = 0; i < x.size(); ++i) {
        raw(x)[i] = static_cast<T>(start + static_cast<double>(i) * step);
    }
    return x;
}

template <class T>
Tensor<T> linspace(double start, double stop, std::size_t count) {
    Tensor<T> x = Tensor<T>::uninitialized({count});
    const double last = count > 1 ? static_cast<double>(count - 1) : 1.0;
    for (std::size_t i = 0; i < count; ++i) {
        const double share = static_cast<double>(i) / last;
        raw(x)[i] = static_cast<T>(start * (1.0 - share) + stop * share);
    }
    return x;
}

#define XTAPE_INSTANTIATE(T)                              \
    template Tensor<T> full<T>(const Shape&, double);     \
    template Tensor<T> eye<T>(std::size_t);               \
    template Tensor<T> arange<T>(double, double, double); \
    template Tensor<T> linspace<T>(double, double, std::size_t);
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape
