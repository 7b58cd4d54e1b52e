// Losses against naive loops in long double, labels and their errors.

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

// -Σ p log softmax(logits), row by row.
Values cross_entropy_by_hand(const Tensor<double>& logits,
                             const std::function<long double(std::size_t, std::size_t)>& p) {
    const std::size_t classes = logits.shape()[1];
    Values losses;
    for (std::size_t n = 0; n < logits.shape()[0]; ++n) {
        const double* row = logits.data() + n * classes;
        long double total = 0;
        for (std::size_t c = 0; c < classes; ++c) {
            total += std::exp(static_cast<long double>(row[c]));
        }
        long double loss = 0;
        for (std::size_t c = 0; c < classes; ++c) {
            loss -= p(n, c) * (row[c] - std::log(total));
        }
        losses.push_back(static_cast<double>(loss));
    }
    return losses;
}

double total_of(const Values& values) {
    double total = 0;
    for (const double v : values) {
        total += v;
    }
    return total;
}

void check_near(const Tensor<double>& got, const Values& expected) {
    REQUIRE(got.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        CHECK(got.data()[i] == doctest::Approx(expected[i]).epsilon(1e-13));
    }
}

}  // namespace

TEST_CASE("mse_loss is the mean over elements, or their sum, or each") {
    random::seed(1);
    const auto a = parameter(random::normal<double>({4, 3}));
    const auto b = random::normal<double>({4, 3});
    Values squares;
    for (std::size_t i = 0; i < 12; ++i) {
        squares.push_back((a.data()[i] - b.data()[i]) * (a.data()[i] - b.data()[i]));
    }
    check_near(nn::mse_loss(a, b), {total_of(squares) / 12});
    check_near(nn::mse_loss(a, b, {.reduction = Reduction::sum}), {total_of(squares)});
    const auto each = nn::mse_loss(a, b, {.reduction = Reduction::none});
    CHECK(each.shape() == Shape{4, 3});
    check_near(each, squares);
    check_near(nn::mse_loss(a, xt::xarray<double>(b.value())), {total_of(squares) / 12});
    nn::mse_loss(a, b).backward();
    for (std::size_t i = 0; i < 12; ++i) {
        CHECK(a.grad().data()[i] == doctest::Approx(2 * (a.data()[i] - b.data()[i]) / 12));
    }
}

TEST_CASE("mse_loss refuses to broadcast") {
    const auto a = ones<double>({4, 1});
    CHECK(message<ShapeError>([&] { (void)nn::mse_loss(a, ones<double>({4})); }) ==
          "mse_loss: prediction (4, 1) and target (4,) must have the same shape; reshape one of them");
}

TEST_CASE("cross_entropy with labels of any integer type is the mean over samples, or their sum, or each") {
    random::seed(2);
    const auto logits = parameter(random::normal<double>({5, 4}, 0.0, 3.0));
    const xt::xarray<int> labels{3, 0, 1, 1, 2};
    const auto by_hand = cross_entropy_by_hand(
        logits, [&](std::size_t n, std::size_t c) { return labels(n) == static_cast<int>(c) ? 1.0L : 0.0L; });
    check_near(nn::cross_entropy(logits, labels), {total_of(by_hand) / 5});
    check_near(nn::cross_entropy(logits, labels, {.reduction = Reduction::sum}), {total_of(by_hand)});
    const auto each = nn::cross_entropy(logits, labels, {.reduction = Reduction::none});
    CHECK(each.shape() == Shape{5});
    check_near(each, by_hand);
    check_near(nn::cross_entropy(logits, xt::xarray<std::uint8_t>(xt::cast<std::uint8_t>(labels))),
               {total_of(by_hand) / 5});
    check_near(nn::cross_entropy(logits, xt::xarray<std::int64_t>(xt::cast<std::int64_t>(labels))),
               {total_of(by_hand) / 5});
    check_near(nn::cross_entropy(logits, nn::one_hot<double>(labels, 4)), {total_of(by_hand) / 5});
    // (softmax - one_hot) / samples
    nn::cross_entropy(logits, labels).backward();
    const auto expected = elements((softmax(logits) - nn::one_hot<double>(labels, 4)) / 5.0);
    check_near(logits.grad(), expected);
}

TEST_CASE("cross_entropy with any probabilities weighs the logarithms by them") {
    random::seed(3);
    const auto logits = parameter(random::normal<double>({5, 4}, 0.0, 3.0));
    const auto p = random::uniform<double>({5, 4});  // rows need not add up to 1
    const auto by_hand = cross_entropy_by_hand(
        logits, [&](std::size_t n, std::size_t c) { return static_cast<long double>(p.data()[n * 4 + c]); });
    check_near(nn::cross_entropy(logits, p), {total_of(by_hand) / 5});
    check_near(nn::cross_entropy(logits, xt::xarray<double>(p.value())), {total_of(by_hand) / 5});
    check_near(nn::cross_entropy(logits, p, {.reduction = Reduction::none}), by_hand);
}

