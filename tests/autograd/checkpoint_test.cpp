// checkpoint: what it computes, keeps, draws again, and refuses.

#include <algorithm>
#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd.hpp>
#include <xtape/autograd/checkpoint.hpp>
#include <xtape/autograd/jacobian.hpp>

#include "expect.hpp"
#include "short_names.hpp"

using namespace xtape;
using expect::elements;
using short_names::a;
using short_names::b;
using short_names::Inputs;
using short_names::Value;
using short_names::Values;

TEST_CASE("a checkpoint has the value and the gradients of its function") {
    const auto f = [](const Value& x, const Value& y) { return tanh(x * y) + exp(x); };
    const auto gradients = [&](auto run) {
        const auto x = parameter(a);
        const auto y = parameter(b);
        const Value z = run(x, y);
        z.backward(b);
        return std::vector{elements(z), elements(x.grad()), elements(y.grad())};
    };
    const auto plain = gradients(f);
    CHECK(gradients([&](const Value& x, const Value& y) { return checkpoint(f, x, y); }) == plain);
    const auto of_list = [&](const Inputs& in) { return f(in[0], in[1]); };
    CHECK(gradients([&](const Value& x, const Value& y) { return checkpoint(of_list, {x, y}); }) == plain);
    CHECK(gradients([&](const Value& x, const Value& y) { return checkpoint(of_list, Inputs{x, y}); }) == plain);
    // All of it captured.
    CHECK(gradients([&](const Value& x, const Value& y) { return checkpoint([=] { return f(x, y); }); }) == plain);
    // In single precision.
    const auto w = parameter(xt::xarray<float>{1.F, 2.F});
    sum(checkpoint([](const Tensor<float>& x) { return cube(x); }, w)).backward();
    CHECK(elements(w.grad()) == std::vector<float>{3.F, 12.F});
}

TEST_CASE("a function may return several tensors, and any of them may be used") {
    const auto f = [](const Value& x, const Value& y) {
        return Inputs{x * y, Value(7.0), reshape(sin(x), {3, 1}), y, sum(x)};
    };
    for (int used = 1; used < 16; ++used) {
        const auto gradients = [&](bool with_checkpoint) {
            const auto x = parameter(a);
            const auto y = parameter(b);
            const Inputs z = with_checkpoint ? checkpoint(f, x, y) : f(x, y);
            REQUIRE(z.size() == 5);
            CHECK(z[1].item() == 7.0);
            CHECK(z[2].shape() == Shape{3, 1});
            CHECK(z[3].ref() == y.ref());
            Value total = 0.0 * sum(x) + 0.0 * sum(y);
            total = used & 1 ? total + sum(square(z[0])) : total;
            total = used & 2 ? total + sum(cube(z[2])) : total;
            total = used & 4 ? total + sum(z[3]) : total;
            total = used & 8 ? total + exp(z[4]) : total;
            total.backward();
            return Inputs{x.grad(), y.grad()};
        };
        const Inputs with = gradients(true);
        const Inputs without = gradients(false);
        for (std::size_t i = 0; i < 2; ++i) {
            CHECK(amax(abs(with[i] - without[i])).item() <= 1e-14);
        }
    }
}

TEST_CASE("parameters and other recorded tensors that the function captures get their gradients") {
    const auto gradients = [&](bool with_checkpoint) {
        const auto x = parameter(a);
        const auto w = parameter(b);
        const Value h = w * x;  // leads to both by ways of its own
        const auto f = [=](const Value& at) { return sum(at * w * exp(h)) + sum(at * x); };
        const Value input = sin(x);
        const Value y = with_checkpoint ? checkpoint(f, input) : f(input);
        (y * y + sum(w)).backward();
        CHECK(elements(sin(x)) == elements(input));
        return Inputs{x.grad(), w.grad()};
    };
    const Inputs with = gradients(true);
    const Inputs without = gradients(false);
    CHECK(amax(abs(with[0] - without[0])).item() <= 1e-12);
    CHECK(amax(abs(with[1] - without[1])).item() <= 1e-12);
    CHECK(amax(abs(without[0])).item() > 1.0);
    // One and the same tensor as an input, twice, and captured.
    const auto x = parameter(2.0);
    checkpoint([=](const Value& p, const Value& q) { return p * q * x; }, x, x).backward();
    CHECK(x.grad().item() == 12.0);
}

