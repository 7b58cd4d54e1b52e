// In-place writers (assign, optimisers, accumulation, loading) and those who hold a buffer: views, saved values,
// gradients.

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd.hpp>
#include <xtape/nn.hpp>
#include <xtape/optim.hpp>

#include "expect.hpp"

using namespace xtape;
using expect::elements;
using expect::message;

namespace {

using Values = std::vector<double>;

// Everything that writes into a parameter that has a gradient of ones. Each takes (1, 2) somewhere else.
void overwrite(const Tensor<double>& x, const std::string& writer) {
    if (writer == "assign") {
        x.assign(xt::xarray<double>{8.0, 9.0});
    } else if (writer == "assign a tensor") {
        x.assign(Tensor<double>(xt::xarray<double>{8.0, 9.0}));
    } else if (writer == "assign itself doubled") {
        x.assign(2.0 * x.value());
    } else if (writer == "optimiser step") {
        optim::SGD<double>({x}, {.lr = 0.5}).step();
    } else if (writer == "initialiser") {
        nn::init::zeros(x);
    } else {
        FAIL("no such writer");
    }
    CHECK(elements(x) != Values{1.0, 2.0});
}

const char* const writers[] = {"assign", "assign a tensor", "assign itself doubled", "optimiser step", "initialiser"};

}  // namespace

TEST_CASE("what value() and detach() gave out keeps its numbers, whoever overwrites the parameter") {
    for (const std::string writer : writers) {
        CAPTURE(writer);
        const auto x = parameter(xt::xarray<double>{1.0, 2.0});
        sum(x).backward();
        const auto value = x.value();
        const auto lazy = x.value() + 1.0;
        const auto detached = x.detach();
        const auto alias = reshape(x, {2, 1});
        overwrite(x, writer);
        CHECK(value == xt::xarray<double>{1.0, 2.0});
        CHECK(xt::xarray<double>(lazy) == xt::xarray<double>{2.0, 3.0});
        CHECK(elements(detached) == Values{1.0, 2.0});
        CHECK(elements(alias) == Values{1.0, 2.0});
    }
}

TEST_CASE("a copy of the handle sees what was written") {
    for (const std::string writer : writers) {
        CAPTURE(writer);
        const auto x = parameter(xt::xarray<double>{1.0, 2.0});
        const Tensor<double> same = x;
        sum(x).backward();
        overwrite(x, writer);
        CHECK(elements(same) == elements(x));
    }
}

TEST_CASE("a buffer that nobody else holds is overwritten in place") {
    const auto x = parameter(xt::xarray<double>{1.0, 2.0});
    sum(x).backward();
    for (const std::string writer : {"assign", "assign a tensor", "optimiser step", "initialiser"}) {
        CAPTURE(writer);
        const double* before = x.data();
        overwrite(x, writer);
        CHECK(x.data() == before);
        x.assign(xt::xarray<double>{1.0, 2.0});
    }
    // Not while the expression that is assigned reads it.
    const double* before = x.data();
    overwrite(x, "assign itself doubled");
    CHECK(x.data() != before);
}

TEST_CASE("what a parameter was made of keeps its numbers") {
    const Tensor<double> start(xt::xarray<double>{1.0, 2.0});
    const auto x = parameter(start);
    const auto other = parameter(start);
    x.assign(xt::xarray<double>{8.0, 9.0});
    CHECK(elements(start) == Values{1.0, 2.0});
    CHECK(elements(other) == Values{1.0, 2.0});
    start.assign(xt::xarray<double>{5.0, 6.0});
    CHECK(elements(other) == Values{1.0, 2.0});
    CHECK(elements(x) == Values{8.0, 9.0});
}

TEST_CASE("assign copies: what was assigned stays apart") {
    const auto x = parameter(xt::xarray<double>{1.0, 2.0});
    const Tensor<double> value(xt::xarray<double>{8.0, 9.0});
    x.assign(value);
    value.assign(xt::xarray<double>{0.0, 0.0});
    CHECK(elements(x) == Values{8.0, 9.0});
    x.assign(x);
    CHECK(elements(x) == Values{8.0, 9.0});
    x.assign(x.detach());
    CHECK(elements(x) == Values{8.0, 9.0});
}

TEST_CASE("what grad() gave out keeps its numbers when more arrives, and when a step is taken") {
    const auto x = parameter(xt::xarray<double>{1.0, 2.0});
    sum(x * x).backward();
    const auto g = x.grad();
    const auto value = g.value();
    sum(x * x).backward();
    CHECK(elements(x.grad()) == Values{4.0, 8.0});
    optim::SGD<double>({x}, {.lr = 0.5, .momentum = 0.9, .weight_decay = 0.1}).step();
    CHECK(elements(g) == Values{2.0, 4.0});
    CHECK(value == xt::xarray<double>{2.0, 4.0});
    CHECK(elements(x.grad()) == Values{4.0, 8.0});
    x.zero_grad();
    CHECK(elements(g) == Values{2.0, 4.0});
}

TEST_CASE("leaves that are given one and the same gradient don't share their sums") {
    const auto a = parameter(xt::xarray<double>{1.0, 2.0});
    const auto b = parameter(xt::xarray<double>{3.0, 4.0});
    const Tensor<double> seed(xt::xarray<double>{10.0, 20.0});
    (a + b).backward(seed);
    (1.0 * a).backward(seed);
    CHECK(elements(a.grad()) == Values{20.0, 40.0});
    CHECK(elements(b.grad()) == Values{10.0, 20.0});
    CHECK(elements(seed) == Values{10.0, 20.0});
}