TEST_CASE_TEMPLATE("cross_entropy is exact and finite however large the logits", T, float, double) {
    const auto logits = parameter(xt::xarray<T>{{T(1e4), T(-1e4), T(0)}, {T(-1e4), T(1e4), T(1e4)}});
    const auto check = [&](const Tensor<T>& loss) {
        const double tolerance = sizeof(T) == sizeof(float) ? 1e-6 : 1e-14;
        CHECK(loss.data()[0] == T(2e4));
        CHECK(static_cast<double>(loss.data()[1]) == doctest::Approx(std::log(2.0)).epsilon(tolerance));
        logits.zero_grad();
        sum(loss).backward();
        const double expected[] = {1.0, -1.0, 0.0, 0.0, 0.5, -0.5};
        for (std::size_t i = 0; i < 6; ++i) {
            CHECK(static_cast<double>(logits.grad().data()[i]) == doctest::Approx(expected[i]).epsilon(tolerance));
        }
    };
    const xt::xarray<int> labels{1, 2};
    check(nn::cross_entropy(logits, labels, {.reduction = Reduction::none}));
    check(nn::cross_entropy(logits, nn::one_hot<T>(labels, 3), {.reduction = Reduction::none}));
}

TEST_CASE("cross_entropy names a label outside the classes, and shapes that don't match") {
    const auto logits = ones<double>({3, 4});
    CHECK(message<ValueError>([&] {
              (void)nn::cross_entropy(logits, xt::xarray<int>{0, 4, 1});
          }) == "cross_entropy: label 4 of sample 1 is outside [0, 4): there are 4 classes");
    CHECK(message<ValueError>([&] {
              (void)nn::cross_entropy(logits, xt::xarray<int>{0, 1, -1});
          }).find("label -1 of sample 2") != std::string::npos);
    CHECK(message<ShapeError>([&] {
              (void)nn::cross_entropy(logits, xt::xarray<int>{0, 1});
          }).find("cross_entropy: logits of shape (3, 4) and labels of shape (2,)") == 0);
    CHECK_THROWS_AS((void)nn::cross_entropy(logits, xt::xarray<int>(xt::zeros<int>({3, 1}))), ShapeError);
    CHECK_THROWS_AS((void)nn::cross_entropy(ones<double>({4}), xt::xarray<int>{0}), ShapeError);
    CHECK_THROWS_AS((void)nn::cross_entropy(logits, ones<double>({4, 4})), ShapeError);
}

TEST_CASE("one_hot puts a 1 at each label") {
    CHECK(elements(nn::one_hot<double>(xt::xarray<int>{2, 0}, 3)) == Values{0, 0, 1, 1, 0, 0});
    CHECK(nn::one_hot(xt::xarray<std::uint8_t>{2, 0}, 3).shape() == Shape{2, 3});
    CHECK(nn::one_hot<double>(xt::xarray<int>::from_shape({0}), 3).shape() == Shape{0, 3});
    CHECK(message<ValueError>([] {
              (void)nn::one_hot<double>(xt::xarray<int>{0, 3}, 3);
          }) == "one_hot: label 3 of sample 1 is outside [0, 3): there are 3 classes");
}

TEST_CASE("accuracy is the share of samples whose largest logit is at their label") {
    const Tensor<double> logits(xt::xarray<double>{{1, 2, 3}, {3, 2, 1}, {0, 5, 0}, {-1, -2, -3}});
    CHECK(nn::accuracy(logits, xt::xarray<int>{2, 0, 1, 0}) == 1.0);
    CHECK(nn::accuracy(logits, xt::xarray<int>{2, 0, 0, 1}) == 0.5);
    CHECK(nn::accuracy(logits, xt::xarray<std::int64_t>{0, 1, 2, 2}) == 0.0);
    CHECK(nn::accuracy(Tensor<double>(xt::xarray<double>{{1, 1}}), xt::xarray<int>{0}) ==
          1.0);  // the first of the largest
    CHECK(std::isnan(nn::accuracy(zeros<double>({0, 3}), xt::xarray<int>::from_shape({0}))));
    CHECK(message<ShapeError>([&] { (void)nn::accuracy(logits, xt::xarray<int>{0}); }) ==
          "accuracy: logits (4, 3) and labels (1,); it takes (samples, classes) and (samples,)");
    CHECK(message<ValueError>([&] {
              (void)nn::accuracy(logits, xt::xarray<int>{0, 0, 0, 3});
          }) == "accuracy: label 3 of sample 3 is outside [0, 3): there are 3 classes");
}
