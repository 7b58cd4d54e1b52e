// Random expressions of up to 30 ops over random broadcastable shapes: their gradients and second derivatives along
// random directions are those that differences find. rapidcheck prints the seed, and shrinks what fails;
// RC_PARAMS="seed=... max_success=100000" repeats a run or makes a long one.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <rapidcheck.h>

#include <xtape/autograd.hpp>

using namespace xtape;

namespace {

using Value = Tensor<double>;
using Values = std::vector<Value>;

/// One op, its operands counted back from the latest value, and an axis where it takes one.
struct Step {
    int op;
    int a;
    int b;
    int axis;
};

struct Program {
    std::vector<int> extents;  // of the shape that all values broadcast to
    int inputs;
    int seed;
    std::vector<Step> steps;
};

struct Op {
    const char* name;
    std::function<Value(const Value&, const Value&, std::ptrdiff_t)> f;
};

Value unary_guard(const Value& x) { return 1.5 + sin(x); }

Shape common(const Value& a, const Value& b) { return (a.detach() + b.detach()).shape(); }

// A condition along the last axis.
xt::xarray<bool> some(const Shape& shape) {
    return xt::cos(7.0 * xt::arange<double>(shape.empty() ? 1.0 : static_cast<double>(shape.back()))) > 0.0;
}

Value drawn(const Shape& shape, double bound, random::Stream& stream) {
    xt::xarray<double> elements = xt::xarray<double>::from_shape(shape);
    for (double& element : elements) {
        element = stream.uniform<double>(-bound, bound);
    }
    return Value(elements);
}

// Positive definite, (..., m, m).
Value definite(const Value& a) {
    return matmul_transposed(a, false, a, true) + 2.0 * eye<double>(a.shape()[a.dimension() - 2]);
}

/// Smooth everywhere they are evaluated, so that differences are a judge; kinks have rows in the gradient table.
const std::vector<Op>& ops() {
#define XTAPE_ONE(name, expression)                                                            \
    {                                                                                          \
        name, [](const Value& a, const Value&, std::ptrdiff_t) -> Value { return expression; } \
    }
#define XTAPE_TWO(name, expression)                                                              \
    {                                                                                            \
        name, [](const Value& a, const Value& b, std::ptrdiff_t) -> Value { return expression; } \
    }
#define XTAPE_ALONG(name, expression)                                                                                \
    {                                                                                                                \
        name, [](const Value& a, const Value&, [[maybe_unused]] std::ptrdiff_t axis) -> Value { return expression; } \
    }
    static const std::vector<Op> list = {
        XTAPE_ONE("negate", -a),
        XTAPE_ONE("sin", sin(a)),
        XTAPE_ONE("cos", cos(a)),
        XTAPE_ONE("tan", tan(0.5 * tanh(a))),
        XTAPE_ONE("asin", asin(0.5 * sin(a))),
        XTAPE_ONE("acos", acos(0.5 * sin(a))),
        XTAPE_ONE("atan", atan(a)),
        XTAPE_ONE("sinh", sinh(tanh(a))),
        XTAPE_ONE("cosh", cosh(tanh(a))),
        XTAPE_ONE("tanh", tanh(a)),
        XTAPE_ONE("asinh", asinh(a)),
        XTAPE_ONE("acosh", acosh(2.0 + sin(a))),
        XTAPE_ONE("atanh", atanh(0.5 * sin(a))),
        XTAPE_ONE("exp", exp(sin(a))),
        XTAPE_ONE("exp2", exp2(sin(a))),
        XTAPE_ONE("expm1", expm1(sin(a))),
        XTAPE_ONE("log", log(unary_guard(a))),
        XTAPE_ONE("log2", log2(unary_guard(a))),
        XTAPE_ONE("log10", log10(unary_guard(a))),
        XTAPE_ONE("log1p", log1p(square(a))),
        XTAPE_ONE("square", square(tanh(a))),
        XTAPE_ONE("cube", cube(tanh(a))),
        XTAPE_ONE("sqrt", sqrt(unary_guard(a))),
        XTAPE_ONE("rsqrt", rsqrt(unary_guard(a))),
        XTAPE_ONE("cbrt", cbrt(unary_guard(a))),
        XTAPE_ONE("reciprocal", reciprocal(unary_guard(a))),
        XTAPE_ONE("erf", erf(a)),
        XTAPE_ONE("erfc", erfc(a)),
        XTAPE_ONE("lgamma", lgamma(unary_guard(a))),
        XTAPE_ONE("digamma", digamma(unary_guard(a))),
        XTAPE_ONE("sigmoid", sigmoid(a)),
        XTAPE_ONE("log_sigmoid", log_sigmoid(a)),
        XTAPE_ONE("softplus", softplus(a)),
        XTAPE_ONE("gelu", gelu(a)),
        XTAPE_ONE("silu", silu(a)),
        XTAPE_TWO("add", a + b),
        XTAPE_TWO("subtract", a - b),
        XTAPE_TWO("multiply", a * b),
        XTAPE_TWO("divide", a / unary_guard(b)),
        XTAPE_TWO("pow", pow(unary_guard(a), tanh(b))),
        XTAPE_TWO("atan2", atan2(a, unary_guard(b))),
        XTAPE_TWO("hypot", hypot(a, unary_guard(b))),
        XTAPE_TWO("logaddexp", logaddexp(a, b)),
        XTAPE_TWO("where", where(some(common(a, b)), a, b)),
        XTAPE_ALONG("sum", sum(a, axis, keep_dims)),
        XTAPE_ALONG("mean", mean(a, axis, keep_dims)),
        XTAPE_ALONG("prod", prod(tanh(a), axis, keep_dims)),
        XTAPE_ALONG("variance", variance(a, axis, keep_dims)),
        XTAPE_ALONG("norm_l2", norm_l2(unary_guard(a), axis, keep_dims)),
        XTAPE_ALONG("norm_sq", norm_sq(tanh(a), axis, keep_dims)),
        XTAPE_ALONG("logsumexp", logsumexp(a, axis, keep_dims)),
        XTAPE_ALONG("softmax", softmax(a, axis)),
        XTAPE_ALONG("log_softmax", log_softmax(a, axis)),
        XTAPE_ALONG("cumsum", cumsum(a, axis)),
        XTAPE_ALONG("cumprod", cumprod(tanh(a), axis)),
        XTAPE_ALONG("flip", flip(a, axis)),
        XTAPE_ALONG("roll", roll(a, 1, axis)),
        XTAPE_ALONG("take", take(a, xt::zeros<int>({a.shape()[static_cast<std::size_t>(axis)]}), axis)),
        XTAPE_ALONG("concatenate", sum(concatenate({a, sin(a), cos(a)}, axis), axis, keep_dims)),
        {"matmul",
         [](const Value& a, const Value& b, std::ptrdiff_t) -> Value {
             const Shape shape = common(a, b);
             if (shape.size() < 2) {
                 return vdot(broadcast_to(a, shape), broadcast_to(b, shape));
             }
             return sum(matmul_transposed(broadcast_to(a, shape), false, broadcast_to(b, shape), true), -1, keep_dims);
         }},
        {"einsum",
         [](const Value& a, const Value& b, std::ptrdiff_t) -> Value {
             const Shape shape = common(a, b);
             return shape.empty()
                        ? a * b
                        : expand_dims(einsum("...i,...i->...", broadcast_to(a, shape), broadcast_to(b, shape)), -1);
         }},
        {"solve",
         [](const Value& a, const Value& b, std::ptrdiff_t) -> Value {
             const Shape shape = common(a, b);
             return shape.size() < 2 ? a / (2.0 + square(b))
                                     : linalg::solve(definite(broadcast_to(a, shape)), broadcast_to(b, shape));
         }},
        {"cholesky",
         [](const Value& a, const Value&, std::ptrdiff_t) -> Value {
             return a.dimension() < 2 ? sqrt(2.0 + square(a)) : sum(linalg::cholesky(definite(a)), -1, keep_dims);
         }},
    };
    return list;
}

Values inputs_of(const Program& program, random::Stream& stream) {
    Values inputs;
    for (int i = 0; i < program.inputs; ++i) {
        // Leading axes left out, others repeated: broadcast in every way.
        const std::size_t rank = program.extents.size();
        const std::size_t dropped = i == 0 ? 0 : stream.below(rank + 1);
        Shape shape;
        for (std::size_t axis = dropped; axis < rank; ++axis) {
            const bool repeated = i > 0 && stream.below(3) == 0;
            shape.push_back(repeated ? 1 : static_cast<std::size_t>(program.extents[axis]));
        }
        inputs.push_back(parameter(drawn(shape, 1.5, stream)));
    }
    return inputs;
}

Value evaluate(const Program& program, const Values& inputs) {
    Values values = inputs;
    for (const Step& step : program.steps) {
        const auto back = [&](int i) -> const Value& {
            return values[values.size() - 1 - static_cast<std::size_t>(i) % values.size()];
        };
        const Value& a = back(step.a);
        const Value& b = back(step.b);
        const Op& op = ops()[static_cast<std::size_t>(step.op)];
        const bool needs_axis = a.dimension() == 0;  // an op along an axis of a scalar: one of extent 1
        const Value operand = needs_axis ? expand_dims(a, 0) : a;
        values.push_back(op.f(operand, b, step.axis % static_cast<std::ptrdiff_t>(operand.dimension())));
    }
    return values.back();
}

double dot(const Value& a, const Value& b) { return sum(a.detach() * b.detach()).item(); }

double dot(const Values& a, const Values& b) {
    double total = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        total += dot(a[i], b[i]);
    }
    return total;
}

