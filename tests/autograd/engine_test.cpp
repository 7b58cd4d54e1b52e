// Replay: what is visited, what each leaf gets, and what a graph can be asked twice.

#include <cmath>
#include <functional>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd.hpp>

#include "counted.hpp"
#include "expect.hpp"

using namespace xtape;
using counted::Counter;
using expect::elements;
using expect::message;

namespace {

using Values = std::vector<double>;

// An op whose rule only looks, and gives nothing.
struct Watched {
    static constexpr const char* name = "watched";
    std::function<void(RuleContext&)>* look;
    void operator()(RuleContext& context) const { (*look)(context); }
};

Tensor<double> vector_parameter(const xt::xarray<double>& values) { return parameter(values); }

}  // namespace

TEST_CASE("each node is replayed once, whatever the number of paths to it") {
    Counter counter;
    const auto x = parameter(1.0);
    Tensor<double> y = x;
    for (int i = 0; i < 60; ++i) {  // 2^60 paths
        y = counter(y + y);
    }
    CHECK(y.item() == 0x1p60);
    y.backward();
    CHECK(counter.replays() == 60);
    CHECK(x.grad().item() == 0x1p60);
}

TEST_CASE("a gradient is complete before it is passed on, however unequal the paths are") {
    Counter counter;
    const auto x = parameter(2.0);
    const auto h = counter(x);
    Tensor<double> detour = h;
    for (int i = 0; i < 10; ++i) {
        detour = 1.0 * detour;
    }
    const auto y = h * h + detour * h;  // 2 h², by a short and a long path
    y.backward();
    CHECK(counter.replays() == 1);
    CHECK(x.grad().item() == 8.0);
}

TEST_CASE("a replay visits only what leads to a wanted tensor, and spends nothing else") {
    Counter wanted;
    Counter other;
    const auto a = parameter(3.0);
    const auto b = parameter(5.0);
    const auto h = wanted(a * a);
    const auto k = other(b * b);
    const auto y = h * k;
    const auto by_a = grad(y, {a});
    CHECK(by_a[0].item() == 150.0);
    CHECK(wanted.replays() == 1);
    CHECK(other.replays() == 0);

    SUBCASE("k's part of the graph can still be replayed") {
        k.backward();
        CHECK(b.grad().item() == 10.0);
        CHECK(other.replays() == 1);
    }
    SUBCASE("h's part and y are spent") {
        CHECK(message<GraphError>([&] { h.backward(); }).find(".retain_graph = true") != std::string::npos);
        CHECK(message<GraphError>([&] { y.backward(); }).find(".retain_graph = true") != std::string::npos);
        CHECK_FALSE(a.has_grad());
        CHECK_FALSE(b.has_grad());
    }
}

TEST_CASE("behind a wanted interior tensor nothing is replayed") {
    Counter counter;
    const auto x = parameter(2.0);
    const auto h = counter(x * x);
    const auto y = h * h;
    CHECK(grad(y, {h})[0].item() == 8.0);
    CHECK(counter.replays() == 0);
    h.backward();
    CHECK(x.grad().item() == 4.0);
}

TEST_CASE("a rule is told which inputs are wanted") {
    std::vector<bool> wants;
    std::function<void(RuleContext&)> look = [&](RuleContext& context) {
        for (std::size_t i = 0; i < context.input_count(); ++i) {
            wants.push_back(context.wants(i));
        }
    };
    const auto a = parameter(1.0);
    const auto b = parameter(1.0);
    const Tensor<double> data = 1.0;
    const auto watched = [&] {
        Tensor<double> y = Tensor<double>::uninitialized({});
        *y.fresh_data() = 1.0;
        record(Watched{&look}, y.body(), {{a}, {data}, {b}});
        return y;
    };
    watched().backward();
    CHECK(wants == std::vector<bool>{true, false, true});
    wants.clear();
    (void)grad(watched(), {b}, {.allow_unused = true});
    CHECK(wants == std::vector<bool>{false, false, true});
}

