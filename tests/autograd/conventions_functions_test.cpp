// docs/pitfalls.md for the functions beyond the first set, and for the reductions made of others.

#include "elementwise_orders.hpp"

using namespace xtape;
using namespace conventions;

namespace {

/// f's gradient by its input, as the plain replay and as the recorded one computes it; equal to `expected`.
template <typename F>
void check_gradient(const std::string& what, F f, const xt::xarray<double>& at, const xt::xarray<double>& expected) {
    const auto check = [&]<typename T>(T) {
        const auto x = parameter(Tensor<T>(xt::xarray<T>(xt::cast<T>(at))));
        for (const bool recorded : {false, true}) {
            const Tensor<T> gradient = derivative(f(x), x, recorded);
            REQUIRE(gradient.size() == expected.size());
            for (std::size_t i = 0; i < gradient.size(); ++i) {
                const auto got = static_cast<double>(gradient.data()[i]);
                const double wanted = expected.data()[i];
                INFO(what, ", element ", i, recorded ? ", recorded: " : ": ", got, ", not ", wanted);
                CHECK(reference::agrees(got, wanted, 1e-6 * std::abs(wanted)));
            }
        }
    };
    check(double());
    check(float());
}

}  // namespace

TEST_CASE("the ends of a domain follow IEEE") {
    check_points({
        {"asin(1)", XTAPE_F(asin(x)), 1.0, std::asin(1.0), {inf}},
        {"acos(1)", XTAPE_F(acos(x)), 1.0, 0.0, {-inf}},
        {"acosh(1)", XTAPE_F(acosh(x)), 1.0, 0.0, {inf}},
        {"atanh(1)", XTAPE_F(atanh(x)), 1.0, inf, {inf}},
        {"atanh(-1)", XTAPE_F(atanh(x)), -1.0, -inf, {inf}},
        {"log1p(-1)", XTAPE_F(log1p(x)), -1.0, -inf, {inf}},
        {"log2(0)", XTAPE_F(log2(x)), 0.0, -inf, {inf}},
        {"log10(-0)", XTAPE_F(log10(x)), -0.0, -inf, {-inf}},
        {"rsqrt(0)", XTAPE_F(rsqrt(x)), 0.0, inf, {-inf}},
        {"cbrt(0)", XTAPE_F(cbrt(x)), 0.0, 0.0, {inf}},
        {"reciprocal(0)", XTAPE_F(reciprocal(x)), 0.0, inf, {-inf}},
        {"asinh(1e300)", XTAPE_F(asinh(x)), inf, inf, {0}},
        {"lgamma(0)", XTAPE_F(lgamma(x)), 0.0, inf, {-inf}},
    });
}

TEST_CASE("outside its domain a function beyond the first set is NaN, and so are its derivatives") {
    check_points({
        {"log1p(-2)", XTAPE_F(log1p(x)), -2.0, NaN, {NaN, NaN, NaN}},
        {"log2(-1)", XTAPE_F(log2(x)), -1.0, NaN, {NaN, NaN, NaN}},
        {"log10(-1)", XTAPE_F(log10(x)), -1.0, NaN, {NaN, NaN, NaN}},
        {"atanh(2)", XTAPE_F(atanh(x)), 2.0, NaN, {NaN, NaN, NaN}},
        {"acosh(-2)", XTAPE_F(acosh(x)), -2.0, NaN, {NaN, NaN, NaN}},
        {"acosh(0.5)", XTAPE_F(acosh(x)), 0.5, NaN, {NaN, NaN, NaN}},
        {"asin(2)", XTAPE_F(asin(x)), 2.0, NaN, {NaN, NaN, NaN}},
        {"acos(-2)", XTAPE_F(acos(x)), -2.0, NaN, {NaN, NaN, NaN}},
        {"rsqrt(-1)", XTAPE_F(rsqrt(x)), -1.0, NaN, {NaN, NaN, NaN}},
    });
}

TEST_CASE("steps are flat everywhere") {
    for (const double at : {0.0, -0.0, 0.5, -1.0, 2.5}) {
        check_points({
            {"sign",
             XTAPE_F(sign(x)),
             at,
             at > 0   ? 1.0
             : at < 0 ? -1.0
                      : at,
             {0}},
            {"floor", XTAPE_F(floor(x)), at, std::floor(at), {0}},
            {"ceil", XTAPE_F(ceil(x)), at, std::ceil(at), {0}},
            {"round", XTAPE_F(round(x)), at, std::nearbyint(at), {0}},
            {"trunc", XTAPE_F(trunc(x)), at, std::trunc(at), {0}},
        });
    }
    check_points({{"round(0.5)", XTAPE_F(round(x)), 0.5, 0.0, {0}},
                  {"round(1.5)", XTAPE_F(round(x)), 1.5, 2.0, {0}},
                  {"round(-2.5)", XTAPE_F(round(x)), -2.5, -2.0, {0}}});
}

