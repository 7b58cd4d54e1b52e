// Strong zeros: an element whose incoming gradient is exactly 0 passes 0 on, whatever the local derivative is; and the
// product with a zero is special, not its own derivative.

#include "elementwise_orders.hpp"

#include <xtape/nn.hpp>

using namespace xtape;
using namespace conventions;

namespace {

struct Poisoned {
    std::string name;
    Expression f;
    double x;  // where the derivative is infinite or NaN
};

const std::vector<Poisoned> poisoned = {
    {"sqrt(0)", XTAPE_F(sqrt(x)), 0.0},
    {"sqrt(-1)", XTAPE_F(sqrt(x)), -1.0},
    {"log(0)", XTAPE_F(log(x)), 0.0},
    {"log(-1)", XTAPE_F(log(x)), -1.0},
    {"1 / 0", XTAPE_F(1.0 / x), 0.0},
    {"0 / 0", XTAPE_F(x / x), 0.0},
    {"x * inf", XTAPE_F(x* inf), 1.0},
    {"NaN * x", XTAPE_F(NaN* x), 1.0},
    {"x / NaN", XTAPE_F(x / NaN), 1.0},
    {"exp(1e4)", XTAPE_F(exp(x)), 1e4},
    {"square(inf)", XTAPE_F(square(x)), inf},
    {"sin(inf)", XTAPE_F(sin(x)), inf},
    {"cos(NaN)", XTAPE_F(cos(x)), NaN},
    {"tanh(NaN)", XTAPE_F(tanh(x)), NaN},
    {"sigmoid(NaN)", XTAPE_F(sigmoid(x)), NaN},
    {"relu(NaN)", XTAPE_F(relu(x)), NaN},
    {"abs(NaN)", XTAPE_F(abs(x)), NaN},
    {"pow(0, 0.5)", XTAPE_F(pow(x, 0.5)), 0.0},
    {"pow(-1, 0.5)", XTAPE_F(pow(x, 0.5)), -1.0},
    {"pow(-1, x)", XTAPE_F(pow(-1.0, x)), 2.5},
    {"pow(0, x)", XTAPE_F(pow(0.0, x)), -1.0},
    {"log of sqrt(0)", XTAPE_F(log(sqrt(x))), 0.0},
    {"tanh of 1 / 0", XTAPE_F(tanh(1.0 / x) / x), 0.0},
};

/// Seeds of which every other one is 0.
template <typename T>
Tensor<T> half_zero(std::size_t n) {
    Tensor<T> v = Tensor<T>::uninitialized({n});
    for (std::size_t i = 0; i < n; ++i) {
        v.fresh_data()[i] = static_cast<T>(i % 2);
    }
    return v;
}

template <typename T>
void check_zeros_pass(const Poisoned& one) {
    const auto x = parameter(filled<T>(33, one.x));
    const Tensor<T> y = one.f(std::vector{x});
    const auto check = [&](const std::string& name, const Tensor<T>& g) {
        for (std::size_t i = 0; i < g.size(); ++i) {
            CHECK_MESSAGE((i % 2 == 0 ? g.data()[i] == T(0) : !std::isfinite(g.data()[i])), name, " element ", i,
                          " is ", g.data()[i]);
        }
    };
    const auto gradient = [&](const Tensor<T>& of, bool recorded) {
        return grad(of, {x},
                    {.seed = half_zero<T>(33), .retain_graph = true, .create_graph = recorded, .allow_unused = true})
            .front();
    };
    check(one.name, gradient(y, false));
    check(one.name + ", recorded", gradient(y, true));
    // To second order what is 0 stays 0, whether the first or the second cotangent is.
    const auto ones_first = derivative(y, x, true);
    const auto zeros_first = gradient(y, true);
    for (std::size_t i = 0; i < 33; i += 2) {
        CHECK_MESSAGE(gradient(ones_first, false).data()[i] == T(0), one.name, ", second cotangent");
        CHECK_MESSAGE(derivative(zeros_first, x, false).data()[i] == T(0), one.name, ", first cotangent");
        CHECK_MESSAGE(derivative(zeros_first, x, true).data()[i] == T(0), one.name, ", first cotangent, recorded");
    }
}

/// The Hessian of a one-element function, row by row.
template <typename F>
xt::xarray<double> hessian_of(F f, const Tensor<double>& at) {
    const auto x = parameter(at);
    const auto g = grad(f(x), {x}, {.create_graph = true}).front();
    xt::xarray<double> h = xt::xarray<double>::from_shape({x.size(), x.size()});
    for (std::size_t i = 0; i < x.size(); ++i) {
        const auto row = grad(view(reshape(g, {-1}), i), {x}, {.retain_graph = true, .allow_unused = true}).front();
        std::copy_n(row.data(), row.size(), h.data() + i * x.size());
    }
    return h;
}

void check_hessian(const std::string& name, const xt::xarray<double>& got, const xt::xarray<double>& expected) {
    REQUIRE(got.size() == expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
        CHECK_MESSAGE(got.flat(i) == doctest::Approx(expected.flat(i)).epsilon(1e-14), name, " element ", i);
    }
}

}  // namespace