TEST_CASE("derivatives of any order are those of the function, also of checkpoints in checkpoints") {
    const auto w = parameter(b);
    const auto inner = [](const Value& x) { return tanh(x * b) + square(x); };
    const auto outer = [&](const Value& x, const Value& y) {
        return sum(checkpoint(inner, x * y)) * checkpoint(inner, checkpoint([](const Value& t) { return sin(t); }, y));
    };
    const auto check = [](auto f, int order) {
        const auto result = check_gradients(f, {a, b}, {.order = order});
        CHECK_MESSAGE(result.ok, result.message);
    };
    check([&](const Inputs& x) { return checkpoint(outer, x[0], x[1]); }, 2);
    check([&](const Inputs& x) { return checkpoint([=] { return exp(x[0]) * sin(x[1]); }); }, 3);
    check(
        [&](const Inputs& x) {
            const Inputs z = checkpoint([](const Inputs& in) { return Inputs{in[0] * in[1], sin(in[1])}; }, x);
            return z[0] * z[1];
        },
        2);
    // By a parameter that an inner function captures.
    const auto captured = [&](bool with_checkpoints) {
        const auto body = [=](const Value& x) { return cube(w) * x; };
        const auto around = [=](const Value& x) {
            return sum(with_checkpoints ? checkpoint(body, x * w) : body(x * w));
        };
        const Value y = with_checkpoints ? checkpoint(around, a) : around(a);
        const Value slope = grad(y, {w}, {.create_graph = true})[0];
        const Value curvature = grad(sum(slope), {w}, {.create_graph = true})[0];
        return std::vector{elements(slope), elements(curvature), elements(grad(sum(curvature), {w})[0])};
    };
    const auto with = captured(true);
    const auto without = captured(false);
    for (std::size_t order = 0; order < 3; ++order) {
        for (std::size_t i = 0; i < 3; ++i) {
            CHECK(with[order][i] == doctest::Approx(without[order][i]).epsilon(1e-13));
        }
    }
    CHECK(without[2][0] == doctest::Approx(24 * 0.5 * 1.5));  // w^4 a
}

TEST_CASE("recorded gradients by inputs and by what is captured are the plain ones, and so are theirs") {
    const auto x = parameter(1.5);
    const auto y = parameter(-0.5);
    const auto v = parameter(2.0);
    const auto w = parameter(0.25);
    const Inputs all{x, y, v, w};
    const Value z =
        checkpoint([=](const Value& p, const Value& q) { return square(p) * q * square(v) * exp(w); }, x, y);
    const double e = std::exp(0.25);
    const Values slopes{2 * 1.5 * -0.5 * 4 * e, 2.25 * 4 * e, 2.25 * -0.5 * 4 * e, 2.25 * -0.5 * 4 * e};
    // Each slope by v.
    const Values curvatures{2 * 1.5 * -0.5 * 4 * e, 2.25 * 4 * e, 2.25 * -0.5 * 2 * e, 2.25 * -0.5 * 4 * e};
    const Inputs plain = grad(z, all, {.retain_graph = true});
    const Inputs recorded = grad(z, all, {.create_graph = true});
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(plain[i].item() == doctest::Approx(slopes[i]).epsilon(1e-14));
        CHECK(recorded[i].item() == doctest::Approx(slopes[i]).epsilon(1e-14));
        const Value curvature = grad(recorded[i], {v}, {.retain_graph = true})[0];
        CHECK(curvature.item() == doctest::Approx(curvatures[i]).epsilon(1e-14));
    }
}

TEST_CASE("checkpoints and transforms stand inside each other") {
    const auto f = [](const Value& x) { return sum(exp(sin(x))); };
    const auto checkpointed = [&](const Value& x) { return checkpoint(f, x); };
    CHECK(elements(hessian(checkpointed, a)) == elements(hessian(f, a)));
    CHECK(elements(hvp(checkpointed, a, b)) == elements(hvp(f, a, b)));
    const auto vector_valued = [](const Value& x) { return sin(x) * sum(x); };
    const auto both = [&](const Value& x) { return checkpoint(vector_valued, x); };
    CHECK(elements(jacobian(both, a)) == elements(jacobian(vector_valued, a)));
    CHECK(elements(jvp(both, a, b).second) == elements(jvp(vector_valued, a, b).second));
    const auto slope = [&](const Value& x) { return sum(square(value_and_grad(f, x).second)); };
    const Value expected = value_and_grad(slope, a).second;
    const Value found = value_and_grad([&](const Value& x) { return checkpoint(slope, x); }, a).second;
    CHECK(amax(abs(found - expected)).item() <= 1e-13);
}

