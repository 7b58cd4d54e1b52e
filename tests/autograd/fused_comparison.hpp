#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xtape/autograd.hpp>
#include <xtape/autograd/fuse.hpp>
#include <xtape/autograd/scan.hpp>

/// `fuse` and `scan` against the same lambda on tensors, op by op: values and derivatives of several orders.
namespace fused_comparison {

using namespace xtape;

template <class T>
using Tensors = std::vector<Tensor<T>>;

/// Between -1.5 and 1.5.
template <class T>
Tensor<T> random_tensor(random::Stream& stream, const Shape& shape) {
    Tensor<T> x = Tensor<T>::uninitialized(shape);
    std::generate_n(x.fresh_data(), x.size(), [&] { return stream.uniform<T>(T(-1.5), T(1.5)); });
    return x;
}

template <class T>
using Function = std::function<Tensor<T>(const Tensors<T>&)>;

/// f(x[0], x[1], ...), op by op or fused.
template <std::size_t count, class F, class T>
Tensor<T> call(const F& f, const Tensors<T>& x, bool fused) {
    return [&]<std::size_t... i>(std::index_sequence<i...>)->Tensor<T> {
        return fused ? fuse(f, x[i]...) : Tensor<T>(f(x[i]...));
    }
    (std::make_index_sequence<count>{});
}

/// The value, and the gradients of its product with random numbers by the parameters among xs, as the plain replay and
/// as the recorded one computes them; then the same of those gradients, up to `order`.
template <class T>
Tensors<T> derivatives(const Function<T>& f, const Tensors<T>& xs, int order) {
    random::Stream stream(7, random::stream_id("fused_comparison"));
    Tensors<T> wanted;
    std::copy_if(xs.begin(), xs.end(), std::back_inserter(wanted), [](const auto& x) { return x.requires_grad(); });
    Tensors<T> results{f(xs)};
    Tensor<T> current = results.front();
    for (int k = 1; k <= order && current.requires_grad(); ++k) {
        const Tensor<T> seed = random_tensor<T>(stream, current.shape());
        const Tensors<T> plain = grad(current, wanted, {.seed = seed, .retain_graph = true, .allow_unused = true});
        const Tensors<T> recorded = grad(current, wanted, {.seed = seed, .create_graph = true, .allow_unused = true});
        results.insert(results.end(), plain.begin(), plain.end());
        results.insert(results.end(), recorded.begin(), recorded.end());
        current = Tensor<T>(0);
        for (const Tensor<T>& g : recorded) {
            current = current + sum(g * random_tensor<T>(stream, g.shape()));
        }
    }
    return results;
}

/// Empty if each result of `got` is the one of `expected`, to rounding on the scale of its largest element.
template <class T>
std::string unlike(const Tensors<T>& got, const Tensors<T>& expected, double tolerance) {
    if (got.size() != expected.size()) {
        return fmt::format("{} results, not {}", got.size(), expected.size());
    }
    for (std::size_t k = 0; k < got.size(); ++k) {
        if (!(got[k].shape() == expected[k].shape())) {
            return fmt::format("result {} is of another shape", k);
        }
        double largest = 1.0;
        for (const T e : expected[k].value()) {
            largest = std::max(largest, static_cast<double>(std::abs(e)));
        }
        for (std::size_t i = 0; i < got[k].size(); ++i) {
            const double mine = static_cast<double>(got[k].data()[i]);
            const double theirs = static_cast<double>(expected[k].data()[i]);
            if (!(std::abs(mine - theirs) <= tolerance * largest)) {
                return fmt::format("result {}, element {} of {}: {:.17g}, op by op {:.17g}", k, i, got[k].size(), mine,
                                   theirs);
            }
        }
    }
    return {};
}

template <class T>
inline constexpr double rounding = sizeof(T) == sizeof(float) ? 2e-5 : 1e-13;

/// A lambda in its two readings.
template <class T>
struct Pair {
    std::string name;
    Function<T> fused;
    Function<T> composed;
};
template <class T, std::size_t count, class F>
Pair<T> pair_of(const std::string& name, const F& f) {
    return {name, [f](const Tensors<T>& x) { return call<count>(f, x, true); },
            [f](const Tensors<T>& x) { return call<count>(f, x, false); }};
}

/// Checks it on random inputs of these shapes. `wanted` flags those that are parameters; all if it is empty.
template <class T>
void check_pair(const Pair<T>& pair, const std::vector<Shape>& shapes, int order = 2,
                const std::vector<bool>& wanted = {}) {
    random::Stream stream(1, random::stream_id(pair.name));
    Tensors<T> xs;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
        const Tensor<T> x = random_tensor<T>(stream, shapes[i]);
        xs.push_back(wanted.empty() || wanted[i] ? parameter(x) : x);
    }
    const std::string message =
        unlike(derivatives(pair.fused, xs, order), derivatives(pair.composed, xs, order), rounding<T>);
    if (!message.empty()) {
        FAIL_CHECK(fmt::format("{}, {}: {}", pair.name, sizeof(T) == sizeof(float) ? "float" : "double", message));
    }
}

