// Hooks: when they run, what they see, and what becomes of what they return.

#include <memory>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd.hpp>

#include "expect.hpp"

using namespace xtape;
using expect::elements;
using expect::message;

namespace {

using Values = std::vector<double>;

}  // namespace

TEST_CASE("a hook runs once, on the completed gradient") {
    const auto x = parameter(2.0);
    const auto h = 1.0 * x;
    Values seen_by_h;
    Values seen_by_x;
    h.register_hook([&](const Tensor<double>& g) {
        seen_by_h.push_back(g.item());
        return g;
    });
    x.register_hook([&](const Tensor<double>& g) {
        seen_by_x.push_back(g.item());
        return g;
    });
    (h * h + 3.0 * h + x).backward();
    CHECK(seen_by_h == Values{7.0});
    CHECK(seen_by_x == Values{8.0});
    CHECK(x.grad().item() == 8.0);
}

TEST_CASE("what a hook returns takes the gradient's place") {
    const auto x = parameter(2.0);
    SUBCASE("of an interior tensor: what lies behind it sees the replacement") {
        const auto h = x * x;
        h.register_hook([](const Tensor<double>& g) { return 10.0 * g; });
        (3.0 * h).backward();
        CHECK(x.grad().item() == 120.0);
    }
    SUBCASE("of a leaf") {
        x.register_hook([](const Tensor<double>& g) { return g * g; });
        (3.0 * x).backward();
        CHECK(x.grad().item() == 9.0);
        (3.0 * x).backward();
        CHECK(x.grad().item() == 18.0);  // hooks see this replay's gradient, not the sum so far
    }
    SUBCASE("hooks run in the order in which they were registered") {
        x.register_hook([](const Tensor<double>& g) { return g + 1.0; });
        x.register_hook([](const Tensor<double>& g) { return g * 10.0; });
        (3.0 * x).backward();
        CHECK(x.grad().item() == 40.0);
    }
    SUBCASE("in grad() too") {
        const auto h = x * x;
        h.register_hook([](const Tensor<double>& g) { return 10.0 * g; });
        x.register_hook([](const Tensor<double>& g) { return g + 0.5; });
        const auto by = grad(3.0 * h, {h, x});
        CHECK(by[0].item() == 30.0);
        CHECK(by[1].item() == 120.5);
    }
    SUBCASE("on the output, of the seed") {
        const auto y = x * x;
        y.register_hook([](const Tensor<double>& g) { return -g; });
        y.backward();
        CHECK(x.grad().item() == -4.0);
    }
}

TEST_CASE("under create_graph what a hook does is recorded and differentiated") {
    const auto x = parameter(2.0);
    const auto h = x * x;
    Hook hook = h.register_hook([](const Tensor<double>& g) {
        CHECK(is_recording());
        return g * g;
    });
    const auto g = grad(h * h, {x}, {.create_graph = true})[0];  // (2 h)² · 2 x = 8 x⁵
    CHECK(g.item() == 8.0 * 32.0);
    hook.remove();
    CHECK(grad(g, {x})[0].item() == 40.0 * 16.0);
}

TEST_CASE("without create_graph a hook records nothing") {
    const auto x = parameter(2.0);
    const auto h = x * x;
    const std::size_t nodes = tape().nodes();
    h.register_hook([&](const Tensor<double>& g) {
        CHECK_FALSE(is_recording());
        CHECK_FALSE(g.requires_grad());
        return g * x;
    });
    h.backward();
    CHECK(tape().nodes() == nodes);
    CHECK(x.grad().item() == 8.0);
    CHECK_FALSE(x.grad().requires_grad());
}

TEST_CASE("a hook that returns a parameter makes no gradient that is the parameter") {
    const auto x = parameter(2.0);
    const auto p = parameter(5.0);
    x.register_hook([&](const Tensor<double>&) { return p; });
    (3.0 * x).backward();
    CHECK(x.grad().item() == 5.0);
    CHECK_FALSE(x.grad().requires_grad());
    p.assign(Tensor<double>(6.0));
    CHECK(x.grad().item() == 5.0);
}

TEST_CASE("a hook may return a parameter that nobody else holds, also into a gradient that is there already") {
    const auto x = parameter(2.0);
    (3.0 * x).backward();
    x.register_hook([](const Tensor<double>&) { return parameter(5.0); });
    (3.0 * x).backward();
    CHECK(x.grad().item() == 8.0);
    (3.0 * x).backward({.create_graph = true});
    CHECK(x.grad().item() == 13.0);
}

TEST_CASE("a removed hook no longer runs") {
    const auto x = parameter(2.0);
    int runs = 0;
    Hook hook = x.register_hook([&](const Tensor<double>& g) {
        ++runs;
        return 100.0 * g;
    });
    (3.0 * x).backward();
    CHECK(runs == 1);
    hook.remove();
    hook.remove();  // twice is harmless
    (3.0 * x).backward();
    CHECK(runs == 1);
    CHECK(x.grad().item() == 303.0);
}