TEST_CASE("replays nest: a hook may replay another graph") {
    const auto x = parameter(3.0);
    const auto other = 5.0 * x;
    const auto h = x * x;
    h.register_hook([&](const Tensor<double>& g) {
        CHECK_FALSE(is_recording());
        other.backward();
        CHECK_FALSE(is_recording());
        CHECK(x.grad().item() == 5.0);  // the inner replay is committed, the outer one not yet
        return g;
    });
    (h * x).backward();
    CHECK(is_recording());
    CHECK(x.grad().item() == 5.0 + 27.0);
}

TEST_CASE("replays nest: the inner one may go over the nodes of the outer one") {
    const auto x = parameter(2.0);
    const auto h = exp(x);
    const auto y = h * h;
    Values inner;
    h.register_hook([&](const Tensor<double>& g) {
        if (inner.empty()) {
            inner.push_back(0.0);
            inner[0] = grad(y, {x}, {.retain_graph = true})[0].item();
        }
        return g;
    });
    y.backward({.retain_graph = true});
    REQUIRE(inner.size() == 1);
    CHECK(inner[0] == doctest::Approx(2 * std::exp(4.0)));
    CHECK(x.grad().item() == inner[0]);
}

TEST_CASE("backward adds into the leaves' gradients, and a leaf used many times gets the sum") {
    const auto x = vector_parameter({1.0, 2.0, 3.0});
    sum(x * x + x).backward();
    CHECK(elements(x.grad()) == Values{3.0, 5.0, 7.0});
    sum(2.0 * x).backward();
    CHECK(elements(x.grad()) == Values{5.0, 7.0, 9.0});
    x.zero_grad();
    CHECK_FALSE(x.has_grad());
    sum(x).backward();
    CHECK(elements(x.grad()) == Values{1.0, 1.0, 1.0});
}

TEST_CASE("backward of a parameter itself gives it the seed") {
    const auto p = parameter(4.0);
    p.backward();
    CHECK(p.grad().item() == 1.0);
    const auto v = vector_parameter({1.0, 2.0});
    const Tensor<double> seed(xt::xarray<double>{10.0, 20.0});
    v.backward(seed);
    v.backward(seed);
    CHECK(elements(v.grad()) == Values{20.0, 40.0});
    CHECK(elements(seed) == Values{10.0, 20.0});
}

TEST_CASE("a leaf that the loss does not reach has no gradient") {
    const auto x = parameter(1.0);
    const auto unused = parameter(1.0);
    (x * x).backward();
    CHECK(x.has_grad());
    CHECK_FALSE(unused.has_grad());
    CHECK(message<GraphError>([&] { (void)unused.grad(); }) ==
          "grad: this parameter of shape () has no gradient: no backward() has reached it since it was made or "
          "zero_grad() was called");
}

TEST_CASE("a retained graph gives the same gradients again, to the last bit") {
    const auto x = vector_parameter({0.3, 1.1, 2.7});
    const auto w = parameter(xt::xarray<double>{{0.5, -1.0, 2.0}, {1.5, 0.25, -0.75}});
    const auto h = tanh(matmul(w, exp(x) * x)) + sum(relu(x) / sqrt(x));
    const auto y = sum(square(h)) + logsumexp(w) * mean(maximum(x, 1.0));
    y.backward({.retain_graph = true});
    const auto by_x = elements(x.grad());
    const auto by_w = elements(w.grad());
    for (int again = 0; again < 3; ++again) {
        x.zero_grad();
        w.zero_grad();
        y.backward({.retain_graph = true});
        CHECK(elements(x.grad()) == by_x);
        CHECK(elements(w.grad()) == by_w);
    }
    y.backward();
    for (std::size_t i = 0; i < by_x.size(); ++i) {
        CHECK(x.grad().data()[i] == by_x[i] + by_x[i]);
    }
    CHECK_THROWS_AS(y.backward(), GraphError);
}