Values moved(const Values& x, const Values& direction, double step) {
    Values result;
    for (std::size_t i = 0; i < x.size(); ++i) {
        result.push_back(parameter(x[i].detach() + step * direction[i]));
    }
    return result;
}

Values like(const Values& x, random::Stream& stream) {
    Values result;
    for (const Value& value : x) {
        result.push_back(drawn(value.shape(), 1.0, stream));
    }
    return result;
}

struct Difference {
    double value;
    double uncertainty;
};

/// f's derivative by a step along the direction, extrapolated (Richardson), and how far it can be trusted.
template <class F>
Difference difference(F f, const Values& x, const Values& direction) {
    const auto central = [&](double h) { return (f(moved(x, direction, h)) - f(moved(x, direction, -h))) / (2 * h); };
    const double coarse = central(2e-4);
    const double fine = central(1e-4);
    return {(4 * fine - coarse) / 3, std::abs(fine - coarse)};
}

std::string show(const Program& program) {
    std::string text =
        fmt::format("shape ({}), {} inputs, seed {}:", fmt::join(program.extents, ", "), program.inputs, program.seed);
    for (const Step& step : program.steps) {
        text += fmt::format(" {}(-{}, -{}; {})", ops()[static_cast<std::size_t>(step.op)].name, step.a + 1, step.b + 1,
                            step.axis);
    }
    return text;
}

