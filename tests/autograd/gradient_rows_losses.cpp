#include "gradient_rows.hpp"

#include <xtape/nn.hpp>

namespace gradients {

using namespace xtape;

namespace {

template <typename F>
void add_along_axes(std::vector<Row>& rows, const std::string& op, F f) {
    const auto add = [&](const std::string& name, Expression g, Shape shape) {
        rows.push_back({op + " " + name, std::move(g), {Input(std::move(shape))}, 3});
    };
    add("", [f](const auto& x) { return f(x[0]); }, {2, 3});
    add("of a vector", [f](const auto& x) { return f(x[0]); }, {4});
    add("of one", [f](const auto& x) { return f(x[0]); }, {3, 1});
    add("axis 0", [f](const auto& x) { return f(x[0], 0); }, {3, 2});
    add("axis 1 of 3", [f](const auto& x) { return f(x[0], 1); }, {2, 3, 2});
    add("axis -3", [f](const auto& x) { return f(x[0], -3); }, {2, 2, 3});
    add("(2,0)", [f](const auto& x) { return f(x[0]); }, {2, 0});
    add("(0,3)", [f](const auto& x) { return f(x[0]); }, {0, 3});
    add("of 19", [f](const auto& x) { return f(x[0]); }, {2, 19});
}

void add_cross_entropy(std::vector<Row>& rows, const std::string& name, Expression f, std::vector<Input> inputs) {
    rows.push_back({"cross entropy " + name, std::move(f), std::move(inputs), 3});
}

}  // namespace

void add_softmax(std::vector<Row>& rows) {
    add_along_axes(rows, "softmax", [](const auto&... x) { return softmax(x...); });
    add_along_axes(rows, "log_softmax", [](const auto&... x) { return log_softmax(x...); });
    rows.push_back({"logsumexp_rows", [](const auto& x) { return logsumexp_rows(x[0]); }, {{2, 2, 3}}, 3});

    const xt::xarray<int> labels = {2, 0, 1, 2};
    const Input probabilities({4, 3}, Domain::positive);  // they need not sum to one
    add_cross_entropy(rows, "of labels",
                      [labels](const auto& x) { return softmax_cross_entropy(x[0], Labels(labels)); }, {{4, 3}});
    add_cross_entropy(rows, "of labels among 19",
                      [](const auto& x) {
                          return softmax_cross_entropy(x[0], Labels(xt::xarray<std::int64_t>{18, 0}));
                      },
                      {{2, 19}});
    add_cross_entropy(
        rows, "of no labels",
        [](const auto& x) { return softmax_cross_entropy(x[0], Labels(xt::xarray<int>::from_shape({0}))); }, {{0, 3}});
    add_cross_entropy(rows, "of probabilities", [](const auto& x) { return softmax_cross_entropy(x[0], x[1]); },
                      {{4, 3}, probabilities});
    add_cross_entropy(rows, "of no probabilities", [](const auto& x) { return softmax_cross_entropy(x[0], x[1]); },
                      {{0, 3}, {0, 3}});
    add_cross_entropy(
        rows, "of constant probabilities",
        [](const auto& x) {
            return softmax_cross_entropy(x[0], full<typename std::decay_t<decltype(x[0])>::value_type>({4, 3}, 0.25));
        },
        {{4, 3}});
    add_cross_entropy(rows, "of constant logits",
                      [](const auto& x) { return softmax_cross_entropy(ones_like(x[0]), x[0]); }, {probabilities});
}

void add_losses(std::vector<Row>& rows) {
    using nn::Reduction;
    const xt::xarray<int> labels = {2, 0, 1, 2};
    const xt::xarray<double> target = {{0.5, -1.5, 0.75}, {1.25, 0.375, -2.0}};
    const Input probabilities({4, 3}, Domain::positive);
    for (const auto& [name, reduction] :
         {std::pair{"mean", Reduction::mean}, {"sum", Reduction::sum}, {"none", Reduction::none}}) {
        add_cross_entropy(rows, std::string("of labels, ") + name,
                          [labels, reduction = reduction](const auto& x) {
                              return nn::cross_entropy(x[0], labels, {.reduction = reduction});
                          },
                          {{4, 3}});
        add_cross_entropy(
            rows, std::string("of probabilities, ") + name,
            [reduction = reduction](const auto& x) { return nn::cross_entropy(x[0], x[1], {.reduction = reduction}); },
            {{4, 3}, probabilities});
        rows.push_back(exact(std::string("mse_loss ") + name,
                             [target, reduction = reduction](const auto& x) {
                                 return nn::mse_loss(x[0], target, {.reduction = reduction});
                             },
                             {{2, 3}}));
        rows.push_back(
            exact(std::string("mse_loss of two tensors, ") + name,
                  [reduction = reduction](const auto& x) { return nn::mse_loss(x[0], x[1], {.reduction = reduction}); },
                  {{2, 3}, {2, 3}}));
    }
    rows.push_back(exact("mse_loss sum of nothing",
                         [](const auto& x) { return nn::mse_loss(x[0], x[1], {.reduction = Reduction::sum}); },
                         {{2, 0}, {2, 0}}));
}

}  // namespace gradients