TEST_CASE("a zero cotangent stays 0 through infinite and NaN derivatives, to second order") {
    for (const Poisoned& one : poisoned) {
        check_zeros_pass<double>(one);
        check_zeros_pass<float>(one);
    }
}

TEST_CASE("a zero cotangent stays 0 by both operands") {
    const auto check = [](const char* name, auto f, double at_a, double at_b) {
        const auto a = parameter(filled<double>(33, at_a));
        const auto b = parameter(full<double>({}, at_b));
        const auto y = f(a, b);
        for (const bool recorded : {false, true}) {
            const auto g = grad(y, {a, b}, {.seed = zeros_like(y), .retain_graph = true, .create_graph = recorded});
            check_all(name, g[0], 0.0);
            check_all(name, g[1], 0.0);
        }
    };
    check(
        "1 / 0", [](const auto& a, const auto& b) { return a / b; }, 1.0, 0.0);
    check(
        "inf * NaN", [](const auto& a, const auto& b) { return a * b; }, inf, NaN);
    check(
        "pow(0, -1)", [](const auto& a, const auto& b) { return pow(a, b); }, 0.0, -1.0);
    check(
        "pow(-1, 0.5)", [](const auto& a, const auto& b) { return pow(a, b); }, -1.0, 0.5);
    check(
        "maximum(NaN, NaN)", [](const auto& a, const auto& b) { return maximum(a, b); }, NaN, NaN);
}

TEST_CASE("a zero cotangent stays 0 through reductions and losses that choose or weigh") {
    const auto x = parameter(filled<double>(33, NaN));
    const auto rows = parameter(full<double>({2, 33}, NaN));
    for (const bool recorded : {false, true}) {
        const auto gradient = [&](const Tensor<double>& y, const Tensor<double>& by) {
            return grad(y, {by}, {.seed = zeros_like(y), .retain_graph = true, .create_graph = recorded}).front();
        };
        check_all("logsumexp", gradient(logsumexp(x), x), 0.0);
        check_all("amax", gradient(amax(x), x), 0.0);
        check_all("sum", gradient(sum(x), x), 0.0);
        check_all("mean", gradient(mean(x), x), 0.0);
        check_all("where", gradient(where(x.value() > 0, x, x), x), 0.0);
        check_all("cross entropy", gradient(softmax_cross_entropy(rows, Labels(xt::xarray<int>{0, 32})), rows), 0.0);
        check_all("cross entropy", gradient(softmax_cross_entropy(rows, ones<double>({2, 33})), rows), 0.0);
    }
}

TEST_CASE("the price: the limit of 0 times infinity is 0") {
    for (const double at : {0.0, -0.0}) {
        check_points({{"square(sqrt(x))", XTAPE_F(square(sqrt(x))), at, 0.0, {0}}});
    }
}

TEST_CASE("a gradient that is 0 is still differentiated by the cotangent that made it so") {
    // y' = g f'(x) at g = 0: by g it is f'(x), by x it is 0.
    const std::vector<std::pair<Expression, double>> functions = {
        {XTAPE_F(square(x)), 3.0},
        {XTAPE_F(exp(x)), std::exp(1.5)},
        {XTAPE_F(sin(x)), std::cos(1.5)},
        {XTAPE_F(x * 4.0), 4.0},
        {XTAPE_F(pow(x, 2.0)), 3.0},
        {XTAPE_F(relu(x)), 1.0},
        {XTAPE_F(abs(x)), 1.0},
        {XTAPE_F(maximum(x, 0.0)), 1.0},
        {XTAPE_F(where(x > 0, square(x), 0.0)), 3.0},
        {XTAPE_F(x / 4.0), 0.25},
        {XTAPE_F(sqrt(x)), 0.5 / std::sqrt(1.5)},
    };
    for (const auto& [f, slope] : functions) {
        const auto x = parameter(filled<double>(33, 1.5));
        const auto g = parameter(filled<double>(33, 0.0));
        const Tensor<double> y = f(std::vector{x});
        const auto first = grad(y, {x}, {.seed = g, .create_graph = true}).front();
        check_all("the gradient", first, 0.0);
        for (const bool recorded : {false, true}) {
            check_all("by the cotangent", derivative(first, g, recorded), slope, 1e-14);
            check_all("by x", derivative(first, x, recorded), 0.0);
        }
    }
}

