#include "reference_expressions.hpp"

namespace reference {

using namespace xtape;

namespace {

void add_along_an_axis(Expressions& table) {
    table.insert({
        {"softmax axis 0", [](const auto& x) { return softmax(x[0], 0); }},
        {"softmax axis -1", [](const auto& x) { return softmax(x[0], -1); }},
        {"softmax axis 1 of 3", [](const auto& x) { return softmax(x[0], 1); }},
        {"softmax 1-d", [](const auto& x) { return softmax(x[0], 0); }},
        {"softmax no rows", [](const auto& x) { return softmax(x[0], 1); }},
        {"softmax at +-1e4", [](const auto& x) { return softmax(x[0], 1); }},
        {"log_softmax axis 0", [](const auto& x) { return log_softmax(x[0], 0); }},
        {"log_softmax axis -1", [](const auto& x) { return log_softmax(x[0], -1); }},
        {"log_softmax axis 1 of 3", [](const auto& x) { return log_softmax(x[0], 1); }},
        {"log_softmax 1-d", [](const auto& x) { return log_softmax(x[0], 0); }},
        {"log_softmax no rows", [](const auto& x) { return log_softmax(x[0], 1); }},
        {"log_softmax at +-1e4", [](const auto& x) { return log_softmax(x[0], 1); }},
    });
}

const xt::xarray<int> labels{2, 0, 3, 3, 1};

void add_losses(Expressions& table) {
    table.insert({
        {"cross_entropy labels", [](const auto& x) { return nn::cross_entropy(x[0], labels); }},
        {"cross_entropy one-hot", [](const auto& x) { return nn::cross_entropy(x[0], x[1]); }},
        {"cross_entropy probabilities", [](const auto& x) { return nn::cross_entropy(x[0], x[1]); }},
        {"cross_entropy at +-1e4",
         [](const auto& x) {
             return nn::cross_entropy(x[0], xt::xarray<int>{1, 0});
         }},
        {"cross_entropy one row", [](const auto& x) { return nn::cross_entropy(x[0], xt::xarray<int>{0}); }},
        {"cross_entropy of scaled logits",
         [](const auto& x) { return 2.0 * nn::cross_entropy(x[0] * x[1], labels) + mean(square(x[0])); }},
        {"mse_loss", [](const auto& x) { return nn::mse_loss(x[0], x[1]); }},
        {"mse_loss data", [](const auto& x) { return nn::mse_loss(x[0], x[1]); }},
        {"mse_loss of a perfect fit", [](const auto& x) { return nn::mse_loss(x[0], x[1]); }},
    });
}

void add_networks(Expressions& table) {
    table.insert({
        {"mlp tanh mse",
         [](const auto& x) { return nn::mse_loss(linear(tanh(linear(x[0], x[1], x[2])), x[3], x[4]), x[5]); }},
        {"mlp relu cross_entropy",
         [](const auto& x) { return nn::cross_entropy(linear(relu(linear(x[0], x[1], x[2])), x[3], x[4]), labels); }},
        {"mlp sigmoid by matmul",
         [](const auto& x) { return mean(sigmoid(matmul(sigmoid(matmul(x[0], x[1]) + x[2]), x[3]) + x[4])); }},
        {"mlp penalised",
         [](const auto& x) {
             const auto fit = nn::mse_loss(matmul(sin(linear(x[0], x[1], x[2])), x[3]), x[4]);
             return fit + 0.01 * (sum(square(x[1])) + sum(abs(x[3])));
         }},
        {"attention",
         [](const auto& x) {
             return matmul(softmax(matmul(x[0], transpose(x[1], {0, 2, 1})) / 2.0, -1), x[2]);
         }},
        {"layer norm",
         [](const auto& x) {
             const auto centred = x[0] - mean(x[0], {-1}, keep_dims);
             return centred / sqrt(mean(square(centred), {-1}, keep_dims) + 1e-5) * x[1] + x[2];
         }},
        {"recurrence with shared weights",
         [](const auto& x) {
             auto h = tanh(matmul(view(x[0], 0), x[1]) + x[3]);
             for (int step = 1; step < 4; ++step) {
                 h = tanh(matmul(view(x[0], step), x[1]) + matmul(h, x[2]) + x[3]);
             }
             return h;
         }},
        {"gated unit",
         [](const auto& x) { return sigmoid(matmul(x[0], transpose(x[1]))) * matmul(x[0], transpose(x[2])); }},
        {"residual block", [](const auto& x) { return relu(x[0] + linear(relu(x[0]), x[1], x[2])); }},
    });
}

void add_shared_subexpressions(Expressions& table) {
    table.insert({
        {"newton square root",
         [](const auto& x) {
             auto y = x[0];
             for (int step = 0; step < 5; ++step) {
                 y = 0.5 * (y + x[0] / y);
             }
             return y;
         }},
        {"twelve diamonds",
         [](const auto& x) {
             auto y = x[0];
             for (int step = 0; step < 12; ++step) {
                 y = 0.4 * y + 0.5 * y * cos(y);
             }
             return y;
         }},
        {"x x + x", [](const auto& x) { return x[0] * x[0] + x[0]; }},
        {"shared exponential",
         [](const auto& x) {
             const auto e = exp(x[0]);
             return e * e / (e + 1.0);
         }},
        {"tanh(x) x", [](const auto& x) { return tanh(x[0]) * x[0]; }},
        {"elementwise chain",
         [](const auto& x) {
             const auto y = tanh(0.5 * x[0] + 1.0);
             return mean(exp(-y * y) * sin(x[0]) + sigmoid(x[0]) * y);
         }},
        {"rosenbrock",
         [](const auto& x) {
             const auto head = view(x[0], xt::range(0, 5));
             const auto tail = view(x[0], xt::range(1, 6));
             return sum(100 * square(tail - square(head)) + square(1 - head));
         }},
        {"softplus composed", [](const auto& x) { return log(1.0 + exp(x[0])); }},
        {"norm", [](const auto& x) { return sqrt(sum(square(x[0]), 1)); }},
        {"cosine similarity",
         [](const auto& x) { return sum(x[0] * x[1]) / sqrt(sum(square(x[0])) * sum(square(x[1]))); }},
        {"softmax by hand",
         [](const auto& x) {
             const auto e = exp(x[0] - amax(x[0], {1}, keep_dims));
             return e / sum(e, {1}, keep_dims);
         }},
        {"variance", [](const auto& x) { return mean(square(x[0] - mean(x[0]))); }},
        {"rational function", [](const auto& x) { return (pow(x[0], 3) - 2.0 * x[0] + 1.0) / (square(x[0]) + 1.0); }},
        {"entropy of softmax", [](const auto& x) { return -sum(softmax(x[0], -1) * log_softmax(x[0], -1), -1); }},
        {"batched quadratic form",
         [](const auto& x) {
             return mean(matmul(matmul(x[0], x[1]), transpose(x[0], {0, 2, 1})), {1, 2});
         }},
    });
}

void add_statistics(Expressions& table) {
    table.insert({
        {"pairwise distances",
         [](const auto& x) { return sum(square(view(x[0], xt::all(), xt::newaxis(), xt::all()) - x[1]), 2); }},
        {"nearest centre",
         [](const auto& x) {
             const auto squares = sum(square(view(x[0], xt::all(), xt::newaxis(), xt::all()) - x[1]), 2);
             return -sum(amax(-squares, 1));
         }},
        {"mixture log-likelihood",
         [](const auto& x) {
             const auto scaled = (view(x[0], xt::all(), xt::newaxis()) - x[1]) / x[2];
             return sum(logsumexp(log_softmax(x[3], 0) - log(x[2]) - 0.5 * square(scaled), 1));
         }},
        {"gaussian log-likelihood", [](const auto& x) { return sum(-0.5 * square((x[2] - x[0]) / x[1]) - log(x[1])); }},
        {"logistic regression",
         [](const auto& x) {
             const auto p = sigmoid(matmul(x[2], x[0]) + x[1]);
             return -mean(x[3] * log(p) + (1.0 - x[3]) * log(1.0 - p));
         }},
        {"huber by where",
         [](const auto& x) { return sum(where(abs(x[0]) < 1.0, 0.5 * square(x[0]), abs(x[0]) - 0.5)); }},
        {"geometric mean", [](const auto& x) { return exp(mean(log(x[0]), 0)); }},
        {"concatenate of views",
         [](const auto& x) {
             const auto left = view(x[0], xt::all(), xt::range(0, 2));
             const auto right = view(x[0], xt::all(), xt::range(2, 5));
             return matmul(transpose(concatenate({right, exp(left)}, 1)), x[0]);
         }},
        {"outer sum of products",
         [](const auto& x) {
             const auto column = view(x[0], xt::all(), xt::newaxis());
             return sum(tanh(column * view(x[1], xt::newaxis(), xt::all()) + column), 0);
         }},
        {"unused input", [](const auto& x) { return square(x[0]); }},
    });
}

}  // namespace

void add_compositions(Expressions& table) {
    add_along_an_axis(table);
    add_losses(table);
    add_networks(table);
    add_shared_subexpressions(table);
    add_statistics(table);
}

}  // namespace reference