TEST_CASE("a hook may remove itself while it runs") {
    const auto x = parameter(2.0);
    int runs = 0;
    std::unique_ptr<Hook> hook;
    const auto captured = std::make_shared<double>(100.0);  // dies with the hook
    hook = std::make_unique<Hook>(x.register_hook([&, captured](const Tensor<double>& g) {
        ++runs;
        hook->remove();
        return *captured * g;
    }));
    (3.0 * x).backward();
    (3.0 * x).backward();
    CHECK(runs == 1);
    CHECK(x.grad().item() == 303.0);
    CHECK(captured.use_count() == 1);
}

TEST_CASE("a hook that an earlier one removes does not run; one that it adds runs from the next replay on") {
    const auto x = parameter(2.0);
    int removed_runs = 0;
    int added_runs = 0;
    bool first = true;
    std::unique_ptr<Hook> second;
    x.register_hook([&](const Tensor<double>& g) {
        if (std::exchange(first, false)) {
            second->remove();
            x.register_hook([&](const Tensor<double>& later) {
                ++added_runs;
                return later;
            });
        }
        return g;
    });
    second = std::make_unique<Hook>(x.register_hook([&](const Tensor<double>& g) {
        ++removed_runs;
        return g;
    }));
    (3.0 * x).backward();
    CHECK(removed_runs == 0);
    CHECK(added_runs == 0);
    (3.0 * x).backward();
    CHECK(removed_runs == 0);
    CHECK(added_runs == 1);
}

TEST_CASE("a hook outlives its handle and dies with the tensor; remove is harmless after that") {
    const auto witness = std::make_shared<int>(0);
    auto x = parameter(2.0);
    {
        x.register_hook([witness](const Tensor<double>& g) {
            ++*witness;
            return g;
        });
    }
    Hook kept = x.register_hook([witness](const Tensor<double>& g) { return g; });
    (3.0 * x).backward();
    CHECK(*witness == 1);
    CHECK(witness.use_count() == 3);
    x = Tensor<double>();
    CHECK(witness.use_count() == 1);
    kept.remove();
}

TEST_CASE("a hook keeps state of its own between replays") {
    const auto x = parameter(2.0);
    x.register_hook([calls = 0](const Tensor<double>& g) mutable {
        ++calls;
        return calls * g;
    });
    (1.0 * x).backward();
    (1.0 * x).backward();
    CHECK(x.grad().item() == 1.0 + 2.0);
}

TEST_CASE("removed hooks don't pile up") {
    const auto x = parameter(2.0);
    for (int i = 0; i < 100; ++i) {
        x.register_hook([](const Tensor<double>& g) { return g; }).remove();
    }
    const auto& hooks = x.ref()->node->hooks;
    CHECK((!hooks || hooks->size() <= 2));
}

TEST_CASE("a gradient that a hook keeps does not change afterwards") {
    const auto x = parameter(xt::xarray<double>{1.0, 2.0});
    const auto h = x * x;
    std::vector<Tensor<double>> kept;
    const auto keep = [&](const Tensor<double>& g) {
        kept.push_back(g);
        return g;
    };
    h.register_hook(keep);
    x.register_hook(keep);
    sum(h * h).backward();
    sum(2.0 * x).backward();
    REQUIRE(kept.size() == 3);
    CHECK(elements(kept[0]) == Values{2.0, 8.0});
    CHECK(elements(kept[1]) == Values{4.0, 32.0});
    CHECK(elements(kept[2]) == Values{2.0, 2.0});
    CHECK(elements(x.grad()) == Values{6.0, 34.0});
}

TEST_CASE("a hook of a tensor that the gradient does not reach is not called") {
    const auto x = parameter(2.0);
    const auto unused = parameter(2.0);
    int runs = 0;
    const auto count = [&](const Tensor<double>& g) {
        ++runs;
        return g;
    };
    unused.register_hook(count);
    const auto y = x * x;
    const auto z = y * unused;
    z.register_hook(count);
    y.backward();
    CHECK(runs == 0);
}

TEST_CASE("a hook's result must have the gradient's shape") {
    const auto x = parameter(xt::xarray<double>{1.0, 2.0});
    const auto message_with = [&](auto f) {
        Hook hook = x.register_hook(f);
        const auto text = message<ShapeError>([&] { sum(x).backward(); });
        hook.remove();
        CHECK_FALSE(x.has_grad());
        return text;
    };
    CHECK(message_with([](const Tensor<double>& g) { return sum(g); }) ==
          "hook on 'parameter': it must return a gradient of shape (2,), but returned ()");
    CHECK(message_with([](const Tensor<double>&) { return Tensor<double>(); }) ==
          "hook on 'parameter': it must return a gradient of shape (2,), but returned an empty tensor");
}

TEST_CASE("a hook on what requires no gradient is refused") {
    const Tensor<double> constant(xt::xarray<double>{1.0, 2.0});
    CHECK(message<GraphError>([&] { (void)constant.register_hook([](const Tensor<double>& g) { return g; }); }) ==
          "register_hook: this tensor of shape (2,) requires no gradient, so the hook would never run");
}