TEST_CASE("a checkpoint is one node that saves its inputs, and the tape has nothing else of it") {
    const auto x = parameter(ones<double>({100}));
    const auto w = parameter(ones<double>({100}));
    const std::size_t nodes = tape().nodes();
    const std::size_t bytes = tape().bytes();
    const auto f = [=](const Value& v) {
        Value y = v;
        for (int i = 0; i < 50; ++i) {
            y = sin(y) * w;
        }
        return y;
    };
    const CheckpointReport report;
    Value y = checkpoint(f, x);
    CHECK(tape().nodes() == nodes + 1);
    CHECK(tape().bytes() - bytes == report.saved_bytes());
    CHECK(report.checkpoints() == 1);
    CHECK(report.saved_bytes() < 100 * sizeof(double) + 600);  // x, and what a node takes; w is there anyway
    {
        const std::size_t before = tape().bytes();
        const Value plain = f(x);
        // All but x, which the checkpoint has saved already.
        const auto kept = static_cast<double>(tape().bytes() - before);
        CHECK(static_cast<double>(report.spared_bytes()) == doctest::Approx(kept).epsilon(0.01));
        CHECK(kept > 50 * 100 * sizeof(double));
    }
    y.backward(ones<double>({100}));
    CHECK(report.checkpoints() == 1);
    y = Value();
    CHECK(tape().nodes() == nodes);
    CHECK(tape().bytes() == bytes);
    CHECK(tape().nodes() == nodes);
    // Nor has it where there is nothing to record.
    {
        const NoGradGuard guard;
        CHECK_FALSE(checkpoint(f, x).requires_grad());
    }
    CHECK_FALSE(checkpoint([](const Value& v) { return exp(v); }, a).requires_grad());
    CHECK(checkpoint([](const Value& v) { return v; }, x).ref() == x.ref());
    CHECK(tape().nodes() == nodes);
    CHECK(report.checkpoints() == 1);
}

TEST_CASE("1,000 layers in checkpoints of 32 keep an eighth of the memory, and have the same gradients to the bit") {
    constexpr std::size_t layers = 1000;
    constexpr std::size_t segment = 32;
    random::seed(5);
    std::vector<Tensor<float>> weights;
    std::vector<Tensor<float>> biases;
    for (std::size_t i = 0; i < layers; ++i) {
        weights.push_back(parameter(random::normal<float>({32, 32}, 0.0, 0.25)));
        biases.push_back(parameter(random::normal<float>({32}, 0.0, 0.1)));
    }
    const Tensor<float> data = random::normal<float>({64, 32});

    struct Run {
        std::vector<std::vector<float>> gradients;
        std::size_t peak;
    };
    const auto run = [&](bool with_checkpoints) {
        Run result{{}, 0};
        const std::size_t start = tape().bytes();
        const auto part = [&](std::size_t begin) {
            return [&, begin](const Tensor<float>& x) {
                Tensor<float> y = x;
                for (std::size_t i = begin; i < std::min(begin + segment, layers); ++i) {
                    y = tanh(linear(y, weights[i], biases[i]));
                    result.peak = std::max(result.peak, tape().bytes() - start);  // also when it is run again
                }
                return y;
            };
        };
        Tensor<float> y = data;
        for (std::size_t begin = 0; begin < layers; begin += segment) {
            y = with_checkpoints ? checkpoint(part(begin), y) : part(begin)(y);
        }
        mean(square(y)).backward();
        for (std::size_t i = 0; i < layers; ++i) {
            for (const Tensor<float>& p : {weights[i], biases[i]}) {
                result.gradients.push_back(elements(p.grad()));
                p.zero_grad();
            }
        }
        return result;
    };
    const Run plain = run(false);
    const Run spared = run(true);
    CHECK(plain.gradients == spared.gradients);
    CHECK(std::ranges::count(plain.gradients.front(), 0.F) < 32);
    CHECK(8 * spared.peak <= plain.peak);
    CHECK(8 * spared.peak <= layers * 64 * 32 * sizeof(float));  // the tanhs alone
}
