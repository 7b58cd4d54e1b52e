// checkpoint: running its function again. Random numbers, modules that count, hooks, threads, and what must not change
// in between.

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd/checkpoint.hpp>
#include <xtape/nn.hpp>

#include "expect.hpp"
#include "short_names.hpp"

using namespace xtape;
using expect::elements;
using expect::message;
using short_names::a;
using short_names::b;
using short_names::Value;
using short_names::Values;

TEST_CASE("dropout drops again what it dropped, from random::seed and from a seed of its own") {
    for (const bool own_seed : {false, true}) {
        CAPTURE(own_seed);
        const auto run = [&](auto wrapped) {
            random::seed(11);
            nn::Sequential<double> net(nn::Linear<double>(8, 16),
                                       nn::Dropout<double>(0.5, {.seed = own_seed ? std::optional(3) : std::nullopt}),
                                       nn::Linear<double>(16, 4), nn::Dropout<double>(0.3));
            Value x = random::normal<double>({5, 8});
            x = parameter(x);
            std::vector<Values> results;
            for (int step = 0; step < 3; ++step) {
                const Value y = wrapped(net, x);
                results.push_back(elements(y));
                sum(square(y)).backward();
            }
            results.push_back(elements(x.grad()));
            for (const Value& p : net.parameters()) {
                results.push_back(elements(p.grad()));
            }
            results.push_back(elements(random::normal<double>({4})));
            results.push_back(elements(net(x)));
            return results;
        };
        using Net = nn::Sequential<double>;
        const auto plain = run([](Net& net, const Value& x) { return net(x); });
        CHECK(run([](Net& net, const Value& x) { return checkpoint(std::ref(net), x); }) == plain);
        CHECK(run([](Net& net, const Value& x) {
                  return checkpoint([&](const Value& at) { return checkpoint(std::ref(net), at); }, x);
              }) == plain);
        CHECK(plain[0] != plain[1]);
    }
}

TEST_CASE("random numbers come out again in derivatives of higher order, and each time a graph is replayed") {
    random::seed(4);
    const auto noisy = [](const Value& x) { return sum(random::normal<double>({3}) * cube(x)); };
    const auto x = parameter(a);
    random::seed(9);
    const Value plain = noisy(x);
    random::seed(9);
    const Value y = checkpoint(noisy, x);
    CHECK(y.item() == plain.item());
    const Values next = elements(random::normal<double>({2}));
    const auto orders = [&](const Value& of) {
        const Value slope = grad(of, {x}, {.retain_graph = true, .create_graph = true})[0];
        return std::vector{elements(slope), elements(grad(sum(slope), {x}, {.retain_graph = true})[0])};
    };
    CHECK(orders(y) == orders(plain));
    CHECK(orders(y) == orders(plain));
    random::seed(9);
    (void)random::normal<double>({3});
    CHECK(elements(random::normal<double>({2})) == next);
}

TEST_CASE("BatchNorm1d averages what it sees once, also where a checkpoint runs it again") {
    const auto run = [](bool with_checkpoint) {
        nn::BatchNorm1d<double> norm(3);
        random::seed(2);
        const auto x = parameter(random::normal<double>({6, 3}));
        const Value y = with_checkpoint ? checkpoint(std::ref(norm), x) : norm(x);
        y.backward(random::normal<double>({6, 3}));
        std::vector<Values> results{elements(x.grad())};
        norm.eval();
        results.push_back(elements(norm(x)));  // by the running statistics
        return results;
    };
    CHECK(run(true) == run(false));
}

TEST_CASE("is_recomputing tells a run for the replay from the first") {
    std::vector<bool> runs;
    const auto f = [&](const Value& x) {
        runs.push_back(is_recomputing());
        return square(x);
    };
    const auto x = parameter(3.0);
    checkpoint(f, x).backward();
    CHECK(runs == std::vector{false, true});
    CHECK_FALSE(is_recomputing());
    runs.clear();
    checkpoint([&](const Value& v) { return checkpoint(f, v); }, x).backward();
    CHECK(runs == std::vector{false, true, true});
}

TEST_CASE("a graph with checkpoints can be replayed as often as it is retained") {
    const auto x = parameter(a);
    const Value y = checkpoint([](const Value& v) { return exp(v) * v; }, sin(x));
    y.backward(b, {.retain_graph = true});
    const Value once = x.grad();
    y.backward(b);
    CHECK(elements(x.grad()) == elements(2.0 * once));
    CHECK(message<GraphError>([&] { y.backward(b); }).find("'checkpoint'") != std::string::npos);
}

TEST_CASE("hooks on what a checkpoint depends on run once a replay, with the whole gradient") {
    const auto x = parameter(2.0);
    const auto w = parameter(3.0);
    std::vector<double> seen;
    const auto watch = [&](const Value& g) {
        seen.push_back(g.item());
        return g;
    };
    (void)x.register_hook(watch);
    (void)w.register_hook(watch);
    (checkpoint([=](const Value& v) { return v * w * w; }, x) + x).backward();
    std::ranges::sort(seen);
    CHECK(seen == Values{10.0, 12.0});
    CHECK(x.grad().item() == 10.0);
    CHECK(w.grad().item() == 12.0);
}

