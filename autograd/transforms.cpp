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

template std::vector<Tensor<float>> grad(const Tensor<float>&, std::span<const Tensor<float>>,
                                         const GradOptions<float>&);
template std::vector<Tensor<double>> grad(const Tensor<double>&, std::span<const Tensor<double>>,
                                          const GradOptions<double>&);

}  // namespace xtape
