#include <xtape/data/standardizer.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/io/bytes.hpp>

namespace xtape::data {

namespace {

std::span<const std::size_t> shape_of(const auto& array) { return {array.shape().data(), array.shape().size()}; }

xt::xarray<double> entry(const io::StateDict& state, const char* name, std::string& problems) {
    const auto found = state.find(name);
    if (found == state.end()) {
        problems += fmt::format("\n  missing: {}", name);
        return {};
    }
    return found->second.cast<double>();
}

std::pair<xt::xarray<double>, xt::xarray<double>> entries(const io::StateDict& state) {
    std::string problems;
    std::pair result(entry(state, "mean", problems), entry(state, "scale", problems));
    for (const auto& [name, array] : state) {
        if (name != "mean" && name != "scale") {
            problems += fmt::format("\n  unexpected: {}", name);
        }
    }
    if (!problems.empty()) {
        throw ValueError("Standardizer: the state does not fit:" + problems);
    }
    return result;
}

/// Calls f(sample's element, feature's index) in memory's order.
template <class T, class F>
void for_each_value(const xt::xarray<T>& samples, std::size_t features, F f) {
    const T* value = samples.data();
    for (const T* end = value + samples.size(); value != end;) {
        for (std::size_t feature = 0; feature < features; ++feature) {
            f(static_cast<double>(*value++), feature);
        }
    }
}

/// f(x, mean, scale) of every element.
template <class T, class F>
xt::xarray<T> mapped(const char* function, const xt::xarray<T>& samples, const xt::xarray<double>& mean,
                     const xt::xarray<double>& scale, F f) {
    if (samples.dimension() == 0 || !std::ranges::equal(shape_of(samples).subspan(1), shape_of(mean))) {
        throw ShapeError(fmt::format("Standardizer::{}: samples {} must be n x {}, the shape of the samples it was "
                                     "fitted on",
                                     function, io::shape_text(shape_of(samples)), io::shape_text(shape_of(mean))));
    }
    auto result = xt::xarray<T>::from_shape(samples.shape());
    T* next = result.data();
    for_each_value(samples, mean.size(), [&](double x, std::size_t feature) {
        *next++ = static_cast<T>(f(x, mean.data()[feature], scale.data()[feature]));
    });
    return result;
}

[[noreturn]] void fail_to_fit(std::size_t feature, std::string_view problem) {
    throw ValueError(fmt::format("Standardizer::fit: feature {} {}", feature, problem));
}

struct Feature {
    std::size_t count = 0;
    double sum = 0;
    double least = std::numeric_limits<double>::infinity();
    double most = -std::numeric_limits<double>::infinity();
};

}  // namespace

Standardizer::Standardizer(xt::xarray<double> mean, xt::xarray<double> scale)
    : mean_(std::move(mean)), scale_(std::move(scale)) {
    if (mean_.shape() != scale_.shape()) {
        throw ShapeError(fmt::format("Standardizer: mean {} and scale {} must have the same shape, a sample's",
                                     io::shape_text(shape_of(mean_)), io::shape_text(shape_of(scale_))));
    }
    for (std::size_t feature = 0; feature < mean_.size(); ++feature) {
        const double m = mean_.data()[feature];
        const double s = scale_.data()[feature];
        if (!std::isfinite(m) || !std::isfinite(s) || s <= 0) {
            throw ValueError(fmt::format("Standardizer: feature {} has mean {} and scale {}: both must be finite, and "
                                         "the scale positive",
                                         feature, m, s));
        }
    }
}

Standardizer::Standardizer(const io::StateDict& state) {
    auto [mean, scale] = entries(state);
    *this = Standardizer(std::move(mean), std::move(scale));
}

template <io::FloatingElement T>
Standardizer Standardizer::fit(const xt::xarray<T>& samples) {
    if (samples.dimension() == 0) {
        throw ShapeError("Standardizer::fit: samples () must have dimensions, the first of which counts the samples");
    }
    const auto sample_shape = shape_of(samples).subspan(1);
    auto mean = xt::xarray<double>::from_shape(std::vector<std::size_t>(sample_shape.begin(), sample_shape.end()));
    std::vector<Feature> features(mean.size());
    for_each_value(samples, features.size(), [&](double x, std::size_t i) {
        if (!std::isnan(x)) {
            Feature& feature = features[i];
            ++feature.count;
            feature.sum += x;
            feature.least = std::min(feature.least, x);
            feature.most = std::max(feature.most, x);
        }
    });
    // Deviations are taken relative to the largest, so that their squares are neither too large nor too small.
    std::vector<double> largest(features.size());
    for (std::size_t i = 0; i < features.size(); ++i) {
        const auto& [count, sum, least, most] = features[i];
        if (count == 0) {
            fail_to_fit(i, fmt::format("has no value in any of the {} samples: leave it out", shape_of(samples)[0]));
        }
        if (std::isinf(least) || std::isinf(most)) {
            fail_to_fit(i, "holds an infinity: leave its samples out, or make it NaN, which counts as missing");
        }
        mean.data()[i] = least == most ? least : sum / static_cast<double>(count);
        largest[i] = std::max(most - mean.data()[i], mean.data()[i] - least);
        if (!std::isfinite(mean.data()[i]) || !std::isfinite(largest[i])) {
            fail_to_fit(i, fmt::format("goes from {} to {}, too far apart for a double", least, most));
        }
    }
    auto scale = xt::xarray<double>::from_shape(mean.shape());
    scale.fill(0);
    for_each_value(samples, features.size(), [&](double x, std::size_t i) {
        if (!std::isnan(x) && largest[i] > 0) {
            const double deviation = (x - mean.data()[i]) / largest[i];
            scale.data()[i] += deviation * deviation;
        }
    });
    for (std::size_t i = 0; i < features.size(); ++i) {
        const double variance = scale.data()[i] / static_cast<double>(features[i].count);
        scale.data()[i] = largest[i] > 0 ? largest[i] * std::sqrt(variance) : 1;
    }
    return {std::move(mean), std::move(scale)};
}

template <io::FloatingElement T>
xt::xarray<T> Standardizer::transform(const xt::xarray<T>& samples, Missing missing) const {
    return mapped("transform", samples, mean_, scale_, [missing](double x, double mean, double scale) {
        return std::isnan(x) && missing == Missing::impute ? 0 : (x - mean) / scale;
    });
}

template <io::FloatingElement T>
xt::xarray<T> Standardizer::inverse_transform(const xt::xarray<T>& samples) const {
    return mapped("inverse_transform", samples, mean_, scale_,
                  [](double x, double mean, double scale) { return x * scale + mean; });
}

io::StateDict Standardizer::state_dict() const { return {{"mean", mean_}, {"scale", scale_}}; }

template Standardizer Standardizer::fit(const xt::xarray<float>&);
template Standardizer Standardizer::fit(const xt::xarray<double>&);
template xt::xarray<float> Standardizer::transform(const xt::xarray<float>&, Missing) const;
template xt::xarray<double> Standardizer::transform(const xt::xarray<double>&, Missing) const;
template xt::xarray<float> Standardizer::inverse_transform(const xt::xarray<float>&) const;
template xt::xarray<double> Standardizer::inverse_transform(const xt::xarray<double>&) const;

}  // namespace xtape::data
