// What elementwise ops return where mathematics leaves the derivative open: docs/pitfalls.md, row by row.

#include "elementwise_orders.hpp"

using namespace xtape;
using namespace conventions;

namespace {

/// An op of two operands at a delicate point.
struct Pair {
    std::string name;
    Expression f;
    double a;
    double b;
    double value;
    double by_a;
    double by_b;
};

// Both operands of the output's shape, then each as one number that is the same everywhere: its gradient is then a sum.
template <typename T>
void check_pair(const Pair& pair) {
    for (const std::size_t n : sizes) {
        for (const bool a_is_scalar : {false, true}) {
            for (const bool b_is_scalar : {false, true}) {
                if (a_is_scalar && b_is_scalar) {
                    continue;
                }
                const auto a = parameter(a_is_scalar ? full<T>({}, pair.a) : filled<T>(n, pair.a));
                const auto b = parameter(b_is_scalar ? full<T>({}, pair.b) : filled<T>(n, pair.b));
                const Tensor<T> y = pair.f(std::vector{a, b});
                check_all(pair.name + ", value", y, pair.value);
                for (const bool recorded : {false, true}) {
                    const auto name = pair.name + (recorded ? ", recorded" : "");
                    const double times = static_cast<double>(n);
                    check_all(name + ", by a", derivative(y, a, recorded), (a_is_scalar ? times : 1.0) * pair.by_a);
                    check_all(name + ", by b", derivative(y, b, recorded), (b_is_scalar ? times : 1.0) * pair.by_b);
                }
            }
        }
    }
}

void check_pairs(const std::vector<Pair>& pairs) {
    for (const Pair& pair : pairs) {
        check_pair<double>(pair);
        check_pair<float>(pair);
    }
    CHECK(!pairs.empty());
}

const Expression power = [](const auto& x) { return pow(x[0], x[1]); };
const Expression larger = [](const auto& x) { return maximum(x[0], x[1]); };
const Expression smaller = [](const auto& x) { return minimum(x[0], x[1]); };

}  // namespace

TEST_CASE("relu and abs are flat at 0, to every order, and pass NaNs on") {
    check_points({
        {"relu(0)", XTAPE_F(relu(x)), 0.0, 0.0, {0, 0, 0}},
        {"relu(-0)", XTAPE_F(relu(x)), -0.0, 0.0, {0, 0, 0}},
        {"relu(NaN)", XTAPE_F(relu(x)), NaN, NaN, {NaN, NaN}},
        {"abs(0)", XTAPE_F(abs(x)), 0.0, 0.0, {0, 0, 0}},
        {"abs(-0)", XTAPE_F(abs(x)), -0.0, 0.0, {0, 0, 0}},
        {"abs(NaN)", XTAPE_F(abs(x)), NaN, NaN, {NaN, NaN}},
        {"relu(inf)", XTAPE_F(relu(x)), inf, inf, {1, 0, 0}},
        {"relu(-inf)", XTAPE_F(relu(x)), -inf, 0.0, {0, 0, 0}},
        {"abs(-inf)", XTAPE_F(abs(x)), -inf, inf, {-1, 0, 0}},
    });
}

TEST_CASE("sqrt and log at the end of their domain follow IEEE, infinities included") {
    check_points({
        {"sqrt(0)", XTAPE_F(sqrt(x)), 0.0, 0.0, {inf, -inf, inf}},
        {"sqrt(-0)", XTAPE_F(sqrt(x)), -0.0, -0.0, {-inf}},
        {"log(0)", XTAPE_F(log(x)), 0.0, -inf, {inf, -inf, inf}},
        {"log(-0)", XTAPE_F(log(x)), -0.0, -inf, {-inf}},
        {"sqrt(inf)", XTAPE_F(sqrt(x)), inf, inf, {0, 0, 0}},
        {"log(inf)", XTAPE_F(log(x)), inf, inf, {0, 0, 0}},
    });
}