TEST_CASE("inputs that the function does not use, and that are not wanted, get no gradient") {
    const auto x = parameter(a);
    const auto unused = parameter(b);
    const auto w = parameter(b);
    const auto f = [=](const Value& p, const Value&, const Value& c) { return sum(p * w * c); };
    const Value y = checkpoint(f, x, unused, a);
    CHECK(elements(grad(y, {w}, {.retain_graph = true})[0]) == elements(a * a));
    CHECK(message<GraphError>([&] { (void)grad(y, {unused}, {.retain_graph = true}); }).find("does not depend") !=
          std::string::npos);
    y.backward();
    CHECK(elements(x.grad()) == elements(b * a));
    CHECK_FALSE(unused.has_grad());
}

TEST_CASE("a checkpoint may be replayed on another thread than the one that recorded it") {
    const auto gradient = [](bool elsewhere) {
        random::seed(6);
        const auto x = parameter(a);
        const auto w = parameter(b);
        const Value y =
            sum(checkpoint([=](const Value& v) { return exp(v * w) * random::normal<double>({3}); }, sin(x)));
        elsewhere ? std::thread([&] { y.backward(); }).join() : y.backward();
        return std::vector{elements(x.grad()), elements(w.grad())};
    };
    CHECK(gradient(true) == gradient(false));
}

TEST_CASE("a captured graph of another thread is gone on with, not run again") {
    const auto w = parameter(b);
    Value h;
    std::thread([&] {
        for (int i = 0; i < 1000; ++i) {
            h = w * 2.0;  // its counter is ahead of this thread's
        }
    }).join();
    checkpoint([=](const Value& x) { return sum(x * h * h); }, a).backward();
    CHECK(elements(w.grad()) == elements(8.0 * a * b));
}

TEST_CASE("what is overwritten before the replay is noticed before anything runs") {
    for (const bool captured : {false, true}) {
        const auto x = parameter(a);
        const auto w = parameter(b);
        int runs = 0;
        const auto f = [=, &runs](const Value& v) {
            ++runs;
            return sum(v * w);
        };
        const Value y = checkpoint(f, x);
        (captured ? w : x).assign(a);
        CHECK(
            message<GraphError>([&] { y.backward(); }).starts_with("backward: 'checkpoint' of shape () saved a leaf"));
        CHECK(runs == 1);
        CHECK_FALSE(x.has_grad());
        CHECK_FALSE(w.has_grad());
    }
}

TEST_CASE("a function that does not do the same again is refused, and no gradient is touched") {
    const auto x = parameter(a);
    const auto w = parameter(b);
    const auto refusal = [&](auto first, auto again) {
        const auto f = [=](const Value& v) { return is_recomputing() ? Value(again(v)) : Value(first(v)); };
        const Value y = sum(checkpoint(f, x * 1.0)) + sum(x * w);
        const std::string text = message<GraphError>([&] { y.backward(); });
        CHECK_FALSE(x.has_grad());
        CHECK_FALSE(w.has_grad());
        return text;
    };
    const auto squares = [](const Value& v) { return square(v); };
    CHECK(refusal(squares, [](const Value& v) { return sum(v); }) ==
          "checkpoint: the function returns shape () when it is run again, and recorded shape (3,) the first time; it "
          "must do the same each time");
    CHECK(refusal(squares, [](const Value& v) { return v.detach(); }).find("nothing recorded") != std::string::npos);
    CHECK(
        refusal(squares, [=](const Value& v) { return v * w; }) ==
        "checkpoint: run again, the function uses a recorded tensor ('parameter', shape (3,)) that it did not use the "
        "first time; capture tensors by value, and make parameters outside of the function");
    CHECK(refusal([](const Value& v) { return v * random::normal<double>({}); },
                  [](const Value& v) { return v * random::normal<double>({}) * random::normal<double>({}); }) ==
          "checkpoint: the function draws random numbers more often when it is run again than the 1 times when it was "
          "recorded; it must do the same each time");
    const auto thrower = [](const Value& v) {
        if (is_recomputing()) {
            throw std::domain_error("its own");
        }
        return square(v);
    };
    CHECK_THROWS_AS((checkpoint(thrower, x) * x).backward(a), std::domain_error);
    CHECK_FALSE(is_recomputing());
    CHECK_FALSE(x.has_grad());
    const std::size_t nodes = tape().nodes();
    CHECK_THROWS_AS((void)checkpoint([](const Value&) -> Value { throw std::domain_error("at once"); }, x),
                    std::domain_error);
    CHECK(tape().nodes() == nodes);
}

TEST_CASE("the function is kept with the node, and no longer") {
    auto held = std::make_unique<Value>(b);
    const Value* where = held.get();
    const auto x = parameter(a);
    std::weak_ptr<int> alive;
    {
        auto token = std::make_shared<int>(0);
        alive = token;
        // A function that can only be moved.
        const Value y = checkpoint(
            [held = std::move(held), token = std::move(token)](const Value& v) { return sum(v * *held); }, x);
        CHECK_FALSE(alive.expired());
        y.backward();
        CHECK(elements(x.grad()) == elements(*where));
    }
    CHECK(alive.expired());
}
