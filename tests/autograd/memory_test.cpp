// The pool: what it hands out, takes back and gives up. Under a sanitizer it is bypassed, and most of this holds
// trivially.

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd.hpp>
#include <xtape/autograd/fused_compiled.hpp>

#include "expect.hpp"

using namespace xtape;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool pooled = false;
#else
constexpr bool pooled = true;
#endif

// Statics are destroyed in reverse: this one, the first to be made, after all tensors with static storage in these
// tests.
struct LastOfAll {
    ~LastOfAll() {
        if (tape().nodes() != 0 || tape().bytes() != 0) {
            std::fputs("tensors with static storage left nodes on the tape\n", stderr);
            std::_Exit(EXIT_FAILURE);
        }
        {
            const auto x = parameter(3.0);
            const auto y = x * x;
            y.backward();
            if (x.grad().item() != 6.0) {
                std::fputs("the library no longer works while statics are destroyed\n", stderr);
                std::_Exit(EXIT_FAILURE);
            }
        }
        release_cached_memory();
        if (memory::reserved_bytes() != 0 && fused::kept_programs() == 0) {
            std::fprintf(stderr, "%zu bytes stay reserved though nothing is used any more\n", memory::reserved_bytes());
            std::_Exit(EXIT_FAILURE);
        }
    }
};
[[gnu::init_priority(101)]] const LastOfAll last_of_all;  // NOLINT(cert-err58-cpp)

struct StaticTensors {
    Tensor<double> weight = parameter(xt::xarray<double>{1.0, 2.0, 3.0});
    Tensor<double> loss = sum(exp(weight) * weight);
    Tensor<float> large = ones<float>({1'000'000});
    StaticTensors() { loss.backward({.create_graph = true}); }
};
const StaticTensors static_tensors;  // NOLINT(cert-err58-cpp)

std::vector<std::size_t> interesting_sizes() {
    std::vector<std::size_t> sizes;
    for (std::size_t n = 0; n <= 1100; ++n) {
        sizes.push_back(n);
    }
    for (std::size_t power = 1024; power <= (std::size_t{1} << 26); power *= 2) {
        for (const std::size_t eighth : {0U, 1U, 7U}) {
            const std::size_t at = power + eighth * (power / 8);
            sizes.insert(sizes.end(), {at - 1, at, at + 1});
        }
    }
    return sizes;
}

// A pattern that depends on the block, so that blocks that overlap are noticed.
void fill(void* block, std::size_t bytes, std::size_t key) {
    std::memset(block, static_cast<int>(key * 37 % 251), bytes);
}
bool holds(const void* block, std::size_t bytes, std::size_t key) {
    const auto* p = static_cast<const unsigned char*>(block);
    const auto expected = static_cast<unsigned char>(key * 37 % 251);
    for (std::size_t i = 0; i < bytes; ++i) {
        if (p[i] != expected) {
            return false;
        }
    }
    return true;
}

void train_a_little() {
    const auto w = parameter(full<float>({64, 32}, 0.01));
    const auto x = ones<float>({16, 32});
    for (int i = 0; i < 5; ++i) {
        sum(square(tanh(linear(x, w)))).backward();
        w.assign(w.value() - 0.1F * w.grad().value());
        w.zero_grad();
    }
}

}  // namespace

TEST_CASE("tensors that are made before main work there") {
    CHECK(static_tensors.large.size() == 1'000'000);
    CHECK(static_tensors.weight.has_grad());
    CHECK(static_tensors.weight.grad().requires_grad());
}

TEST_CASE("blocks are aligned to 32 bytes, and to 64 where that is promised") {
    for (const std::size_t bytes : interesting_sizes()) {
        CAPTURE(bytes);
        std::array<void*, 3> blocks{};
        for (void*& block : blocks) {
            block = memory::allocate(bytes);
            const auto address = reinterpret_cast<std::uintptr_t>(block);
            CHECK(address % 32 == 0);
            if ((bytes % 64 == 0 && bytes != 0) || bytes > 512) {
                CHECK(address % 64 == 0);
            }
        }
        for (void* block : blocks) {
            memory::deallocate(block, bytes);
        }
    }
}

TEST_CASE("blocks do not overlap, and all of each can be written") {
    std::vector<std::pair<void*, std::size_t>> blocks;
    for (const std::size_t bytes : interesting_sizes()) {
        if (bytes <= (std::size_t{1} << 20)) {
            blocks.emplace_back(memory::allocate(bytes), bytes);
            fill(blocks.back().first, bytes, blocks.size());
        }
    }
    for (std::size_t i = 0; i < blocks.size(); i += 2) {  // give back every other one, and take them again
        memory::deallocate(blocks[i].first, blocks[i].second);
    }
    for (std::size_t i = 0; i < blocks.size(); i += 2) {
        blocks[i].first = memory::allocate(blocks[i].second);
        fill(blocks[i].first, blocks[i].second, i + 1);
    }
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        CHECK(holds(blocks[i].first, blocks[i].second, i + 1));
        memory::deallocate(blocks[i].first, blocks[i].second);
    }
}

TEST_CASE("in steady state nothing more is reserved") {
    train_a_little();
    const std::size_t before = memory::reserved_bytes();
    CHECK((before > 0) == pooled);
    for (int i = 0; i < 200; ++i) {
        train_a_little();
    }
    CHECK(memory::reserved_bytes() == before);
}