/// The same for f(x, ...) of `count` inputs.
template <class T, std::size_t count, class F>
void check_fused(const std::string& name, const F& f, const std::vector<Shape>& shapes, int order = 2,
                 const std::vector<bool>& wanted = {}) {
    REQUIRE(shapes.size() == count);
    check_pair(pair_of<T, count>(name, f), shapes, order, wanted);
}

/// Row t of an input as its shape and the results' say.
template <class T>
Tensor<T> at_step(const Tensor<T>& x, std::size_t rank, std::size_t t) {
    if (x.dimension() < rank) {
        return x;
    }
    return view(x, x.shape()[0] == 1 ? 0 : t);
}

template <class State>
auto as_array(const State& state) {
    if constexpr (requires { state.shape(); }) {
        return std::array{state};
    } else {
        return std::apply([](const auto&... s) { return std::array{s...}; }, state);
    }
}

/// All states of f's recurrence, stacked, as xs say: `states` initial ones, then `inputs` others.
template <class T, std::size_t states, std::size_t inputs, class F>
Tensor<T> by_scan(const F& f, const Tensors<T>& xs) {
    return [&]<std::size_t... i>(std::index_sequence<i...>)->Tensor<T> {
        if constexpr (states == 1) {
            return scan(f, xs[0], xs[1 + i]...);
        } else if constexpr (states == 2) {
            const auto [a, b] = scan(f, {xs[0], xs[1]}, xs[2 + i]...);
            return stack({a, b});
        } else {
            const auto [a, b, c] = scan(f, {xs[0], xs[1], xs[2]}, xs[3 + i]...);
            return stack({a, b, c});
        }
    }
    (std::make_index_sequence<inputs>{});
}
template <class T, std::size_t states, std::size_t inputs, class F>
Tensor<T> by_steps(const F& f, const Tensors<T>& xs, const Shape& shape) {
    return [&]<std::size_t... k, std::size_t... i>(std::index_sequence<k...>, std::index_sequence<i...>) {
        const Shape row(shape.begin() + 1, shape.end());
        std::array<Tensor<T>, states> state{broadcast_to(xs[k], row)...};
        std::array<Tensors<T>, states> all;
        for (std::size_t t = 0; t < shape[0]; ++t) {
            const auto after = as_array(f(state[k]..., at_step(xs[states + i], shape.size(), t)...));
            ((state[k] = broadcast_to(after[k], row), all[k].push_back(state[k])), ...);
        }
        const Tensors<T> stacked{stack(all[k])...};
        return states == 1 ? stacked[0] : stack(stacked);
    }
    (std::make_index_sequence<states>{}, std::make_index_sequence<inputs>{});
}

}  // namespace fused_comparison
