#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <set>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/data/loader.hpp>

using namespace xtape;

namespace {

/// Sample i is {{i, i + 0.25}, {i + 0.5, -i}}, its label 10 i.
data::Dataset<float, int> numbered(std::size_t size) {
    xt::xarray<float> inputs = xt::xarray<float>::from_shape({size, 2, 2});
    xt::xarray<int> labels = xt::xarray<int>::from_shape({size});
    for (std::size_t i = 0; i < size; ++i) {
        const auto x = static_cast<float>(i);
        std::ranges::copy(std::vector<float>{x, x + 0.25F, x + 0.5F, -x}, inputs.data() + 4 * i);
        labels(i) = static_cast<int>(10 * i);
    }
    return {inputs, labels};
}

/// The samples' numbers in the order of an epoch; checks that every batch is whole and that inputs fit labels.
template <class Loader>
std::vector<int> epoch_order(Loader& loader) {
    std::vector<int> order;
    std::size_t batches = 0;
    for (auto& [x, y] : loader) {
        ++batches;
        const std::size_t count = y.shape(0);
        REQUIRE(x.dimension() == 3);
        REQUIRE(x.shape()[0] == count);
        for (std::size_t i = 0; i < count; ++i) {
            const int number = y(i) / 10;
            const auto value = static_cast<float>(number);
            REQUIRE(std::ranges::equal(std::span(x.data() + 4 * i, 4),
                                       std::vector<float>{value, value + 0.25F, value + 0.5F, -value}));
            order.push_back(number);
        }
    }
    CHECK(batches == loader.size());
    return order;
}

std::vector<int> sorted(std::vector<int> order) {
    std::ranges::sort(order);
    return order;
}

std::vector<int> first_numbers(int count) {
    std::vector<int> numbers(static_cast<std::size_t>(count));
    std::iota(numbers.begin(), numbers.end(), 0);
    return numbers;
}

}  // namespace

TEST_CASE("an epoch visits each sample once, in batches of the size asked for, the last one smaller") {
    data::DataLoader loader(numbered(10), {.batch_size = 4});
    static_assert(std::is_same_v<decltype(loader), data::DataLoader<float, int>>);
    CHECK(loader.size() == 3);
    std::vector<std::size_t> sizes;
    for (auto& [x, y] : loader) {
        static_assert(std::is_same_v<std::remove_reference_t<decltype(x)>, Tensor<float>>);
        static_assert(std::is_same_v<std::remove_reference_t<decltype(y)>, xt::xarray<int>>);
        CHECK(!x.requires_grad());
        sizes.push_back(y.size());
    }
    CHECK(sizes == std::vector<std::size_t>{4, 4, 2});
    CHECK(sorted(epoch_order(loader)) == first_numbers(10));
}

TEST_CASE("drop_last leaves a smaller last batch out") {
    data::DataLoader loader(numbered(10), {.batch_size = 4, .drop_last = true});
    CHECK(loader.size() == 2);
    CHECK(epoch_order(loader).size() == 8);
    data::DataLoader too_few(numbered(3), {.batch_size = 4, .drop_last = true});
    CHECK(too_few.size() == 0);
    CHECK(epoch_order(too_few).empty());
}

TEST_CASE("batch sizes from 1 to beyond the data set's") {
    for (const std::size_t batch_size :
         {std::size_t{1}, std::size_t{10}, std::size_t{11}, std::numeric_limits<std::size_t>::max()}) {
        CAPTURE(batch_size);
        data::DataLoader loader(numbered(10), {.batch_size = batch_size});
        CHECK(sorted(epoch_order(loader)) == first_numbers(10));
    }
}

TEST_CASE("without shuffling the samples keep their order") {
    data::DataLoader loader(numbered(10), {.batch_size = 3, .shuffle = false});
    CHECK(epoch_order(loader) == first_numbers(10));
    CHECK(epoch_order(loader) == first_numbers(10));
}

TEST_CASE("each epoch has an order of its own, which depends on the seed and its number alone") {
    const auto dataset = numbered(50);
    data::DataLoader loader(dataset, {.batch_size = 7, .seed = 5});
    CHECK(loader.epoch() == 0);
    const auto first = epoch_order(loader);
    CHECK(loader.epoch() == 1);
    const auto second = epoch_order(loader);
    CHECK(sorted(first) == first_numbers(50));
    CHECK(sorted(second) == first_numbers(50));
    CHECK(first != second);

    data::DataLoader resumed(dataset, {.batch_size = 7, .seed = 5});
    resumed.set_epoch(1);
    CHECK(epoch_order(resumed) == second);
    loader.set_epoch(0);
    CHECK(epoch_order(loader) == first);

    // The batch size partitions the order, and does not change it.
    data::DataLoader other_size(dataset, {.batch_size = 50, .seed = 5});
    CHECK(epoch_order(other_size) == first);
    data::DataLoader other_seed(dataset, {.batch_size = 7, .seed = 6});
    CHECK(epoch_order(other_seed) != first);
}

TEST_CASE("every sample is as likely as another to come first") {
    constexpr int epochs = 2000;
    data::DataLoader loader(numbered(8), {.batch_size = 8});
    std::vector<int> times(8);
    for (int epoch = 0; epoch < epochs; ++epoch) {
        ++times[static_cast<std::size_t>((*loader.begin()).y(0) / 10)];
    }
    const double expected = epochs / 8.;
    double chi_squared = 0;
    for (const int count : times) {
        chi_squared += (count - expected) * (count - expected) / expected;
    }
    CHECK(chi_squared < 29.9);  // 7 degrees of freedom: once in 10,000 seeds
}

