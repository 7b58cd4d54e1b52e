#include <xtape/nn/embedding.hpp>

#include <cmath>

#include <fmt/format.h>

#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/indexing.hpp>
#include <xtape/nn/init.hpp>

namespace xtape::nn {

template <class T>
Tensor<T> embedding(const Labels& indices, const Tensor<T>& weight) {
    if (weight.dimension() != 2) {
        throw ShapeError(fmt::format("embedding: weight {}; it takes (count, dim)", to_string(weight.shape())));
    }
    const std::size_t count = weight.shape()[0];
    Indices rows = Indices::uninitialized(indices.shape());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const std::int64_t index = indices.data()[i];
        if (index < 0 || static_cast<std::uint64_t>(index) >= count) {
            throw ValueError(fmt::format("embedding: index {} at {} is outside [0, {}): there are {} rows", index,
                                         to_string(place_of(i, indices.shape())), count, count));
        }
        rows.data()[i] = static_cast<std::ptrdiff_t>(index);
    }
    return take(weight, rows, 0);
}

template <class T>
Embedding<T>::Embedding(std::size_t count, std::size_t dim) {
    if (count == 0 || dim == 0) {
        throw ValueError(fmt::format("Embedding: {} rows of {}; both must be at least 1", count, dim));
    }
    weight_ = parameter(Tensor<T>::uninitialized({count, dim}));
    init::normal(weight_);
}

template <class T>
Tensor<T> Embedding<T>::forward(const Tensor<T>& indices) {
    for (std::size_t i = 0; i < indices.size(); ++i) {
        const double index = static_cast<double>(indices.data()[i]);
        if (index != std::trunc(index) || std::abs(index) > 0x1.0p53) {  // NaN and what int64 can't hold too
            throw ValueError(fmt::format("embedding: index {} at {} is no integer in [0, {})", index,
                                         to_string(place_of(i, indices.shape())), weight_.shape()[0]));
        }
    }
    return embedding(xt::cast<std::int64_t>(indices.value()), weight_);
}

template <class T>
std::unique_ptr<Module<T>> Embedding<T>::clone() {
    return this->in_same_mode(std::unique_ptr<Embedding>(new Embedding(this->copied(weight_))));
}

#define XTAPE_INSTANTIATE(T)                                       \
    template Tensor<T> embedding(const Labels&, const Tensor<T>&); \
    template class Embedding<T>;
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape::nn
