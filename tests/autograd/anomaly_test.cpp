// AnomalyGuard: what its errors say, and that it changes nothing else.

#include <limits>
#include <memory>
#include <thread>

#include <doctest/doctest.h>

#include <xtape/autograd.hpp>
#include <xtape/autograd/anomaly.hpp>
#include <xtape/autograd/inner_recording.hpp>

#include "expect.hpp"

using namespace xtape;
using expect::elements;
using expect::message;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

bool contains(const std::string& text, const std::string& part) {
    if (text.find(part) != std::string::npos) {
        return true;
    }
    MESSAGE("not in: ", text);
    return false;
}

// The message up to where the stack begins, which is the compiler's.
std::string before_stack(const std::string& text) { return text.substr(0, text.find("  recorded in:")); }

Tensor<double> matrix() { return parameter(xt::xarray<double>{{1.0, -2.0, 4.0}, {0.0, 2.0, 8.0}}); }

}  // namespace

// Outside namespaces, neither inlined nor gone when log is called: the message is to name it.
[[gnu::noinline]] Tensor<double> logarithm_of_the_user(const Tensor<double>& x) { return log(x) + 1.0; }

TEST_CASE("an op that makes a NaN or an infinity is named, with shapes and the range of what it read") {
    const auto x = matrix();
    const AnomalyGuard guard;
    const std::string text = message<AnomalyError>([&] { logarithm_of_the_user(x); });
    CHECK(before_stack(text) ==
          "AnomalyGuard: 'log' made a value that is not finite: 1 NaN, 1 infinity of 6, the first at (0, 1)\n"
          "  forward\n"
          "  output of shape (2, 3): min 0, max 2.07944; 1 NaN, 1 infinity of 6, the first at (0, 1)\n"
          "  input 0 of shape (2, 3): min -2, max 8; all finite\n");
}

TEST_CASE("the message tells where in the program the op was recorded, beginning with the caller of xtape") {
    const auto x = matrix();
    const AnomalyGuard guard;
    const std::string text = message<AnomalyError>([&] { logarithm_of_the_user(x); });
    CHECK(contains(text, "  recorded in:\n    logarithm_of_the_user(xtape::Tensor<double> const&) ["));
    CHECK(contains(text, "\n    main ["));
    CHECK(contains(text, "\n  files and lines: addr2line -Cfipe "));
    CHECK(text.find("main [") == text.rfind("main ["));
}

TEST_CASE("a rule that gives an infinity is named, with the gradient that it got and what it read") {
    const auto x = parameter(xt::xarray<double>{4.0, 0.0});
    const AnomalyGuard guard;
    const auto y = sum(sqrt(x));
    const std::string text = message<AnomalyError>([&] { y.backward(); });
    CHECK(before_stack(text) ==
          "AnomalyGuard: the rule of 'sqrt' gave a gradient that is not finite: 0 NaN, 1 infinity of 2, "
          "the first at (1,)\n"
          "  replay, output of shape (2,)\n"
          "  gradient of input 0 of shape (2,): min 0.25, max 0.25; 0 NaN, 1 infinity of 2, the first "
          "at (1,)\n"
          "  gradient of its output of shape (2,): min 1, max 1; all finite\n"
          "  input 0 of shape (2,): its value is not kept\n"
          "  its output of shape (2,): min 0, max 2; all finite\n");
}

TEST_CASE("in a replay the stack is that of the recording, and of what was recorded before the guard there is none") {
    const auto x = parameter(xt::xarray<double>{1e-200, 1.0});
    const auto record_power = [&] { return sum(pow(x, -1.0)); };
    SUBCASE("recorded under the guard") {
        const AnomalyGuard guard;
        const auto y = record_power();
        const std::string text = message<AnomalyError>([&] { y.backward(); });
        CHECK(contains(text, "  recorded in:\n"));
        CHECK(contains(text, "the rule of 'pow'"));
    }
    SUBCASE("recorded before") {
        const auto y = record_power();
        const AnomalyGuard guard;
        const std::string text = message<AnomalyError>([&] { y.backward(); });
        CHECK(contains(text, "recorded where this guard did not see it: let it live while the value is made"));
        CHECK_FALSE(text.find("recorded in:") != std::string::npos);
    }
}

