#pragma once

#include <xtape/autograd/xtensor.hpp>
#include <xtape/io/array.hpp>

namespace xtape::data {

/// What becomes of NaN, a value that is missing.
enum class Missing {
    keep,    ///< it stays NaN
    impute,  ///< the feature's mean takes its place
};

/// Shifts and scales every feature of a sample: (x - mean) / scale. Fitted on the training samples alone, it makes them
/// have mean 0 and standard deviation 1, and treats all others as it did them:
///
///     const auto standardizer = data::Standardizer::fit(train.inputs());
///     const data::Dataset standardized{standardizer.transform(test.inputs()), test.labels()};
///
/// Any other shift and scale will do as well: for features from a to b, `Standardizer(a, b - a)`.
class Standardizer {
public:
    /// Both have a sample's shape.
    /// Throws ShapeError if they differ, ValueError unless all are finite and the scales positive.
    Standardizer(xt::xarray<double> mean, xt::xarray<double> scale);
    /// What state_dict() has told. Throws ValueError, listing what is wrong, for a state that is none.
    explicit Standardizer(const io::StateDict& state);

    /// Takes each feature's mean and standard deviation (that of the samples themselves, ddof 0; 1 where they are all
    /// alike), leaving NaN out. The first dimension of `samples` counts them, each place in the rest is a feature.
    /// Throws ShapeError for an array without dimensions; ValueError, naming it, for a feature that has no value at
    /// all, an infinite one, or a spread beyond a double.
    template <io::FloatingElement T>
    static Standardizer fit(const xt::xarray<T>& samples);

    /// The samples shifted and scaled; computed in double, rounded once.
    /// Throws ShapeError unless `samples` is n x a sample's shape.
    template <io::FloatingElement T>
    xt::xarray<T> transform(const xt::xarray<T>& samples, Missing missing = Missing::keep) const;
    /// What `transform` made these of: x * scale + mean. Takes a model's predictions back to their own units.
    template <io::FloatingElement T>
    xt::xarray<T> inverse_transform(const xt::xarray<T>& samples) const;

    const xt::xarray<double>& mean() const { return mean_; }
    const xt::xarray<double>& scale() const { return scale_; }
    /// "mean" and "scale": what a checkpoint needs to keep.
    io::StateDict state_dict() const;

private:
    xt::xarray<double> mean_;
    xt::xarray<double> scale_;
};

extern template Standardizer Standardizer::fit(const xt::xarray<float>&);
extern template Standardizer Standardizer::fit(const xt::xarray<double>&);
extern template xt::xarray<float> Standardizer::transform(const xt::xarray<float>&, Missing) const;
extern template xt::xarray<double> Standardizer::transform(const xt::xarray<double>&, Missing) const;
extern template xt::xarray<float> Standardizer::inverse_transform(const xt::xarray<float>&) const;
extern template xt::xarray<double> Standardizer::inverse_transform(const xt::xarray<double>&) const;

}  // namespace xtape::data
