// What is alive on the tape, and that neither long nor wide graphs are special.

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <pthread.h>

#include <doctest/doctest.h>

#include <xtape/autograd.hpp>

#include "counted.hpp"
#include "expect.hpp"

using namespace xtape;
using expect::message;

namespace {

// 64 KiB for us; as much again for the thread-local data of OpenBLAS, which is taken from a thread's stack. Sanitizers
// put more on the stack than the program does.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t small_stack = 1024 * 1024;
#else
constexpr std::size_t small_stack = (64 + 64) * 1024;
#endif

/// Runs f on a thread that has room for no recursion, and waits for it.
void on_small_stack(std::function<void()> f) {
    pthread_attr_t attributes;
    REQUIRE(pthread_attr_init(&attributes) == 0);
    REQUIRE(pthread_attr_setstacksize(&attributes, small_stack) == 0);
    pthread_t thread{};
    const auto run = [](void* function) -> void* {
        (*static_cast<std::function<void()>*>(function))();
        return nullptr;
    };
    REQUIRE(pthread_create(&thread, &attributes, run, &f) == 0);
    REQUIRE(pthread_join(thread, nullptr) == 0);
    pthread_attr_destroy(&attributes);
}

// y = x, with a rule that holds a tensor, as a checkpoint's would.
struct Holding {
    static constexpr const char* name = "holding";
    Tensor<double> held;
    void operator()(RuleContext& context) const { context.give(0, context.gradient<double>()); }
};

struct SumOfSquares {
    static constexpr const char* name = "sum_of_squares";
    void operator()(RuleContext& context) const {
        for (std::size_t i = 0; i < context.input_count(); ++i) {
            context.give(i, 2.0 * context.gradient<double>() * context.input<double>(i));
        }
    }
};

// Chains that a recursion with the smallest of frames can't go down.
constexpr int long_chain = 1'000'000;
constexpr int chain_of_handles = 100'000;

Tensor<double> chain(const Tensor<double>& x, int length) {
    Tensor<double> y = x;
    for (int i = 0; i < length; ++i) {
        y = y + 1.0;
    }
    return y;
}

void record_replay_and_drop_a_long_chain() {
    const std::size_t nodes = tape().nodes();
    const std::size_t bytes = tape().bytes();
    const auto x = parameter(2.0);
    for (const bool replayed : {true, false}) {
        {
            const auto loss = chain(x, long_chain);
            CHECK(tape().nodes() == nodes + long_chain);
            CHECK(loss.item() == 2.0 + long_chain);
            if (replayed) {
                loss.backward();
                CHECK(x.grad().item() == 1.0);
            }
        }
        CHECK(tape().nodes() == nodes);
        CHECK(tape().bytes() == bytes);
    }
}

}  // namespace

TEST_CASE("a chain of a million ops records, replays and is destroyed") { record_replay_and_drop_a_long_chain(); }

TEST_CASE("a chain of a million ops needs no stack") { on_small_stack(record_replay_and_drop_a_long_chain); }

TEST_CASE("a chain of gradients of gradients needs no stack") {
    on_small_stack([] {
        const std::size_t nodes = tape().nodes();
        {
            const auto x = parameter(0.5);
            Tensor<double> y = x;
            for (int i = 0; i < chain_of_handles; ++i) {
                y = y * x - y;  // each of the gradient's ops depends on the ones before
            }
            y.backward({.create_graph = true});
            const auto g = x.grad();
            x.zero_grad();
            g.backward();
            CHECK(x.has_grad());
        }
        CHECK(tape().nodes() == nodes);
        CHECK(tape().bytes() == 0);
    });
}

TEST_CASE("a chain whose rules hold tensors is taken apart without recursion") {
    on_small_stack([] {
        const std::size_t nodes = tape().nodes();
        {
            const auto x = parameter(2.0);
            Tensor<double> y = x;
            for (int i = 0; i < chain_of_handles; ++i) {
                Tensor<double> next(y.value());
                record(Holding{y}, next.body(), {{y}});
                y = next;
            }
            y.backward();
            CHECK(x.grad().item() == 1.0);
        }
        CHECK(tape().nodes() == nodes);
    });
}