TEST_CASE("activations at their kinks and far out") {
    check_points({
        {"leaky_relu(0)", XTAPE_F(leaky_relu(x, 0.25)), 0.0, 0.0, {0.25, 0}},
        {"leaky_relu(NaN)", XTAPE_F(leaky_relu(x, 0.25)), NaN, NaN, {NaN}},
        {"elu(0)", XTAPE_F(elu(x, 1.5)), 0.0, 0.0, {1.5}},
        {"elu(-1e4)", XTAPE_F(elu(x, 1.5)), -1e4, -1.5, {0, 0}},
        {"elu(1e4)", XTAPE_F(elu(x, 1.5)), 1e4, 1e4, {1, 0}},
        {"softplus(-1e4)", XTAPE_F(softplus(x)), -1e4, 0.0, {0, 0}},
        {"softplus(1e4)", XTAPE_F(softplus(x)), 1e4, 1e4, {1, 0}},
        {"log_sigmoid(-1e4)", XTAPE_F(log_sigmoid(x)), -1e4, -1e4, {1, 0}},
        {"log_sigmoid(1e4)", XTAPE_F(log_sigmoid(x)), 1e4, 0.0, {0, 0}},
        {"gelu(-1e4)", XTAPE_F(gelu(x)), -1e4, 0.0, {0, 0}},
        {"gelu(1e4)", XTAPE_F(gelu(x)), 1e4, 1e4, {1, 0}},
        {"gelu(-inf)", XTAPE_F(gelu(x)), -inf, 0.0, {0}},
        {"silu(-inf)", XTAPE_F(silu(x)), -inf, 0.0, {0}},
        {"silu(1e4)", XTAPE_F(silu(x)), 1e4, 1e4, {1, 0}},
        {"silu(-1e4)", XTAPE_F(silu(x)), -1e4, 0.0, {0, 0}},
    });
}

TEST_CASE("clip passes the gradient at its bounds and keeps NaNs") {
    check_points({
        {"clip at the lower bound", XTAPE_F(clip(x, -1.0, 2.0)), -1.0, -1.0, {1, 0}},
        {"clip at the upper bound", XTAPE_F(clip(x, -1.0, 2.0)), 2.0, 2.0, {1, 0}},
        {"clip below", XTAPE_F(clip(x, -1.0, 2.0)), -3.0, -1.0, {0, 0}},
        {"clip above", XTAPE_F(clip(x, -1.0, 2.0)), 3.0, 2.0, {0, 0}},
        {"clip(NaN)", XTAPE_F(clip(x, -1.0, 2.0)), NaN, NaN, {NaN}},
        {"clip(NaN) with a lower bound alone", XTAPE_F(clip(x, -1.0, inf)), NaN, NaN, {NaN}},
        {"clip(NaN) with an upper bound alone", XTAPE_F(clip(x, -inf, 2.0)), NaN, NaN, {NaN}},
        {"clip with a lower bound alone", XTAPE_F(clip(x, -1.0, inf)), 5.0, 5.0, {1, 0}},
        {"clip with an upper bound alone", XTAPE_F(clip(x, -inf, 2.0)), -5.0, -5.0, {1, 0}},
        {"clip without bounds", XTAPE_F(clip(x, -inf, inf)), 5.0, 5.0, {1, 0}},
    });
    CHECK_THROWS_WITH_AS(std::ignore = clip(Tensor<double>(1.0), 2.0, 1.0),
                         "clip: the bounds are 2 and 1; the lower one comes first", ValueError);
}

TEST_CASE("polygamma, leaky_relu and elu say what their parameters may be") {
    const Tensor<double> x(1.0);
    CHECK_THROWS_WITH_AS(std::ignore = polygamma(-1, x), "polygamma: its order is -1; it is 0 (digamma) or more",
                         ValueError);
    CHECK_THROWS_WITH_AS(std::ignore = leaky_relu(x, inf), "leaky_relu: its slope is inf; it is a finite number",
                         ValueError);
    CHECK_THROWS_WITH_AS(std::ignore = elu(x, NaN), "elu: its alpha is nan; it is a finite number", ValueError);
}

TEST_CASE("hypot and atan2 at the origin, logaddexp of infinities") {
    const auto pair = [](auto f) {
        return [f](const auto& x) { return f(view(x, xt::range(0, 1)), view(x, xt::range(1, 2))); };
    };
    const auto length = pair([](const auto& a, const auto& b) { return hypot(a, b); });
    const auto angle = pair([](const auto& a, const auto& b) { return atan2(a, b); });
    const auto added = pair([](const auto& a, const auto& b) { return logaddexp(a, b); });
    check_gradient("hypot(0, 0)", length, {0.0, 0.0}, {0.0, 0.0});
    check_gradient("hypot(3, 4)", length, {3.0, 4.0}, {0.6, 0.8});
    check_gradient("hypot of what overflows squared", length, {3e30, 4e30}, {0.6, 0.8});
    check_gradient("atan2(0, 0)", angle, {0.0, 0.0}, {0.0, 0.0});
    check_gradient("atan2(0, -1)", angle, {0.0, -1.0}, {-1.0, 0.0});
    check_gradient("atan2(inf, 1)", angle, {inf, 1.0}, {0.0, 0.0});
    check_gradient("atan2(1, inf)", angle, {1.0, inf}, {0.0, 0.0});
    check_gradient("atan2(1, -inf)", angle, {1.0, -inf}, {0.0, 0.0});
    check_gradient("logaddexp(NaN, 1)", added, {NaN, 1.0}, {NaN, NaN});
    check_gradient("logaddexp(1, NaN)", added, {1.0, NaN}, {NaN, NaN});
    check_gradient("logaddexp(-inf, -inf)", added, {-inf, -inf}, {0.0, 0.0});
    check_gradient("logaddexp(-inf, 1)", added, {-inf, 1.0}, {0.0, 1.0});
    check_gradient("logaddexp(inf, inf)", added, {inf, inf}, {0.5, 0.5});
    check_gradient("logaddexp(inf, 1)", added, {inf, 1.0}, {1.0, 0.0});
    check_gradient("logaddexp(1, 1)", added, {1.0, 1.0}, {0.5, 0.5});
}

