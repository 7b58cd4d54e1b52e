#include <xtape/nn/init.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>

#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/random.hpp>

namespace xtape::nn::init {
namespace {

// Where the elements of a tensor are to be written.
template <class T>
T* target_of(const char* name, const Tensor<T>& tensor) {
    if (!tensor.is_leaf()) {
        throw GraphError(fmt::format(
            "{}: this tensor of shape {} is the result of an op, and what was recorded can't be overwritten; "
            "initialise a parameter or a constant",
            name, to_string(tensor.shape())));
    }
    return begin_overwrite(tensor);
}

struct Fans {
    double in;
    double out;
};

template <class T>
Fans fans_of(const char* name, const Tensor<T>& weight) {
    if (weight.dimension() < 2) {
        throw ShapeError(
            fmt::format("{}: shape {} has no fans; it takes a weight (out, in)", name, to_string(weight.shape())));
    }
    double receptive = 1;
    for (std::size_t axis = 2; axis < weight.dimension(); ++axis) {
        receptive *= static_cast<double>(weight.shape()[axis]);
    }
    return {static_cast<double>(weight.shape()[1]) * receptive, static_cast<double>(weight.shape()[0]) * receptive};
}

}  // namespace

template <class T>
void uniform(const Tensor<T>& tensor, double low, double high) {
    if (!(low <= high) || !std::isfinite(high - low)) {
        throw ValueError(fmt::format(
            "uniform: from {} to {}; both must be finite, and the first no larger than the second", low, high));
    }
    T* to = target_of("uniform", tensor);
    random::Stream stream = random::next_stream("init");
    std::generate_n(to, tensor.size(), [&] { return stream.uniform<T>(low, high); });
}

template <class T>
void normal(const Tensor<T>& tensor, double mean, double stddev) {
    if (!(stddev >= 0) || !std::isfinite(stddev) || !std::isfinite(mean)) {
        throw ValueError(fmt::format(
            "normal: mean {}, standard deviation {}; both must be finite, and the second not negative", mean, stddev));
    }
    T* to = target_of("normal", tensor);
    random::Stream stream = random::next_stream("init");
    std::generate_n(to, tensor.size(), [&] { return static_cast<T>(mean + stddev * stream.normal()); });
}

template <class T>
void zeros(const Tensor<T>& tensor) {
    std::fill_n(target_of("zeros", tensor), tensor.size(), T(0));
}

template <class T>
void kaiming_uniform(const Tensor<T>& weight, double gain) {
    const double bound = gain * std::sqrt(3.0 / fans_of("kaiming_uniform", weight).in);
    uniform(weight, -bound, bound);
}

template <class T>
void kaiming_normal(const Tensor<T>& weight, double gain) {
    normal(weight, 0.0, gain / std::sqrt(fans_of("kaiming_normal", weight).in));
}

template <class T>
void xavier_uniform(const Tensor<T>& weight, double gain) {
    const Fans fans = fans_of("xavier_uniform", weight);
    const double bound = gain * std::sqrt(6.0 / (fans.in + fans.out));
    uniform(weight, -bound, bound);
}

template <class T>
void xavier_normal(const Tensor<T>& weight, double gain) {
    const Fans fans = fans_of("xavier_normal", weight);
    normal(weight, 0.0, gain * std::sqrt(2.0 / (fans.in + fans.out)));
}

template <class T>
void orthogonal(const Tensor<T>& weight, double gain) {
    (void)fans_of("orthogonal", weight);
    if (!std::isfinite(gain)) {
        throw ValueError(fmt::format("orthogonal: gain is {}; it must be finite", gain));
    }
    const std::size_t rows = weight.shape()[0];
    const std::size_t columns = weight.size() / std::max<std::size_t>(rows, 1);
    const std::size_t count = std::min(rows, columns);
    const std::size_t length = std::max(rows, columns);
    // `count` random directions made orthonormal by Gram and Schmidt, each twice over for accuracy.
    random::Stream stream = random::next_stream("init");
    std::vector<double> basis(count * length);
    for (std::size_t i = 0; i < count; ++i) {
        double* v = basis.data() + i * length;
        std::generate_n(v, length, [&] { return stream.normal(); });
        for (int pass = 0; pass < 2; ++pass) {
            for (std::size_t k = 0; k < i; ++k) {
                const double* u = basis.data() + k * length;
                double dot = 0;
                for (std::size_t j = 0; j < length; ++j) {
                    dot += u[j] * v[j];
                }
                for (std::size_t j = 0; j < length; ++j) {
                    v[j] -= dot * u[j];
                }
            }
        }
        double norm = 0;
        for (std::size_t j = 0; j < length; ++j) {
            norm += v[j] * v[j];
        }
        std::transform(v, v + length, v, [scale = 1.0 / std::sqrt(norm)](double c) { return c * scale; });
    }
    T* to = target_of("orthogonal", weight);
    for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < columns; ++j) {
            to[i * columns + j] =
                static_cast<T>(gain * (rows <= columns ? basis[i * length + j] : basis[j * length + i]));
        }
    }
}

#define XTAPE_INSTANTIATE(T)                                 \
    template void uniform(const Tensor<T>&, double, double); \
    template void normal(const Tensor<T>&, double, double);  \
    template void zeros(const Tensor<T>&);                   \
    template void kaiming_uniform(const Tensor<T>&, double); \
    template void kaiming_normal(const Tensor<T>&, double);  \
    template void xavier_uniform(const Tensor<T>&, double);  \
    template void xavier_normal(const Tensor<T>&, double);   \
    template void orthogonal(const Tensor<T>&, double);
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape::nn::init
