#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/autograd/random.hpp>
#include <xtape/autograd/reduction.hpp>
#include <xtape/data/csv.hpp>
#include <xtape/data/standardizer.hpp>
#include <xtape/io/npz.hpp>

#include "io/scratch.hpp"

using namespace xtape;
using data::Missing;
using data::Standardizer;

namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

/// Samples of one feature.
template <class T>
xt::xarray<T> column(const std::vector<T>& values) {
    auto samples = xt::xarray<T>::from_shape({values.size(), 1});
    std::ranges::copy(values, samples.data());
    return samples;
}

bool all_close(const xt::xarray<double>& a, const xt::xarray<double>& b) {
    return a.shape() == b.shape() && xt::allclose(a, b, 1e-14, 1e-14);
}

}  // namespace

TEST_CASE("standardised training samples have mean 0 and standard deviation 1, and others follow them") {
    const xt::xarray<double> samples{{1, 10}, {2, 30}, {6, 20}};
    const auto standardizer = Standardizer::fit(samples);
    CHECK(all_close(standardizer.mean(), xt::xarray<double>{3, 20}));
    CHECK(all_close(standardizer.scale(), xt::xarray<double>{std::sqrt(14. / 3), std::sqrt(200. / 3)}));
    const xt::xarray<double> standardized = standardizer.transform(samples);
    CHECK(all_close(mean(Tensor<double>(standardized), 0).value(), xt::xarray<double>{0, 0}));
    CHECK(all_close(stddev(Tensor<double>(standardized), 0).value(), xt::xarray<double>{1, 1}));
    CHECK(all_close(standardizer.transform(xt::xarray<double>{{3, 30}}), xt::xarray<double>{{0, std::sqrt(1.5)}}));
    CHECK(all_close(standardizer.inverse_transform(standardized), samples));
}

TEST_CASE("the irises' means and deviations are NumPy's") {
    const auto iris = data::read_csv(test_data("csv/iris.csv"), {.header = true, .text = true});
    const auto standardizer = Standardizer::fit(iris.numbers(std::vector<std::size_t>{0, 1, 2, 3}));
    // numpy.mean(x, 0), numpy.std(x, 0)
    CHECK(all_close(standardizer.mean(),
                    xt::xarray<double>{5.843333333333335, 3.057333333333334, 3.7580000000000027, 1.199333333333334}));
    CHECK(all_close(standardizer.scale(), xt::xarray<double>{0.8253012917851409, 0.43441096773549437,
                                                             1.7594040657753032, 0.7596926279021594}));
}

TEST_CASE("a standardiser takes samples of any shape, in float or double, and works in double") {
    const auto samples = xt::xarray<float>(1e4 + random::normal<float>({50, 2, 3}).value());
    const auto standardizer = Standardizer::fit(samples);
    CHECK(standardizer.mean().shape() == xt::xarray<double>::shape_type{2, 3});
    const auto in_double = Standardizer::fit(xt::xarray<double>(samples));
    CHECK(standardizer.mean() == in_double.mean());
    CHECK(standardizer.scale() == in_double.scale());
    const xt::xarray<float> transformed = standardizer.transform(samples);
    CHECK(transformed == xt::xarray<float>(standardizer.transform(xt::xarray<double>(samples))));
    CHECK(std::abs(mean(Tensor<float>(transformed)).item()) < 1e-6F);
    // Numbers, each a sample: regression targets.
    const auto targets = Standardizer::fit(xt::xarray<double>{1, 3});
    CHECK(targets.mean().dimension() == 0);
    CHECK(targets.transform(xt::xarray<double>{1, 3, 4}) == xt::xarray<double>{-1, 1, 2});
}

TEST_CASE("a feature that is always the same is shifted to 0 and not scaled") {
    for (const double value : {0., 0.1, -1e300, 1e-300}) {
        xt::xarray<double> samples = xt::xarray<double>::from_shape({7, 1});
        samples.fill(value);
        samples(3, 0) = missing;
        const auto standardizer = Standardizer::fit(samples);
        CHECK(standardizer.mean()(0) == value);
        CHECK(standardizer.scale()(0) == 1);
        CHECK(standardizer.transform(samples)(0, 0) == 0);
    }
}

TEST_CASE("numbers whose squares are beyond a double are scaled as others are") {
    for (const double unit : {1e-200, 1., 1e200}) {
        const auto samples = column<double>({-unit, unit, unit, -unit});
        const auto standardizer = Standardizer::fit(samples);
        CHECK(standardizer.scale()(0) == unit);
        CHECK(standardizer.transform(samples) == column<double>({-1, 1, 1, -1}));
    }
}

