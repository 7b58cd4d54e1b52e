// Layers against naive loops, and what they say of shapes that don't fit.

#include <algorithm>
#include <cmath>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/nn.hpp>

#include "expect.hpp"

using namespace xtape;
using expect::elements;
using expect::message;

namespace {

template <class T>
void check_near(const Tensor<T>& got, const std::vector<double>& expected) {
    REQUIRE(got.size() == expected.size());
    const double tolerance = sizeof(T) == sizeof(float) ? 1e-6 : 1e-14;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        CHECK(std::abs(static_cast<double>(got.data()[i]) - expected[i]) <= tolerance * (1.0 + std::abs(expected[i])));
    }
}

// y[n, o] = Σ x[n, i] w[o, i] + b[o]
template <class T>
std::vector<double> linear_by_hand(const Tensor<T>& x, const Tensor<T>& w, const Tensor<T>& b) {
    const std::size_t in = w.shape()[1];
    const std::size_t out = w.shape()[0];
    std::vector<double> y;
    for (std::size_t n = 0; n < x.size() / in; ++n) {
        for (std::size_t o = 0; o < out; ++o) {
            double total = b ? static_cast<double>(b.data()[o]) : 0.0;
            for (std::size_t i = 0; i < in; ++i) {
                total += static_cast<double>(x.data()[n * in + i]) * static_cast<double>(w.data()[o * in + i]);
            }
            y.push_back(total);
        }
    }
    return y;
}

double apply(nn::Activation activation, double x) {
    switch (activation) {
    case nn::Activation::identity: return x;
    case nn::Activation::relu: return x > 0 ? x : 0;
    case nn::Activation::tanh: return std::tanh(x);
    case nn::Activation::sigmoid: return 1 / (1 + std::exp(-x));
    case nn::Activation::gelu: return x * 0.5 * std::erfc(-x / std::sqrt(2.0));
    case nn::Activation::silu: return x / (1 + std::exp(-x));
    case nn::Activation::leaky_relu: return x > 0 ? x : 0.01 * x;
    case nn::Activation::elu: return x > 0 ? x : std::expm1(x);
    case nn::Activation::softplus: return std::log1p(std::exp(x));
    case nn::Activation::log_sigmoid: return -std::log1p(std::exp(-x));
    }
    return std::nan("");
}

constexpr nn::Activation activations[] = {
    nn::Activation::identity,   nn::Activation::relu, nn::Activation::tanh,     nn::Activation::sigmoid,
    nn::Activation::gelu,       nn::Activation::silu, nn::Activation::softplus, nn::Activation::log_sigmoid,
    nn::Activation::leaky_relu, nn::Activation::elu,
};

}  // namespace

TEST_CASE_TEMPLATE("Linear is x Wᵀ + b, for samples of any number of axes", T, float, double) {
    random::seed(1);
    nn::Linear<T> with(5, 3);
    nn::Linear<T> without(5, 3, {.bias = false});
    CHECK(with.bias());
    CHECK_FALSE(without.bias());
    for (const Shape& shape : {Shape{5}, Shape{4, 5}, Shape{2, 3, 5}, Shape{0, 5}}) {
        const auto x = random::normal<T>(shape);
        Shape expected = shape;
        expected[expected.size() - 1] = 3;
        CHECK(with(x).shape() == expected);
        check_near(with(x), linear_by_hand(x, with.weight(), with.bias()));
        check_near(without(x), linear_by_hand(x, without.weight(), without.bias()));
    }
}

TEST_CASE("Linear starts evenly from ±1/√in, weight and bias") {
    random::seed(2);
    nn::Linear<double> layer(400, 300);
    for (const auto& p : layer.parameters()) {
        double largest = 0;
        double mean = 0;
        double square = 0;
        for (const double v : p.value()) {
            largest = std::max(largest, std::abs(v));
            mean += v / static_cast<double>(p.size());
            square += v * v / static_cast<double>(p.size());
        }
        CHECK(largest <= 0.05);
        CHECK(largest > 0.0495);
        CHECK(std::abs(mean) < 0.007);
        CHECK(square == doctest::Approx(0.05 * 0.05 / 3).epsilon(0.1));
    }
    random::seed(2);
    CHECK(elements(nn::Linear<double>(400, 300).weight()) == elements(layer.weight()));
    CHECK(elements(nn::Linear<double>(400, 300).weight()) != elements(layer.weight()));
}

