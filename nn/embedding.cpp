#include <xtape/nn/embedding.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/recording.hpp>
#include <xtape/nn/init.hpp>

namespace xtape::nn {
namespace detail {
namespace {

template <class T>
void add_rows(const T* g, const Labels& indices, std::size_t columns, T* out) {
    for (std::size_t i = 0; i < element_count(indices.shape()); ++i) {
        T* to = out + static_cast<std::size_t>(indices.data()[i]) * columns;
        for (std::size_t j = 0; j < columns; ++j) {
            to[j] += g[i * columns + j];
        }
    }
}

// Gathering and scattering are linear, and each the other's derivative.
template <class T>
struct GatherRowsRule {
    static constexpr const char* name = "gather_rows";
    Labels indices;
    void operator()(RuleContext& context) const {
        const Shape& shape = context.input_shape(0);
        if (context.creates_graph()) {
            context.give(0, scatter_rows(context.gradient<T>(), indices, shape[0]));
            return;
        }
        const Accumulator<T> out = context.accumulator<T>(0);
        if (!out.add) {
            std::fill_n(out.data, element_count(shape), T(0));
        }
        add_rows(context.gradient_data<T>(), indices, shape[1], out.data);
    }
};

template <class T>
struct ScatterRowsRule {
    static constexpr const char* name = "scatter_rows";
    Labels indices;
    void operator()(RuleContext& context) const { context.give(0, gather_rows(context.gradient<T>(), indices)); }
};

}  // namespace

template <class T>
Tensor<T> gather_rows(const Tensor<T>& x, const Labels& indices) {
    const std::size_t columns = x.shape()[1];
    Shape shape = indices.shape();
    shape.push_back(columns);
    Tensor<T> y = Tensor<T>::uninitialized(shape);
    for (std::size_t i = 0; i < element_count(indices.shape()); ++i) {
        std::copy_n(x.data() + static_cast<std::size_t>(indices.data()[i]) * columns, columns, raw(y) + i * columns);
    }
    if (records(x)) {
        record(GatherRowsRule<T>{indices}, y.body(), {{x}});
    }
    return y;
}

template <class T>
Tensor<T> scatter_rows(const Tensor<T>& g, const Labels& indices, std::size_t rows) {
    const std::size_t columns = g.shape().back();
    Tensor<T> y = Tensor<T>::uninitialized({rows, columns});
    std::fill_n(raw(y), y.size(), T(0));
    add_rows(g.data(), indices, columns, raw(y));
    if (records(g)) {
        record(ScatterRowsRule<T>{indices}, y.body(), {{g}});
    }
    return y;
}

}  // namespace detail

namespace {

// The place of an element counted row-major, as (i, j, ...).
std::string place_of(std::size_t element, const Shape& shape) {
    Shape place = shape;
    for (std::size_t axis = shape.size(); axis-- > 0;) {
        place[axis] = element % shape[axis];
        element /= shape[axis];
    }
    return to_string(place);
}

}  // namespace

template <class T>
Tensor<T> embedding(const Labels& indices, const Tensor<T>& weight) {
    if (weight.dimension() != 2) {
        throw ShapeError(fmt::format("embedding: weight {}; it takes (count, dim)", to_string(weight.shape())));
    }
    const std::size_t count = weight.shape()[0];
    for (std::size_t i = 0; i < element_count(indices.shape()); ++i) {
        const std::int64_t index = indices.data()[i];
        if (index < 0 || static_cast<std::uint64_t>(index) >= count) {
            throw ValueError(fmt::format("embedding: index {} at {} is outside [0, {}): there are {} rows", index,
                                         place_of(i, indices.shape()), count, count));
        }
    }
    return detail::gather_rows(weight, indices);
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
                                         place_of(i, indices.shape()), weight_.shape()[0]));
        }
    }
    return embedding(xt::cast<std::int64_t>(indices.value()), weight_);
}

template <class T>
std::unique_ptr<Module<T>> Embedding<T>::clone() {
    return this->in_same_mode(std::unique_ptr<Embedding>(new Embedding(this->copied(weight_))));
}

#define XTAPE_INSTANTIATE(T)                                                               \
    template Tensor<T> detail::gather_rows(const Tensor<T>&, const Labels&);               \
    template Tensor<T> detail::scatter_rows(const Tensor<T>&, const Labels&, std::size_t); \
    template Tensor<T> embedding(const Labels&, const Tensor<T>&);                         \
    template class Embedding<T>;
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape::nn
