#include <cstdint>
#include <type_traits>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/data/dataset.hpp>
#include <xtape/data/npy.hpp>

#include "io/scratch.hpp"

using namespace xtape;

TEST_CASE("a data set deduces its types, also from expressions and temporaries") {
    const xt::xarray<float> inputs{{1, 2}, {3, 4}, {5, 6}};
    const xt::xarray<std::uint8_t> labels{0, 1, 2};
    const data::Dataset dataset{inputs, labels};
    static_assert(std::is_same_v<decltype(dataset), const data::Dataset<float, std::uint8_t>>);
    CHECK(dataset.size() == 3);
    CHECK(dataset.inputs() == inputs);
    CHECK(dataset.labels() == labels);

    const data::Dataset computed{labels / 2., xt::cast<int>(inputs)};
    static_assert(std::is_same_v<decltype(computed), const data::Dataset<double, int>>);
    CHECK(computed.inputs() == xt::xarray<double>{0, 0.5, 1});
    CHECK(computed.labels().shape() == xt::xarray<int>::shape_type{3, 2});
}

TEST_CASE("copies of a data set share its numbers") {
    const data::Dataset dataset{xt::xarray<double>{1, 2}, xt::xarray<double>{1, 2}};
    const auto copy = dataset;
    CHECK(copy.inputs().data() == dataset.inputs().data());
    CHECK(copy.labels().data() == dataset.labels().data());
}

TEST_CASE("inputs and labels must agree on the number of samples") {
    const xt::xarray<double> three{1, 2, 3};
    CHECK_THROWS_WITH_AS((data::Dataset{three, xt::xarray<int>{1, 2}}),
                         "Dataset: inputs (3,) and labels (2,) must have the same first extent, the number of samples",
                         ShapeError);
    CHECK_THROWS_WITH_AS((data::Dataset{xt::xarray<double>(1.), xt::xarray<int>(1)}),
                         "Dataset: inputs () and labels () must have the same first extent, the number of samples",
                         ShapeError);
}

TEST_CASE("a subset holds the samples asked for, in the order asked for") {
    const data::Dataset dataset{xt::xarray<float>{{{1, 2}}, {{3, 4}}, {{5, 6}}}, xt::xarray<int>{10, 20, 30}};
    const auto subset = dataset.subset(std::vector<std::size_t>{2, 0, 2});
    CHECK(subset.inputs() == xt::xarray<float>{{{5, 6}}, {{1, 2}}, {{5, 6}}});
    CHECK(subset.labels() == xt::xarray<int>{30, 10, 30});

    const auto none = dataset.subset({});
    CHECK(none.size() == 0);
    CHECK(none.inputs().shape() == xt::xarray<float>::shape_type{0, 1, 2});
    CHECK_THROWS_WITH_AS(dataset.subset(std::vector<std::size_t>{0, 3}),
                         "Dataset::subset: indices holds 3, but the data set has 3 samples, from 0", ValueError);
}

TEST_CASE("a data set goes into NumPy's archive and comes back from it") {
    const Scratch scratch;
    const data::Dataset dataset{xt::xarray<float>{{1, 2}, {3, 4}}, xt::xarray<int>{7, -1}};
    data::write_npz(scratch / "set.npz", {{"x", dataset.inputs()}, {"y", dataset.labels()}});
    const auto arrays = data::read_npz(scratch / "set.npz");
    const data::Dataset again{arrays.at("x").as<float>(), arrays.at("y").as<int>()};
    CHECK(again.inputs() == dataset.inputs());
    CHECK(again.labels() == dataset.labels());
    CHECK(data::read_npy(test_data("numpy.npy")).size() > 0);
}
