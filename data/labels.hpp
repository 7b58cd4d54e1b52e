#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <xtape/autograd/xtensor.hpp>

namespace xtape::data {

/// A 1-d xtensor array or expression of integers: the class of each sample.
template <class E>
concept IntegerLabels = std::integral<typename E::value_type>;

namespace detail {
/// Throws ShapeError, naming the function, unless labels have one dimension.
void require_vector(std::string_view function, std::span<const std::size_t> shape);

template <IntegerLabels Labels>
std::vector<std::int64_t> classes_of(std::string_view function, const Labels& labels) {
    const std::vector<std::size_t> shape(labels.shape().begin(), labels.shape().end());
    require_vector(function, shape);
    std::vector<std::int64_t> classes;
    classes.reserve(shape[0]);
    for (const auto label : labels) {
        classes.push_back(static_cast<std::int64_t>(label));
    }
    return classes;
}

xt::xarray<double> class_weights(std::span<const std::int64_t> labels, std::size_t classes);
}  // namespace detail

/// A weight for each class, so that all classes together count alike in a loss however many samples they have:
/// samples / (classes * samples of the class), scikit-learn's "balanced" (G. King and L. Zeng, "Logistic regression in
/// rare events data", 2001):
///
///     nn::cross_entropy(model(x), y, {.weight = data::class_weights(train.labels(), 10)});
///
/// Throws ShapeError unless `labels` has one dimension; ValueError for a label that is not in [0, classes), and for a
/// class without samples, whose weight would be infinite.
template <IntegerLabels Labels>
xt::xarray<double> class_weights(const Labels& labels, std::size_t classes) {
    return detail::class_weights(detail::classes_of("class_weights", labels), classes);
}

}  // namespace xtape::data
