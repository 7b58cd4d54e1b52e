// When a replay fails midway: leaves keep their gradients, and the graph counts as spent unless it was retained.

#include <cmath>
#include <functional>
#include <new>
#include <stdexcept>
#include <string>

#include <doctest/doctest.h>

#include <xtape/autograd.hpp>

#include "counted.hpp"
#include "expect.hpp"

using namespace xtape;
using expect::message;

namespace {

struct Thrown : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Three leaves: one with a gradient from before, one without, one that the failing replay never reaches.
struct Fixture {
    Tensor<double> with = parameter(2.0);
    Tensor<double> without = parameter(3.0);
    Tensor<double> held;
    bool fails = true;
    std::function<void(RuleContext&)> rule = [](RuleContext&) {};

    Fixture() {
        (5.0 * with).backward();
        held = with.grad();
    }

    // with · without, through a node whose rule is `rule`. The product's own rule and `with`'s contribution come first.
    [[nodiscard]] Tensor<double> loss() { return with * counted::identity(exp(without), rule); }

    void check_untouched() const {
        CHECK(with.grad().ref() == held.ref());
        CHECK(held.item() == 5.0);
        CHECK_FALSE(without.has_grad());
        CHECK(is_recording());
    }

    void check_works(const Tensor<double>& y) const {
        y.backward();
        CHECK(with.grad().item() == doctest::Approx(5.0 + std::exp(3.0)));
        CHECK(without.grad().item() == doctest::Approx(2.0 * std::exp(3.0)));
        CHECK(held.item() == 5.0);
    }

    // Fails with E once and looks at what is left.
    template <class E>
    void check_fails(const Tensor<double>& y, bool retain) {
        fails = true;
        CHECK_THROWS_AS(y.backward({.retain_graph = retain}), E);
        check_untouched();
        fails = false;
        if (retain) {
            check_works(y);
        } else {
            CHECK(message<GraphError>([&] { y.backward(); }).find("ask for it the first time") != std::string::npos);
            check_untouched();
        }
    }
};

template <class F>
void with_and_without_retaining(F f) {
    SUBCASE("retained") { f(true); }
    SUBCASE("not retained") { f(false); }
}

}  // namespace

TEST_CASE("a throwing hook leaves every leaf's gradient as it was") {
    with_and_without_retaining([](bool retain) {
        Fixture f;
        const auto hook = [&](const Tensor<double>& g) {
            if (f.fails) {
                throw Thrown("the hook");
            }
            return g;
        };
        SUBCASE("on an interior tensor") {
            const auto h = exp(f.without);
            h.register_hook(hook);
            f.check_fails<Thrown>(f.with * h, retain);
        }
        SUBCASE("on the output itself") {
            const auto y = f.loss();
            y.register_hook(hook);
            f.check_fails<Thrown>(y, retain);
        }
        SUBCASE("on a leaf, after everything else") {
            const auto y = f.loss();
            f.without.register_hook(hook);
            f.check_fails<Thrown>(y, retain);
        }
    });
}

TEST_CASE("a throwing rule leaves every leaf's gradient as it was") {
    with_and_without_retaining([](bool retain) {
        Fixture f;
        f.rule = [&](RuleContext&) {
            if (f.fails) {
                throw Thrown("the rule");
            }
        };
        f.check_fails<Thrown>(f.loss(), retain);
    });
}

TEST_CASE("memory that runs out midway leaves every leaf's gradient as it was") {
    with_and_without_retaining([](bool retain) {
        Fixture f;
        f.rule = [&](RuleContext&) {
            if (f.fails) {
                (void)Tensor<double>::uninitialized({std::size_t{1} << 60});
            }
        };
        f.check_fails<std::bad_alloc>(f.loss(), retain);
    });
}

TEST_CASE("a hook's gradient of another shape is refused, and nothing has changed") {
    with_and_without_retaining([](bool retain) {
        Fixture f;
        const auto h = exp(f.without);
        h.register_hook([&](const Tensor<double>& g) { return f.fails ? reshape(g, {1, 1}) : g; });
        f.check_fails<ShapeError>(f.with * h, retain);
    });
}

TEST_CASE("grad() that fails changes nothing either") {
    Fixture f;
    f.rule = [](RuleContext&) { throw Thrown("the rule"); };
    const auto y = f.loss();
    CHECK_THROWS_AS((void)grad(y, {f.with, f.without}), Thrown);
    f.check_untouched();
    CHECK_THROWS_AS((void)grad(y, {f.with, f.without}), GraphError);
}

TEST_CASE("a failure under create_graph records nothing that stays") {
    const std::size_t before = tape().nodes();
    {
        Fixture f;
        f.rule = [](RuleContext&) { throw Thrown("the rule"); };
        const auto y = f.loss();
        const std::size_t nodes = tape().nodes();
        CHECK_THROWS_AS(y.backward({.create_graph = true}), Thrown);
        CHECK(tape().nodes() == nodes);
        f.check_untouched();
    }
    CHECK(tape().nodes() == before);
}

TEST_CASE("an inner replay that fails in a hook, and is caught there, does not disturb the outer one") {
    Fixture f;
    const auto x = parameter(4.0);
    const auto h = x * x;
    const auto inner = f.loss();
    f.rule = [](RuleContext&) { throw Thrown("the rule"); };
    h.register_hook([&](const Tensor<double>& g) {
        CHECK_THROWS_AS(inner.backward(), Thrown);
        CHECK_FALSE(is_recording());
        return g;
    });
    h.backward();
    CHECK(x.grad().item() == 8.0);
    f.check_untouched();
}

TEST_CASE("a refused replay releases nothing: with the cause gone it runs") {
    const auto x = parameter(xt::xarray<double>{1.0, 2.0});
    const auto y = x * x;
    CHECK_THROWS_AS(y.backward(), ShapeError);
    CHECK_THROWS_AS(y.backward(ones<double>({3})), ShapeError);
    CHECK_THROWS_AS((void)grad(y, {x}, {.seed = ones<double>({2, 1})}), ShapeError);
    CHECK_THROWS_AS((void)grad(y, {Tensor<double>(1.0)}, {.seed = ones<double>({2})}), GraphError);
    CHECK_FALSE(x.has_grad());
    y.backward(ones<double>({2}));
    CHECK(expect::elements(x.grad()) == std::vector<double>{2.0, 4.0});
}

TEST_CASE("a graph of which one part is spent is refused as a whole, before anything is released") {
    const auto a = parameter(2.0);
    const auto b = parameter(3.0);
    const auto spent = exp(a);
    const auto fresh = exp(b);
    spent.backward();
    const auto y = spent * fresh;
    CHECK(message<GraphError>([&] { y.backward(); }) ==
          "backward: the graph behind this tensor was replayed before, and what 'exp' of shape () saved is gone; to "
          "replay a graph "
          "twice, ask for it the first time: backward({.retain_graph = true})");
    CHECK_FALSE(b.has_grad());
    fresh.backward();
    CHECK(b.has_grad());
}

TEST_CASE("an inner replay that releases what the outer one still needs is an error, not a crash") {
    const auto x = parameter(1.0);
    const auto a = exp(x);
    const auto y = a * a;
    bool inside = false;
    a.register_hook([&](const Tensor<double>& g) {
        if (!inside) {
            inside = true;
            a.backward();
        }
        return g;
    });
    CHECK_THROWS_AS(y.backward(), GraphError);
    CHECK(x.grad().item() == doctest::Approx(std::exp(1.0)));  // the inner replay's
}
