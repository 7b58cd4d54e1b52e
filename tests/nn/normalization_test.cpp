// LayerNorm and BatchNorm1d: values, gradients, modes, running statistics, state dicts.

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/nn.hpp>

#include "expect.hpp"

using namespace xtape;
using expect::elements;
using expect::message;

namespace {

using Values = std::vector<double>;

template <class T>
void check_near(const Tensor<T>& got, const Values& expected, double tolerance = 1e-13) {
    REQUIRE(got.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        CHECK(static_cast<double>(got.data()[i]) == doctest::Approx(expected[i]).epsilon(tolerance));
    }
}

/// The layer norm that the fused one stands for, over the last axis.
template <class T>
Tensor<T> composed(const Tensor<T>& x, const Tensor<T>& weight, const Tensor<T>& bias, double eps) {
    const auto centred = x - mean(x, {-1}, keep_dims);
    return centred / sqrt(mean(square(centred), {-1}, keep_dims) + eps) * weight + bias;
}

void check_orders(const std::function<Tensor<double>(const std::vector<Tensor<double>>&)>& f,
                  const std::vector<Tensor<double>>& xs) {
    const auto result = check_gradients(f, xs, {.order = 2});
    CHECK_MESSAGE(result.ok, result.message);
}

const xt::xarray<double> first_batch{{1.0, -2.0}, {3.0, 0.5}, {2.0, 4.0}};
const xt::xarray<double> second_batch{{{0.0, 1.0, 4.0}, {2.0, -2.0, 1.0}}, {{3.0, 1.0, 0.0}, {5.0, 1.0, -1.0}}};

}  // namespace

TEST_CASE_TEMPLATE("the fused layer_norm is the composed one, and so are its gradients", T, float, double) {
    random::seed(1);
    const double tolerance = sizeof(T) == sizeof(float) ? 2e-5 : 1e-12;
    for (const std::size_t columns : {1U, 2U, 7U, 8U, 40U}) {
        const auto x = parameter(random::normal<T>({3, 2, columns}, 1.0, 2.0));
        const auto weight = parameter(random::normal<T>({columns}));
        const auto bias = parameter(random::normal<T>({columns}));
        const auto seed = random::normal<T>({3, 2, columns});
        const auto fused = nn::layer_norm(x, Shape{columns}, weight, bias, 0.01);
        const auto reference = composed(x, weight, bias, 0.01);
        const auto near = [&](const Tensor<T>& a, const Tensor<T>& b) {
            CHECK(static_cast<double>(amax(abs(a - b)).item()) <= tolerance);
        };
        near(fused, reference);
        const auto got = grad(fused, {x, weight, bias}, {.seed = seed});
        const auto expected = grad(reference, {x, weight, bias}, {.seed = seed});
        for (std::size_t i = 0; i < 3; ++i) {
            CHECK(got[i].shape() == expected[i].shape());
            near(got[i], expected[i]);
        }
    }
}

TEST_CASE("layer_norm has right gradients to the second order, in every form") {
    random::seed(2);
    const auto x = random::normal<double>({3, 4});
    const auto w = random::normal<double>({4});
    const auto b = random::normal<double>({4});
    check_orders([](const auto& v) { return nn::layer_norm(v[0], {4}, v[1], v[2]); }, {x, w, b});
    check_orders([](const auto& v) { return nn::layer_norm(v[0], {4}); }, {x});
    check_orders([](const auto& v) { return nn::layer_norm(v[0], {4}, v[1]); }, {x, w});
    check_orders([](const auto& v) { return nn::layer_norm(v[0], {4}, {}, v[1]); }, {x, b});
    check_orders([&](const auto& v) { return nn::layer_norm(x, {4}, v[0], v[1]); }, {w, b});
    check_orders([](const auto& v) { return nn::layer_norm(v[0], {3, 4}); }, {x});
    check_orders([](const auto& v) { return nn::layer_norm(v[0], {4}, v[0], v[0]); }, {w});  // one tensor, three uses
}

TEST_CASE("a row of equal numbers normalises to the bias, with finite gradients") {
    const auto x = parameter(full<double>({2, 4}, 3.0));
    nn::LayerNorm<double> layer(4);
    CHECK(elements(layer(x)) == Values(8, 0.0));
    sum(square(layer(x) + 1.0)).backward();
    for (const double g : elements(x.grad())) {
        CHECK(std::isfinite(g));
    }
}

TEST_CASE("LayerNorm starts with ones and zeros, named as PyTorch's") {
    nn::LayerNorm<double> layer({2, 3});
    const auto named = layer.named_parameters();
    REQUIRE(named.size() == 2);
    CHECK(named[0].first == "weight");
    CHECK(named[1].first == "bias");
    CHECK(elements(layer.weight()) == Values(6, 1.0));
    CHECK(elements(layer.bias()) == Values(6, 0.0));
    CHECK(layer.weight().shape() == Shape{2, 3});
    CHECK(nn::LayerNorm<double>(3, {.elementwise_affine = false}).state_dict().empty());
    const auto x = random::normal<double>({5, 2, 3});
    CHECK(elements(layer(x)) == elements(nn::layer_norm(x, {2, 3}, layer.weight(), layer.bias())));
    layer.weight().assign(random::normal<double>({2, 3}));
    layer.eval();
    const auto copy = layer.clone();
    CHECK_FALSE(copy->is_training());
    CHECK(elements((*copy)(x)) == elements(layer(x)));
    copy->parameters()[0].assign(zeros<double>({2, 3}));
    CHECK(elements((*copy)(x)) != elements(layer(x)));
}