TEST_CASE_TEMPLATE("activations are what their names say, as functions and as modules", T, float, double) {
    const Tensor<T> x(xt::xarray<T>{T(-2), T(-0.5), T(0), T(0.5), T(3)});
    for (const nn::Activation activation : activations) {
        std::vector<double> expected;
        for (const T v : x.value()) {
            expected.push_back(apply(activation, static_cast<double>(v)));
        }
        check_near(nn::activate(x, activation), expected);
        const auto module = nn::activation_module<T>(activation);
        CHECK(elements((*module)(x)) == elements(nn::activate(x, activation)));
        module->eval();
        CHECK_FALSE(module->clone()->is_training());
        CHECK(elements((*module->clone())(x)) == elements(nn::activate(x, activation)));
    }
    CHECK(elements(nn::Identity<T>()(x)) == elements(x));
    CHECK(elements(nn::ReLU<T>()(x)) == elements(relu(x)));
    CHECK(elements(nn::Tanh<T>()(x)) == elements(tanh(x)));
    CHECK(elements(nn::Sigmoid<T>()(x)) == elements(sigmoid(x)));
    CHECK(elements(nn::GELU<T>()(x)) == elements(gelu(x)));
    CHECK(elements(nn::SiLU<T>()(x)) == elements(silu(x)));
    CHECK(elements(nn::Softplus<T>()(x)) == elements(softplus(x)));
    CHECK(elements(nn::LogSigmoid<T>()(x)) == elements(log_sigmoid(x)));
    CHECK(elements(nn::LeakyReLU<T>(0.3)(x)) == elements(leaky_relu(x, 0.3)));
    CHECK(elements(nn::ELU<T>(2.0)(x)) == elements(elu(x, 2.0)));
    CHECK(elements((*nn::LeakyReLU<T>(0.3).clone())(x)) == elements(leaky_relu(x, 0.3)));
    CHECK(elements((*nn::ELU<T>(2.0).clone())(x)) == elements(elu(x, 2.0)));
    CHECK(elements(nn::Softmax<T>()(x)) == elements(softmax(x, -1)));
    const auto rows = reshape(x, {5, 1});
    CHECK(elements(nn::Softmax<T>(0)(rows)) == elements(softmax(rows, 0)));
    CHECK_THROWS_AS((void)nn::activate(x, static_cast<nn::Activation>(99)), ValueError);
    CHECK_THROWS_AS((void)nn::activation_module<T>(static_cast<nn::Activation>(99)), ValueError);
}

TEST_CASE("Flatten keeps the samples and joins the rest") {
    nn::Flatten<double> flatten;
    const auto x = arange<double>(24.0);
    CHECK(flatten(reshape(x, {2, 3, 4})).shape() == Shape{2, 12});
    CHECK(elements(flatten(reshape(x, {2, 3, 4}))) == elements(x));
    CHECK(flatten(x).shape() == Shape{24, 1});
    CHECK(flatten(zeros<double>({0, 3, 4})).shape() == Shape{0, 12});
    CHECK(flatten(zeros<double>({3, 0})).shape() == Shape{3, 0});
    CHECK(message<ShapeError>([&] { (void)flatten(Tensor<double>(1.0)); }) ==
          "Flatten: input () has 0 axes; there is none to start at 1");
}

