#pragma once

#include <array>
#include <concepts>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <xtape/autograd/fuse.hpp>
#include <xtape/autograd/tensor.hpp>

namespace xtape {

namespace fused {

/// Runs a recurrence and records it as one node. The first inputs are the states to begin with, one for each result.
template <class T>
[[nodiscard]] std::vector<Tensor<T>> evaluate_scan(Program<T> program, std::span<const Index> results,
                                                   std::span<const Tensor<T>* const> inputs, CallSite<T>& site);

template <class T, class Result>
[[nodiscard]] Index next_state(Program<T>& program, const Result& result) {
    static_assert(AnyValue<Result> || (Scalar<Result> && !std::same_as<Result, bool>),
                  "the lambda given to scan returns something else than expressions of its arguments: of a sum or a "
                  "condition there is no next state");
    return operand(program, result);
}

template <std::size_t states, class F, class T, class... More>
[[nodiscard]] std::vector<Tensor<T>> scan(F& f, const std::array<const Tensor<T>*, states>& initial,
                                          const More&... more) {
    static_assert(
        (std::same_as<More, Tensor<T>> && ...),
        "this mixes Tensor<float> and Tensor<double>; convert one of them: x.cast<double>() or x.cast<float>()");
    static_assert(sizeof...(More) > 0, "scan makes a step for each row of its inputs: hand it one, arange(steps) if "
                                       "the steps are all alike");
    constexpr std::size_t count = states + sizeof...(More);
    return [&]<std::size_t... i, std::size_t... k>(std::index_sequence<i...>, std::index_sequence<k...>) {
        Program<T> program(count);
        std::array<Value<T>, count> values{Value<T>(program, i)...};
        std::array<Index, states> results;
        const auto next = f(values[i]...);
        using Next = std::remove_cvref_t<decltype(next)>;
        if constexpr (states == 1 && !requires { std::tuple_size<Next>::value; }) {
            results = {next_state(program, next)};
        } else {
            static_assert(std::tuple_size_v<Next> == states,
                          "the lambda given to scan is to return as many states as scan was given to begin with, in a "
                          "std::array or std::tuple");
            results = {next_state(program, std::get<k>(next))...};
        }
        std::array<const Tensor<T>*, count> inputs{initial[k]..., &more...};
        static constinit CallSite<T> site;
        return evaluate_scan<T>(std::move(program), results, inputs, site);
    }
    (std::make_index_sequence<count>{}, std::make_index_sequence<states>{});
}

}  // namespace fused

/// A recurrence with an elementwise step, as one node on the tape: y₀ = f(initial, x₀, ...), yₜ = f(yₜ₋₁, xₜ, ...), for
/// one: `scan([](auto y, auto x, auto w) { return tanh(w * y + x); }, zeros<double>({n}), xs, w)`.
///
/// `f` is as for `fuse`: called once, with stand-ins for elements of the state and of each input. The result, all yₜ,
/// has an axis for the steps and then those of a state. The inputs broadcast to its shape after NumPy's rules: of
/// shape (steps, n) they bring a row for each step, of shape (n) the same for all, of shape (steps, 1) or, for scalar
/// states, (steps) a number for each step. `initial` broadcasts to the shape of a state.
///
/// Derivatives of every order are those of the same steps recorded one by one, to rounding; by states, inputs and
/// initial state alike. A step costs some ten nanoseconds an op, no node and no allocation. Saves the inputs that are
/// used and all states. Throws ShapeError for shapes that don't broadcast.
template <class F, class T, AnyTensor... More>
[[nodiscard]] Tensor<T> scan(F&& f, const Tensor<T>& initial, const More&... inputs) {
    return fused::scan<1>(f, std::array{&initial}, inputs...).front();
}
/// The same of several states, each with its results: `auto [x, v] = scan([](auto x, auto v, auto t) { return
/// std::array{x + 0.1 * v, v - 0.1 * x + sin(t)}; }, {x0, v0}, times)`. Its derivative keeps the partial derivatives of
/// each state by each other that it depends on, for all steps.
template <class F, class T, std::size_t states, AnyTensor... More>
[[nodiscard]] std::array<Tensor<T>, states> scan(F&& f, const Tensor<T> (&initial)[states], const More&... inputs) {
    return [&]<std::size_t... k>(std::index_sequence<k...>) {
        std::vector<Tensor<T>> results = fused::scan<states>(f, std::array{&initial[k]...}, inputs...);
        return std::array{std::move(results[k])...};
    }
    (std::make_index_sequence<states>{});
}

}  // namespace xtape
