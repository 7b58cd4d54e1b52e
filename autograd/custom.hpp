#pragma once

#include <concepts>
#include <functional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <xtape/autograd/operands.hpp>
#include <xtape/autograd/tensor.hpp>

namespace xtape {

namespace detail {

/// A derivative rule of the user's: the output's gradient, the output and the inputs to the inputs' gradients.
template <class T>
using CustomRule =
    std::function<std::vector<Tensor<T>>(const Tensor<T>& g, const Tensor<T>& y, const std::vector<Tensor<T>>& xs)>;
enum class CustomReads { gradient, output, inputs };

template <class T>
[[nodiscard]] Tensor<T> custom(std::string_view name, const Tensor<T>& value, const std::vector<Tensor<T>>& inputs,
                               CustomRule<T> rule, CustomReads reads);

template <class T, class R>
concept ReadsGradient = std::is_invocable_r_v<std::vector<Tensor<T>>, R&, const Tensor<T>&>;
template <class T, class R>
concept ReadsOutput = std::is_invocable_r_v<std::vector<Tensor<T>>, R&, const Tensor<T>&, const Tensor<T>&>;
template <class T, class R>
concept ReadsInputs = std::is_invocable_r_v<std::vector<Tensor<T>>, R&, const Tensor<T>&, const Tensor<T>&,
                                            const std::vector<Tensor<T>>&>;

}  // namespace detail

/// An op of your own: `value`, computed by any means, and a rule that gives the gradients of the inputs. The rule is
/// called with
///
///     (g)          the gradient of the value; or
///     (g, y)       also the value; or
///     (g, y, xs)   also the inputs, as they were;
///
/// and returns a std::vector of one gradient an input, of the input's shape; an empty tensor where there is none.
/// It must be linear in g and copyable, and may be called any number of times. Written in xtape's ops it can be
/// differentiated again: under `create_graph` g, y and xs are connected to the tape and what it computes is recorded,
/// as long as it takes no `value()` or `detach()` of them; otherwise nothing is recorded.
///
/// Take y and xs as arguments rather than by capture: what is captured is not checked for having been overwritten, and
/// a rule that holds its own output, or a leaf whose gradient holds the graph, is never freed.
///
///     Tensor<double> square(const Tensor<double>& x) {
///         return custom("square", x.value() * x.value(), {x},
///                       [](const auto& g, const auto&, const auto& xs) { return std::vector{2.0 * xs[0] * g}; });
///     }
///
/// `value` is a tensor or an xtensor expression; how it was computed is forgotten. The name stands in errors and
/// printed tensors; each is kept for the life of the program. During replay ShapeError, with the op's name, if the rule
/// returns another number of gradients or another shape. docs/custom_rules.md has more.
template <class T, class R>
requires(detail::ReadsGradient<T, R> || detail::ReadsOutput<T, R> || detail::ReadsInputs<T, R>)
    [[nodiscard]] Tensor<T> custom(std::string_view name, const Tensor<T>& value,
                                   const std::vector<std::type_identity_t<Tensor<T>>>& inputs, R rule) {
    using Reads = detail::CustomReads;
    using Several = const std::vector<Tensor<T>>&;
    using One = const Tensor<T>&;
    if constexpr (detail::ReadsGradient<T, R>) {
        return detail::custom<T>(
            name, value, inputs, [rule = std::move(rule)](One g, One, Several) mutable { return rule(g); },
            Reads::gradient);
    } else if constexpr (detail::ReadsOutput<T, R>) {
        return detail::custom<T>(
            name, value, inputs, [rule = std::move(rule)](One g, One y, Several) mutable { return rule(g, y); },
            Reads::output);
    } else {
        return detail::custom<T>(name, value, inputs, std::move(rule), Reads::inputs);
    }
}
template <XtensorExpression E, class R>
[[nodiscard]] auto custom(std::string_view name, const E& value,
                          const std::vector<Tensor<typename E::value_type>>& inputs, R rule) {
    return custom(name, Tensor<typename E::value_type>(value), inputs, std::move(rule));
}

}  // namespace xtape
