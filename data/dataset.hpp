#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <xtape/autograd/xtensor.hpp>

namespace xtape::data {

namespace detail {
/// The number of samples. Throws ShapeError unless both shapes begin with it.
std::size_t sample_count(std::span<const std::size_t> inputs, std::span<const std::size_t> labels);
/// Throws ValueError unless every index is below `size`.
void check_indices(std::span<const std::size_t> indices, std::size_t size);
/// Copies the rows at `indices`, each of `row_size` elements.
template <class V>
void gather_rows(const V* from, std::span<const std::size_t> indices, std::size_t row_size, V* to) {
    for (const std::size_t index : indices) {
        to = std::copy_n(from + index * row_size, row_size, to);
    }
}
}  // namespace detail

/// Samples and their labels. The first dimension of both counts the samples; the rest is a sample's shape, and a
/// label's. `T` is float or double, `Label` an integer or floating type; both are deduced: `data::Dataset train{images,
/// classes}`. Copies share the numbers.
template <class T, class Label>
class Dataset {
    static_assert(std::same_as<T, float> || std::same_as<T, double>,
                  "a data set's inputs are float or double: convert integers with xt::cast<float>(inputs)");
    static_assert(std::is_arithmetic_v<Label> && !std::same_as<Label, bool>,
                  "a data set's labels are integers or floating: convert them with xt::cast<int>(labels)");

public:
    /// Throws ShapeError if either has no dimension, or if they hold different numbers of samples.
    Dataset(xt::xarray<T> inputs, xt::xarray<Label> labels)
        : size_(detail::sample_count(inputs.shape(), labels.shape())),
          numbers_(std::make_shared<const Numbers>(Numbers{std::move(inputs), std::move(labels)})) {}

    /// The number of samples.
    std::size_t size() const { return size_; }
    const xt::xarray<T>& inputs() const { return numbers_->inputs; }
    const xt::xarray<Label>& labels() const { return numbers_->labels; }

    /// The samples at these indices, in this order, as a data set of its own.
    /// Throws ValueError for an index that is not below size().
    Dataset subset(std::span<const std::size_t> indices) const {
        detail::check_indices(indices, size_);
        return {rows(inputs(), indices), rows(labels(), indices)};
    }

private:
    struct Numbers {
        xt::xarray<T> inputs;
        xt::xarray<Label> labels;
    };

    template <class V>
    xt::xarray<V> rows(const xt::xarray<V>& from, std::span<const std::size_t> indices) const {
        std::vector<std::size_t> shape(from.shape().begin(), from.shape().end());
        shape[0] = indices.size();
        auto result = xt::xarray<V>::from_shape(shape);
        if (!indices.empty()) {
            detail::gather_rows(from.data(), indices, from.size() / size_, result.data());
        }
        return result;
    }

    std::size_t size_;
    std::shared_ptr<const Numbers> numbers_;
};

template <class Inputs, class Labels>
Dataset(const Inputs&, const Labels&) -> Dataset<typename Inputs::value_type, typename Labels::value_type>;

}  // namespace xtape::data
