// Random lambdas, put together while the test runs: fused, and as the step of a scan, they have the values and the
// first and second derivatives that they have op by op, whatever their inputs' shapes and whichever of them require a
// gradient. Numbers stand at every place, and values are used several times. RC_PARAMS as in
// random_expressions_test.cpp.

#include <array>
#include <cstdlib>
#include <ostream>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <rapidcheck.h>

#include "../autograd/fused_comparison.hpp"

using namespace fused_comparison;

namespace {

struct LambdaStep {
    int op;
    int a;  // operands, counted back from the latest value
    int b;
    int number;
};

struct Lambda {
    int seed;
    std::array<int, 4> shapes;  // which of the shapes an input may have
    int wanted;                 // bits of the inputs that require a gradient
    std::vector<LambdaStep> steps;
};

constexpr int op_count = 20;

template <class V>
V applied(int op, const V& a, const V& b, double number) {
    switch (op) {
    case 0: return a + b;
    case 1: return a - b;
    case 2: return tanh(a) * b;
    case 3: return a / (1.5 + sin(b));
    case 4: return number * a;
    case 5: return a * number + b;
    case 6: return number - a;
    case 7: return a / (2.0 + number);
    case 8: return sin(a);
    case 9: return tanh(a);
    case 10: return exp(sin(a));
    case 11: return sigmoid(a);
    case 12: return sqrt(1.5 + sin(a));
    case 13: return square(tanh(a));
    case 14: return cos(a) * number;
    case 15: return where(a > b, a, number * b);
    case 16: return maximum(a, number);
    case 17: return -a;
    case 18: return clip(a, -0.5, 0.75);
    default: return log1p(square(b)) + a;
    }
}

/// The last `count` values.
template <std::size_t count, class V>
std::array<V, count> evaluate(const Lambda& lambda, std::vector<V> values) {
    for (const LambdaStep& step : lambda.steps) {
        const auto back = [&](int i) {
            return values[values.size() - 1 - static_cast<std::size_t>(i) % values.size()];
        };
        values.push_back(applied<V>(step.op, back(step.a), back(step.b), 0.25 * step.number - 1));
    }
    return [&]<std::size_t... i>(std::index_sequence<i...>) { return std::array{values[values.size() - 1 - i]...}; }
    (std::make_index_sequence<count>{});
}
template <std::size_t count>
auto function_of(const Lambda& lambda) {
    return [&lambda](const auto& first, const auto&... more) {
        return evaluate<count>(lambda, std::vector{first, more...});
    };
}

std::string show(const Lambda& lambda) {
    std::string text =
        fmt::format("seed {}, shapes {}, wanted {:b}:", lambda.seed, fmt::join(lambda.shapes, " "), lambda.wanted);
    for (const LambdaStep& step : lambda.steps) {
        text += fmt::format(" {}(-{}, -{}; {})", step.op, step.a + 1, step.b + 1, 0.25 * step.number - 1);
    }
    return text;
}

template <class T>
Tensors<T> inputs_of(const Lambda& lambda, const std::vector<Shape>& shapes, std::size_t count) {
    random::Stream stream(static_cast<std::uint64_t>(lambda.seed), 0);
    Tensors<T> xs;
    for (std::size_t i = 0; i < count; ++i) {
        const auto x = random_tensor<T>(stream, shapes[static_cast<std::size_t>(lambda.shapes[i]) % shapes.size()]);
        xs.push_back((lambda.wanted >> i & 1) != 0 ? parameter(x) : x);
    }
    return xs;
}

template <class T>
void expect_alike(const Lambda& lambda, const Tensors<T>& xs, const Function<T>& f, const Function<T>& op_by_op) {
    // What is linear in everything would have no second derivatives to compare.
    const Function<T> bent = [&](const Tensors<T>& x) { return sin(f(x)); };
    const Function<T> bent_op_by_op = [&](const Tensors<T>& x) { return sin(op_by_op(x)); };
    const std::string difference =
        unlike(derivatives(bent, xs, 2), derivatives(bent_op_by_op, xs, 2), 100 * rounding<T>);
    if (!difference.empty()) {
        RC_FAIL(difference + "\n" + show(lambda));
    }
}

void check_fuse(const Lambda& lambda) {
    using T = double;
    const auto f = [of = function_of<1>(lambda)](const auto&... in) { return of(in...)[0]; };
    const auto xs = inputs_of<T>(lambda, {{3, 5}, {5}, {3, 1}, {}}, 4);
    const Tensor<T> shaped = zeros<T>({3, 5});
    const auto composed = [&](const Tensors<T>& x) { return broadcast_to(f(x[0], x[1], x[2], x[3]), {3, 5}); };
    const auto fused = [&](const auto& last) {
        return [&](const Tensors<T>& x) {
            return fuse([&](const auto& a, const auto& b, const auto& c, const auto& d,
                            const auto&) { return last(f(a, b, c, d)); },
                        x[0], x[1], x[2], x[3], shaped);
        };
    };
    expect_alike<T>(lambda, xs, fused([](const auto& y) { return y; }), composed);
    expect_alike<T>(lambda, xs, fused([](const auto& y) { return mean(y); }),
                    [&](const Tensors<T>& x) { return mean(composed(x)); });
}

template <std::size_t states>
void check_scan(const Lambda& lambda) {
    using T = double;
    const Shape shape{4, 5};
    const auto f = function_of<states>(lambda);
    // The states to begin with can't have an axis of steps.
    const auto rows = inputs_of<T>(lambda, {{5}, {}}, states);
    auto xs = inputs_of<T>(lambda, {shape, {5}, {4, 1}, {}}, 4);
    std::copy(rows.begin(), rows.end(), xs.begin());
    xs.push_back(zeros<T>(shape));  // so that it has this shape whatever was drawn
    constexpr std::size_t others = 5 - states;
    expect_alike<T>(
        lambda, xs, [&](const Tensors<T>& x) { return by_scan<T, states, others>(f, x); },
        [&](const Tensors<T>& x) { return by_steps<T, states, others>(f, x, shape); });
}

}  // namespace

