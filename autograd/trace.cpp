#include <xtape/autograd/trace.hpp>

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include <xtape/autograd/creation.hpp>
#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/elementwise.hpp>
#include <xtape/autograd/engine.hpp>
#include <xtape/autograd/reduction.hpp>

namespace xtape::detail {

template <class T>
Trace<T>::Trace(const char* transform, std::span<const Tensor<T>> xs) : transform_(transform) {
    if (xs.empty()) {
        throw ValueError(
            fmt::format("{}: there are no inputs to differentiate by; give at least one tensor", transform));
    }
    inputs_.reserve(xs.size());
    for (const Tensor<T>& x : xs) {
        (void)x.body();  // throws for an empty tensor
        inputs_.emplace_back(stand_in(x.ref(), recording_.was_recording()));
    }
}

template <class T>
void Trace<T>::close(std::span<const Tensor<T>> ys, std::span<const Tensor<T>> vs) {
    if (!recording_.was_recording()) {
        return;
    }
    std::vector<Ref<Body>> roots;
    std::ranges::transform(ys, std::back_inserter(roots), &Tensor<T>::ref);
    is_recorded_ = std::ranges::any_of(vs, &Tensor<T>::requires_grad) || recording_.leads_out(roots);
}

template <class T>
void Trace<T>::release(std::span<Tensor<T>> ys) const {
    if (!is_recorded_) {
        std::ranges::transform(ys, ys.begin(), &Tensor<T>::detach);
    }
}

template <class T>
void Trace<T>::check_one_element(const Tensor<T>& y) const {
    if (y.size() != 1) {
        throw ShapeError(fmt::format("{}: f returned shape {}, not one element; reduce it (sum, mean), or ask for the "
                                     "jacobian or a vjp",
                                     transform_, to_string(y.shape())));
    }
}

template <class T>
void Trace<T>::check_like(std::span<const Tensor<T>> vs, std::span<const Tensor<T>> ys, const char* what) const {
    if (vs.size() != ys.size()) {
        throw ShapeError(fmt::format("{}: v has {} tensors and {} has {}; give one for each, of its shape", transform_,
                                     vs.size(), what, ys.size()));
    }
    for (std::size_t i = 0; i < vs.size(); ++i) {
        if (vs[i].shape() != ys[i].shape()) {
            throw ShapeError(fmt::format("{}: v{} has shape {} and {} {}; they must be the same", transform_,
                                         vs.size() == 1 ? "" : fmt::format("[{}]", i), to_string(vs[i].shape()), what,
                                         to_string(ys[i].shape())));
        }
    }
}

template <class T>
Tensors<T> pull_back(std::span<const Tensor<T>> ys, std::span<const Tensor<T>> vs, std::span<const Tensor<T>> xs,
                     BackwardOptions options) {
    // A replay starts from one tensor: y itself, or <ys, vs> with the cotangent 1.
    Tensor<T> root = ys.front();
    Tensor<T> seed = vs.front();
    if (ys.size() > 1) {
        root = T(0);
        for (std::size_t i = 0; i < ys.size(); ++i) {
            if (ys[i].requires_grad()) {
                root = root + sum(ys[i] * vs[i]);
            }
        }
        seed = T(1);
    }
    std::vector<Ref<Body>> gradients(xs.size());
    if (root.requires_grad()) {
        std::vector<Ref<Body>> wanted;
        std::ranges::transform(xs, std::back_inserter(wanted), &Tensor<T>::ref);
        gradients = replay_for(root.ref(), seed.ref(), options, wanted);
    }
    Tensors<T> results;
    results.reserve(xs.size());
    for (std::size_t i = 0; i < xs.size(); ++i) {
        results.push_back(gradients[i] ? Tensor<T>(gradients[i]) : zeros<T>(xs[i].shape()));
    }
    return results;
}

template <class T>
Transposed<T> transpose_map(std::span<const Tensor<T>> ys, std::span<const Tensor<T>> xs) {
    Transposed<T> map;
    for (const Tensor<T>& y : ys) {
        // Its value is of no consequence: the map is linear.
        map.vs.emplace_back(stand_in(zeros<T>(y.shape()).ref(), false));
    }
    map.gradients = pull_back<T>(ys, map.vs, xs, {.create_graph = true});
    return map;
}

#define XTAPE_INSTANTIATE(T)                                                                 \
    template class Trace<T>;                                                                 \
    template Tensors<T> pull_back<T>(std::span<const Tensor<T>>, std::span<const Tensor<T>>, \
                                     std::span<const Tensor<T>>, BackwardOptions);           \
    template Transposed<T> transpose_map<T>(std::span<const Tensor<T>>, std::span<const Tensor<T>>);
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape::detail