TEST_CASE("a seed is the cotangent, and the gradient is linear in it") {
    const auto x = vector_parameter({1.0, 2.0, 3.0});
    const auto y = x * x;
    y.backward(Tensor<double>(xt::xarray<double>{1.0, 10.0, 100.0}));
    CHECK(elements(x.grad()) == Values{2.0, 40.0, 600.0});

    const auto z = x * x;
    const Tensor<double> seed(xt::xarray<double>{1.0, 0.0, -1.0});
    CHECK(elements(grad(z, {x}, {.seed = seed})[0]) == Values{2.0, 0.0, -6.0});
    CHECK(elements(seed) == Values{1.0, 0.0, -1.0});
}

TEST_CASE("grad() gives gradients of leaves and of interior tensors, and touches no leaf") {
    const auto x = parameter(2.0);
    (3.0 * x).backward();
    const auto before = x.grad();
    const auto h = x * x;
    const auto y = h * h + x;
    const auto by = grad(y, {x, h, y, x});
    REQUIRE(by.size() == 4);
    CHECK(by[0].item() == 33.0);
    CHECK(by[1].item() == 8.0);
    CHECK(by[2].item() == 1.0);
    CHECK(by[3].item() == 33.0);
    CHECK_FALSE(by[0].requires_grad());
    CHECK(x.grad().ref() == before.ref());
    CHECK(x.grad().item() == 3.0);
}

TEST_CASE("grad() by what y does not depend on throws, or gives zeros if asked") {
    const auto x = parameter(2.0);
    const auto unused = vector_parameter({1.0, 2.0});
    const auto y = x * x;
    CHECK(message<GraphError>([&] {
              (void)grad(y, {x, unused}, {.retain_graph = true});
          }) == "grad: y does not depend on input 1 of shape (2,); for zeros there, say {.allow_unused = true}");
    const auto by = grad(y, {unused, x}, {.allow_unused = true});
    CHECK(elements(by[0]) == Values{0.0, 0.0});
    CHECK(by[1].item() == 4.0);
    const auto constant = grad(Tensor<double>(1.0), {x}, {.allow_unused = true});
    CHECK(constant[0].item() == 0.0);
}

TEST_CASE("create_graph nests: the third derivative of sin is -cos, of x⁵ 60 x²") {
    const auto x = vector_parameter({0.7, -1.3});
    const auto derive = [&](const Tensor<double>& y) { return grad(sum(y), {x}, {.create_graph = true})[0]; };
    const auto third = derive(derive(derive(sin(x))));
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK(third.data()[i] == doctest::Approx(-std::cos(x.data()[i])).epsilon(1e-14));
    }
    const auto fifth = x * x * x * x * x;
    const auto of_power = derive(derive(derive(fifth)));
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK(of_power.data()[i] == doctest::Approx(60 * x.data()[i] * x.data()[i]).epsilon(1e-14));
    }
}

TEST_CASE("mixed derivatives agree in either order, and a last replay without create_graph records nothing") {
    const auto a = parameter(1.5);
    const auto b = parameter(-0.5);
    const auto y = a * a * sin(b) * exp(a * b);
    const auto first = grad(y, {a, b}, {.create_graph = true});
    const auto ab = grad(first[0], {b}, {.retain_graph = true})[0];
    const auto ba = grad(first[1], {a}, {.retain_graph = true})[0];
    CHECK(ab.item() == doctest::Approx(ba.item()).epsilon(1e-14));
    CHECK(first[0].requires_grad());
    CHECK_FALSE(ab.requires_grad());
}

TEST_CASE("backward with create_graph leaves gradients that can be differentiated") {
    const auto x = vector_parameter({1.0, 2.0});
    const Tensor<double> c(xt::xarray<double>{3.0, 5.0});
    sum(c * x * x * x).backward({.create_graph = true});
    const auto g = x.grad();  // 3 c x²
    CHECK(g.requires_grad());
    CHECK(elements(g) == Values{9.0, 60.0});
    x.zero_grad();
    sum(g * g).backward();  // 2 g · 6 c x
    CHECK(elements(x.grad()) == Values{2 * 9.0 * 18.0, 2 * 60.0 * 60.0});
    CHECK_FALSE(x.grad().requires_grad());
}