/// Too steep for differences to judge: nothing is learnt from it.
bool is_steep(const Difference& d) { return !(d.uncertainty <= 1e-4 * (1.0 + std::abs(d.value))); }

void check_program(const Program& program) {
    random::Stream stream(static_cast<std::uint64_t>(program.seed), 0);
    const Values x = inputs_of(program, stream);
    const Value y = evaluate(program, x);
    const Value weights = drawn(y.shape(), 1.0, stream);
    const auto loss = [&](const Values& at) { return sum(evaluate(program, at) * weights); };
    const Values v = like(x, stream);
    const Values u = like(x, stream);
    const auto gradient = [&](const Values& at, bool create_graph) {
        return grad(loss(at), at, {.create_graph = create_graph, .allow_unused = true});
    };
    const auto slope_along_u = [&](const Values& at) { return dot(gradient(at, false), u); };

    const Difference first = difference([&](const Values& at) { return loss(at).item(); }, x, v);
    const Difference second = difference(slope_along_u, x, v);
    RC_PRE(!is_steep(first) && !is_steep(second));

    const Values plain = gradient(x, false);
    const Values recorded = gradient(x, true);
    Value projected(0.0);
    for (std::size_t i = 0; i < x.size(); ++i) {
        projected = projected + sum(recorded[i] * u[i]);
    }
    // What is linear in everything has no second derivative to replay.
    Values curvature;
    if (projected.requires_grad()) {
        curvature = grad(projected, x, {.allow_unused = true});
    } else {
        std::ranges::transform(x, std::back_inserter(curvature), [](const Value& value) { return zeros_like(value); });
    }
    const auto near = [&](const char* what, double got, double expected, double uncertainty) {
        const double allowed = 1e-7 * (1.0 + std::abs(expected)) + 2 * uncertainty;
        if (!(std::abs(got - expected) <= allowed)) {
            RC_FAIL(fmt::format("{}: {:.12g}, not {:.12g} (within {:.2g})\n{}", what, got, expected, allowed,
                                show(program)));
        }
    };
    near("gradient", dot(plain, v), first.value, first.uncertainty);
    near("recorded gradient", dot(recorded, v), dot(plain, v), 0.0);
    near("second derivative", dot(curvature, v), second.value, second.uncertainty);

    // Every transform tells the same, also of a checkpoint that is given the inputs, and of one that captures them.
    Values at;
    std::ranges::transform(x, std::back_inserter(at), &Value::detach);
    const std::vector<std::function<Value(const Values&)>> forms{
        [&](const Values& in) { return evaluate(program, in); },
        [&](const Values& in) { return checkpoint([&](const Values& again) { return evaluate(program, again); }, in); },
        [&](const Values& in) { return checkpoint([&] { return evaluate(program, in); }); },
    };
    for (const auto& f : forms) {
        near("vjp", dot(vjp(f, at, weights).second, v), dot(plain, v), 0.0);
        near("jvp", dot(jvp(f, at, v).second, weights), dot(plain, v), 0.0);
        const auto weighted = [&](const Values& in) { return sum(f(in) * weights); };
        near("hvp", dot(hvp(weighted, at, u), v), dot(curvature, v), 0.0);
    }
}

}  // namespace