TEST_CASE("a gradient that a seed or a hook spoilt is told from one that a rule did") {
    const auto x = parameter(xt::xarray<double>{1.0, 2.0});
    const AnomalyGuard guard;
    const std::string note = "    not from a rule under this guard: from the seed or a hook\n";
    SUBCASE("seed") {
        const auto y = 2.0 * x;
        const std::string text = message<AnomalyError>([&] { y.backward(ones_like(x) * infinity); });
        CHECK(contains(text, note));
    }
    SUBCASE("hook") {
        const auto y = 2.0 * x;
        y.register_hook([](const Tensor<double>& g) { return g / 0.0; });
        const std::string text = message<AnomalyError>([&] { sum(y).backward(); });
        CHECK(contains(text, note));
        CHECK(contains(text, "the rule of 'multiply'"));
    }
    SUBCASE("rule") {
        const auto y = sum(sqrt(x - 1.0));
        const std::string text = message<AnomalyError>([&] { y.backward(); });
        CHECK(text.find(note) == std::string::npos);
    }
}

TEST_CASE("gradients that are finite one by one and overflow in their sum are caught where they meet") {
    const auto x = parameter(0.0);
    const AnomalyGuard guard;
    const auto h = 1.0 * x;
    const auto y = 1.5e308 * h + 1.5e308 * h;
    CHECK(contains(message<AnomalyError>([&] { y.backward(); }),
                   "the rule of 'multiply' gave a gradient that is not finite"));
}

TEST_CASE("an op recorded by a replay under create_graph says whose rule it belongs to") {
    const auto x = parameter(xt::xarray<double>{0.0, 1.0});
    const AnomalyGuard guard;
    const auto y = sum(sqrt(x));
    const std::string text = message<AnomalyError>([&] { y.backward({.create_graph = true}); });
    CHECK(contains(text, "\n  forward, recorded by the replay of 'sqrt'\n"));
}

TEST_CASE("after a replay, whether it threw or not, an op is forward again") {
    const auto x = parameter(0.0);
    const AnomalyGuard guard;
    SUBCASE("it did not") { square(x).backward({.create_graph = true}); }
    SUBCASE("it threw") {
        const auto y = sqrt(x);
        CHECK_THROWS_AS(y.backward({.create_graph = true}), AnomalyError);
    }
    CHECK(contains(message<AnomalyError>([&] { (void)log(x); }), "\n  forward\n"));
}

TEST_CASE("a node of another thread's is not taken for one of this thread's that lay in its place") {
    const auto x = parameter(0.0);
    const AnomalyGuard guard;
    auto y = sqrt(x);
    std::thread([&] {
        y = Tensor<double>();
        y = sqrt(x);
    }).join();
    CHECK(contains(message<AnomalyError>([&] { y.backward(); }), "recorded where this guard did not see it"));
}

TEST_CASE("an anomaly leaves gradients, handles and the tape as they were") {
    const auto x = parameter(xt::xarray<double>{4.0, 0.0});
    const auto w = parameter(xt::xarray<double>{1.0, 2.0});
    (x + w).backward(ones_like(x));
    const std::size_t nodes = tape().nodes();
    const std::size_t bytes = tape().bytes();
    SUBCASE("forward") {
        const AnomalyGuard guard;
        CHECK_THROWS_AS(w / x, AnomalyError);
        CHECK_THROWS_AS(concatenate({w, log(x)}, 0), AnomalyError);
    }
    SUBCASE("forward, of an op whose rule has parameters to destroy") {
        const AnomalyGuard guard;
        const auto bad = matrix().detach() / 0.0;  // a constant: nothing is recorded
        CHECK_THROWS_AS(take(parameter(bad), xt::xarray<int>{1, 0}, 0), AnomalyError);
        CHECK_THROWS_AS(custom("mine", bad, {w}, [held = w](const Tensor<double>& g) { return std::vector{held * g}; }),
                        AnomalyError);
    }
    SUBCASE("replay") {
        const AnomalyGuard guard;
        const auto y = sum(w * sqrt(x));
        CHECK_THROWS_AS(y.backward({.retain_graph = true}), AnomalyError);
        CHECK_THROWS_AS(y.backward(), AnomalyError);
        CHECK_THROWS_AS(y.backward(), GraphError);  // spent
    }
    CHECK(elements(x.grad()) == std::vector{1.0, 1.0});
    CHECK(elements(w.grad()) == std::vector{1.0, 1.0});
    CHECK(tape().nodes() == nodes);
    CHECK(tape().bytes() == bytes);
}