TEST_CASE("outside its domain a function is NaN, and so are its derivatives of every order") {
    check_points({
        {"sqrt(-1)", XTAPE_F(sqrt(x)), -1.0, NaN, {NaN, NaN, NaN}},
        {"log(-1)", XTAPE_F(log(x)), -1.0, NaN, {NaN, NaN, NaN}},
        {"sqrt(-inf)", XTAPE_F(sqrt(x)), -inf, NaN, {NaN, NaN, NaN}},
        {"log(-inf)", XTAPE_F(log(x)), -inf, NaN, {NaN, NaN, NaN}},
        {"sqrt(NaN)", XTAPE_F(sqrt(x)), NaN, NaN, {NaN, NaN, NaN}},
        {"log(NaN)", XTAPE_F(log(x)), NaN, NaN, {NaN, NaN, NaN}},
        {"pow(-1, 2.5)", XTAPE_F(pow(x, 2.5)), -1.0, NaN, {NaN, NaN, NaN}},
        {"pow(-2, y) by y", XTAPE_F(pow(-2.0, x)), 3.0, -8.0, {NaN, NaN, NaN}},
    });
}

TEST_CASE("tanh, sigmoid and exp saturate exactly, with finite derivatives") {
    check_points({
        {"tanh(1e4)", XTAPE_F(tanh(x)), 1e4, 1.0, {0, 0, 0}},
        {"tanh(-1e4)", XTAPE_F(tanh(x)), -1e4, -1.0, {0, 0, 0}},
        {"tanh(inf)", XTAPE_F(tanh(x)), inf, 1.0, {0, 0, 0}},
        {"tanh(-inf)", XTAPE_F(tanh(x)), -inf, -1.0, {0, 0, 0}},
        {"sigmoid(1e4)", XTAPE_F(sigmoid(x)), 1e4, 1.0, {0, 0, 0}},
        {"sigmoid(-1e4)", XTAPE_F(sigmoid(x)), -1e4, 0.0, {0, 0, 0}},
        {"sigmoid(inf)", XTAPE_F(sigmoid(x)), inf, 1.0, {0, 0, 0}},
        {"sigmoid(-inf)", XTAPE_F(sigmoid(x)), -inf, 0.0, {0, 0, 0}},
        {"exp(-1e4)", XTAPE_F(exp(x)), -1e4, 0.0, {0, 0, 0}},
        {"exp(-inf)", XTAPE_F(exp(x)), -inf, 0.0, {0, 0, 0}},
        {"exp(1e4)", XTAPE_F(exp(x)), 1e4, inf, {inf, inf, inf}},
    });
}

TEST_CASE("pow by its base: no guard cuts a derivative short") {
    check_points({
        {"pow(0, 0.)", XTAPE_F(pow(x, 0.0)), 0.0, 1.0, {0, 0, 0}},
        {"pow(0, 1.)", XTAPE_F(pow(x, 1.0)), 0.0, 0.0, {1, 0, 0}},
        {"pow(0, 2.)", XTAPE_F(pow(x, 2.0)), 0.0, 0.0, {0, 2, 0}},
        {"pow(0, 3.)", XTAPE_F(pow(x, 3.0)), 0.0, 0.0, {0, 0, 6}},
        {"pow(0, 0.5)", XTAPE_F(pow(x, 0.5)), 0.0, 0.0, {inf, -inf, inf}},
        {"pow(0, -1.)", XTAPE_F(pow(x, -1.0)), 0.0, inf, {-inf, inf, -inf}},
        {"pow(-2, 3.)", XTAPE_F(pow(x, 3.0)), -2.0, -8.0, {12, -12, 6}},
        {"pow(-2, 2)", XTAPE_F(pow(x, 2)), -2.0, 4.0, {-4, 2, 0}},
    });
    // The same with an exponent that wants a gradient itself.
    const auto exponent = [](double b) {
        return [b](const auto& in) {
            return pow(in[0], parameter(full<typename std::decay_t<decltype(in[0])>::value_type>({}, b)));
        };
    };
    check_points({
        {"pow(0, parameter 0)", exponent(0.0), 0.0, 1.0, {0, 0, 0}},
        {"pow(0, parameter 2)", exponent(2.0), 0.0, 0.0, {0, 2, 0}},
        {"pow(-2, parameter 3)", exponent(3.0), -2.0, -8.0, {12, -12, 6}},
    });
}

