#include <algorithm>
#include <cstddef>

#include <doctest/doctest.h>

#include <xtape/data.hpp>

#include "interposed.hpp"

using namespace xtape;
using namespace xtape::testing;

namespace {

// Batches whose tensors are small blocks of the pool (row_size 8), and large ones (512).
class Loop {
public:
    Loop(std::size_t row_size, std::size_t prefetch)
        : loader_(data::Dataset{xt::xarray<float>::from_shape({1000, row_size}),
                                xt::xarray<int>::from_shape({std::size_t{1000}})},
                  {.batch_size = 64, .prefetch = prefetch}) {}

    /// The allocator calls of whole epochs, their beginnings and ends included.
    AllocatorCalls epochs(int count) {
        return count_allocator_calls([&] {
            for (int epoch = 0; epoch < count; ++epoch) {
                for ([[maybe_unused]] auto& batch : loader_) {
                }
            }
        });
    }
    /// The allocator calls from the second batch of an epoch to its last.
    AllocatorCalls rest_of_an_epoch() {
        auto batch = loader_.begin();
        ++batch;
        trace_next_call();
        return count_allocator_calls([&] {
            while (++batch != loader_.end()) {
            }
        });
    }

private:
    data::DataLoader<float, int> loader_;
};

}  // namespace

TEST_CASE("a loader in steady state makes no allocator call, epoch after epoch") {
    if (!counts_allocator_calls) {
        MESSAGE("not counted under a sanitizer");
        return;
    }
    for (const std::size_t row_size : {8U, 512U}) {
        CAPTURE(row_size);
        Loop loop(row_size, 0);
        CHECK(total(loop.epochs(1)) > 0);
        (void)loop.epochs(3);
        const AllocatorCalls steady = loop.epochs(20);
        CHECK_MESSAGE(total(steady) == 0, describe(steady));
    }
}

TEST_CASE(
    "with prefetch a loop makes no allocator call between its first batch and its last, and few to start a thread") {
    if (!counts_allocator_calls) {
        MESSAGE("not counted under a sanitizer");
        return;
    }
    for (const std::size_t row_size : {8U, 512U}) {
        for (const std::size_t prefetch : {1U, 4U}) {
            CAPTURE(row_size);
            CAPTURE(prefetch);
            Loop loop(row_size, prefetch);
            (void)loop.epochs(20);
            for (int epoch = 0; epoch < 20; ++epoch) {
                const AllocatorCalls steady = loop.rest_of_an_epoch();
                CHECK_MESSAGE(total(steady) == 0, describe(steady), "; the first call:", traced_call());
            }
            const AllocatorCalls whole = loop.epochs(20);
            CHECK_MESSAGE(total(whole) <= 20 * 8, describe(whole));
        }
    }
}