TEST_CASE("a parameter whose gradient is its own old value steps right") {
    const auto x = parameter(xt::xarray<double>{1.0, 2.0});
    (x + 0.0).backward(x.detach());
    optim::SGD<double>({x}, {.lr = 0.5}).step();
    CHECK(elements(x) == Values{0.5, 1.0});
    CHECK(elements(x.grad()) == Values{1.0, 2.0});
}

TEST_CASE("a constant that was saved keeps its saved value, though it is overwritten before the replay") {
    const auto x = parameter(3.0);
    const Tensor<double> c = 5.0;
    const auto y = c * x;
    c.assign(Tensor<double>(100.0));
    y.backward();
    CHECK(x.grad().item() == 5.0);
}

TEST_CASE("a parameter overwritten between recording and replay is an error that names op, shapes and versions") {
    const auto x = parameter(xt::xarray<double>{1.0, 2.0});
    const auto w = parameter(xt::xarray<double>{3.0, 4.0});
    const auto y = sum(x * w);
    w.assign(xt::xarray<double>{0.0, 0.0});
    w.assign(xt::xarray<double>{0.0, 1.0});
    CHECK(message<GraphError>([&] { y.backward(); }) ==
          "backward: 'multiply' of shape (2,) saved a leaf of shape (2,) at version 0, and the leaf has been "
          "overwritten since (version 2); "
          "replay before assigning or stepping, or run the forward pass again");
    CHECK_FALSE(x.has_grad());
    CHECK_FALSE(w.has_grad());
    sum(x * w).backward();
    CHECK(elements(x.grad()) == Values{0.0, 1.0});
}

TEST_CASE("every writer is caught at the replay of what was saved before") {
    for (const std::string writer : writers) {
        CAPTURE(writer);
        const auto x = parameter(xt::xarray<double>{1.0, 2.0});
        sum(x).backward();
        const auto y = sum(x * x);
        overwrite(x, writer);
        CHECK(message<GraphError>([&] { y.backward(); }).find("at version 0") != std::string::npos);
        CHECK(message<GraphError>([&] { (void)grad(y, {x}); }).find("at version 0") != std::string::npos);
        CHECK(elements(x.grad()) == Values{1.0, 1.0});
    }
    nn::Linear<double> layer(2, 1);
    const auto state = layer.state_dict();
    const auto y = sum(layer(parameter(ones<double>({1, 2}))));
    layer.load_state_dict(state);
    CHECK(message<GraphError>([&] { y.backward(); }).find("'linear'") != std::string::npos);
}

TEST_CASE("a parameter that was overwritten before has second derivatives all the same") {
    const auto x = parameter(2.0);
    x.assign(Tensor<double>(3.0));
    const auto g = grad(x * x * x, {x}, {.create_graph = true})[0];
    CHECK(grad(g, {x}, {.retain_graph = true})[0].item() == 18.0);
    x.assign(Tensor<double>(4.0));  // and what a replay saved is watched as well
    CHECK(message<GraphError>([&] {
              (void)grad(g, {x});
          }).find("at version 1, and the leaf has been overwritten since (version 2)") != std::string::npos);
}

TEST_CASE("overwriting what no rule needs is no error") {
    const auto x = parameter(xt::xarray<double>{1.0, 2.0});
    const auto w = parameter(xt::xarray<double>{3.0, 4.0});
    const auto y = sum(x + w);
    x.assign(xt::xarray<double>{0.0, 0.0});
    y.backward();
    CHECK(elements(w.grad()) == Values{1.0, 1.0});

    SUBCASE("nor is it where the wanted tensors don't need the value") {
        const auto z = sum(x * x) + sum(w * w);
        x.assign(xt::xarray<double>{5.0, 5.0});
        CHECK(elements(grad(z, {w})[0]) == Values{6.0, 8.0});
        CHECK_THROWS_AS((void)grad(z, {x}), GraphError);
    }
    SUBCASE("nor after the replay") {
        const auto z = sum(x * x);
        z.backward();
        x.assign(xt::xarray<double>{5.0, 5.0});
        CHECK(x.has_grad());
    }
}

TEST_CASE("x += y makes a new tensor in the handle's place, and what was recorded stays") {
    const auto p = parameter(3.0);
    Tensor<double> x = p * 2.0;
    const Tensor<double> before = x;
    const auto y = x * x;
    x += 1.0;
    x *= Tensor<double>(10.0);
    x -= p;
    x /= xt::xarray<double>(0.5);
    CHECK(before.item() == 6.0);
    CHECK(x.item() == 134.0);
    CHECK(before.ref() != x.ref());
    y.backward({.retain_graph = true});
    CHECK(p.grad().item() == 24.0);
    p.zero_grad();
    x.backward();
    CHECK(p.grad().item() == 38.0);

    Tensor<double> constant = 1.0;
    constant += p;
    CHECK(constant.requires_grad());
}

TEST_CASE("x += y on a parameter is an error that names assign, and the handle stays") {
    auto p = parameter(xt::xarray<double>{1.0, 2.0});
    const Tensor<double> same = p;
    CHECK(message<GraphError>([&] { p += 1.0; }) == "+=: this is a parameter of shape (2,); rebinding its handle would "
                                                    "leave modules and optimisers with the old one. To overwrite its "
                                                    "value use assign; for a new tensor write x = x + y");
    CHECK(message<GraphError>([&] { p -= 1.0; }).find("x = x - y") != std::string::npos);
    CHECK(message<GraphError>([&] { p *= 1.0; }).find("x = x * y") != std::string::npos);
    CHECK(message<GraphError>([&] { p /= 1.0; }).find("x = x / y") != std::string::npos);
    CHECK(p.ref() == same.ref());
    CHECK(elements(p) == Values{1.0, 2.0});
}
