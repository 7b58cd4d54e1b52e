// Clipping of gradients against PyTorch's, from tests/data/optim/clipping.json, and what it leaves alone.

#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xtape/autograd.hpp>
#include <xtape/optim.hpp>

#include "expect.hpp"
#include "reference.hpp"

using namespace xtape;
using namespace xtape::optim;
using expect::elements;
using expect::message;
using reference::Json;
using reference::number;

namespace {

using Values = std::vector<double>;

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

Tensor<double> with_gradient(const Values& gradient) {
    auto seed = Tensor<double>::uninitialized({gradient.size()});
    std::copy(gradient.begin(), gradient.end(), seed.fresh_data());
    const auto p = parameter(zeros<double>({gradient.size()}));
    p.backward(seed);
    return p;
}

}  // namespace

TEST_CASE_TEMPLATE("gradients are clipped as PyTorch clips them, by every norm and by value", T, float, double) {
    const Json file = reference::read_json("optim/clipping.json");
    const double tolerance = sizeof(T) == sizeof(float) ? 1e-5 : 1e-13;
    CHECK(file.at("runs").size() == 34);
    for (const Json& run : file.at("runs")) {
        std::vector<Tensor<T>> parameters;
        for (const Json& encoded : run.at("gradients")) {
            const Tensor<T> gradient(reference::array<T>(encoded));
            parameters.push_back(parameter(zeros_like(gradient)));
            parameters.back().backward(gradient);
        }
        parameters.push_back(parameter(zeros<T>({2})));  // without a gradient
        const double bound = number(run.at("bound"));
        std::string what = fmt::format("{} {}", run.at("kind").get<std::string>(), bound);
        if (run.at("kind") == "norm") {
            const double p = number(run.at("norm_type"));
            const double total = number(run.at("total"));
            what += fmt::format(" p = {}", p);
            CHECK_MESSAGE(reference::agrees(clip_grad_norm(parameters, bound, {.norm_type = p}), total,
                                            tolerance * std::abs(total)),
                          what);
        } else {
            clip_grad_value(parameters, bound);
        }
        for (std::size_t k = 0; k + 1 < parameters.size(); ++k) {
            const auto found = reference::mismatch(what, parameters[k].grad(), run.at("clipped")[k], tolerance);
            CHECK_MESSAGE(found.empty(), found);
        }
        CHECK_FALSE(parameters.back().has_grad());
    }
}

TEST_CASE("the norm is that of all gradients together, and 0 of none") {
    const auto p = with_gradient({3});
    const auto q = with_gradient({0, -4});
    CHECK(clip_grad_norm({p, q}, infinity) == 5);
    CHECK(elements(q.grad()) == Values{0, -4});
    CHECK(clip_grad_norm({p, q}, 2.5) == 5);
    CHECK(elements(p.grad())[0] == doctest::Approx(1.5).epsilon(1e-6));
    CHECK(elements(q.grad())[1] == doctest::Approx(-2).epsilon(1e-6));
    CHECK(clip_grad_norm(std::vector<Tensor<float>>{}, 1) == 0);
    CHECK(clip_grad_norm({parameter(1.0)}, 1) == 0);
}

TEST_CASE("a norm that squares would overflow or underflow is right") {
    const auto large = with_gradient({3e200, 4e200});
    CHECK(clip_grad_norm({large}, 5) == doctest::Approx(5e200));
    CHECK(elements(large.grad())[0] == doctest::Approx(3));
    const auto small = with_gradient({3e-200, 4e-200});
    CHECK(clip_grad_norm({small}, 1) == doctest::Approx(5e-200));
}

TEST_CASE("what grad() gave out keeps its numbers, and so does what shares its buffer") {
    const auto clip = [](const Tensor<double>& p) { clip_grad_value({p}, 1); };
    const auto scale = [](const Tensor<double>& p) { clip_grad_norm({p}, 1); };
    const auto check = [](auto f) {
        const auto p = with_gradient({3, -4});
        const auto held = p.grad();
        f(p);
        CHECK(elements(held) == Values{3, -4});
        CHECK(elements(p.grad()) != Values{3, -4});

        const auto q = with_gradient({3, -4});
        const auto value = q.grad().value();
        f(q);
        CHECK(value == xt::xarray<double>{3, -4});

        const Tensor<double> seed(xt::xarray<double>{3, -4});
        const auto r = parameter(zeros<double>({2}));
        r.backward(seed);
        f(r);
        CHECK(elements(seed) == Values{3, -4});
    };
    check(clip);
    check(scale);
}

TEST_CASE("a gradient that nobody else holds is clipped where it lies") {
    const auto p = parameter(xt::xarray<double>{3, -4, 1, 2, 5, 6, 7, 8});
    sum(p * p).backward();
    const double* const before = p.grad().data();
    clip_grad_norm({p}, 1);
    clip_grad_value({p}, 0.1);
    CHECK(p.grad().data() == before);
    CHECK(elements(p.grad())[0] == 0.1);
}

TEST_CASE("a gradient with a graph becomes a constant, and its graph stays right") {
    const auto p = parameter(2.0);
    (p * p * p).backward({.create_graph = true});
    const auto g = p.grad();
    clip_grad_norm({p}, 1);
    CHECK_FALSE(p.grad().requires_grad());
    CHECK(p.grad().item() == doctest::Approx(1).epsilon(1e-6));
    CHECK(g.item() == 12);
    CHECK(grad(g, {p})[0].item() == 12);
}

TEST_CASE("nothing is recorded") {
    const auto p = parameter(2.0);
    (p * p).backward({.create_graph = true});
    const std::size_t nodes = tape().nodes();
    clip_grad_norm({p}, 100);
    CHECK(tape().nodes() == nodes);
}

TEST_CASE("bounds that make no sense are refused, and a norm that is not finite where that was asked for") {
    const auto p = with_gradient({3, infinity});
    const auto norm = [&](double max_norm, ClipGradNormOptions options) {
        return message<ValueError>([&] { clip_grad_norm({p}, max_norm, options); });
    };
    CHECK(norm(-1, {}) == "clip_grad_norm: max_norm is -1; it must be at least 0");
    CHECK(norm(not_a_number, {}) == "clip_grad_norm: max_norm is nan; it must be at least 0");
    CHECK(norm(1, {.norm_type = 0}) == "clip_grad_norm: norm_type is 0; it must be above 0, or infinity");
    CHECK(norm(1, {.norm_type = not_a_number}) == "clip_grad_norm: norm_type is nan; it must be above 0, or infinity");
    CHECK(norm(1, {.error_if_nonfinite = true}) ==
          "clip_grad_norm: the gradients' norm is inf, and error_if_nonfinite is set; look for the op that made it so "
          "with AnomalyGuard, or skip this step");
    CHECK(message<ValueError>([&] { clip_grad_value({p}, -1); }) ==
          "clip_grad_value: value is -1; it must be at least 0");
    CHECK(message<ValueError>([&] { clip_grad_value({p}, not_a_number); }) ==
          "clip_grad_value: value is nan; it must be at least 0");
    CHECK(elements(p.grad()) == Values{3, infinity});
}
