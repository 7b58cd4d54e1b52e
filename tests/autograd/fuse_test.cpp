// What fuse promises beside its numbers: shapes, nodes, what is saved, errors; and its numbers at every size.

#include <latch>
#include <limits>
#include <thread>

#include "expect.hpp"
#include "fused_comparison.hpp"

using namespace fused_comparison;
using expect::elements;
using expect::message;

namespace {

constexpr auto chain = [](auto x) {
    auto y = tanh(0.5 * x + 1);
    return exp(-square(y)) * sin(x) + sigmoid(x) * y;
};
constexpr auto cheap = [](auto x, auto w) { return (x * w - 0.25) * x + w; };
constexpr auto mixed_up = [](auto x, auto w, auto s) { return exp(s) * tanh(x * w) + x / (2.0 + w * w) - s * s; };

const std::vector<std::size_t> delicate_sizes = {0, 1, 3, 7, 8, 9, 15, 16, 17, 33, 255, 256, 257, 1000, 5000};

}  // namespace

TEST_CASE_TEMPLATE("fuse is op by op at sizes around tiles and SIMD widths", T, float, double) {
    for (const std::size_t n : delicate_sizes) {
        const Shape shape{n};
        check_fused<T, 1>(fmt::format("partials saved, {}", n), chain, {shape});
        check_fused<T, 2>(fmt::format("computed again, {}", n), cheap, {shape, shape});
        check_fused<T, 3>(fmt::format("three inputs, {}", n), mixed_up, {shape, shape, shape});
        check_fused<T, 3>(fmt::format("a scalar, {}", n), mixed_up, {shape, shape, {}});
        check_fused<T, 3>(fmt::format("a row, {}", n), mixed_up, {{3, n}, {n}, {1, 1}});
        check_fused<T, 3>(fmt::format("a column, {}", n), mixed_up, {{n, 3}, {n, 1}, {3}});
    }
}

TEST_CASE_TEMPLATE("inputs broadcast against each other", T, float, double) {
    const std::vector<std::vector<Shape>> cases = {
        {{}, {}, {}},
        {{1}, {}, {1, 1}},
        {{4, 5}, {5}, {}},
        {{4, 1}, {1, 5}, {}},
        {{4, 1}, {5}, {4, 5}},
        {{2, 1, 3}, {4, 1}, {}},
        {{1, 3}, {2, 4, 1}, {3}},
        {{2, 3, 4, 5, 6}, {3, 1, 5, 1}, {6}},
        {{0, 3}, {3}, {}},
        {{}, {0}, {}},
        {{2, 0}, {2, 1}, {1}},
        {{600}, {2, 600}, {2, 1}},
        {{3, 700, 2}, {700, 1}, {3, 1, 2}},
    };
    for (std::size_t k = 0; k < cases.size(); ++k) {
        check_fused<T, 3>(fmt::format("case {}", k), mixed_up, cases[k]);
        check_fused<T, 3>(fmt::format("case {} in part", k), mixed_up, cases[k], 2, {false, true, false});
        check_fused<T, 3>(fmt::format("case {} by the last", k), mixed_up, cases[k], 2, {false, false, true});
        check_fused<T, 2>(fmt::format("case {} of sums", k), [](auto x, auto y) { return x + y; },
                          {cases[k][0], cases[k][1]});
    }
    CHECK(fuse(mixed_up, ones<T>({4, 1}), ones<T>({1, 5}), ones<T>({})).shape() == Shape{4, 5});
}

TEST_CASE_TEMPLATE("third derivatives are op by op's", T, float, double) {
    for (const Shape& shape : {Shape{}, Shape{5}, Shape{300}}) {
        check_fused<T, 1>("chain", chain, {shape}, 3);
        check_fused<T, 2>("cheap", cheap, {shape, shape}, 3);
        check_fused<T, 2>(
            "pow", [](auto x, auto y) { return pow(2.0 + sin(x), y); }, {shape, shape}, 3);
        check_fused<T, 1>(
            "gelu", [](auto x) { return gelu(x); }, {shape}, 3);
        check_fused<T, 1>(
            "polygamma", [](auto x) { return polygamma(2, 3.0 + x); }, {shape}, 3);
        check_fused<T, 1>(
            "where", [](auto x) { return where(x > -9, cube(x), sin(x)); }, {shape}, 3);
    }
    check_fused<T, 3>("mixed", mixed_up, {{4, 1}, {3}, {}}, 3);
}

