// Fused ops against what they are made of: values, first and second derivatives.

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xtape/autograd.hpp>
#include <xtape/nn.hpp>

using namespace xtape;

namespace {

using Tensors = std::vector<Tensor<double>>;
using Function = std::function<Tensor<double>(const Tensors&)>;

Tensor<double> random_tensor(random::Stream& stream, const Shape& shape) {
    Tensor<double> x = Tensor<double>::uninitialized(shape);
    std::generate_n(x.fresh_data(), x.size(), [&] { return stream.normal(); });
    return x;
}

/// What is to be equal: the value, the gradients under a random cotangent (plain, then recorded), and the second
/// derivatives, all from the same random numbers.
Tensors everything(const Function& f, const Tensors& at, bool positive_last) {
    random::Stream stream(7, random::stream_id("fused_test"));
    Tensors xs;
    for (const auto& x : at) {
        xs.push_back(parameter(x));
    }
    if (positive_last) {
        xs.back() = parameter(exp(at.back()));
    }
    Tensors results = {f(xs)};
    const Tensor<double> y = results.front();
    const Tensor<double> v = random_tensor(stream, y.shape());
    const Tensors plain = grad(y, xs, {.seed = v, .retain_graph = true, .allow_unused = true});
    const Tensors recorded = grad(y, xs, {.seed = v, .create_graph = true, .allow_unused = true});
    Tensor<double> total = 0.0;
    for (const auto& g : recorded) {
        total = total + sum(g * random_tensor(stream, g.shape()));
    }
    const Tensors second = grad(total, xs, {.allow_unused = true});
    results.insert(results.end(), plain.begin(), plain.end());
    results.insert(results.end(), recorded.begin(), recorded.end());
    results.insert(results.end(), second.begin(), second.end());
    return results;
}

void check_same(const std::string& name, const Function& fused, const Function& composed,
                const std::vector<Shape>& shapes, bool positive_last = false) {
    random::Stream stream(1, random::stream_id(name));
    Tensors at;
    for (const Shape& shape : shapes) {
        at.push_back(random_tensor(stream, shape));
    }
    const Tensors got = everything(fused, at, positive_last);
    const Tensors expected = everything(composed, at, positive_last);
    REQUIRE(got.size() == expected.size());
    for (std::size_t k = 0; k < got.size(); ++k) {
        REQUIRE_MESSAGE(got[k].shape() == expected[k].shape(), name);
        double largest = 1.0;
        for (const double e : expected[k].value()) {
            largest = std::max(largest, std::abs(e));
        }
        for (std::size_t i = 0; i < got[k].size(); ++i) {
            const double error = std::abs(got[k].data()[i] - expected[k].data()[i]);
            if (!(error <= 1e-12 * largest)) {
                FAIL_CHECK(fmt::format("{}: result {}, element {}: {:.17g}, composed {:.17g}", name, k, i,
                                       got[k].data()[i], expected[k].data()[i]));
            }
        }
    }
}

}  // namespace

TEST_CASE("linear is matmul with the transposed weight, and the bias added") {
    const Function fused = [](const auto& x) { return linear(x[0], x[1], x[2]); };
    const Function composed = [](const auto& x) { return matmul(x[0], transpose(x[1])) + x[2]; };
    check_same("(5,3)", fused, composed, {{5, 3}, {2, 3}, {2}});
    check_same("(3)", fused, composed, {{3}, {2, 3}, {2}});
    check_same("(2,4,3)", fused, composed, {{2, 4, 3}, {2, 3}, {2}});
    check_same("(33,17) to 20", fused, composed, {{33, 17}, {20, 17}, {20}});
    check_same("of nothing", fused, composed, {{0, 3}, {2, 3}, {2}});
    check_same("of no features", fused, composed, {{5, 0}, {2, 0}, {2}});
    const Function fused_curve = [](const auto& x) { return square(linear(x[0], x[1], x[2])); };
    const Function composed_curve = [](const auto& x) { return square(matmul(x[0], transpose(x[1])) + x[2]); };
    check_same("squared (5,3)", fused_curve, composed_curve, {{5, 3}, {2, 3}, {2}});
    check_same("squared (2,4,3)", fused_curve, composed_curve, {{2, 4, 3}, {2, 3}, {2}});
}

TEST_CASE("linear without a bias is matmul with the transposed weight") {
    const Function fused = [](const auto& x) { return square(linear(x[0], x[1])); };
    const Function composed = [](const auto& x) { return square(matmul(x[0], transpose(x[1]))); };
    check_same("(5,3)", fused, composed, {{5, 3}, {2, 3}});
    check_same("(2,4,3)", fused, composed, {{2, 4, 3}, {2, 3}});
    check_same("(33,17) to 20", fused, composed, {{33, 17}, {20, 17}});
    check_same("of no features", fused, composed, {{5, 0}, {2, 0}});
}

