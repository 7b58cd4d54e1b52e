#pragma once

#include <array>

#include "harness.hpp"

/// GradBench's lstm: an LSTM whose weight matrices are diagonal, of as many layers as one likes, reads a text one
/// character of b bits after the other and is to foretell the next.
namespace xtape::gradbench::lstm {

struct Input {
    Tensor<double> main;      // (2 layers, 4 b): a layer's weights, then its biases, of the four gates
    Tensor<double> extra;     // (3, b): weights of the input, weights and biases of the output
    Tensor<double> state;     // (2 layers, b): a layer's hidden state, then its cell
    Tensor<double> sequence;  // (characters, b)
    explicit Input(const Json& json)
        : main(tensor_of(json.at("main_params"))), extra(tensor_of(json.at("extra_params"))),
          state(tensor_of(json.at("state"))), sequence(tensor_of(json.at("sequence"))) {}
};

inline Tensor<double> loss(const Tensor<double>& main, const Tensor<double>& extra, const Input& input) {
    const std::size_t steps = input.sequence.shape()[0] - 1;
    const auto cell = [](auto hidden, auto memory, auto forget, auto out, auto in_weight, auto in_bias,
                         auto change_weight, auto change_bias) {
        const auto in = sigmoid(hidden * in_weight + in_bias);
        const auto updated = memory * forget + in * tanh(hidden * change_weight + change_bias);
        return std::array{out * tanh(updated), updated};
    };

    auto x = view(input.sequence, xt::range(0, steps)) * view(extra, 0);
    // Layer by layer: what a layer's gates take from the layer below is then computed for all steps at once.
    for (std::size_t layer = 0; layer < main.shape()[0]; layer += 2) {
        const auto weight = split(view(main, layer), 4);
        const auto bias = split(view(main, layer + 1), 4);
        const auto forget = sigmoid(x * weight[0] + bias[0]);
        const auto out = sigmoid(x * weight[2] + bias[2]);
        x = scan(cell, {view(input.state, layer), view(input.state, layer + 1)}, forget, out, weight[1], bias[1],
                 weight[3], bias[3])[0];
    }
    const auto y = x * view(extra, 1) + view(extra, 2);
    const auto log_sums = log(sum(exp(y), {1}, keep_dims) + 2.0);
    return -mean(view(input.sequence, xt::range(1, steps + 1)) * (y - log_sums));
}

inline Tensor<double> objective(const Input& input) { return loss(input.main, input.extra, input); }

/// The gradients by the main and the extra parameters as one row.
inline Tensor<double> jacobian(const Input& input) {
    const auto main = parameter(input.main);
    const auto extra = parameter(input.extra);
    const auto g = grad(loss(main, extra, input), {main, extra});
    return concatenate({reshape(g[0], {-1}), reshape(g[1], {-1})});
}

}  // namespace xtape::gradbench::lstm
