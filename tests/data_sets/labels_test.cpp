#include <cmath>
#include <cstdint>

#include <doctest/doctest.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/data/labels.hpp>
#include <xtape/nn.hpp>

using namespace xtape;

TEST_CASE("class weights are scikit-learn's balanced ones") {
    // sklearn.utils.class_weight.compute_class_weight("balanced", classes=[0, 1, 2], y=[0, 0, 0, 1, 2, 2])
    const xt::xarray<int> labels{0, 0, 0, 1, 2, 2};
    CHECK(data::class_weights(labels, 3) == xt::xarray<double>{2. / 3, 2, 1});
    CHECK(data::class_weights(xt::cast<std::uint8_t>(labels), 3) == data::class_weights(labels, 3));
    CHECK(data::class_weights(xt::xarray<std::int64_t>{1, 0}, 2) == xt::xarray<double>{1, 1});
}

TEST_CASE("with class weights every class has the same share in a loss") {
    const xt::xarray<int> labels{0, 0, 0, 1, 2, 2};
    const xt::xarray<float> weights = data::class_weights(labels, 3);
    // Class 0 is met with a loss of 3 each, the others with about 0: weighted, a third of 3.
    const xt::xarray<float> logits{{-3, 0, -100},   {-3, 0, -100},   {-3, 0, -100},
                                   {-100, 0, -100}, {-100, -100, 0}, {-100, -100, 0}};
    const auto loss = nn::cross_entropy(Tensor<float>(logits), labels, {.weight = weights});
    CHECK(loss.item() == doctest::Approx((3 + std::log1p(std::exp(-3.))) / 3).epsilon(1e-5));
}

TEST_CASE("class weights of labels out of range, of a class without samples, and of more dimensions are refused") {
    CHECK_THROWS_WITH_AS(data::class_weights(xt::xarray<int>{0, 3}, 3),
                         "class_weights: labels[1] = 3: it must be in [0, 3)", ValueError);
    CHECK_THROWS_WITH_AS(data::class_weights(xt::xarray<int>{-1}, 3),
                         "class_weights: labels[0] = -1: it must be in [0, 3)", ValueError);
    CHECK_THROWS_WITH_AS(
        data::class_weights(xt::xarray<int>{0, 2}, 3),
        "class_weights: class 1 has none of the 2 samples, so that no weight makes it count; number the "
        "classes without it, or choose the weights by hand",
        ValueError);
    CHECK_THROWS_WITH_AS(data::class_weights(xt::xarray<int>{{0, 1}}, 2),
                         "class_weights: labels (1, 2) must have one dimension: a class for each sample", ShapeError);
}