TEST_CASE_TEMPLATE("numbers that multiply the whole are no gradients of 1", T, float, double) {
    for (const std::size_t n : {1U, 5U, 300U}) {
        const Shape shape{n};
        check_fused<T, 1>("a number times a product", [](auto x) { return 0.1 * (exp(x) * x); }, {shape});
        check_fused<T, 1>("several numbers", [](auto x) { return (2 * (sin(x) * x) + 1) * 0.5; }, {shape});
        check_fused<T, 2>("beside a gradient of 1", [](auto x, auto y) { return 0.1 * (tanh(x) * y) + exp(x) * y; },
                          {shape, shape});
    }
}

TEST_CASE("a tensor may be handed to fuse twice") {
    const auto x = parameter(xt::xarray<double>{0.5, -1.0, 2.0});
    const Tensors<double> at{x};
    const auto twice = [&](const auto& f) {
        const auto fused = derivatives<double>([&](const Tensors<double>& in) { return fuse(f, in[0], in[0]); }, at, 2);
        const auto composed = derivatives<double>([&](const Tensors<double>& in) { return f(in[0], in[0]); }, at, 2);
        CHECK(unlike(fused, composed, 1e-14) == "");
    };
    twice([](auto a, auto b) { return tanh(a) * b; });              // partial derivatives saved
    twice([](auto a, auto b) { return (a - 2 * b) * b + a * a; });  // computed again
    twice([](auto a, auto b) { return a + b; });

    const auto s = parameter(0.5);
    const auto y = fuse([](auto v, auto a, auto b) { return tanh(v * a) * b; }, x.detach(), s, s);
    const auto same = tanh(x.detach() * s) * s;
    CHECK(grad(sum(y), {s})[0].item() == doctest::Approx(grad(sum(same), {s})[0].item()));
}

TEST_CASE_TEMPLATE("a gradient that several values get, and that others are added to", T, float, double) {
    const auto leaves = [](auto x, auto y) {
        auto p = tanh(x);
        return exp(x + y) * p;
    };
    const auto inner = [](auto x, auto y) {
        auto v = sin(x);
        auto w = cos(y);
        auto p = tanh(v);
        return exp(v + w) * p;
    };
    const auto deep = [](auto x, auto y) {
        auto a = x * y;
        auto b = a + x;
        auto c = b + a;
        auto d = c + b;
        return square(d) * sin(c) + (a + d) * y + (x + x);
    };
    const auto same = [](auto x, auto y) { return tanh(x + y); };
    const auto differences = [](auto x, auto y) { return sigmoid(x - y) * (y - x) - (x - (y - x)); };
    for (const std::size_t n : {1U, 19U, 3000U}) {
        const Shape shape{n};
        check_fused<T, 2>("leaves", leaves, {shape, shape});
        check_fused<T, 2>("inner", inner, {shape, shape});
        check_fused<T, 2>("deep", deep, {shape, shape});
        check_fused<T, 2>("same", same, {shape, shape});
        check_fused<T, 2>("differences", differences, {shape, shape});
        check_fused<T, 2>("leaves and a scalar", leaves, {shape, {}});
        check_fused<T, 2>("a scalar, inner", inner, {{1}, shape});
        check_fused<T, 2>("deep with a row", deep, {{2, n}, shape});
    }
}

