#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/data/loader.hpp>

using namespace xtape;
using data::detail::Prefetcher;

namespace {

data::Dataset<float, int> numbered(std::size_t size) {
    xt::xarray<float> inputs = xt::xarray<float>::from_shape({size, 3});
    xt::xarray<int> labels = xt::xarray<int>::from_shape({size});
    for (std::size_t i = 0; i < size; ++i) {
        for (std::size_t j = 0; j < 3; ++j) {
            inputs(i, j) = static_cast<float>(i) + 0.1F * static_cast<float>(j);
        }
        labels(i) = static_cast<int>(i);
    }
    return {inputs, labels};
}

using Loader = data::DataLoader<float, int>;
using Batches = std::vector<std::pair<xt::xarray<float>, xt::xarray<int>>>;

Batches loop(Loader& loader) {
    Batches batches;
    for (auto& [x, y] : loader) {
        batches.emplace_back(x.value(), y);
    }
    return batches;
}

/// Waits, a minute at most, until `condition` holds, and says whether it does.
template <class F>
bool eventually(F condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!condition() && std::chrono::steady_clock::now() < end) {
        std::this_thread::yield();
    }
    return condition();
}

}  // namespace

TEST_CASE("batches made ahead are the same, in the same order, epoch after epoch, from any batch on") {
    for (const std::size_t size : {0U, 1U, 12U, 23U}) {
        for (const bool drop_last : {false, true}) {
            Loader plain(numbered(size), {.batch_size = 4, .seed = 9, .drop_last = drop_last});
            for (const std::size_t prefetch : {std::size_t{1}, std::size_t{2}, std::size_t{100}, SIZE_MAX}) {
                CAPTURE(size);
                CAPTURE(prefetch);
                Loader ahead(numbered(size),
                             {.batch_size = 4, .seed = 9, .drop_last = drop_last, .prefetch = prefetch});
                for (std::size_t done = 0; done <= plain.size(); ++done) {
                    plain.set_epoch(5, done);
                    ahead.set_epoch(5, done);
                    CHECK(loop(ahead) == loop(plain));
                    CHECK(loop(ahead) == loop(plain));
                    CHECK(ahead.epoch() == 7);
                }
            }
        }
    }
}

TEST_CASE("a loop over batches made ahead may be left at any batch, and a new one started") {
    Loader plain(numbered(40), {.batch_size = 4, .seed = 2});
    Loader ahead(numbered(40), {.batch_size = 4, .seed = 2, .prefetch = 3});
    for (int round = 0; round < 100; ++round) {
        int left = round % 11;
        for (auto& [x, y] : ahead) {
            if (left-- == 0) {
                break;
            }
            x = Tensor<float>();  // whatever the body does with its batch
            y = xt::xarray<int>{1, 2, 3};
        }
    }
    plain.set_epoch(ahead.epoch());
    CHECK(loop(ahead) == loop(plain));
}

TEST_CASE("a body that throws ends the loop over batches made ahead, and the loader can be used again or destroyed") {
    auto ahead = std::make_unique<Loader>(numbered(40), data::DataLoaderOptions{.batch_size = 4, .prefetch = 2});
    const auto interrupted = [&] {
        for ([[maybe_unused]] auto& batch : *ahead) {
            throw std::runtime_error("no more");
        }
    };
    CHECK_THROWS_AS(interrupted(), std::runtime_error);
    CHECK(loop(*ahead).size() == 10);
    CHECK_THROWS_AS(interrupted(), std::runtime_error);
    ahead.reset();
}

TEST_CASE("what was kept of batches made ahead outlives the loop, the thread and the loader") {
    std::vector<Tensor<float>> kept;
    {
        Loader ahead(numbered(40), {.batch_size = 1, .shuffle = false, .prefetch = 2});
        for (auto& [x, y] : ahead) {
            kept.push_back(x);
        }
    }
    for (std::size_t i = 0; i < 40; ++i) {
        CHECK(kept.at(i).data()[0] == static_cast<float>(i));
    }
}

TEST_CASE("a loader can be moved and copied while its thread makes batches") {
    Loader plain(numbered(40), {.batch_size = 4, .seed = 2});
    const auto first = loop(plain);
    Loader ahead(numbered(40), {.batch_size = 4, .seed = 2, .prefetch = 2});
    auto batch = ahead.begin();
    Loader moved = std::move(ahead);
    Loader copy = moved;
    for (const auto& [x, y] : first) {
        REQUIRE(batch != moved.end());
        CHECK((*batch).y == y);
        ++batch;
    }
    CHECK(batch == moved.end());
    CHECK(loop(copy) == loop(plain));
}

TEST_CASE("a prefetcher works in order, ahead of what is waited for by what it may and no more") {
    constexpr std::size_t ahead = 3;
    std::vector<std::size_t> made;
    std::atomic<std::size_t> wanted = 2;
    std::atomic<std::size_t> count = 0;
    std::atomic<bool> went_too_far = false;
    Prefetcher prefetcher(2, 12, ahead, [&](std::size_t number) {
        went_too_far = went_too_far || number > wanted + ahead;
        made.push_back(number);
        ++count;
    });
    for (std::size_t number = 2; number < 12; ++number) {
        wanted = number;
        prefetcher.wait_for(number);
        CHECK(eventually([&] { return count == std::min<std::size_t>(number + ahead + 1, 12) - 2; }));
    }
    CHECK(!went_too_far);
    CHECK(made == std::vector<std::size_t>{2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
}

TEST_CASE("what the thread throws arrives where its batch is waited for, after those before it") {
    Prefetcher prefetcher(0, 10, 5, [](std::size_t number) {
        if (number == 3) {
            throw std::runtime_error("no fourth one");
        }
    });
    for (std::size_t number = 0; number < 3; ++number) {
        CHECK_NOTHROW(prefetcher.wait_for(number));
    }
    CHECK_THROWS_WITH_AS(prefetcher.wait_for(3), "no fourth one", std::runtime_error);
    CHECK_THROWS_WITH_AS(prefetcher.wait_for(3), "no fourth one", std::runtime_error);
}

TEST_CASE("a prefetcher that is given up makes nothing more once it is gone") {
    for (int round = 0; round < 50; ++round) {
        std::atomic<std::size_t> count = 0;
        std::optional<Prefetcher> prefetcher;
        prefetcher.emplace(0, 1'000'000, 1'000'000, [&](std::size_t) { ++count; });
        prefetcher->wait_for(0);
        prefetcher.reset();
        const std::size_t at_its_end = count.load();
        CHECK(at_its_end >= 1);
        std::this_thread::yield();
        CHECK(count.load() == at_its_end);
    }
}