TEST_CASE("without a guard, and after one has ended, infinities go through") {
    const auto x = parameter(xt::xarray<double>{0.0, 1.0});
    const auto run = [&] {
        x.zero_grad();
        sum(sqrt(x) + log(x)).backward();
        return elements(x.grad());
    };
    const auto expected = run();
    CHECK(expected[0] == infinity);
    {
        const AnomalyGuard guard;
        CHECK_THROWS_AS(run(), AnomalyError);
    }
    CHECK(run() == expected);
}

TEST_CASE("where all is finite a guard changes no number") {
    const auto run = [] {
        const auto x = matrix();
        const auto y = sum(tanh(x) * x + exp(-square(x)), 0);
        sum(y / 3.0).backward();
        return elements(x.grad());
    };
    const auto expected = run();
    const AnomalyGuard guard;
    CHECK(run() == expected);
}

TEST_CASE("float is watched as double is") {
    const auto x = parameter(xt::xarray<float>{3e38F, 1.0F});
    const AnomalyGuard guard;
    CHECK(contains(message<AnomalyError>([&] { (void)(x * 2.0); }),
                   "'multiply' made a value that is not finite: 0 NaN, 1 infinity of 2"));
}

TEST_CASE("an op of the user's is called by its own name, forward and in the replay") {
    const auto x = parameter(1.0);
    const AnomalyGuard guard;
    const auto spoilt = [](const Tensor<double>& g) { return std::vector{g / 0.0}; };
    CHECK(contains(message<AnomalyError>([&] { (void)custom("mine", Tensor<double>(infinity), {x}, spoilt); }),
                   "'mine' made a value that is not finite"));
    const auto y = custom("mine", x, {x}, spoilt);
    CHECK(contains(message<AnomalyError>([&] { y.backward(); }), "the rule of 'mine' gave a gradient"));
}

TEST_CASE("the transforms' own marks and stand-ins are no anomalies") {
    const auto x = parameter(xt::xarray<double>{0.5, 1.0});
    const AnomalyGuard guard;
    { const Tensor<float> leaves_a_nan_in_its_block(std::numeric_limits<float>::quiet_NaN()); }
    CHECK_NOTHROW(InnerRecording());
    const auto f = [](const Tensor<double>& v) { return sum(v * v * v); };
    CHECK(elements(hessian(f, x)) == std::vector{3.0, 0.0, 0.0, 6.0});
    sum(checkpoint([](const Tensor<double>& v) { return exp(v) * v; }, x)).backward();
    CHECK(x.has_grad());
}

TEST_CASE("guards nest, and the outer one goes on after the inner one") {
    const auto x = parameter(0.0);
    const AnomalyGuard outer;
    {
        const AnomalyGuard inner;
        CHECK_THROWS_AS(log(x), AnomalyError);
    }
    CHECK_THROWS_AS(log(x), AnomalyError);
}

TEST_CASE("guards may end in any order") {
    const auto x = parameter(0.0);
    auto first = std::make_unique<AnomalyGuard>();
    auto second = std::make_unique<AnomalyGuard>();
    first.reset();
    CHECK_THROWS_AS(log(x), AnomalyError);
    second.reset();
    CHECK(log(x).item() == -infinity);
}

TEST_CASE("a guard that a hook ends in the midst of a replay is asked no more") {
    const auto x = parameter(xt::xarray<double>{0.0, 1.0});
    auto guard = std::make_unique<AnomalyGuard>();
    const auto h = sqrt(x);
    h.register_hook([&](const Tensor<double>& g) {
        guard.reset();
        return g;
    });
    sum(h).backward();
    CHECK(elements(x.grad()) == std::vector{infinity, 0.5});
}

TEST_CASE("other threads are not watched") {
    const AnomalyGuard guard;
    double value = 0.0;
    std::thread([&] { value = log(parameter(0.0)).item(); }).join();
    CHECK(value == -infinity);
}

TEST_CASE("what recorded no node is not looked at") {
    const AnomalyGuard guard;
    CHECK(log(Tensor<double>(0.0)).item() == -infinity);
    const NoGradGuard no_grad_guard;
    CHECK(log(parameter(0.0)).item() == -infinity);
}