TEST_CASE("steady state across threads: what one allocates and another frees comes round again") {
    const auto round = [] {
        std::vector<Tensor<double>> made;
        std::thread([&] {
            for (std::size_t i = 0; i < 3000; ++i) {
                made.push_back(exp(parameter(zeros<double>({i % 50}))));
            }
        }).join();
        made.clear();
    };
    for (int i = 0; i < 3; ++i) {
        round();
    }
    const std::size_t before = memory::reserved_bytes();
    for (int i = 0; i < 20; ++i) {
        round();
    }
    CHECK(memory::reserved_bytes() <= before + (std::size_t{2} << 20));
}

TEST_CASE("release_cached_memory gives back what nothing uses, and only that") {
    release_cached_memory();
    const std::size_t before = memory::reserved_bytes();
    {
        const auto kept = full<double>({200'000}, 1.5);
        std::vector<Tensor<float>> small;
        for (std::size_t i = 0; i < 100'000; ++i) {
            small.push_back(Tensor<float>(static_cast<double>(i)));
        }
        std::vector<Tensor<float>> large;
        for (std::size_t i = 1; i < 10; ++i) {
            large.push_back(ones<float>({i * 300'000}));
        }
        const std::size_t at_most = memory::reserved_bytes();
        CHECK((at_most > before) == pooled);
        large.clear();
        const Tensor<float> survivor = small[500];
        small.clear();
        release_cached_memory();
        CHECK((memory::reserved_bytes() < before + (at_most - before) / 2) == pooled);
        CHECK(survivor.item() == 500.0F);
        CHECK(kept.data()[199'999] == 1.5);
        const auto after = full<double>({200'000}, 2.5);  // and the pool goes on
        CHECK(after.data()[0] == 2.5);
        CHECK(kept.data()[0] == 1.5);
    }
    release_cached_memory();
    CHECK(memory::reserved_bytes() == before);
}

TEST_CASE("a thread that ends leaves nothing behind") {
    release_cached_memory();
    const std::size_t before = memory::reserved_bytes();
    std::thread(train_a_little).join();
    release_cached_memory();
    CHECK(memory::reserved_bytes() == before);
}

TEST_CASE("a thread that only frees leaves nothing behind either") {
    release_cached_memory();
    const std::size_t before = memory::reserved_bytes();
    for (int round = 0; round < 50; ++round) {
        std::vector<Tensor<double>> made;
        for (std::size_t n = 0; n < 2000; n += 5) {
            made.push_back(zeros<double>({n}));
        }
        std::thread([&] { made.clear(); }).join();
    }
    release_cached_memory();
    CHECK(memory::reserved_bytes() == before);
}

TEST_CASE("a thread whose thread-local objects make tensors as they die leaves nothing behind") {
    struct MakesTensors {
        Tensor<double> kept;
        ~MakesTensors() {
            for (std::size_t n = 1; n < 2000; n += 17) {  // of all small sizes
                const auto x = parameter(full<double>({n}, 2.0));
                sum(x * x).backward();
            }
            kept = Tensor<double>();
        }
    };
    release_cached_memory();
    const std::size_t before = memory::reserved_bytes();
    std::thread([] {
        static thread_local MakesTensors object;  // made before the thread's caches, and so dies after them
        object.kept = exp(parameter(full<double>({100}, 1.0)));
    }).join();
    release_cached_memory();
    CHECK(memory::reserved_bytes() == before);
}

TEST_CASE("what can't be allocated throws, and loses nothing") {
    const auto x = parameter(xt::xarray<double>{1.0, 2.0});
    const auto y = sum(x * x);
    const std::size_t nodes = tape().nodes();
    const std::size_t before = memory::reserved_bytes();
    // Beyond what a pointer difference can tell, beyond what the element count can tell.
    CHECK_THROWS_AS((void)memory::allocate(std::numeric_limits<std::size_t>::max()), std::bad_alloc);
    CHECK_THROWS_AS((void)memory::allocate(std::numeric_limits<std::size_t>::max() / 2), std::bad_alloc);
    CHECK_THROWS_AS((void)zeros<double>({std::size_t{1} << 60}), std::bad_alloc);
    CHECK_THROWS_AS((void)zeros<float>({std::size_t{1} << 61}), std::bad_alloc);
    CHECK_THROWS_AS((void)zeros<float>({std::size_t{1} << 40, std::size_t{1} << 40}), ValueError);
    CHECK_THROWS_AS((void)broadcast_to(sum(x), {std::size_t{1} << 60}), std::bad_alloc);
    if (pooled) {  // sanitizers stop the program instead
        // More than the address space holds: a size that is only refused by the system.
        CHECK_THROWS_AS((void)memory::allocate(std::size_t{1} << 48), std::bad_alloc);
        CHECK_THROWS_AS((void)zeros<float>({std::size_t{1} << 46}), std::bad_alloc);
        CHECK_THROWS_AS((void)broadcast_to(sum(x), {std::size_t{1} << 46}), std::bad_alloc);
    }
    CHECK(memory::reserved_bytes() == before);
    CHECK(tape().nodes() == nodes);
    y.backward();
    CHECK(expect::elements(x.grad()) == std::vector<double>{2.0, 4.0});
}

TEST_CASE("a vector in the pool's memory throws where its length can't be told in bytes") {
    memory::Allocator<double> allocator;
    CHECK_THROWS_AS((void)allocator.allocate(std::numeric_limits<std::size_t>::max() / sizeof(double) + 2),
                    std::bad_array_new_length);
    std::vector<double, memory::Allocator<double>> values(1000, 1.5);
    auto moved = std::move(values);
    moved.resize(5000, 2.5);
    CHECK(moved[999] == 1.5);
    CHECK(moved[4999] == 2.5);
}
