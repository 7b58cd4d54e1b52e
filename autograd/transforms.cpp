#include <xtape/autograd/transforms.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <xtape/autograd/creation.hpp>
#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/engine.hpp>

namespace xtape {

template <class T>
std::vector<Tensor<T>> grad(const Tensor<T>& y, std::span<const Tensor<T>> xs, const GradOptions<T>& options) {
    const bool has_seed = static_cast<bool>(options.seed);
    if (!has_seed && y.size() != 1) {
        throw ShapeError(
            fmt::format("grad: y has shape {}, not one element; reduce it (sum, mean) or give a seed of its shape: "
                        "grad(y, xs, {{.seed = v}})",
                        to_string(y.shape())));
    }
    if (has_seed && options.seed.shape() != y.shape()) {
        throw ShapeError(fmt::format("grad: the seed has shape {} and y {}; they must be the same",
                                     to_string(options.seed.shape()), to_string(y.shape())));
    }
    std::vector<Ref<Body>> wanted;
    wanted.reserve(xs.size());
    for (std::size_t i = 0; i < xs.size(); ++i) {
        if (!xs[i].requires_grad()) {
            throw GraphError(
                fmt::format("grad: input {} of shape {} requires no gradient; make it with xtape::parameter", i,
                            to_string(xs[i].shape())));
        }
        wanted.push_back(xs[i].ref());
    }
    std::vector<Ref<Body>> gradients(xs.size());
    if (y.requires_grad()) {
        Tensor<T> seed = has_seed ? options.seed : ones<T>(y.shape());
        gradients = replay_for(y.ref(), seed.ref(),
                               {.retain_graph = options.retain_graph, .create_graph = options.create_graph}, wanted);
    }
    std::vector<Tensor<T>> results;
    results.reserve(xs.size());
    for (std::size_t i = 0; i < xs.size(); ++i) {
        if (!gradients[i] && !options.allow_unused) {
            throw GraphError(fmt::format(
                "grad: y does not depend on input {} of shape {}; for zeros there, say {{.allow_unused = true}}", i,
                to_string(xs[i].shape())));
        }
        results.push_back(gradients[i] ? Tensor<T>(gradients[i]) : zeros<T>(xs[i].shape()));
    }
    return results;
}

namespace detail {

template <class T>
Tensors<T> value_and_grad(Trace<T>& trace, std::span<Tensor<T>> y) {
    trace.check_one_element(y.front());
    trace.close(y);
    const Tensor<T> seed = ones<T>(y.front().shape());
    Tensors<T> gradients = pull_back<T>(y, as_span(seed), trace.inputs(), {.create_graph = trace.is_recorded()});
    trace.release(y);
    return gradients;
}

template <class T>
Tensors<T> vjp(Trace<T>& trace, std::span<Tensor<T>> ys, std::span<const Tensor<T>> vs) {
    trace.check_like(vs, ys, "f(x)");
    trace.close(ys, vs);
    Tensors<T> gradients = pull_back<T>(ys, vs, trace.inputs(), {.create_graph = trace.is_recorded()});
    trace.release(ys);
    return gradients;
}

template <class T>
Tensors<T> jvp(Trace<T>& trace, std::span<Tensor<T>> ys, std::span<const Tensor<T>> vs) {
    trace.check_like(vs, trace.inputs(), "x");
    trace.close(ys, vs);
    const Transposed<T> map = transpose_map<T>(ys, trace.inputs());
    Tensors<T> tangents = pull_back<T>(map.gradients, vs, map.vs, {.create_graph = trace.is_recorded()});
    trace.release(ys);
    return tangents;
}

}  // namespace detail

#define XTAPE_INSTANTIATE(T)                                                                                   \
    template std::vector<Tensor<T>> grad(const Tensor<T>&, std::span<const Tensor<T>>, const GradOptions<T>&); \
    template detail::Tensors<T> detail::value_and_grad(Trace<T>&, std::span<Tensor<T>>);                       \
    template detail::Tensors<T> detail::vjp(Trace<T>&, std::span<Tensor<T>>, std::span<const Tensor<T>>);      \
    template detail::Tensors<T> detail::jvp(Trace<T>&, std::span<Tensor<T>>, std::span<const Tensor<T>>);
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape
