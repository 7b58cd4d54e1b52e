// Losses with weights, smoothing, labels to ignore; the delicate points of all of them; their gradients and errors.
// Their values beside PyTorch's: tests/autograd/reference_nn.cpp.

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/nn.hpp>

#include "expect.hpp"

using namespace xtape;
using expect::elements;
using expect::message;
using nn::Reduction;

namespace {

using Values = std::vector<double>;
using Inputs = std::vector<Tensor<double>>;

const double infinity = std::numeric_limits<double>::infinity();
const double not_a_number = std::numeric_limits<double>::quiet_NaN();
const xt::xarray<int> labels{2, 0, 3, 3, 1};
const xt::xarray<int> some_ignored{2, -100, 3, -100, 1};
const xt::xarray<double> class_weight{0.5, 2.0, 1.25, 0.75};

template <class T>
void check_near(const Tensor<T>& got, const Values& expected, double tolerance = 1e-13) {
    REQUIRE(got.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        CHECK(static_cast<double>(got.data()[i]) == doctest::Approx(expected[i]).epsilon(tolerance));
    }
}

void check_orders(const std::function<Tensor<double>(const Inputs&)>& f, const Inputs& xs) {
    const auto result = check_gradients(f, xs, {.order = 2});
    CHECK_MESSAGE(result.ok, result.message);
}

}  // namespace

TEST_CASE("every loss has right gradients to the second order, by its target too") {
    random::seed(1);
    const auto a = random::normal<double>({3, 4});
    const auto b = random::normal<double>({3, 4});
    const auto p = random::uniform<double>({3, 4}, 0.2, 0.8);
    const auto q = random::uniform<double>({3, 4}, 0.2, 0.8);
    const nn::LossWeight weight{0.5, 2.0, 1.0, 0.25};
    for (const Reduction r : {Reduction::mean, Reduction::sum, Reduction::none, Reduction::batchmean}) {
        check_orders([r](const Inputs& x) { return nn::mse_loss(x[0], x[1], {.reduction = r}); }, {a, b});
        check_orders([r](const Inputs& x) { return nn::l1_loss(x[0], x[1], {.reduction = r}); }, {a, b});
        check_orders([r](const Inputs& x) { return nn::huber_loss(x[0], x[1], {.reduction = r, .delta = 0.7}); },
                     {a, b});
        check_orders(
            [&, r](const Inputs& x) {
                return nn::binary_cross_entropy(x[0], x[1], {.reduction = r, .weight = weight});
            },
            {p, q});
        check_orders(
            [&, r](const Inputs& x) {
                return nn::binary_cross_entropy_with_logits(
                    x[0], x[1], {.reduction = r, .weight = weight, .pos_weight = xt::xarray<double>{1, 2, 3, 4}});
            },
            {a, q});
        check_orders([r](const Inputs& x) { return nn::kl_div(x[0], x[1], {.reduction = r}); }, {a, p});
        check_orders([r](const Inputs& x) { return nn::kl_div(x[0], x[1], {.reduction = r, .log_target = true}); },
                     {a, b});
    }
}

TEST_CASE("cross_entropy and nll_loss have right gradients to the second order, whatever the options") {
    random::seed(2);
    const auto logits = random::normal<double>({5, 4});
    const auto p = random::uniform<double>({5, 4}, 0.2, 0.8);
    for (const Reduction r : {Reduction::mean, Reduction::sum, Reduction::none, Reduction::batchmean}) {
        check_orders(
            [r](const Inputs& x) {
                return nn::cross_entropy(
                    x[0], some_ignored,
                    {.reduction = r, .weight = class_weight, .label_smoothing = 0.1, .ignore_index = -100});
            },
            {logits});
        check_orders(
            [r](const Inputs& x) {
                return nn::cross_entropy(x[0], x[1], {.reduction = r, .weight = class_weight, .label_smoothing = 0.1});
            },
            {logits, p});
        check_orders(
            [r](const Inputs& x) {
                return nn::nll_loss(square(x[0]), some_ignored,
                                    {.reduction = r, .weight = class_weight, .ignore_index = -100});
            },
            {logits});
    }
}

TEST_CASE("batchmean divides the sum by the number of samples") {
    const auto a = ones<double>({4, 3});
    CHECK(nn::l1_loss(a, zeros<double>({4, 3}), {.reduction = Reduction::batchmean}).item() == 3.0);
    CHECK(nn::l1_loss(Tensor<double>(2.0), Tensor<double>(0.5), {.reduction = Reduction::batchmean}).item() == 1.5);
}