TEST_CASE("pow by its exponent at a base of 0") {
    check_points({
        {"pow(0., 2)", XTAPE_F(pow(0.0, x)), 2.0, 0.0, {0, 0, 0}},
        {"pow(0., 0.5)", XTAPE_F(pow(0.0, x)), 0.5, 0.0, {0, 0, 0}},
        {"pow(0., 0)", XTAPE_F(pow(0.0, x)), 0.0, 1.0, {0, 0, 0}},
        {"pow(0., -1)", XTAPE_F(pow(0.0, x)), -1.0, inf, {-inf, inf, -inf}},
    });
}

TEST_CASE("pow by both at once") {
    check_pairs({
        {"pow(0, 0)", power, 0, 0, 1, 0, 0},
        {"pow(0, 1)", power, 0, 1, 0, 1, 0},
        {"pow(0, 2)", power, 0, 2, 0, 0, 0},
        {"pow(0, -1)", power, 0, -1, inf, -inf, -inf},
        {"pow(0, -2)", power, 0, -2, inf, -inf, -inf},
        {"pow(-2, 3)", power, -2, 3, -8, 12, NaN},
        {"pow(1, 5)", power, 1, 5, 1, 5, 0},
        {"pow(1, 0)", power, 1, 0, 1, 0, 0},
    });
}

TEST_CASE("the gradients of steps are 0, whatever comes in") {
    const auto check = [](const char* name, auto f) {
        CAPTURE(std::string(name));
        const auto x = parameter(xt::xarray<double>{1.25, 1.25, -0.5, 0.0});
        const Tensor<double> seed(xt::xarray<double>{-3.0, NaN, inf, 1.0});
        for (const bool recorded : {false, true}) {
            const Tensor<double> g = grad(f(x), {x}, {.seed = seed, .create_graph = recorded}).front();
            CHECK(xt::all(xt::equal(g.value(), 0.0)));
        }
    };
    check("sign", [](const auto& x) { return sign(x); });
    check("floor", [](const auto& x) { return floor(x); });
    check("ceil", [](const auto& x) { return ceil(x); });
    check("round", [](const auto& x) { return round(x); });
    check("trunc", [](const auto& x) { return trunc(x); });
}

TEST_CASE("maximum and minimum share the gradient at ties, and give it to NaNs") {
    for (const auto& [name, f] : {std::pair{std::string("maximum"), larger}, {std::string("minimum"), smaller}}) {
        check_pairs({
            {name + "(1, 1)", f, 1, 1, 1, 0.5, 0.5},
            {name + "(0, -0)", f, 0.0, -0.0, 0, 0.5, 0.5},
            {name + "(inf, inf)", f, inf, inf, inf, 0.5, 0.5},
            {name + "(-inf, -inf)", f, -inf, -inf, -inf, 0.5, 0.5},
            {name + "(NaN, 1)", f, NaN, 1, NaN, 1, 0},
            {name + "(1, NaN)", f, 1, NaN, NaN, 0, 1},
            {name + "(NaN, inf)", f, NaN, inf, NaN, 1, 0},
            {name + "(-inf, NaN)", f, -inf, NaN, NaN, 0, 1},
            {name + "(NaN, NaN)", f, NaN, NaN, NaN, 0.5, 0.5},
        });
    }
    check_pairs({
        {"maximum(2, 1)", larger, 2, 1, 2, 1, 0},
        {"maximum(-inf, 1)", larger, -inf, 1, 1, 0, 1},
        {"minimum(2, 1)", smaller, 2, 1, 1, 0, 1},
        {"minimum(-inf, 1)", smaller, -inf, 1, -inf, 1, 0},
    });
    check_points({
        {"maximum(x, 0) at 0", XTAPE_F(maximum(x, 0.0)), 0.0, 0.0, {0.5, 0, 0}},
        {"minimum(0, x) at 0", XTAPE_F(minimum(0.0, x)), 0.0, 0.0, {0.5, 0, 0}},
        {"maximum(x, x)", XTAPE_F(maximum(x, x)), 3.0, 3.0, {1, 0, 0}},
        {"maximum of curves that touch", XTAPE_F(maximum(square(x), 2.0 * x - 1.0)), 1.0, 1.0, {2, 1, 0}},
        {"maximum(x, 1) at NaN", XTAPE_F(maximum(x, 1.0)), NaN, NaN, {1, 0, 0}},
        {"maximum(x, NaN) at 1", XTAPE_F(maximum(x, NaN)), 1.0, NaN, {0, 0, 0}},
    });
}