TEST_CASE("linear with an activation on top is the activation of linear") {
    const auto check_end = [](const char* name, LinearEnd end, auto activation) {
        const Function fused = [=](const auto& x) { return linear(x[0], x[1], x[2], end); };
        const Function composed = [=](const auto& x) { return activation(linear(x[0], x[1], x[2])); };
        CAPTURE(name);
        check_same("(5,3)", fused, composed, {{5, 3}, {2, 3}, {2}});
        check_same("(2,4,3)", fused, composed, {{2, 4, 3}, {2, 3}, {2}});
        check_same("(33,17) to 20", fused, composed, {{33, 17}, {20, 17}, {20}});
        check_same("of nothing", fused, composed, {{0, 3}, {2, 3}, {2}});
        const Function no_bias = [=](const auto& x) { return square(linear(x[0], x[1], Tensor<double>(), end)); };
        const Function composed_no_bias = [=](const auto& x) { return square(activation(linear(x[0], x[1]))); };
        check_same("squared, without a bias", no_bias, composed_no_bias, {{5, 3}, {2, 3}});
    };
    check_end("relu", LinearEnd::relu, [](const auto& x) { return relu(x); });
    check_end("tanh", LinearEnd::tanh, [](const auto& x) { return tanh(x); });
    check_end("sigmoid", LinearEnd::sigmoid, [](const auto& x) { return sigmoid(x); });
}

TEST_CASE("linear with an activation leaves a gradient alone that somebody holds") {
    const auto x = parameter(xt::xarray<double>{{1.0, -2.0}});
    const auto weight = parameter(xt::xarray<double>{{3.0, 1.0}, {1.0, 1.0}});
    const auto y = linear(x, weight, {}, LinearEnd::relu);  // (1, -1), and after relu (1, 0)
    Tensor<double> seen;
    auto hook = y.register_hook([&](const Tensor<double>& g) { return seen = g; });
    const Tensor<double> seed(xt::xarray<double>{{5.0, 7.0}});
    y.backward(seed);
    hook.remove();
    CHECK(xt::all(xt::equal(seed.value(), xt::xarray<double>{{5.0, 7.0}})));
    CHECK(xt::all(xt::equal(seen.value(), xt::xarray<double>{{5.0, 7.0}})));
    CHECK(xt::all(xt::equal(weight.grad().value(), xt::xarray<double>{{5.0, -10.0}, {0.0, 0.0}})));
}

TEST_CASE("matmul_transposed is matmul of transposed operands") {
    for (const bool left : {false, true}) {
        for (const bool right : {false, true}) {
            const auto name = fmt::format("{} {}", left, right);
            const auto turned = [](const Tensor<double>& x, bool turn) {
                return !turn ? x : x.dimension() == 2 ? transpose(x) : transpose(x, {0, 2, 1});
            };
            const Function fused = [=](const auto& x) { return square(matmul_transposed(x[0], left, x[1], right)); };
            const Function composed = [=](const auto& x) {
                return square(matmul(turned(x[0], left), turned(x[1], right)));
            };
            const Shape a = left ? Shape{4, 3} : Shape{3, 4};
            const Shape b = right ? Shape{5, 4} : Shape{4, 5};
            check_same(name, fused, composed, {a, b});
            const auto stacked = [](std::size_t count, const Shape& matrix) {
                return Shape{count, matrix[0], matrix[1]};
            };
            check_same(name + " batched", fused, composed, {stacked(2, a), stacked(2, b)});
            check_same(name + " broadcast", fused, composed, {stacked(1, a), stacked(3, b)});
        }
    }
}

TEST_CASE("matmul is a sum of products") {
    const Function fused = [](const auto& x) { return square(matmul(x[0], x[1])); };
    const Function composed = [](const auto& x) {
        return square(sum(expand_dims(x[0], -1) * expand_dims(x[1], -3), -2));
    };
    check_same("(3,4) (4,5)", fused, composed, {{3, 4}, {4, 5}});
    check_same("(2,3,4) (2,4,5)", fused, composed, {{2, 3, 4}, {2, 4, 5}});
    check_same("(2,1,3,4) (3,4,5)", fused, composed, {{2, 1, 3, 4}, {3, 4, 5}});
    check_same("(2,3,4) (4,5)", fused, composed, {{2, 3, 4}, {4, 5}});
    check_same("(35,40) (40,37)", fused, composed, {{35, 40}, {40, 37}});
}