TEST_CASE("huber_loss is a square near 0 and a line beyond delta, smoothly") {
    const auto x = parameter(xt::xarray<double>{-3.0, -2.0, -1.0, 0.0, 2.0, 1e6});
    const auto each = nn::huber_loss(x, zeros_like(x), {.reduction = Reduction::none, .delta = 2.0});
    CHECK(elements(each) == Values{4.0, 2.0, 0.5, 0.0, 2.0, 2e6 - 2.0});
    sum(each).backward();
    CHECK(elements(x.grad()) == Values{-2.0, -2.0, -1.0, 0.0, 2.0, 2.0});
}

TEST_CASE("l1_loss of a perfect fit has gradient 0") {
    const auto x = parameter(xt::xarray<double>{1.0, 2.0});
    nn::l1_loss(x, xt::xarray<double>{1.0, 3.0}).backward();
    CHECK(elements(x.grad()) == Values{0.0, -0.5});
}

TEST_CASE("binary_cross_entropy stays finite at 0 and 1") {
    const auto p = parameter(xt::xarray<double>{0.0, 1.0, 0.0, 1.0});
    const auto each = nn::binary_cross_entropy(p, xt::xarray<double>{0, 1, 1, 0}, {.reduction = Reduction::none});
    CHECK(elements(each) == Values{0, 0, 100, 100});
    sum(each).backward();
    CHECK(elements(p.grad()) == Values{0, 0, -1e12, 1e12});
}

TEST_CASE_TEMPLATE("binary_cross_entropy_with_logits is exact and finite however large they are", T, float, double) {
    const auto x = parameter(xt::xarray<T>{T(1e4), T(-1e4), T(1e4), T(-1e4), T(0), T(-40)});
    const auto each =
        nn::binary_cross_entropy_with_logits(x, xt::xarray<T>{1, 0, 0, 1, 1, 0}, {.reduction = Reduction::none});
    const double tolerance = sizeof(T) == sizeof(float) ? 1e-6 : 1e-14;
    check_near(each, {0, 0, 1e4, 1e4, std::log(2.0), std::exp(-40.0)}, tolerance);
    CHECK(each.data()[5] > T(0));
    sum(each).backward();
    check_near(x.grad(), {0, 0, 1, -1, -0.5, std::exp(-40.0)}, tolerance);
}

TEST_CASE("kl_div counts nothing where the target is 0, be the logarithm -inf") {
    const auto q = parameter(xt::xarray<double>{-infinity, -1.0});
    const auto loss = nn::kl_div(q, xt::xarray<double>{0.0, 1.0}, {.reduction = Reduction::sum});
    CHECK(loss.item() == 1.0);
    loss.backward();
    CHECK(elements(q.grad()) == Values{0.0, -1.0});
}

TEST_CASE_TEMPLATE("cross_entropy with every option is finite at ±1e4", T, float, double) {
    const auto logits = parameter(xt::xarray<T>{{T(1e4), T(-1e4), T(0)}, {T(-1e4), T(1e4), T(1e4)}, {0, 0, 0}});
    const auto loss = nn::cross_entropy(
        logits, xt::xarray<int>{1, 2, -1},
        {.reduction = Reduction::none, .weight = xt::xarray<T>{1, 2, 4}, .label_smoothing = 0.3, .ignore_index = -1});
    // 0.7 w[y] (-log p[y]) + 0.1 Σ w (-log p)
    const double log2 = std::log(2.0);
    const double tolerance = sizeof(T) == sizeof(float) ? 1e-5 : 1e-13;
    check_near(loss, {0.7 * 2 * 2e4 + 0.1 * (2 * 2e4 + 4 * 1e4), 0.7 * 4 * log2 + 0.1 * (2e4 + 7 * log2), 0},
               tolerance);
    sum(loss).backward();
    // p Σ t - t of the weighted targets t
    check_near(logits.grad(), {2.1 - 0.1, -1.6, -0.4, -0.1, 1.75 - 0.2, 1.75 - 3.2, 0, 0, 0}, tolerance);
}

TEST_CASE("ignored samples have no loss and no gradient, whatever they hold") {
    const auto logits = parameter(xt::xarray<double>{{not_a_number, 1, 2}, {infinity, 0, 0}, {1, 2, 3}});
    const xt::xarray<int> last{7, 7, 2};
    const auto loss = nn::cross_entropy(logits, last, {.ignore_index = 7});
    const double expected = std::log(1 + std::exp(-1.0) + std::exp(-2.0));
    CHECK(loss.item() == doctest::Approx(expected).epsilon(1e-14));
    loss.backward();
    const auto g = elements(logits.grad());
    CHECK(Values(g.begin(), g.begin() + 6) == Values(6, 0.0));
    CHECK(g[8] == doctest::Approx(std::exp(-expected) - 1));

    logits.zero_grad();
    const auto smoothed =
        nn::cross_entropy(logits, last, {.reduction = Reduction::none, .label_smoothing = 0.1, .ignore_index = 7});
    CHECK(smoothed.data()[0] == 0.0);
    CHECK(smoothed.data()[1] == 0.0);
    sum(smoothed).backward();
    const auto h = elements(logits.grad());
    CHECK(Values(h.begin(), h.begin() + 6) == Values(6, 0.0));

    logits.zero_grad();
    nn::nll_loss(logits, last, {.ignore_index = 7}).backward();
    CHECK(elements(logits.grad()) == Values{0, 0, 0, 0, 0, 0, 0, 0, -1});
}

TEST_CASE("the mean of no samples is NaN, with gradient 0") {
    const auto logits = parameter(xt::xarray<double>{{1, 2}, {3, 4}});
    const xt::xarray<int> none{-100, -100};
    for (const double smoothing : {0.0, 0.1}) {
        logits.zero_grad();
        const auto loss = nn::cross_entropy(logits, none, {.label_smoothing = smoothing, .ignore_index = -100});
        CHECK(std::isnan(loss.item()));
        loss.backward();
        CHECK(elements(logits.grad()) == Values(4, 0.0));
        CHECK(nn::cross_entropy(logits, none, {.reduction = Reduction::sum, .ignore_index = -100}).item() == 0.0);
    }
    logits.zero_grad();
    const auto loss = nn::nll_loss(logits, none, {.ignore_index = -100});
    CHECK(std::isnan(loss.item()));
    loss.backward();
    CHECK(elements(logits.grad()) == Values(4, 0.0));
}

TEST_CASE("without ignore_index no label is ignored, and with it the others are still checked") {
    const auto logits = ones<double>({2, 3});
    CHECK(message<ValueError>([&] {
              (void)nn::cross_entropy(logits, xt::xarray<int>{0, -100}, {.label_smoothing = 0.1});
          }) == "cross_entropy: label -100 of sample 1 is outside [0, 3): there are 3 classes");
    CHECK(message<ValueError>([&] {
              (void)nn::cross_entropy(logits, xt::xarray<int>{-100, 3}, {.ignore_index = -100});
          }) == "cross_entropy: label 3 of sample 1 is outside [0, 3): there are 3 classes");
    CHECK(message<ValueError>([&] {
              (void)nn::nll_loss(logits, xt::xarray<int>{-100, 3}, {.ignore_index = -100});
          }) == "nll_loss: label 3 of sample 1 is outside [0, 3): there are 3 classes");
}

TEST_CASE("options that change nothing give what no options give") {
    random::seed(3);
    const auto logits = random::normal<double>({5, 4});
    const auto plain = nn::cross_entropy(logits, labels).item();
    const auto same = [&](const nn::CrossEntropyOptions& options) {
        CHECK(nn::cross_entropy(logits, labels, options).item() == doctest::Approx(plain).epsilon(1e-14));
    };
    same({.weight = {1, 1, 1, 1}});
    same({.weight = {3, 3, 3, 3}});  // the mean is over the weights
    same({.ignore_index = -100});
    CHECK(nn::nll_loss(log_softmax(logits), labels).item() == doctest::Approx(plain).epsilon(1e-14));
    const auto hot = nn::one_hot<double>(labels, 4);
    CHECK(nn::cross_entropy(logits, labels, {.label_smoothing = 0.2}).item() ==
          doctest::Approx(nn::cross_entropy(logits, hot, {.label_smoothing = 0.2}).item()).epsilon(1e-14));
    CHECK(nn::cross_entropy(logits, labels, {.reduction = Reduction::sum, .weight = class_weight}).item() ==
          doctest::Approx(nn::cross_entropy(logits, hot, {.reduction = Reduction::sum, .weight = class_weight}).item())
              .epsilon(1e-14));
}

TEST_CASE("a weight comes from braces, a tensor or an expression, and is a constant") {
    random::seed(4);
    const auto logits = random::normal<float>({5, 4});
    const auto value = [&](const nn::LossWeight& weight) {
        return nn::cross_entropy(logits, labels, {.weight = weight}).item();
    };
    const float expected = value(class_weight);
    CHECK(value({0.5, 2.0, 1.25, 0.75}) == expected);
    CHECK(value(xt::xarray<float>(xt::cast<float>(class_weight))) == expected);
    CHECK(value(class_weight * 1.0) == expected);
    CHECK(value(Tensor<double>(class_weight)) == expected);
    const auto learned = parameter(class_weight);
    CHECK_FALSE(nn::LossWeight(learned).values().requires_grad());
    CHECK_FALSE(nn::LossWeight());
}