TEST_CASE("LayerNorm says what does not fit") {
    nn::LayerNorm<double> layer(3);
    CHECK(message<ShapeError>([&] {
              (void)layer(ones<double>({3, 4}));
          }) == "layer_norm: input (3, 4) does not end with the axes (3,) to normalise over");
    CHECK_THROWS_AS((void)layer(Tensor<double>(1.0)), ShapeError);
    CHECK(message<ShapeError>([] {
              (void)nn::layer_norm(ones<double>({2, 3}), {3}, ones<double>({2}));
          }) == "layer_norm: weight (2,) is not of the shape (3,) to normalise over");
    CHECK(message<ValueError>([] { nn::LayerNorm<double>(0); }) ==
          "LayerNorm: there is nothing to normalise over in the shape (0,)");
    CHECK(message<ValueError>([] { nn::LayerNorm<double>(3, {.eps = -1.0}); }) ==
          "LayerNorm: eps is -1; it takes a finite number that is not negative");
}

TEST_CASE("BatchNorm1d in training normalises each feature over the batch") {
    random::seed(3);
    nn::BatchNorm1d<double> layer(3, {.eps = 0.0});
    for (const Shape& shape : {Shape{6, 3}, Shape{4, 3, 5}}) {
        const auto y = layer(random::normal<double>(shape, 2.0, 3.0));
        CHECK(y.shape() == shape);
        const Axes axes = shape.size() == 2 ? Axes{0} : Axes{0, 2};
        const auto means = mean(y, axes);
        check_near(variance(y, axes), {1, 1, 1});
        for (std::size_t i = 0; i < 3; ++i) {
            CHECK(std::abs(means.data()[i]) < 1e-14);
        }
    }
}

TEST_CASE("BatchNorm1d's running statistics are PyTorch's, and evaluation uses them") {
    nn::BatchNorm1d<double> layer(2);
    CHECK(elements(layer.running_mean()) == Values{0, 0});
    CHECK(elements(layer.running_var()) == Values{1, 1});
    (void)layer(Tensor<double>(first_batch));
    check_near(layer.running_mean(), {0.2, 0.08333333333333334});
    check_near(layer.running_var(), {1.0, 1.8083333333333336});
    (void)layer(Tensor<double>(second_batch));
    check_near(layer.running_mean(), {0.33000000000000007, 0.17500000000000002});
    check_near(layer.running_var(), {1.17, 2.2275});
    CHECK(layer.num_batches_tracked() == 2);
    layer.eval();
    const Tensor<double> one(xt::xarray<double>{{1.0, 2.0}});
    check_near(layer(one), {0.6194125720615548, 1.2227932638024308});
    CHECK(layer.num_batches_tracked() == 2);
    check_near(layer.running_var(), {1.17, 2.2275});

    nn::BatchNorm1d<double> averaging(2, {.momentum = std::nullopt});
    (void)averaging(Tensor<double>(first_batch));
    (void)averaging(Tensor<double>(second_batch));
    check_near(averaging.running_mean(), {1.75, 0.9166666666666667});
    check_near(averaging.running_var(), {1.85, 7.541666666666667});
    averaging.eval();
    check_near(averaging(one), {-0.5514094762764877, 0.39448287233684365});
}

TEST_CASE("BatchNorm1d without running statistics takes the batch's in evaluation too") {
    nn::BatchNorm1d<double> layer(2, {.affine = false, .track_running_stats = false});
    CHECK(layer.state_dict().empty());
    const auto trained = layer(Tensor<double>(first_batch));
    layer.eval();
    CHECK(elements(layer(Tensor<double>(first_batch))) == elements(trained));
}

TEST_CASE("the running statistics are no parameters, and no gradient flows into them") {
    nn::BatchNorm1d<double> layer(2);
    const auto x = parameter(first_batch);
    sum(square(layer(x))).backward();
    CHECK(layer.parameters().size() == 2);
    CHECK_FALSE(layer.running_mean().requires_grad());
    CHECK_FALSE(layer.running_var().requires_grad());
    CHECK(layer.weight().has_grad());
    CHECK(x.has_grad());
}

TEST_CASE("BatchNorm1d has right gradients to the second order, in both modes") {
    random::seed(4);
    nn::BatchNorm1d<double> layer(3);
    layer.weight().assign(random::normal<double>({3}));
    layer.bias().assign(random::normal<double>({3}));
    check_orders([&](const auto& v) { return layer(v[0]); }, {random::normal<double>({5, 3})});
    check_orders([&](const auto& v) { return layer(v[0]); }, {random::normal<double>({2, 3, 3})});
    layer.eval();
    check_orders([&](const auto& v) { return square(layer(v[0])); }, {random::normal<double>({5, 3})});
}