namespace rc {  // rapidcheck's names for what makes a random value, and prints one

template <>
struct Arbitrary<Step> {
    static Gen<Step> arbitrary() {
        return gen::build<Step>(gen::set(&Step::op, gen::inRange(0, static_cast<int>(ops().size()))),
                                gen::set(&Step::a, gen::inRange(0, 3)), gen::set(&Step::b, gen::inRange(0, 6)),
                                gen::set(&Step::axis, gen::inRange(0, 3)));
    }
};

template <>
struct Arbitrary<Program> {
    static Gen<Program> arbitrary() {
        const auto steps = gen::mapcat(gen::inRange(1, 31), [](int count) {
            return gen::container<std::vector<Step>>(static_cast<std::size_t>(count), gen::arbitrary<Step>());
        });
        const auto extents = gen::mapcat(gen::inRange(0, 4), [](int rank) {
            return gen::container<std::vector<int>>(static_cast<std::size_t>(rank), gen::inRange(1, 5));
        });
        // Full-sized from the first: rapidcheck would begin with scalars and short lists.
        return gen::resize(kNominalSize, gen::build<Program>(gen::set(&Program::extents, extents),
                                                             gen::set(&Program::inputs, gen::inRange(1, 4)),
                                                             gen::set(&Program::seed, gen::inRange(0, 1 << 30)),
                                                             gen::set(&Program::steps, steps)));
    }
};

}  // namespace rc

namespace {
[[maybe_unused]] std::ostream& operator<<(std::ostream& os, const Program& program) { return os << show(program); }
}  // namespace

TEST_CASE("random expressions have the gradients and second derivatives that differences find") {
    setenv("RC_PARAMS", "max_success=2000", 0);
    CHECK(rc::check("random expressions", [](const Program& program) { check_program(program); }));
}
