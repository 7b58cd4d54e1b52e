#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <xtape/autograd/xtensor.hpp>

namespace xtape::data {

/// Two sets of sample indices, each in ascending order, that together are all samples: `auto [train, test] = ...`.
struct Split {
    std::vector<std::size_t> train;
    std::vector<std::size_t> test;
};

/// Draws round(fraction * size) of `size` samples for the test set.
/// Throws ValueError unless `fraction` is within [0, 1].
Split split(std::size_t size, double fraction, std::uint64_t seed);

namespace detail {
Split stratified_split(std::span<const std::int64_t> labels, double fraction, std::uint64_t seed);
/// Throws ShapeError unless labels have one dimension.
void require_vector(std::span<const std::size_t> shape);
}  // namespace detail

/// Draws round(fraction * samples) samples for the test set so that every class has its share there, to within one
/// sample. `labels` is a 1-d array of integers.
/// Throws ValueError unless `fraction` is within [0, 1], ShapeError unless `labels` has one dimension.
template <class Labels>
requires std::integral<typename Labels::value_type> Split stratified_split(const Labels& labels, double fraction,
                                                                           std::uint64_t seed) {
    const std::vector<std::size_t> shape(labels.shape().begin(), labels.shape().end());
    detail::require_vector(shape);
    std::vector<std::int64_t> classes;
    classes.reserve(shape[0]);
    for (const auto label : labels) {
        classes.push_back(static_cast<std::int64_t>(label));
    }
    return detail::stratified_split(classes, fraction, seed);
}

}  // namespace xtape::data