TEST_CASE("a gradient may be asked for by some of the parameters only") {
    const Tensors<double> xs{parameter(linspace<double>(-1.0, 1.0, 20)), parameter(linspace<double>(0.0, 2.0, 20)),
                             parameter(linspace<double>(1.0, 3.0, 20))};
    const auto check = [&](const auto& f) {
        const auto fused = fuse(f, xs[0], xs[1], xs[2]);
        const auto composed = f(xs[0], xs[1], xs[2]);
        const auto seed = linspace<double>(1.0, -1.0, 20);
        for (const Tensors<double>& some : {Tensors<double>{xs[0]}, {xs[1]}, {xs[2]}, {xs[2], xs[0]}, {xs[1], xs[2]}}) {
            const auto of = [&](const Tensor<double>& y, bool create_graph) {
                return grad(y, some, {.seed = seed, .retain_graph = true, .create_graph = create_graph});
            };
            CHECK(unlike(of(fused, false), of(composed, false), 1e-14) == "");
            CHECK(unlike(of(fused, true), of(composed, false), 1e-14) == "");
        }
    };
    check([](auto x, auto y, auto z) { return tanh(x) * exp(y) / z; });  // partial derivatives saved
    check([](auto x, auto y, auto z) { return x * y * y - z * x; });     // computed again
}

TEST_CASE("gradients add to what others have given") {
    const auto x = parameter(xt::xarray<double>{0.5, -1.0, 2.0});
    const auto s = parameter(2.0);
    Tensors<double> fused;
    Tensors<double> composed;
    for (Tensors<double>* got : {&fused, &composed}) {
        x.zero_grad();
        s.zero_grad();
        const bool is_fused = got == &fused;
        const auto apply = [&](const auto& f) { return is_fused ? fuse(f, x, s) : f(x, s); };
        (sum(x * s) + sum(apply([](auto a, auto b) { return exp(a) * b; })) +
         sum(apply([](auto a, auto b) { return a * a * b + b; })) + sum(sin(x) + cos(s)))
            .backward();
        *got = {x.grad(), s.grad()};
    }
    CHECK(unlike(fused, composed, 1e-14) == "");
}

TEST_CASE("what a lambda captures may be scalars of any arithmetic type") {
    const int i = 3;
    const float f = 0.5F;
    const long long l = -2;
    const unsigned u = 2;
    check_fused<double, 1>(
        "captured", [=](auto x) { return i * x + f / (4 + x * x) - pow(x + 3, u) * l + pow(u, x) + maximum(l, x); },
        {{7}});
    check_fused<float, 1>("captured", [=](auto x) { return i - x * f + l / (4 + x * x); }, {{7}});
    for (const bool condition : {true, false}) {
        check_fused<double, 1>("where of a bool", [=](auto x) { return where(condition, sin(x), 2) * x; }, {{7}});
        check_fused<double, 1>("where of a bool", [=](auto x) { return where(condition, 1.5, x) * x; }, {{7}});
    }
}

TEST_CASE("what a lambda captures may be another number, and make another program, in each call") {
    const Tensors<double> at{parameter(xt::xarray<double>{0.5, -1.0, 2.0})};
    // All calls are recorded before any is replayed: each node has its own numbers.
    const auto numbers = [&](bool fused) {
        return derivatives<double>(
            [&](const Tensors<double>& x) {
                Tensor<double> total(0.0);
                for (int k = 1; k <= 5; ++k) {
                    const auto f = [k](auto v) { return tanh(k * v) * 0.3 + v * v / (k + v * v); };
                    total = total + (fused ? fuse(f, x[0]) : f(x[0]));
                }
                return total;
            },
            at, 3);
    };
    CHECK(unlike(numbers(true), numbers(false), 1e-13) == "");

    const auto programs = [&](bool fused) {
        return derivatives<double>(
            [&](const Tensors<double>& x) {
                Tensor<double> total(0.0);
                for (int length = 0; length < 40; ++length) {  // more than are kept
                    const auto f = [length](auto v) {
                        auto y = v;
                        for (int k = 0; k < length; ++k) {
                            y = sin(y) + 0.1 * v;
                        }
                        return y;
                    };
                    total = total + (fused ? fuse(f, x[0]) : f(x[0]));
                }
                return total;
            },
            at, 2);
    };
    CHECK(unlike(programs(true), programs(false), 1e-13) == "");
    CHECK(unlike(programs(true), programs(false), 1e-13) == "");

    // Programs of the same length.
    for (const int op : {0, 1, 2, 0, 1, 2}) {
        check_fused<double, 1>("one of three",
                               [op](auto v) { return op == 0   ? sin(v)
                                                     : op == 1 ? tanh(v)
                                                               : square(v); }, {{20}});
    }
}