TEST_CASE("a chain whose hooks hold tensors is taken apart without recursion") {
    on_small_stack([] {
        const std::size_t nodes = tape().nodes();
        {
            Tensor<double> y = parameter(2.0);
            for (int i = 0; i < chain_of_handles; ++i) {
                const Tensor<double> next = y + 1.0;
                next.register_hook([y](const Tensor<double>& g) { return g; });
                y = next;
            }
        }
        CHECK(tape().nodes() == nodes);
    });
}

TEST_CASE("a node dies with the last handle that can reach it") {
    const std::size_t before = tape().nodes();
    const auto alive = [&] { return tape().nodes() - before; };
    const auto x = parameter(2.0);
    CHECK(alive() == 0);  // leaves don't count
    Tensor<double> h = x * x;
    Tensor<double> k = h + 1.0;
    Tensor<double> y = exp(h);
    CHECK(alive() == 3);
    h = Tensor<double>();
    CHECK(alive() == 3);
    k = Tensor<double>();
    CHECK(alive() == 2);
    y.backward({.retain_graph = true});
    CHECK(alive() == 2);
    Tensor<double> moved = std::move(y);
    CHECK(alive() == 2);
    moved = Tensor<double>(1.0);
    CHECK(alive() == 0);
}

TEST_CASE("an interior tensor that is kept keeps what lies behind it, and no more") {
    const std::size_t before = tape().nodes();
    const auto x = parameter(2.0);
    Tensor<double> kept;
    {
        Tensor<double> y = x;
        for (int i = 0; i < 10; ++i) {
            y = y * 1.5;
            if (i == 3) {
                kept = y;
            }
        }
        CHECK(tape().nodes() == before + 10);
    }
    CHECK(tape().nodes() == before + 4);
    kept.backward();
    CHECK(x.grad().item() == 1.5 * 1.5 * 1.5 * 1.5);
}

TEST_CASE("the tape's bytes are its nodes and what they saved, each buffer once") {
    const std::size_t before = tape().bytes();
    constexpr std::size_t payload = 8 * 1000;
    const auto x = parameter(ones<double>({1000}));
    const auto c = full<double>({1000}, 3.0);
    const auto sum_of_two = x + c;  // saves nothing
    const std::size_t node = tape().bytes() - before;
    CHECK(node > 0);
    CHECK(node <= 256);
    const auto first = c * x;  // saves c
    const std::size_t with_c = tape().bytes() - before;
    CHECK(with_c >= payload);
    CHECK(with_c < 2 * payload);
    const auto second = c * x;  // saves c once more
    CHECK(tape().bytes() - before < 2 * payload);
    first.backward(ones<double>({1000}));
    CHECK(tape().bytes() - before >= payload);  // `second` still saves it
    second.backward(ones<double>({1000}));
    CHECK(tape().bytes() - before < payload);
}

TEST_CASE("a replay lets go of what was saved while the handles live on, unless it is to be retained") {
    const std::size_t before = tape().bytes();
    const auto x = parameter(ones<double>({1000}));
    const auto y = sum(exp(x));
    y.backward({.retain_graph = true});
    CHECK(tape().bytes() - before >= 8000);
    y.backward();
    CHECK(tape().bytes() - before < 1000);
    CHECK(y.item() == doctest::Approx(2718.281828459045));
}

TEST_CASE("a replay without create_graph records nothing") {
    const auto x = parameter(xt::xarray<double>{{1.0, 2.0}, {3.0, 4.0}});
    const auto y = sum(tanh(matmul(x, x)) * x / (x + 1.0) - logsumexp(x, 1));
    const std::size_t nodes = tape().nodes();
    y.backward({.retain_graph = true});
    CHECK(tape().nodes() == nodes);
    y.backward();
    CHECK(tape().nodes() == nodes);
}