TEST_CASE("a second backward with create_graph adds up graphs as well as numbers") {
    const auto x = parameter(2.0);
    (x * x * x).backward({.create_graph = true});
    (x * x).backward({.create_graph = true});
    const auto g = x.grad();  // 3 x² + 2 x
    CHECK(g.item() == 16.0);
    CHECK(grad(g, {x})[0].item() == 14.0);
}

TEST_CASE("a seed with a graph of its own is differentiated through") {
    const auto x = parameter(3.0);
    const auto v = parameter(5.0);
    const auto g = grad(x * x, {x}, {.seed = 2.0 * v, .create_graph = true})[0];  // 2 v · 2 x
    CHECK(g.item() == 60.0);
    const auto by = grad(g, {x, v});
    CHECK(by[0].item() == 20.0);
    CHECK(by[1].item() == 12.0);
}

TEST_CASE("leaf -> gradient -> graph -> leaf is no leak") {
    const std::size_t before = tape().nodes();
    const std::size_t bytes_before = tape().bytes();
    {
        const auto x = vector_parameter({1.0, 2.0});
        sum(exp(x) * x).backward({.create_graph = true});
        CHECK(tape().nodes() > before);  // the gradient holds its graph
        sum(x.grad() * x).backward({.create_graph = true});
    }
    CHECK(tape().nodes() == before);
    CHECK(tape().bytes() == bytes_before);
}

TEST_CASE("zero_grad lets go of the gradient's graph") {
    const std::size_t before = tape().nodes();
    const auto x = parameter(2.0);
    (x * x * x).backward({.create_graph = true});
    CHECK(tape().nodes() > before);
    x.zero_grad();
    CHECK(tape().nodes() == before);
}

TEST_CASE("a leaf seeded with itself keeps its gradient apart from itself, and is no leak") {
    const std::size_t before = tape().nodes();
    {
        const auto x = parameter(3.0);
        (x + 1.0).backward(x, {.create_graph = true});
        CHECK(x.grad().item() == 3.0);
        CHECK(x.grad().ref() != x.ref());
        x.assign(Tensor<double>(7.0));
        CHECK(x.grad().item() == 3.0);
        CHECK(grad(x.grad(), {x})[0].item() == 1.0);
    }
    CHECK(tape().nodes() == before);
}

TEST_CASE("a cast is a node like any other") {
    const auto x = parameter(xt::xarray<float>{0.5F, 2.0F});
    const auto y = sum(square(x.cast<double>()));
    CHECK(y.item() == 4.25);
    y.backward();
    CHECK(elements(x.grad()) == std::vector<float>{1.0F, 4.0F});
}

TEST_CASE("nothing is recorded under NoGradGuard, behind detach, or by constants alone") {
    const std::size_t before = tape().nodes();
    const auto x = parameter(2.0);
    {
        const NoGradGuard guard;
        CHECK_FALSE(is_recording());
        { const NoGradGuard inner; }
        CHECK_FALSE(is_recording());
        CHECK_FALSE((x * x).requires_grad());
    }
    CHECK(is_recording());
    CHECK_FALSE(no_grad([&] { return x * x; }).requires_grad());
    CHECK_FALSE((Tensor<double>(2.0) * 3.0).requires_grad());
    CHECK(tape().nodes() == before);
    const auto y = x.detach() * x;
    y.backward();
    CHECK(x.grad().item() == 2.0);
}

TEST_CASE("an interior gradient is let go of once it is consumed") {
    constexpr std::size_t elements_each = 1 << 18;  // 2 MiB
    const auto x = parameter(ones<double>({elements_each}));
    const auto run = [&](int length) {
        Tensor<double> y = x;
        for (int i = 0; i < length; ++i) {
            y = -y;
        }
        y.backward(ones<double>({elements_each}));
        x.zero_grad();
    };
    run(4);
    const std::size_t before = memory::reserved_bytes();
    run(100);
    CHECK(memory::reserved_bytes() <= before + (std::size_t{1} << 20));
}