TEST_CASE("threads may fuse the same lambda at the same time, from its first call on") {
    const auto f = [](auto x, auto y, auto s) { return exp(-x * x) * sin(y + s) + erf(x) * s; };
    const auto differentiate = [&](const auto& function) {
        const Tensors<double> xs{parameter(linspace<double>(-1.0, 1.0, 700)),
                                 parameter(linspace<double>(0.0, 2.0, 700)), parameter(0.5)};
        return derivatives<double>([&](const Tensors<double>& x) { return function(x); }, xs, 2);
    };
    const auto expected = differentiate([&](const Tensors<double>& x) { return call<3>(f, x, false); });
    std::vector<std::string> messages(8);
    {
        std::latch start(static_cast<std::ptrdiff_t>(messages.size()));
        std::vector<std::jthread> threads;
        for (std::string& message : messages) {
            threads.emplace_back([&] {
                start.arrive_and_wait();
                for (int k = 0; k < 20; ++k) {
                    const auto got = differentiate([&](const Tensors<double>& x) { return call<3>(f, x, true); });
                    message += unlike(got, expected, 1e-13);
                }
            });
        }
    }
    CHECK(messages == std::vector<std::string>(8));
}

TEST_CASE("assignment operators in a lambda") {
    check_fused<double, 2>("assignments",
                           [](auto x, auto y) {
                               auto z = -x;
                               z *= y;
                               z += 2;
                               z /= 4.0 + y * y;
                               z -= x;
                               return z;
                           },
                           {{7}, {7}});
    const auto loop = [](auto x) {
        auto y = x;
        for (int k = 0; k < 40; ++k) {
            y = sin(y) + 0.1 * x;
        }
        return y;
    };
    check_fused<double, 1>("a loop of many steps", loop, {{300}});
}

TEST_CASE_TEMPLATE("sines and cosines of the same", T, float, double) {
    for (const Shape& shape : {Shape{}, Shape{5}, Shape{1500}}) {
        check_fused<T, 1>(
            "sin cos", [](auto x) { return sin(x) * cos(x); }, {shape}, 3);
        check_fused<T, 1>(
            "cos sin", [](auto x) { return cos(x) / (2 + sin(x)) + cos(x); }, {shape}, 3);
        check_fused<T, 1>(
            "sin", [](auto x) { return sin(x); }, {shape}, 3);
        check_fused<T, 1>(
            "cos", [](auto x) { return cos(x); }, {shape}, 3);
        check_fused<T, 1>(
            "of several", [](auto x) { return cos(x * x) + sin(x) + sin(x * x) * cos(x) * sin(x); }, {shape}, 3);
        check_fused<T, 2>("of two", [](auto x, auto y) { return sin(x) * cos(y) + cos(x) * sin(y); }, {shape, shape});
        check_fused<T, 2>("of a scalar", [](auto x, auto y) { return x * sin(y) + cos(y); }, {shape, {}});
        check_fused<T, 2>("cheap", [](auto x, auto y) { return (y + y) * cos(x); }, {{3, 5}, {5}});
    }
}

TEST_CASE("the ops may be qualified, and a lambda may name its types") {
    const auto x = parameter(xt::xarray<double>{0.5, -1.0, 2.0});
    const auto y = fuse([](const fused::Value<double>& v) { return xtape::where(v < 1, xtape::tanh(v), v); }, x);
    CHECK(elements(y) == elements(where(x < 1, tanh(x), x)));
    const auto z = fuse([](auto& a, auto&& b) { return xtape::hypot(a, b) + xtape::clip(a, 0, 1); }, x, x);
    CHECK(elements(z) == elements(hypot(x, x) + clip(x, 0, 1)));
}