TEST_CASE("a graph of a loss may be kept or not, as any other") {
    const auto logits = parameter(xt::xarray<double>{{1, 2, 0}, {0, 1, 3}});
    const auto loss = nn::cross_entropy(logits, xt::xarray<int>{0, 2}, {.label_smoothing = 0.1});
    loss.backward();
    CHECK_THROWS_AS(loss.backward(), GraphError);
}

TEST_CASE("losses refuse to broadcast, and name what does not fit") {
    const auto a = ones<double>({4, 1});
    const auto b = ones<double>({4});
    CHECK(message<ShapeError>([&] { (void)nn::l1_loss(a, b); }) ==
          "l1_loss: prediction (4, 1) and target (4,) must have the same shape; reshape one of them");
    CHECK(message<ShapeError>([&] { (void)nn::huber_loss(a, b); }) ==
          "huber_loss: prediction (4, 1) and target (4,) must have the same shape; reshape one of them");
    CHECK(message<ShapeError>([&] { (void)nn::binary_cross_entropy(a, b); }) ==
          "binary_cross_entropy: probabilities (4, 1) and target (4,) must have the same shape; reshape one of them");
    CHECK(message<ShapeError>([&] { (void)nn::binary_cross_entropy_with_logits(a, b); }) ==
          "binary_cross_entropy_with_logits: logits (4, 1) and target (4,) must have the same shape; reshape one of "
          "them");
    CHECK(message<ShapeError>([&] { (void)nn::kl_div(a, b); }) ==
          "kl_div: log-probabilities (4, 1) and target (4,) must have the same shape; reshape one of them");
    CHECK(message<ShapeError>([&] {
              (void)nn::nll_loss(a, xt::xarray<int>{0, 0});
          }) == "nll_loss: log-probabilities (4, 1) and labels (2,); it takes (samples, classes) and (samples,)");
    CHECK(message<ShapeError>([&] {
              (void)nn::binary_cross_entropy(a, a, {.weight = {1, 2, 3}});
          }) == "binary_cross_entropy: weight (3,) does not broadcast to the losses' shape (4, 1)");
    CHECK(message<ShapeError>([&] {
              (void)nn::binary_cross_entropy_with_logits(a, a, {.pos_weight = {1, 2, 3}});
          }) == "binary_cross_entropy_with_logits: pos_weight (3,) does not broadcast to the losses' shape (4, 1)");
    const auto logits = ones<double>({2, 3});
    CHECK(message<ShapeError>([&] {
              (void)nn::cross_entropy(logits, xt::xarray<int>{0, 1}, {.weight = {1, 2}});
          }) == "cross_entropy: weight (2,) for 3 classes; it takes one weight a class");
    CHECK_THROWS_AS((void)nn::cross_entropy(ones<double>({3}), xt::xarray<int>{0}, {.weight = {1, 2, 3}}), ShapeError);
    CHECK_THROWS_AS((void)nn::cross_entropy(logits, ones<double>({3, 3}), {.label_smoothing = 0.1}), ShapeError);
    CHECK_THROWS_AS((void)nn::nll_loss(logits, xt::xarray<int>{0, 1}, {.weight = {1, 2}}), ShapeError);
}

TEST_CASE("losses name an option outside what is allowed") {
    const auto logits = ones<double>({2, 3});
    CHECK(message<ValueError>([&] {
              (void)nn::cross_entropy(logits, xt::xarray<int>{0, 1}, {.label_smoothing = 1.5});
          }) == "cross_entropy: label_smoothing is 1.5; it takes a number in [0, 1]");
    CHECK(message<ValueError>([&] { (void)nn::cross_entropy(logits, logits, {.ignore_index = 1}); }) ==
          "cross_entropy: ignore_index is a label; probabilities have none");
    CHECK(message<ValueError>([&] { (void)nn::huber_loss(logits, logits, {.delta = 0.0}); }) ==
          "huber_loss: delta is 0; it takes a positive finite number");
    CHECK(message<ValueError>([&] {
              (void)nn::binary_cross_entropy(Tensor<double>(xt::xarray<double>{0.5, 1.5}), ones<double>({2}));
          }) == "binary_cross_entropy: element 1 is 1.5; probabilities lie in [0, 1] (logits go to "
                "binary_cross_entropy_with_logits)");
    CHECK_THROWS_AS((void)nn::binary_cross_entropy(Tensor<double>(not_a_number), Tensor<double>(1.0)), ValueError);
}