TEST_CASE("missing values are left out of the fit, and stay missing or become the mean") {
    const xt::xarray<double> samples{{1, missing}, {missing, 5}, {3, 7}};
    const auto standardizer = Standardizer::fit(samples);
    CHECK(standardizer.mean() == xt::xarray<double>{2, 6});
    CHECK(standardizer.scale() == xt::xarray<double>{1, 1});
    const auto kept = standardizer.transform(samples);
    CHECK(std::isnan(kept(0, 1)));
    CHECK(std::isnan(kept(1, 0)));
    CHECK(kept(2, 0) == 1);
    CHECK(standardizer.transform(samples, Missing::impute) == xt::xarray<double>{{-1, 0}, {0, -1}, {1, 1}});
}

TEST_CASE("a standardiser's state makes the same one, also by way of a file") {
    const xt::xarray<double> samples = random::normal<double>({20, 3}).value();
    const auto standardizer = Standardizer::fit(samples);
    const Scratch scratch;
    io::write_npz(scratch / "state.npz", standardizer.state_dict());
    const Standardizer again(io::read_npz(scratch / "state.npz"));
    CHECK(again.mean() == standardizer.mean());
    CHECK(again.transform(samples) == standardizer.transform(samples));
}

TEST_CASE("shift and scale may be given: features from a to b") {
    const Standardizer pixels(xt::xarray<double>{0, 0}, xt::xarray<double>{255, 255});
    CHECK(pixels.transform(xt::xarray<float>{{0, 255}, {51, 102}}) == xt::xarray<float>{{0, 1}, {0.2F, 0.4F}});
}

TEST_CASE("what cannot be fitted or applied is refused, with the feature's index") {
    CHECK_THROWS_WITH_AS(Standardizer::fit(xt::xarray<double>{{1, missing}, {2, missing}}),
                         "Standardizer::fit: feature 1 has no value in any of the 2 samples: leave it out", ValueError);
    CHECK_THROWS_AS(Standardizer::fit(xt::xarray<double>::from_shape({0, 2})), ValueError);
    CHECK_THROWS_WITH_AS(Standardizer::fit(column<float>({1, -std::numeric_limits<float>::infinity()})),
                         "Standardizer::fit: feature 0 holds an infinity: leave its samples out, or make it NaN, which "
                         "counts as missing",
                         ValueError);
    CHECK_THROWS_WITH_AS(Standardizer::fit(column<double>({1.5e308, 1.5e308, -1.5e308})),
                         "Standardizer::fit: feature 0 goes from -1.5e+308 to 1.5e+308, too far apart for a double",
                         ValueError);
    CHECK_THROWS_AS(Standardizer::fit(xt::xarray<double>(1.)), ShapeError);

    const Standardizer pair(xt::xarray<double>{0, 0}, xt::xarray<double>{1, 1});
    CHECK_THROWS_WITH_AS(
        pair.transform(xt::xarray<double>{{1, 2, 3}}),
        "Standardizer::transform: samples (1, 3) must be n x (2,), the shape of the samples it was fitted on",
        ShapeError);
    CHECK_THROWS_AS(pair.inverse_transform(xt::xarray<double>{1, 2}), ShapeError);
    CHECK_THROWS_WITH_AS(Standardizer(xt::xarray<double>{0, 0}, xt::xarray<double>{1}),
                         "Standardizer: mean (2,) and scale (1,) must have the same shape, a sample's", ShapeError);
    for (const double scale : {0., -1., missing, infinity}) {
        CHECK_THROWS_AS(Standardizer(xt::xarray<double>{0}, xt::xarray<double>{scale}), ValueError);
    }
    CHECK_THROWS_AS(Standardizer(xt::xarray<double>{missing}, xt::xarray<double>{1}), ValueError);
}

TEST_CASE("a state that is none is refused, with all that is wrong") {
    CHECK_THROWS_WITH_AS(Standardizer(io::StateDict{{"mean", xt::xarray<double>{0}}, {"0.weight", 1.}}),
                         "Standardizer: the state does not fit:\n  missing: scale\n  unexpected: 0.weight", ValueError);
    CHECK_THROWS_AS(Standardizer(io::StateDict{{"mean", xt::xarray<double>{0}}, {"scale", xt::xarray<double>{0}}}),
                    ValueError);
    CHECK_THROWS_AS(Standardizer(io::StateDict{{"mean", xt::xarray<double>{0}}, {"scale", xt::xarray<double>{1, 1}}}),
                    ShapeError);
}