TEST_CASE("fused inputs, constants and results that are the same everywhere") {
    check_fused<double, 1>("the input", [](auto x) { return x; }, {{9}});
    check_fused<double, 2>("one of two", [](auto, auto y) { return y; }, {{9}, {9}});
    check_fused<double, 2>("a scaled scalar, broadcast", [](auto x, auto s) { return where(x > 9, s, s * 2); },
                           {{9}, {}});
    // What does not depend on an input still has the common shape.
    const auto x = parameter(ones<double>({2, 3}));
    const auto s = parameter(4.0);
    const auto y = fuse([](auto, auto b) { return sqrt(b); }, x, s);
    CHECK(elements(y) == std::vector<double>(6, 2.0));
    CHECK(y.shape() == Shape{2, 3});
    const auto gradients = grad(y, {x, s}, {.seed = ones<double>({2, 3}), .allow_unused = true});
    CHECK(elements(gradients[0]) == std::vector<double>(6, 0.0));
    CHECK(gradients[1].item() == 1.5);
    CHECK(message<GraphError>([&] { (void)grad(sum(fuse([](auto, auto b) { return b; }, x, s)), {x}); }) != "");
    // A condition is no path for gradients.
    const auto mask = fuse([](auto a) { return where(a > 0, 1.0, 0.0); }, x);
    CHECK_FALSE(mask.requires_grad());
    CHECK(elements(mask) == std::vector<double>(6, 1.0));
}

TEST_CASE("comparisons hold as they do on tensors, for NaN too") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const Tensor<double> x(xt::xarray<double>{1.0, 2.0, 2.0, nan, 1.0, nan});
    const Tensor<double> y(xt::xarray<double>{2.0, 1.0, 2.0, 1.0, nan, nan});
    const auto same = [&](const auto& condition) {
        const auto fused = fuse([&](auto a, auto b) { return where(condition(a, b), 1.0, 0.0); }, x, y);
        const auto composed = where(condition(x, y), ones_like(x), zeros_like(x));
        CHECK(elements(fused) == elements(composed));
    };
    same([](const auto& a, const auto& b) { return a < b; });
    same([](const auto& a, const auto& b) { return a <= b; });
    same([](const auto& a, const auto& b) { return a > b; });
    same([](const auto& a, const auto& b) { return a >= b; });
    same([](const auto& a, const auto& b) { return equal(a, b); });
    same([](const auto& a, const auto& b) { return not_equal(a, b); });
    same([](const auto& a, const auto& b) { return a < 1.5 && 1.5 < b; });
    same([](const auto& a, const auto& b) { return a < 1.5 || 1.5 <= b; });
    same([](const auto& a, const auto& b) { return !(a >= 2) || !(2 > b); });
    same([](const auto& a, const auto&) { return equal(a, 2) || not_equal(1, a); });
}

TEST_CASE("fuse is one node, and records nothing where nothing is to be recorded") {
    const auto x = parameter(xt::xarray<double>{0.5, -1.0, 2.0});
    const std::size_t before = tape().nodes();
    const auto y = fuse(chain, x);
    CHECK(tape().nodes() == before + 1);
    CHECK(y.requires_grad());
    CHECK_FALSE(y.is_leaf());
    CHECK(fmt::format("{}", y).find("fuse") != std::string::npos);
    CHECK_FALSE(fuse(chain, x.detach()).requires_grad());
    {
        const NoGradGuard guard;
        CHECK_FALSE(fuse(chain, x).requires_grad());
    }
    CHECK(tape().nodes() == before + 1);
    // A gradient with a graph is a node too: however long the lambda, and whatever it hangs on.
    const auto g = grad(sum(y), {x}, {.create_graph = true})[0];
    CHECK(g.requires_grad());
}