TEST_CASE("the Hessian of a sum of squares is right at a perfect fit, where the gradient is 0") {
    const Tensor<double> w(xt::xarray<double>{0.5, -1.0, 2.0});
    const xt::xarray<double> twice = {{2, 0, 0}, {0, 2, 0}, {0, 0, 2}};
    check_hessian("square", hessian_of([&](const auto& x) { return sum(square(x - w)); }, w), twice);
    check_hessian("product", hessian_of([&](const auto& x) { return sum((x - w) * (x - w)); }, w), twice);
    check_hessian("power", hessian_of([&](const auto& x) { return sum(pow(x - w, 2.0)); }, w), twice);
    check_hessian("through exp",
                  hessian_of([&](const auto& x) { return sum(square(exp(x) - exp(w))); }, zeros_like(w) + w),
                  {{2 * std::exp(1.0), 0, 0}, {0, 2 * std::exp(-2.0), 0}, {0, 0, 2 * std::exp(4.0)}});

    // A linear model that fits: the Hessian of the mean square is 2 XᵀX / n.
    const Tensor<double> data(xt::xarray<double>{{1, 2, 3}, {0, 1, -1}});
    const auto fitted = matmul(data, w);
    const auto normal = matmul(transpose(data), data);
    check_hessian("mse_loss", hessian_of([&](const auto& x) { return nn::mse_loss(matmul(data, x), fitted); }, w),
                  normal.value());
    const auto weight = reshape(w, {1, 3});
    check_hessian(
        "mse_loss of linear",
        hessian_of([&](const auto& x) { return nn::mse_loss(linear(data, x), expand_dims(fitted, 1)); }, weight),
        normal.value());
}

TEST_CASE("untaken branches leave no trace in derivatives up to the fourth order") {
    // where(x > 0, f(x), 0) at random points: where x > 0 all derivatives are f's own, elsewhere 0.
    const std::vector<std::pair<std::string, Expression>> functions = {
        {"sqrt", XTAPE_F(sqrt(x))},
        {"log", XTAPE_F(log(x))},
        {"1/x", XTAPE_F(1.0 / x)},
        {"pow", XTAPE_F(pow(x, 1.5))},
        {"x log x", XTAPE_F(x * log(x))},
        {"pow(x, x)", XTAPE_F(pow(x, x))},
        {"exp of 1/x", XTAPE_F(exp(1.0 / x))},
        {"tanh sqrt", XTAPE_F(tanh(sqrt(x)))},
        {"sin of log", XTAPE_F(sin(log(x)))},
        {"sqrt over", XTAPE_F(sqrt(x) / (1.0 + x))},
    };
    random::Stream stream(0);
    constexpr std::size_t n = 67;
    xt::xarray<double> points = xt::xarray<double>::from_shape({n});
    for (std::size_t i = 0; i < n; ++i) {
        points.flat(i) = i % 7 == 0 ? 0.0 : 0.5 + 2.0 * (stream.uniform() - 0.5);
    }
    for (const auto& [title, f] : functions) {
        const std::string& name = title;  // which the lambda of a check may capture
        const auto x = parameter(points);
        const auto positive = parameter(xt::xarray<double>(xt::maximum(points, 0.125)));
        const auto taken = xt::xarray<bool>(points > 0.125);
        Tensor<double> branch = where(taken, f(std::vector{x}), 0.0);
        Tensor<double> alone = f(std::vector{positive});
        for (int order = 1; order <= 4; ++order) {
            const auto plain = derivative(branch, x, false);
            branch = derivative(branch, x, true);
            alone = derivative(alone, positive, true);
            for (std::size_t i = 0; i < n; ++i) {
                const double expected = taken.flat(i) ? alone.data()[i] : 0.0;
                for (const double got : {branch.data()[i], plain.data()[i]}) {
                    const bool same = std::abs(got - expected) <= 1e-12 * std::abs(expected);
                    CHECK_MESSAGE(same, name, " order ", order, " at ", points.flat(i), " is ", got, ", not ",
                                  expected);
                }
            }
        }
    }
}
