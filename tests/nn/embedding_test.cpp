// Embedding: rows by their indices, and gradients that find their way back.

#include <cmath>
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/nn.hpp>

#include "expect.hpp"

using namespace xtape;
using expect::elements;
using expect::message;

namespace {
using Values = std::vector<double>;
}

TEST_CASE("Embedding gives the row of each index, integers of any type and shape") {
    nn::Embedding<double> layer(4, 2);
    layer.weight().assign(xt::xarray<double>{{0, 1}, {10, 11}, {20, 21}, {30, 31}});
    const Values expected{30, 31, 0, 1, 30, 31};
    CHECK(elements(layer(xt::xarray<int>{3, 0, 3})) == expected);
    CHECK(elements(layer(xt::xarray<std::uint8_t>{3, 0, 3})) == expected);
    CHECK(elements(layer.forward(xt::xarray<std::int64_t>{3, 0, 3})) == expected);
    CHECK(elements(layer(Tensor<double>(xt::xarray<double>{3, 0, 3}))) == expected);
    CHECK(layer(xt::xarray<int>{{3, 0, 3}, {1, 1, 2}}).shape() == Shape{2, 3, 2});
    CHECK(layer(xt::xarray<int>::from_shape({0})).shape() == Shape{0, 2});
    CHECK(layer(Tensor<double>(2.0)).shape() == Shape{2});
    CHECK(elements(nn::embedding(xt::xarray<int>{1}, layer.weight())) == Values{10, 11});
}

TEST_CASE("an index used often gets the sum of its gradients, one not used gets 0") {
    nn::Embedding<double> layer(4, 2);
    const auto y = layer(xt::xarray<int>{3, 0, 3});
    const Tensor<double> seed(xt::xarray<double>{{1, 2}, {3, 4}, {10, 20}});
    y.backward(seed, {.retain_graph = true});
    CHECK(elements(layer.weight().grad()) == Values{3, 4, 0, 0, 0, 0, 11, 22});
    y.backward(seed);
    CHECK(elements(layer.weight().grad()) == Values{6, 8, 0, 0, 0, 0, 22, 44});
}

TEST_CASE("Embedding's gradients are right to the second order, beside other uses of the weight") {
    random::seed(1);
    const auto f = [](const std::vector<Tensor<double>>& x) {
        return square(nn::embedding(xt::xarray<int>{{4, 0}, {4, 1}}, x[0])) * sum(sin(x[0]));
    };
    const auto result = check_gradients(f, {random::normal<double>({5, 2})}, {.order = 2});
    CHECK_MESSAGE(result.ok, result.message);
}

TEST_CASE("Embedding starts from the standard normal distribution, and is cloned and loaded") {
    random::seed(2);
    nn::Embedding<double> layer(200, 50);
    CHECK(std::abs(mean(layer.weight()).item()) < 0.03);
    CHECK(stddev(layer.weight()).item() == doctest::Approx(1.0).epsilon(0.03));
    CHECK(layer.named_parameters()[0].first == "weight");
    layer.eval();
    const auto copy = layer.clone();
    CHECK_FALSE(copy->is_training());
    CHECK(elements(copy->parameters()[0]) == elements(layer.weight()));
    CHECK(copy->parameters()[0].ref() != layer.weight().ref());
    nn::Embedding<double> other(200, 50);
    other.load_state_dict(layer.state_dict());
    CHECK(elements(other.weight()) == elements(layer.weight()));
}

TEST_CASE("a Sequential may begin with an Embedding") {
    nn::Sequential<double> net(nn::Embedding<double>(5, 3), nn::Flatten<double>(), nn::Linear<double>(6, 1));
    const auto y = net(Tensor<double>(xt::xarray<double>{{0, 4}, {2, 2}, {1, 3}}));
    CHECK(y.shape() == Shape{3, 1});
    sum(y).backward();
    CHECK(net.parameters()[0].has_grad());
}

TEST_CASE("Embedding names an index that it has no row for") {
    nn::Embedding<double> layer(4, 2);
    CHECK(message<ValueError>([&] {
              (void)layer(xt::xarray<int>{{0, 1}, {4, 2}});
          }) == "embedding: index 4 at (1, 0) is outside [0, 4): there are 4 rows");
    CHECK(message<ValueError>([&] {
              (void)layer(xt::xarray<int>{0, -1});
          }) == "embedding: index -1 at (1,) is outside [0, 4): there are 4 rows");
    CHECK(message<ValueError>([&] {
              (void)layer(Tensor<double>(xt::xarray<double>{0.0, 1.5}));
          }) == "embedding: index 1.5 at (1,) is no integer in [0, 4)");
    CHECK_THROWS_AS((void)layer(Tensor<double>(std::nan(""))), ValueError);
    CHECK_THROWS_AS((void)layer(Tensor<double>(1e300)), ValueError);
    CHECK(message<ShapeError>([] { (void)nn::embedding(xt::xarray<int>{0}, ones<double>({3})); }) ==
          "embedding: weight (3,); it takes (count, dim)");
    CHECK(message<ValueError>([] { nn::Embedding<double>(0, 3); }) ==
          "Embedding: 0 rows of 3; both must be at least 1");
}