TEST_CASE("the cross entropy of labels is minus the sum of one_hot times log_softmax") {
    const auto check = [](const std::string& name, const xt::xarray<int>& labels, const Shape& shape) {
        const Function fused = [=](const auto& x) { return softmax_cross_entropy(x[0], Labels(labels)); };
        const Function composed = [=](const auto& x) {
            return -sum(nn::one_hot<double>(labels, shape[1]) * log_softmax(x[0]), -1);
        };
        check_same(name, fused, composed, {shape});
        const Function fused_mean = [=](const auto& x) { return nn::cross_entropy(3.0 * x[0], labels); };
        const Function composed_mean = [=](const auto& x) { return mean(composed({3.0 * x[0]})); };
        check_same(name + ", mean", fused_mean, composed_mean, {shape});
    };
    check("(5,3)", {2, 0, 1, 1, 2}, {5, 3});
    check("(2,33)", {32, 7}, {2, 33});
    check("(1,1)", {0}, {1, 1});
}

TEST_CASE("the cross entropy of probabilities is minus the sum of them times log_softmax") {
    const Function fused = [](const auto& x) { return softmax_cross_entropy(x[0], x[1]); };
    const Function composed = [](const auto& x) { return -sum(x[1] * log_softmax(x[0]), -1); };
    check_same("(5,3)", fused, composed, {{5, 3}, {5, 3}});
    check_same("(2,33)", fused, composed, {{2, 33}, {2, 33}});
    check_same("(0,3)", fused, composed, {{0, 3}, {0, 3}});
    check_same(
        "by logits alone",
        [](const auto& x) {
            return softmax_cross_entropy(x[0], full<double>({5, 3}, 0.25));
        },
        [](const auto& x) { return -sum(0.25 * log_softmax(x[0]), -1); }, {{5, 3}});
    check_same(
        "by probabilities alone", [](const auto& x) { return softmax_cross_entropy(x[0].detach(), square(x[1])); },
        [](const auto& x) { return -sum(square(x[1]) * log_softmax(x[0].detach()), -1); }, {{5, 3}, {5, 3}});
}

TEST_CASE("softmax and its kin are their definitions") {
    const Shape shape = {3, 19};
    check_same(
        "softmax", [](const auto& x) { return softmax(x[0]); },
        [](const auto& x) { return exp(x[0]) / sum(exp(x[0]), -1, keep_dims); }, {shape});
    check_same(
        "softmax along axis 0", [](const auto& x) { return softmax(x[0], 0); },
        [](const auto& x) { return exp(x[0]) / sum(exp(x[0]), 0); }, {shape});
    check_same(
        "log_softmax", [](const auto& x) { return log_softmax(x[0]); },
        [](const auto& x) { return log(softmax(x[0])); }, {shape});
    check_same(
        "log_softmax along axis 0", [](const auto& x) { return log_softmax(x[0], 0); },
        [](const auto& x) { return x[0] - logsumexp(x[0], 0); }, {shape});
    check_same(
        "logsumexp",
        [](const auto& x) {
            return logsumexp(x[0], {0, -1});
        },
        [](const auto& x) {
            return log(sum(exp(x[0]), {0, -1}));
        },
        {{2, 3, 5}});
}

TEST_CASE("further ops that have a rule of their own for speed") {
    check_same(
        "mean",
        [](const auto& x) {
            return square(mean(x[0], {0, 2}));
        },
        [](const auto& x) {
            return square(sum(x[0], {0, 2}) / 10.0);
        },
        {{2, 3, 5}});
    check_same(
        "square", [](const auto& x) { return square(x[0]); }, [](const auto& x) { return x[0] * x[0]; }, {{19}});
    check_same(
        "sigmoid", [](const auto& x) { return sigmoid(x[0]); },
        [](const auto& x) { return 0.5 + 0.5 * tanh(0.5 * x[0]); }, {{19}});
    check_same(
        "relu", [](const auto& x) { return relu(sin(x[0])); }, [](const auto& x) { return maximum(sin(x[0]), 0.0); },
        {{19}});
    check_same(
        "mse_loss", [](const auto& x) { return nn::mse_loss(x[0], x[1]); },
        [](const auto& x) { return mean(square(x[0] - x[1])); }, {{3, 5}, {3, 5}});
    check_same(
        "sqrt", [](const auto& x) { return sqrt(x[0]); }, [](const auto& x) { return pow(x[0], 0.5); }, {{19}}, true);
    check_same(
        "amax", [](const auto& x) { return exp(amax(x[0], 0)); },
        [](const auto& x) { return exp(maximum(view(x[0], 0), maximum(view(x[0], 1), view(x[0], 2)))); }, {{3, 19}});
}