TEST_CASE("a sum of a hundred thousand parameters replays, and each gets its gradient") {
    constexpr std::size_t count = 100'000;
    std::vector<Tensor<float>> leaves;
    for (std::size_t i = 0; i < count; ++i) {
        leaves.push_back(parameter(1.0F));
    }
    Tensor<float> total = 0.0F;
    for (std::size_t i = 0; i < count; ++i) {
        total = total + static_cast<float>(i % 7) * leaves[i];
    }
    total.backward();
    std::size_t right = 0;
    for (std::size_t i = 0; i < count; ++i) {
        right += leaves[i].grad().item() == static_cast<float>(i % 7) ? 1 : 0;
    }
    CHECK(right == count);
}

TEST_CASE("one node may have thousands of inputs; more than it can count are refused") {
    const auto join = [](std::size_t count) {
        std::vector<Tensor<double>> parts;
        for (std::size_t i = 0; i < count; ++i) {
            parts.push_back(parameter(xt::xarray<double>{static_cast<double>(i)}));
        }
        const auto joined = concatenate(parts);
        CHECK(joined.size() == count);
        CHECK(joined.data()[count - 1] == static_cast<double>(count - 1));
        joined.backward(arange<double>(static_cast<double>(count)));
        std::size_t right = 0;
        for (std::size_t i = 0; i < count; ++i) {
            right += parts[i].grad().item() == static_cast<double>(i) ? 1 : 0;
        }
        CHECK(right == count);
    };
    const std::size_t before = tape().nodes();
    join(2'000);
    join(std::numeric_limits<std::uint16_t>::max());
    CHECK(tape().nodes() == before);
    CHECK(message<ValueError>([&] { join(std::numeric_limits<std::uint16_t>::max() + std::size_t{1}); }) ==
          "concatenate: 65536 inputs are more than one op can record; join them in groups");
    CHECK(tape().nodes() == before);
}

TEST_CASE("a node may save hundreds of values") {
    constexpr std::size_t count = 300;  // more than a byte counts
    std::vector<Tensor<double>> xs;
    std::vector<RecordedInput> inputs;
    for (std::size_t i = 0; i < count; ++i) {
        xs.push_back(parameter(static_cast<double>(i)));
    }
    for (const auto& x : xs) {
        inputs.emplace_back(x, true);
    }
    const std::size_t before = tape().nodes();
    try {
        Tensor<double> y = Tensor<double>::uninitialized({});
        *y.fresh_data() = 0.0;
        record(SumOfSquares{}, y.body(), std::span<const RecordedInput>(inputs));
        y.backward();
        CHECK(xs[count - 1].grad().item() == 2.0 * (count - 1));
    } catch (const ValueError& error) {
        CHECK(std::string(error.what()).find("255") != std::string::npos);
    }
    CHECK(tape().nodes() == before);
}

TEST_CASE("shapes of more axes than are stored inline live and die with their nodes") {
    const std::size_t before = tape().nodes();
    {
        const auto x = parameter(ones<double>({1, 2, 1, 3, 1, 2}));
        const auto y = transpose(x * 2.0);
        CHECK(y.shape() == Shape{2, 1, 3, 1, 2, 1});
        sum(y * y).backward();
        CHECK(x.grad().shape() == x.shape());
        CHECK(expect::elements(x.grad()) == std::vector<double>(12, 8.0));
    }
    CHECK(tape().nodes() == before);
}

TEST_CASE("a thread begins with recording on, whatever an earlier thread left behind") {
    std::thread([] {
        (void)tape();
        set_recording(false);
    }).join();
    bool records = false;
    std::thread([&] { records = is_recording(); }).join();
    CHECK(records);
    CHECK(is_recording());
}

TEST_CASE("recording is switched off on one thread only") {
    const NoGradGuard guard;
    bool records = false;
    std::thread([&] { records = is_recording(); }).join();
    CHECK(records);
    CHECK_FALSE(is_recording());
}