TEST_CASE("a loop that is left early ends its epoch") {
    data::DataLoader loader(numbered(10), {.batch_size = 4, .seed = 1});
    const auto first = epoch_order(loader);
    for (auto& batch : loader) {
        CHECK(batch.y.size() == 4);
        break;
    }
    CHECK(loader.epoch() == 2);
    CHECK(sorted(epoch_order(loader)) == first_numbers(10));
}

TEST_CASE("a tensor that was kept from a batch stays as it was") {
    data::DataLoader loader(numbered(4), {.batch_size = 1, .shuffle = false});
    std::vector<Tensor<float>> kept;
    for (auto& [x, y] : loader) {
        kept.push_back(x);
    }
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(kept.at(i).data()[0] == static_cast<float>(i));
    }
}

TEST_CASE("labels may have dimensions of their own, and be floating") {
    const xt::xarray<double> inputs{{1., 4.}, {2., 5.}, {3., 6.}};
    const xt::xarray<double> targets{{1., 10.}, {2., 20.}, {3., 30.}};
    data::DataLoader loader(data::Dataset{inputs, targets}, {.batch_size = 2, .shuffle = false});
    std::vector<xt::xarray<double>> seen;
    for (auto& [x, y] : loader) {
        CHECK(x.shape() == Shape{y.shape(0), std::size_t{2}});
        seen.push_back(y);
    }
    CHECK(seen == std::vector<xt::xarray<double>>{{{1., 10.}, {2., 20.}}, {{3., 30.}}});
}

TEST_CASE("labels are written to the same memory epoch after epoch, the smaller last batch's too") {
    data::DataLoader loader(numbered(10), {.batch_size = 4});
    std::set<const int*> places;
    for (int epoch = 0; epoch < 3; ++epoch) {
        for (auto& [x, y] : loader) {
            places.insert(y.data());
        }
    }
    CHECK(places.size() == 2);
}

TEST_CASE("whatever a loop's body does with its batch, the next one is right") {
    data::DataLoader loader(numbered(12), {.batch_size = 4, .shuffle = false});
    int batch = 0;
    for (auto& [x, y] : loader) {
        CHECK(y == xt::xarray<int>{40 * batch, 40 * batch + 10, 40 * batch + 20, 40 * batch + 30});
        x = Tensor<float>();
        if (batch == 0) {
            y = xt::xarray<int>{{1, 2}, {3, 4}, {5, 6}, {7, 8}};
        } else {
            const xt::xarray<int> taken = std::move(y);
            CHECK(taken.size() == 4);
        }
        ++batch;
    }
    CHECK(batch == 3);
}

TEST_CASE("an empty data set has no batches") {
    data::DataLoader loader(numbered(0), {});
    CHECK(loader.size() == 0);
    CHECK(epoch_order(loader).empty());
}

TEST_CASE("a batch size of 0 is refused") {
    CHECK_THROWS_WITH_AS(data::DataLoader(numbered(4), {.batch_size = 0}),
                         "DataLoader: batch_size = 0: it must be at least 1", ValueError);
}

TEST_CASE("an epoch that was left goes on at the batch that comes next, as if it had not been left") {
    for (const bool drop_last : {false, true}) {
        data::DataLoader whole(numbered(23), {.batch_size = 4, .seed = 3, .drop_last = drop_last});
        whole.set_epoch(7);
        const auto seventh = epoch_order(whole);
        const auto eighth = epoch_order(whole);
        for (std::size_t done = 0; done <= whole.size(); ++done) {
            CAPTURE(done);
            data::DataLoader resumed(numbered(23), {.batch_size = 4, .seed = 3, .drop_last = drop_last});
            resumed.set_epoch(7, done);
            CHECK(resumed.epoch() == 7);
            CHECK(resumed.size() == whole.size());
            std::vector<int> rest;
            for (auto& [x, y] : resumed) {
                for (const int label : y) {
                    rest.push_back(label / 10);
                }
            }
            CHECK(std::vector<int>(seventh.begin() + static_cast<std::ptrdiff_t>(std::min(4 * done, seventh.size())),
                                   seventh.end()) == rest);
            CHECK(resumed.epoch() == 8);
            CHECK(epoch_order(resumed) == eighth);
        }
    }
}

TEST_CASE("the batches done are forgotten with the next set_epoch, and cannot be more than there are") {
    data::DataLoader loader(numbered(10), {.batch_size = 4, .seed = 1});
    loader.set_epoch(2, 3);
    CHECK_THROWS_WITH_AS(
        loader.set_epoch(5, 4),
        "DataLoader::set_epoch: batches_done = 4, but an epoch has 3 batches; another data set or batch "
        "size than before?",
        ValueError);
    CHECK(loader.epoch() == 2);
    CHECK(loader.begin() == loader.end());
    loader.set_epoch(2, 3);
    loader.set_epoch(2);
    CHECK(sorted(epoch_order(loader)) == first_numbers(10));
}

TEST_CASE("copies of a loader go on by themselves, and a loop follows a loader that is moved") {
    data::DataLoader loader(numbered(20), {.batch_size = 4, .seed = 1});
    loader.set_epoch(3, 2);
    data::DataLoader copy = loader;
    auto batch = loader.begin();
    const xt::xarray<int> third = (*batch).y;
    CHECK((*copy.begin()).y == third);
    CHECK((*batch).y == third);

    data::DataLoader moved = std::move(loader);
    CHECK((*batch).y == third);
    ++batch;
    CHECK((*batch).y != third);
    copy = std::move(moved);
    CHECK(copy.epoch() == 4);
    CHECK(sorted(epoch_order(copy)) == first_numbers(20));
}