TEST_CASE("prod's gradient is exact with zeros, and so is its Hessian") {
    const auto product = [](const auto& x) { return prod(x); };
    check_gradient("prod with one zero", product, {2.0, 0.0, 3.0}, {0.0, 6.0, 0.0});
    check_gradient("prod with two zeros", product, {2.0, 0.0, 3.0, 0.0}, {0.0, 0.0, 0.0, 0.0});
    // With two zeros, the only second derivative left is the one by both: the product of the others.
    const auto by_second = [](const auto& x) { return view(grad(prod(x), {x}, {.create_graph = true})[0], 1); };
    check_gradient("prod's Hessian", by_second, {2.0, 0.0, 3.0, 0.0}, {0.0, 0.0, 0.0, 6.0});
}

TEST_CASE("norms and deviations have gradient 0 where they are 0, at second order too") {
    const xt::xarray<double> zeros = {0.0, 0.0, 0.0};
    check_gradient(
        "norm_l2(0, 0, 0)", [](const auto& x) { return norm_l2(x); }, zeros, zeros);
    check_gradient(
        "norm_l1(0, 0, 0)", [](const auto& x) { return norm_l1(x); }, zeros, zeros);
    check_gradient(
        "stddev of a constant", [](const auto& x) { return stddev(x); }, {2.0, 2.0, 2.0}, zeros);
    check_gradient(
        "norm_l2 at 0, second order",
        [](const auto& x) { return sum(grad(norm_l2(x), {x}, {.create_graph = true})[0]); }, zeros, zeros);
    check_gradient("norm_l2 of what overflows squared", [](const auto& x) { return norm_l2(x); }, {3e30, 4e30},
                   {0.6, 0.8});
    check_gradient("norm_l2 of what underflows squared", [](const auto& x) { return norm_l2(x); }, {3e-30, 4e-30},
                   {0.6, 0.8});
    CHECK(norm_l2(Tensor<float>(xt::xarray<float>{3e30F, 4e30F})).item() == doctest::Approx(5e30));
    CHECK(norm_l2(Tensor<double>(xt::xarray<double>{3e-200, 4e-200})).item() == doctest::Approx(5e-200));
    CHECK(norm_l2(Tensor<double>(xt::xarray<double>{inf, 1.0})).item() == inf);
}

TEST_CASE("reductions of nothing") {
    const Tensor<double> nothing(xt::xarray<double>::from_shape({0, 3}));
    CHECK(prod(nothing).item() == 1.0);
    CHECK(norm_l2(nothing).item() == 0.0);
    CHECK(std::isnan(variance(nothing).item()));
    CHECK(prod(nothing, 0).shape() == Shape{3});
    CHECK_THROWS_WITH_AS(std::ignore = amin(nothing, 0),
                         "amin: shape (0, 3) has no elements along the reduced axes, and nothing has no smallest",
                         ValueError);
}

TEST_CASE("amin shares ties, and gives all to NaNs") {
    check_gradient("amin ties", [](const auto& x) { return amin(x); }, {1.0, 2.0, 1.0}, {0.5, 0.0, 0.5});
    check_gradient("amin with NaN", [](const auto& x) { return amin(x); }, {1.0, NaN, 2.0}, {0.0, 1.0, 0.0});
}

TEST_CASE("an untaken branch can't poison a gradient, whatever the function") {
    const auto guarded = [](auto f) { return [f](const auto& x) { return where(x.value() > 0, f(x), 0.0); }; };
    const xt::xarray<double> at = {-1.0, 0.0};
    check_gradient("log2", guarded([](const auto& x) { return log2(x); }), at, {0.0, 0.0});
    check_gradient("rsqrt", guarded([](const auto& x) { return rsqrt(x); }), at, {0.0, 0.0});
    check_gradient("acosh", guarded([](const auto& x) { return acosh(x); }), at, {0.0, 0.0});
    check_gradient("lgamma", guarded([](const auto& x) { return lgamma(x); }), at, {0.0, 0.0});
    check_gradient("norm_l2", guarded([](const auto& x) { return norm_l2(reciprocal(x), -1, keep_dims); }), {0.0},
                   {0.0});
}