TEST_CASE("a fused node is replayed as any other: once, unless retained, and on the values that it saved") {
    const auto x = parameter(xt::xarray<double>{0.5, -1.0, 2.0});
    const auto w = parameter(xt::xarray<double>{1.5, 1.0, -2.0});
    const auto y = fuse(cheap, x, w);
    const auto first = grad(y, {x, w}, {.seed = ones_like(y), .retain_graph = true});
    const auto second = grad(y, {x, w}, {.seed = ones_like(y)});
    CHECK(elements(first[0]) == elements(second[0]));
    CHECK(elements(first[1]) == elements(second[1]));
    CHECK(message<GraphError>([&] { y.backward(ones_like(y)); }).find("fuse") != std::string::npos);

    const auto z = sum(fuse(cheap, x, w));
    w.assign(xt::xarray<double>{0.0, 0.0, 0.0});
    const std::string overwritten = message<GraphError>([&] { z.backward(); });
    CHECK(overwritten.find("fuse") != std::string::npos);
    CHECK(overwritten.find("overwritten") != std::string::npos);

    // What it does not read it does not save.
    const auto without_w = fuse([](auto a, auto) { return a * a; }, x, w);
    w.assign(xt::xarray<double>{1.0, 1.0, 1.0});
    CHECK(elements(grad(sum(without_w), {x})[0]) == std::vector<double>{1.0, -2.0, 4.0});
}

TEST_CASE("a fused node counts what it saves, and lets go of it") {
    const auto x = parameter(zeros<double>({1000}));
    const std::size_t before = tape().bytes();
    const std::size_t buffer = 1000 * sizeof(double);
    {
        const auto y = fuse([](auto a) { return a * a; }, x);
        CHECK(tape().bytes() >= before + buffer);
        CHECK(tape().bytes() < before + 2 * buffer);
    }
    {
        const auto y = fuse(chain, x);  // the partial derivative too
        CHECK(tape().bytes() >= before + 2 * buffer);
        y.backward(ones_like(y));
        CHECK(tape().bytes() < before + buffer);
    }
    CHECK(tape().bytes() == before);
}

TEST_CASE("fuse says what is wrong with its arguments") {
    const auto x = ones<double>({2, 3});
    const auto add = [](auto a, auto b) { return a + b; };
    const std::string shapes = message<ShapeError>([&] { (void)fuse(add, x, ones<double>({4})); });
    CHECK(shapes.find("fuse") != std::string::npos);
    CHECK(shapes.find("(2, 3)") != std::string::npos);
    CHECK(shapes.find("(4,)") != std::string::npos);
    CHECK(message<ValueError>([&] { (void)fuse(add, x, Tensor<double>()); }) != "");
    CHECK(message<ValueError>([&] {
              (void)fuse(
                  [&](auto a) {
                      (void)fuse([&](auto b) { return a * b; }, x);
                      return a;
                  },
                  x);
          }).find("fuse") != std::string::npos);
    // The ops inside refuse what they refuse outside, in the same words.
    const double inf = std::numeric_limits<double>::infinity();
    const auto same = [&](const auto& f) {
        const std::string fused = message<ValueError>([&] { (void)fuse(f, x); });
        CHECK(fused == message<ValueError>([&] { (void)f(x); }));
    };
    same([](auto a) { return clip(a, 1, 0); });
    same([=](auto a) { return leaky_relu(a, inf); });
    same([=](auto a) { return elu(a, inf); });
    same([](auto a) { return polygamma(-1, a); });
}

TEST_CASE("hooks see and may change a fused gradient") {
    const auto x = parameter(xt::xarray<double>{0.5, -1.0, 2.0});
    const auto y = fuse(chain, x);
    const auto expected = grad(sum(y), {x}, {.retain_graph = true})[0];
    const auto hook = y.register_hook([](const Tensor<double>& g) { return 2.0 * g; });
    CHECK(unlike<double>(grad(sum(y), {x}), {2.0 * expected}, 1e-15) == "");
}
