#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <xtape/data/labels.hpp>

namespace xtape::data {

/// Two sets of sample indices, each in ascending order, that together are all samples. For three sets, split twice:
///
///     const auto [rest, test] = data::split(dataset.size(), 0.2, seed);
///     const auto learning = dataset.subset(rest);
///     const auto [train, validation] = data::split(learning.size(), 0.25, seed + 1);
///     // learning.subset(train), learning.subset(validation), dataset.subset(test): 60, 20 and 20 %
struct Split {
    std::vector<std::size_t> train;
    std::vector<std::size_t> test;
};

/// Draws round(fraction * size) of `size` samples for the test set.
/// Throws ValueError unless `fraction` is within [0, 1].
Split split(std::size_t size, double fraction, std::uint64_t seed);

namespace detail {
Split stratified_split(std::span<const std::int64_t> labels, double fraction, std::uint64_t seed);
}  // namespace detail

/// Draws round(fraction * samples) samples for the test set so that every class has its share there, to within one
/// sample. `labels` is a 1-d array of integers.
/// Throws ValueError unless `fraction` is within [0, 1], ShapeError unless `labels` has one dimension.
template <IntegerLabels Labels>
Split stratified_split(const Labels& labels, double fraction, std::uint64_t seed) {
    return detail::stratified_split(detail::classes_of("stratified_split", labels), fraction, seed);
}

}  // namespace xtape::data