TEST_CASE("BatchNorm1d's buffers are saved and loaded under PyTorch's names") {
    nn::Sequential<double> net(nn::Linear<double>(2, 2), nn::BatchNorm1d<double>(2));
    (void)net(Tensor<double>(first_batch));
    (void)net(Tensor<double>(first_batch));
    const auto state = net.state_dict();
    std::vector<std::string> names;
    for (const auto& [name, array] : state) {
        names.push_back(name);
    }
    CHECK(names == std::vector<std::string>{"0.bias", "0.weight", "1.bias", "1.num_batches_tracked", "1.running_mean",
                                            "1.running_var", "1.weight"});
    CHECK(state.at("1.num_batches_tracked").as<std::int64_t>()() == 2);
    CHECK(state.at("1.num_batches_tracked").shape().empty());

    nn::Sequential<double> other(nn::Linear<double>(2, 2), nn::BatchNorm1d<double>(2));
    other.load_state_dict(state);
    const auto& loaded = dynamic_cast<nn::BatchNorm1d<double>&>(other[1]);
    CHECK(loaded.num_batches_tracked() == 2);
    net.eval();
    other.eval();
    const auto x = random::normal<double>({4, 2});
    CHECK(elements(net(x)) == elements(other(x)));

    nn::Sequential<float> narrow(nn::Linear<float>(2, 2), nn::BatchNorm1d<float>(2));
    narrow.load_state_dict(state);
    CHECK(dynamic_cast<nn::BatchNorm1d<float>&>(narrow[1]).num_batches_tracked() == 2);
}

TEST_CASE("loading reports buffers that are missing or mis-shaped, and then changes nothing") {
    nn::BatchNorm1d<double> layer(2);
    auto state = layer.state_dict();
    state.erase("running_mean");
    state.insert_or_assign("running_var", xt::xarray<double>{1.0, 2.0, 3.0});
    state.insert_or_assign("num_batches_tracked", xt::xarray<std::int64_t>{1, 2});
    state.insert_or_assign("weight", xt::xarray<double>{5.0, 5.0});
    CHECK(message<ValueError>([&] { layer.load_state_dict(state); }) ==
          "load_state_dict: the entries don't fit this module; load with {.strict = false} to leave out what is "
          "missing or unexpected\n"
          "  missing: running_mean (2,)\n"
          "  mis-shaped: running_var is (2,) here and (3,) there\n"
          "  mis-shaped: num_batches_tracked is () here and (2,) there");
    CHECK(elements(layer.weight()) == Values{1, 1});
    state.erase("running_var");
    state.insert_or_assign("num_batches_tracked", 7.0);
    layer.load_state_dict(state, {.strict = false});
    CHECK(layer.num_batches_tracked() == 7);
    CHECK(elements(layer.weight()) == Values{5, 5});
    CHECK(elements(layer.running_var()) == Values{1, 1});
}

TEST_CASE("a clone of a BatchNorm1d has running statistics of its own") {
    nn::BatchNorm1d<double> layer(2, {.momentum = 0.5});
    (void)layer(Tensor<double>(first_batch));
    const auto copied = layer.clone();
    auto& copy = dynamic_cast<nn::BatchNorm1d<double>&>(*copied);
    CHECK(copy.num_batches_tracked() == 1);
    CHECK(elements(copy.running_mean()) == elements(layer.running_mean()));
    const auto before = elements(layer.running_var());
    (void)copy(Tensor<double>(second_batch));
    CHECK(elements(layer.running_var()) == before);
    CHECK(elements(copy.running_var()) != before);
    CHECK(layer.num_batches_tracked() == 1);
}

TEST_CASE("BatchNorm1d says what does not fit, and leaves its statistics") {
    nn::BatchNorm1d<double> layer(3);
    CHECK(message<ShapeError>([&] {
              (void)layer(ones<double>({4, 2}));
          }) == "BatchNorm1d: input (4, 2); it takes (n, 3) or (n, 3, length)");
    CHECK_THROWS_AS((void)layer(ones<double>({3})), ShapeError);
    CHECK_THROWS_AS((void)layer(ones<double>({2, 3, 4, 5})), ShapeError);
    CHECK(message<ShapeError>([&] {
              (void)layer(ones<double>({1, 3}));
          }) ==
          "BatchNorm1d: input (1, 3) has 1 values a feature, and their variance takes two in training; give a larger "
          "batch, or call eval()");
    CHECK(layer.num_batches_tracked() == 0);
    layer.eval();
    CHECK_NOTHROW((void)layer(ones<double>({1, 3})));
    CHECK(message<ValueError>([] { nn::BatchNorm1d<double>(0); }) == "BatchNorm1d: 0 features; it takes at least 1");
    CHECK(message<ValueError>([] { nn::BatchNorm1d<double>(2, {.momentum = 1.5}); }) ==
          "BatchNorm1d: momentum is 1.5; it takes a number in [0, 1]");
    CHECK_THROWS_AS((nn::BatchNorm1d<double>(2, {.eps = std::nan("")})), ValueError);
}
