#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/data/split.hpp>

using namespace xtape;

namespace {

/// 100 samples of class 7, 23 of class -1 and 5 of class 2, mixed.
xt::xarray<int> uneven_labels() {
    xt::xarray<int> labels = xt::xarray<int>::from_shape({128});
    for (std::size_t i = 0; i < 128; ++i) {
        const std::size_t mixed = i * 37 % 128;
        labels(i) = mixed < 100 ? 7 : mixed < 123 ? -1 : 2;
    }
    return labels;
}

void check_partition(const data::Split& split, std::size_t size) {
    CHECK(std::ranges::is_sorted(split.train));
    CHECK(std::ranges::is_sorted(split.test));
    std::vector<std::size_t> all;
    std::ranges::merge(split.train, split.test, std::back_inserter(all));
    REQUIRE(all.size() == size);
    for (std::size_t i = 0; i < size; ++i) {
        REQUIRE(all[i] == i);
    }
}

}  // namespace

TEST_CASE("a stratified split gives every class its share, to within one sample") {
    const auto labels = uneven_labels();
    for (const double fraction : {0.0, 0.1, 0.2, 0.25, 1. / 3, 0.5, 0.9, 1.0}) {
        for (const std::uint64_t seed : {0U, 1U, 2U}) {
            CAPTURE(fraction);
            const auto split = data::stratified_split(labels, fraction, seed);
            check_partition(split, 128);
            CHECK(split.test.size() == static_cast<std::size_t>(std::lround(fraction * 128)));
            for (const std::pair<int, double>& members : {std::pair{7, 100.}, {-1, 23.}, {2, 5.}}) {
                const auto count =
                    std::ranges::count(split.test, members.first, [&](std::size_t i) { return labels(i); });
                CHECK(std::abs(static_cast<double>(count) - fraction * members.second) < 1);
            }
        }
    }
}

TEST_CASE("a split depends on the seed, and on nothing else") {
    const auto labels = uneven_labels();
    CHECK(data::stratified_split(labels, 0.2, 3).test == data::stratified_split(labels, 0.2, 3).test);
    CHECK(data::stratified_split(labels, 0.2, 3).test != data::stratified_split(labels, 0.2, 4).test);
    CHECK(data::split(100, 0.2, 3).test == data::split(100, 0.2, 3).test);
    CHECK(data::split(100, 0.2, 3).test != data::split(100, 0.2, 4).test);
}

TEST_CASE("every sample is as likely as another to be in the test set") {
    constexpr int rounds = 2000;
    std::vector<int> times(20);
    for (std::uint64_t seed = 0; seed < rounds; ++seed) {
        const auto split = data::split(20, 0.25, seed);
        check_partition(split, 20);
        REQUIRE(split.test.size() == 5);
        for (const std::size_t i : split.test) {
            ++times[i];
        }
    }
    const double deviation = std::sqrt(rounds * 0.25 * 0.75);
    for (const int count : times) {
        CHECK(std::abs(count - rounds * 0.25) < 4.5 * deviation);
    }
}

TEST_CASE("labels of any integer type, and nothing at all, can be split") {
    const xt::xarray<std::uint8_t> bytes{0, 0, 1, 1, 255, 255};
    CHECK(data::stratified_split(bytes, 0.5, 0).test.size() == 3);
    CHECK(data::stratified_split(xt::cast<std::int64_t>(bytes), 0.5, 0).test ==
          data::stratified_split(bytes, 0.5, 0).test);
    CHECK(data::split(0, 0.5, 0).train.empty());
}

TEST_CASE("a fraction beyond [0, 1] and labels of more dimensions are refused") {
    const xt::xarray<int> labels{0, 1};
    CHECK_THROWS_WITH_AS(data::stratified_split(labels, 1.5, 0),
                         "stratified_split: fraction = 1.5: it must be within [0, 1]", ValueError);
    CHECK_THROWS_AS(data::stratified_split(labels, -0.1, 0), ValueError);
    CHECK_THROWS_AS(data::split(10, std::numeric_limits<double>::quiet_NaN(), 0), ValueError);
    CHECK_THROWS_WITH_AS(data::stratified_split(xt::xarray<int>{{0, 1}}, 0.5, 0),
                         "stratified_split: labels (1, 2) must have one dimension: a class for each sample",
                         ShapeError);
}