TEST_CASE("Flatten joins the axes from any one on, and its clone likewise") {
    const auto x = reshape(arange<double>(24.0), {2, 3, 4});
    CHECK(nn::Flatten<double>(0)(x).shape() == Shape{24});
    CHECK(nn::Flatten<double>(2)(x).shape() == Shape{2, 3, 4});
    CHECK(nn::Flatten<double>(3)(x).shape() == Shape{2, 3, 4, 1});
    CHECK(nn::Flatten<double>(-2)(x).shape() == Shape{2, 12});
    CHECK(nn::Flatten<double>(0)(Tensor<double>(1.0)).shape() == Shape{1});
    CHECK((*nn::Flatten<double>(0).clone())(x).shape() == Shape{24});
    CHECK(message<ShapeError>([&] { (void)nn::Flatten<double>(4)(x); }) ==
          "Flatten: input (2, 3, 4) has 3 axes; there is none to start at 4");
    CHECK_THROWS_AS((void)nn::Flatten<double>(-4)(x), ShapeError);
}

TEST_CASE("an MLP applies its activation after every layer but the last") {
    random::seed(3);
    const auto x = random::normal<double>({6, 3});
    for (const nn::Activation activation : activations) {
        nn::MLP<double> mlp({3, 5, 4, 2}, activation);
        const auto p = mlp.parameters();
        REQUIRE(p.size() == 6);
        CHECK(mlp.size() == 5);
        Tensor<double> h = x;
        for (std::size_t layer = 0; layer < 3; ++layer) {
            auto values = linear_by_hand(h, p[2 * layer], p[2 * layer + 1]);
            if (layer < 2) {
                for (double& v : values) {
                    v = apply(activation, v);
                }
            }
            h = Tensor<double>::uninitialized({6, p[2 * layer].shape()[0]});
            std::copy(values.begin(), values.end(), h.fresh_data());
        }
        check_near(mlp(x), elements(h));
    }
}

TEST_CASE("Sequential applies its modules in order, and owns them") {
    nn::Sequential<double> net{nn::ReLU<double>(), nn::Tanh<double>()};
    net.append(std::make_unique<nn::Sigmoid<double>>());
    const auto x = random::normal<double>({4});
    CHECK(elements(net(x)) == elements(sigmoid(tanh(relu(x)))));
    CHECK(net.size() == 3);
    CHECK_THROWS_AS((void)net[3], std::out_of_range);
    nn::Sequential<double> none;
    CHECK(elements(none(x)) == elements(x));
}

TEST_CASE("a ShapeError inside a Sequential says in which module, nested ones too") {
    nn::Sequential<double> net(nn::Tanh<double>(), nn::Linear<double>(3, 2));
    const auto x = ones<double>({4, 5});
    CHECK(message<ShapeError>([&] { (void)net(x); }) ==
          "module 1: linear: input (4, 5), weight (2, 3), bias (2,); it takes (..., in), (out, in) and (out,)");
    nn::Sequential<double> outer(nn::Identity<double>(), std::move(net));
    CHECK(message<ShapeError>([&] { (void)outer(x); }).find("module 1: module 1: linear: ") == 0);
    nn::MLP<double> mlp({5, 3, 2});
    CHECK(message<ShapeError>([&] { (void)mlp(ones<double>({4, 4})); }).find("module 0: linear: input (4, 4)") == 0);
    nn::MLP<double> fits({4, 2});
    CHECK_NOTHROW((void)fits(ones<double>({4, 4})));
}

TEST_CASE("layers refuse extents of 0, and an MLP fewer than two widths") {
    CHECK(message<ValueError>([] { nn::Linear<double>(0, 3); }) ==
          "Linear: 0 inputs and 3 outputs; both must be at least 1");
    CHECK(message<ValueError>([] { nn::Linear<double>(3, 0); }) ==
          "Linear: 3 inputs and 0 outputs; both must be at least 1");
    CHECK(message<ValueError>([] { nn::MLP<double>({3}); }) ==
          "MLP: 1 widths given; it takes at least two, those of the input and of the output");
    CHECK_THROWS_AS((nn::MLP<double>(std::vector<std::size_t>{})), ValueError);
    CHECK_THROWS_AS((nn::MLP<double>({3, 0, 2})), ValueError);
}