TEST_CASE("where passes exactly 0 to what was not taken, whatever that computed") {
    for (const double at : {0.0, -0.0, -1.0, -inf, NaN}) {
        check_points({
            {"where(x > 0, sqrt(x), 0)", XTAPE_F(where(x.value() > 0, sqrt(x), 0)), at, 0.0, {0, 0, 0}},
            {"where(x > 0, log(x), 0)", XTAPE_F(where(x > 0, log(x), 0.0)), at, 0.0, {0, 0, 0}},
            {"where(x > 0, 1 / x, 0)", XTAPE_F(where(x > 0, 1.0 / x, 0.0)), at, 0.0, {0, 0, 0}},
            {"where(x > 0, pow(x, 0.5), 0)", XTAPE_F(where(x > 0, pow(x, 0.5), 0.0)), at, 0.0, {0, 0, 0}},
            {"where(x > 0, sqrt(x) log(x), 0)", XTAPE_F(where(x > 0, sqrt(x) * log(x), 0.0)), at, 0.0, {0, 0, 0}},
            {"where(!(x > 0), 2, tanh(sqrt(x)))", XTAPE_F(where(!(x > 0), 2.0, tanh(sqrt(x)))), at, 2.0, {0, 0, 0}},
        });
    }
    check_points({
        {"the taken branch", XTAPE_F(where(x.value() > 0, sqrt(x), 0)), 4.0, 2.0, {0.25, -0.03125, 0.01171875}},
        {"an untaken infinity", XTAPE_F(where(x > 0, x, exp(x * -1e4))), 1.0, 1.0, {1, 0, 0}},
        {"an untaken overflow", XTAPE_F(where(x < 0, exp(-1e4 * x * x), x)), 3.0, 3.0, {1, 0, 0}},
    });
}

TEST_CASE("a delicate element leaves its neighbours alone") {
    const std::vector<std::pair<Expression, double>> cases = {
        {XTAPE_F(sqrt(x)), 0.0}, {XTAPE_F(log(x)), -1.0}, {XTAPE_F(relu(x)), NaN},     {XTAPE_F(abs(x)), NaN},
        {XTAPE_F(tanh(x)), inf}, {XTAPE_F(exp(x)), 1e4},  {XTAPE_F(sigmoid(x)), -1e4}, {XTAPE_F(pow(x, -0.5)), 0.0},
        {XTAPE_F(sin(x)), inf},  {XTAPE_F(cos(x)), NaN},  {XTAPE_F(square(x)), inf},   {XTAPE_F(1.0 / x), 0.0},
    };
    for (const auto& [f, delicate] : cases) {
        const auto alone = parameter(full<double>({33}, 0.75));
        const Tensor<double> expected = f(std::vector{alone});
        for (std::size_t at = 0; at < 33; ++at) {
            xt::xarray<double> data = full<double>({33}, 0.75).value();
            data.flat(at) = delicate;
            const auto x = parameter(data);
            const Tensor<double> y = f(std::vector{x});
            for (const bool recorded : {false, true}) {
                const auto g = derivative(y, x, recorded);
                const auto first = derivative(expected, alone, false);
                for (std::size_t i = 0; i < 33; ++i) {
                    if (i != at) {
                        CHECK(y.data()[i] == doctest::Approx(expected.data()[0]).epsilon(1e-14));
                        CHECK(g.data()[i] == doctest::Approx(first.data()[0]).epsilon(1e-14));
                    }
                }
            }
        }
    }
}