namespace rc {  // rapidcheck's names for what makes a random value, and prints one

template <>
struct Arbitrary<LambdaStep> {
    static Gen<LambdaStep> arbitrary() {
        return gen::build<LambdaStep>(
            gen::set(&LambdaStep::op, gen::inRange(0, op_count)), gen::set(&LambdaStep::a, gen::inRange(0, 3)),
            gen::set(&LambdaStep::b, gen::inRange(0, 8)), gen::set(&LambdaStep::number, gen::inRange(0, 12)));
    }
};

template <>
struct Arbitrary<Lambda> {
    static Gen<Lambda> arbitrary() {
        const auto steps = gen::mapcat(gen::inRange(1, 16), [](int count) {
            return gen::container<std::vector<LambdaStep>>(static_cast<std::size_t>(count),
                                                           gen::arbitrary<LambdaStep>());
        });
        const auto shape = gen::inRange(0, 4);
        return gen::resize(kNominalSize,
                           gen::build<Lambda>(gen::set(&Lambda::seed, gen::inRange(0, 1 << 30)),
                                              gen::set(&Lambda::shapes, gen::container<std::array<int, 4>>(shape)),
                                              gen::set(&Lambda::wanted, gen::inRange(1, 16)),
                                              gen::set(&Lambda::steps, steps)));
    }
};

}  // namespace rc

namespace {
[[maybe_unused]] std::ostream& operator<<(std::ostream& os, const Lambda& lambda) { return os << show(lambda); }
}  // namespace

TEST_CASE("random lambdas fused are what they are op by op") {
    setenv("RC_PARAMS", "max_success=2000", 0);
    CHECK(rc::check("fuse", [](const Lambda& lambda) { check_fuse(lambda); }));
}

TEST_CASE("random lambdas scanned are what their steps are one by one") {
    setenv("RC_PARAMS", "max_success=2000", 0);
    CHECK(rc::check("scan with one state", [](const Lambda& lambda) { check_scan<1>(lambda); }));
    CHECK(rc::check("scan with two states", [](const Lambda& lambda) { check_scan<2>(lambda); }));
}
