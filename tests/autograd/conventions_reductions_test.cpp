// What reductions and the softmax family return at ties, infinities, far from 0, and of nothing.

#include "elementwise_orders.hpp"

#include <xtape/nn.hpp>

using namespace xtape;
using namespace conventions;

namespace {

using Numbers = std::vector<double>;

template <typename T>
Tensor<T> tensor(const Numbers& numbers, const Shape& shape) {
    const std::vector<std::size_t> extents(shape.begin(), shape.end());
    return Tensor<T>(xt::adapt(numbers, extents));
}

/// Within some units in the last place of `scale`, or of the expected number where that is larger.
template <typename T>
void check_elements(const std::string& what, const Tensor<T>& got, const Numbers& expected, double in_ulps = 0,
                    double scale = 0) {
    REQUIRE(got.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const auto mine = static_cast<double>(got.data()[i]);
        const double allowed =
            in_ulps * static_cast<double>(std::numeric_limits<T>::epsilon()) * std::max(scale, std::abs(expected[i]));
        if (!reference::agrees(mine, expected[i], allowed)) {
            FAIL_CHECK(fmt::format("{}, {}: element {} is {:.9g}, not {:.9g}", what,
                                   sizeof(T) == sizeof(float) ? "float" : "double", i, mine, expected[i]));
        }
    }
}

/// A reduction of a row of numbers: its result, and its gradient by each.
struct Case {
    std::string name;
    Numbers x;
    double value;
    Numbers gradient;
};

/// `reduce(x)` of the row, of the row made long by `filler`, which takes no part, and of rows and columns of a matrix.
template <typename T, typename F>
void check_reduction(const Case& one, double filler, F reduce) {
    for (const std::size_t n : {one.x.size(), std::size_t{33}}) {
        Numbers x = one.x;
        Numbers gradient = one.gradient;
        x.resize(n, filler);
        gradient.resize(n, std::isnan(filler) ? NaN : 0.0);
        Numbers both = x;
        both.insert(both.end(), x.rbegin(), x.rend());
        Numbers both_gradients = gradient;
        both_gradients.insert(both_gradients.end(), gradient.rbegin(), gradient.rend());
        for (const bool recorded : {false, true}) {
            const auto name = fmt::format("{} of {}{}", one.name, n, recorded ? ", recorded" : "");
            const auto row = parameter(tensor<T>(x, {n}));
            const Tensor<T> y = reduce(row, Axes{0});
            check_elements(name, y, {one.value}, 2);
            check_elements(name, derivative(y, row, recorded), gradient, 2);

            const auto rows = parameter(tensor<T>(both, {2, n}));
            const Tensor<T> of_rows = reduce(rows, Axes{1});
            check_elements(name + ", rows", of_rows, {one.value, one.value}, 2);
            check_elements(name + ", rows", derivative(of_rows, rows, recorded), both_gradients, 2);

            const auto columns = parameter(transpose(rows.detach()));
            const Tensor<T> of_columns = reduce(columns, Axes{0});
            check_elements(name + ", columns", of_columns, {one.value, one.value}, 2);
            check_elements(name + ", columns", transpose(derivative(of_columns, columns, recorded)), both_gradients, 2);
        }
    }
}

template <typename F>
void check_reductions(const std::vector<Case>& cases, double filler, F reduce) {
    for (const Case& one : cases) {
        check_reduction<double>(one, filler, reduce);
        check_reduction<float>(one, filler, reduce);
    }
    CHECK(!cases.empty());
}

const auto largest = [](const auto& x, const Axes& axes) { return amax(x, axes); };
const auto log_sum = [](const auto& x, const Axes& axes) { return logsumexp(x, axes); };

const std::vector<Case> amax_cases = {
    {"a tie of two", {1, 3, 3, 2}, 3, {0, 0.5, 0.5, 0}},
    {"a tie of all", {7, 7, 7, 7}, 7, {0.25, 0.25, 0.25, 0.25}},
    {"a tie of three", {5, -1, 5, 5, 0}, 5, {1.0 / 3, 0, 1.0 / 3, 1.0 / 3, 0}},
    {"zeros of both signs", {0.0, -0.0, -1}, 0, {0.5, 0.5, 0}},
    {"infinities", {inf, 1, inf, -inf}, inf, {0.5, 0, 0.5, 0}},
    {"a NaN", {9, NaN, 1}, NaN, {0, 1, 0}},
    {"two NaNs", {NaN, 5, NaN, 1}, NaN, {0.5, 0, 0.5, 0}},
    {"a NaN and an infinity", {inf, NaN, inf}, NaN, {0, 1, 0}},
    {"all NaNs", {NaN, NaN}, NaN, {0.5, 0.5}},
    {"one", {-4}, -4, {1}},
    {"below all that is finite but one", {-inf, -1e30, -inf}, -1e30, {0, 1, 0}},
};

}  // namespace

TEST_CASE("amax shares the gradient at ties and gives it to NaNs, along any axis") {
    check_reductions(amax_cases, -inf, largest);
    for (const double value : {-inf, 2.0}) {
        const auto x = parameter(filled<double>(33, value));
        check_all("amax of 33 that are equal", derivative(amax(x), x, false), 1.0 / 33, 1e-15);
        check_all("amax of 33 that are equal, recorded", derivative(amax(x), x, true), 1.0 / 33, 1e-15);
    }
}

TEST_CASE("amax is flat to second order, ties and NaNs included") {
    for (const Case& one : amax_cases) {
        const auto x = parameter(tensor<double>(one.x, {one.x.size()}));
        const auto g = derivative(amax(x), x, true);
        check_elements(one.name, derivative(g, x, false), Numbers(one.x.size(), 0.0));
        check_elements(one.name + ", recorded", derivative(g, x, true), Numbers(one.x.size(), 0.0));
    }
}

TEST_CASE("logsumexp of infinities") {
    check_reductions(
        {
            {"all -inf", {-inf, -inf, -inf}, -inf, {0, 0, 0}},
            {"one -inf", {-inf, 2, 2}, 2 + std::log(2.0), {0, 0.5, 0.5}},
            {"one finite", {-inf, -3, -inf}, -3, {0, 1, 0}},
            {"one +inf", {1, inf, 2}, inf, {0, 1, 0}},
            {"two +inf", {inf, 1, inf, -inf}, inf, {0.5, 0, 0.5, 0}},
            {"all +inf", {inf, inf, inf, inf}, inf, {0.25, 0.25, 0.25, 0.25}},
            {"far left", {-1e4, -1e4}, -1e4 + std::log(2.0), {0.5, 0.5}},
            {"far right", {1e4, 1e4, -1e4}, 1e4 + std::log(2.0), {0.5, 0.5, 0}},
        },
        -inf, log_sum);
    check_reductions({{"a NaN", {1, NaN}, NaN, {NaN, NaN}}}, NaN, log_sum);
}

TEST_CASE("logsumexp of -inf is flat to every order, and does not disturb the others") {
    const auto all = parameter(filled<double>(33, -inf));
    check_all("all -inf", derivative(derivative(logsumexp(all), all, true), all, true), 0.0);
    const auto second = [](const Numbers& numbers) {
        const auto x = parameter(tensor<double>(numbers, {numbers.size()}));
        const auto g = grad(logsumexp(x), {x}, {.create_graph = true}).front();
        return grad(view(g, numbers.size() - 1), {x}).front();
    };
    const auto without = second({1.0, 2.0});
    check_elements("one -inf", second({-inf, 1.0, 2.0}), {0.0, without.data()[0], without.data()[1]}, 2);
}

namespace {

/// A row of logits, and what the softmax family makes of it. In float all of them are exact too.
struct Far {
    Numbers x;
    Numbers softmax;
    Numbers log_softmax;
};

const double ln2 = std::log(2.0);
const double ln3 = std::log(3.0);
const std::vector<Far> far_rows = {
    {{1e4, -1e4, 0}, {1, 0, 0}, {0, -2e4, -1e4}},
    {{1e4, 1e4, -1e4}, {0.5, 0.5, 0}, {-ln2, -ln2, -2e4 - ln2}},
    {{-1e4, -1e4, -1e4}, {1.0 / 3, 1.0 / 3, 1.0 / 3}, {-ln3, -ln3, -ln3}},
    {{1e4, 1e4, 1e4}, {1.0 / 3, 1.0 / 3, 1.0 / 3}, {-ln3, -ln3, -ln3}},
    {{-1e4, 0, -1e4}, {0, 1, 0}, {-1e4, 0, -1e4}},
    {{-inf, 1e4, 1e4}, {0, 0.5, 0.5}, {-inf, -ln2, -ln2}},
};
const Numbers seed = {1, 2, 3};

// The row alone, and made long by entries that weigh nothing.
template <typename T>
Tensor<T> long_row(const Numbers& start, std::size_t n, double filler) {
    Numbers row = start;
    row.resize(n, filler);
    return tensor<T>(row, {1, n});
}

template <typename T>
void check_start(const std::string& what, const Tensor<T>& got, const Numbers& expected, double scale = 0) {
    check_elements(what, view(reshape(got, {-1}), xt::range(std::size_t{0}, expected.size())).detach(), expected, 4,
                   scale);
}

template <typename T>
void check_far_row(const Far& far, std::size_t n) {
    const auto x = parameter(long_row<T>(far.x, n, -inf));
    const auto g = long_row<T>(seed, n, 0.0);
    const auto name = fmt::format("({}), {} wide", fmt::join(far.x, ", "), n);
    const Tensor<T> p = softmax(x);
    check_start("softmax " + name, p, far.softmax);
    const double dot = far.softmax[0] * seed[0] + far.softmax[1] * seed[1] + far.softmax[2] * seed[2];
    const Tensor<T> log_p = log_softmax(x);
    check_start("log_softmax " + name, log_p, far.log_softmax);
    for (const bool recorded : {false, true}) {
        const auto gradient = [&](const Tensor<T>& y, const Tensor<T>& v) {
            return grad(y, {x}, {.seed = v, .retain_graph = true, .create_graph = recorded}).front();
        };
        const auto by_softmax = gradient(p, g);
        const auto by_log_softmax = gradient(log_p, g);
        Numbers expected;
        Numbers expected_log;
        for (std::size_t j = 0; j < 3; ++j) {
            expected.push_back(far.softmax[j] * (seed[j] - dot));
            expected_log.push_back(seed[j] - 6.0 * far.softmax[j]);
        }
        check_start("gradient of softmax " + name, by_softmax, expected, 3.0);
        check_start("gradient of log_softmax " + name, by_log_softmax, expected_log, 6.0);
        if (recorded) {
            for (const auto& first : {by_softmax, by_log_softmax}) {
                for (const T second : gradient(first, g).value()) {
                    CHECK_MESSAGE(std::isfinite(second), name);
                }
            }
        }
    }
}

template <typename T>
void check_far_cross_entropy(const Far& far, std::size_t n, std::size_t label) {
    const auto x = parameter(long_row<T>(far.x, n, -inf));
    const Tensor<T> probabilities = nn::one_hot<T>(xt::xarray<std::size_t>{label}, n);
    const auto name = fmt::format("({}), {} wide, label {}", fmt::join(far.x, ", "), n, label);
    for (const bool by_label : {true, false}) {
        const Tensor<T> loss =
            by_label ? nn::cross_entropy(x, xt::xarray<std::size_t>{label}) : nn::cross_entropy(x, probabilities);
        const auto kind = by_label ? "cross entropy of labels " : "cross entropy of probabilities ";
        check_elements(kind + name, loss, {0.0 - far.log_softmax[label]}, 4);
        Numbers expected = far.softmax;
        expected[label] -= 1.0;
        for (const bool recorded : {false, true}) {
            const auto g = grad(loss, {x}, {.retain_graph = true, .create_graph = recorded}).front();
            check_start("gradient of " + (kind + name), g, expected, 1.0);
            if (recorded) {
                const auto weighted = sum(g * long_row<T>(seed, n, 0.0));
                for (const T second : grad(weighted, {x}).front().value()) {
                    CHECK_MESSAGE(std::isfinite(second), name);
                }
            }
        }
    }
}

}  // namespace

TEST_CASE("softmax and log_softmax are exact and finite at +-1e4, derivatives too") {
    for (const Far& far : far_rows) {
        for (const std::size_t n : {std::size_t{3}, std::size_t{33}}) {
            check_far_row<double>(far, n);
            check_far_row<float>(far, n);
        }
    }
}

TEST_CASE("cross entropy is exact and finite at +-1e4, derivatives too") {
    for (const Far& far : far_rows) {
        for (std::size_t label = 0; label < 3; ++label) {
            if (std::isfinite(far.log_softmax[label])) {
                for (const std::size_t n : {std::size_t{3}, std::size_t{33}}) {
                    check_far_cross_entropy<double>(far, n, label);
                    check_far_cross_entropy<float>(far, n, label);
                }
            }
        }
    }
}

TEST_CASE("a class of probability 0 costs nothing, be its logit -inf") {
    const auto x = parameter(xt::xarray<double>{{-inf, 0.0, 0.0}});
    const auto loss = nn::cross_entropy(x, xt::xarray<double>{{0.0, 0.5, 0.5}});
    check_elements("loss", loss, {ln2}, 2);
    check_elements("gradient", derivative(loss, x, false), {0, 0, 0});
    check_elements("recorded gradient", derivative(loss, x, true), {0, 0, 0});
}

namespace {

template <typename T>
void check_nothing() {
    const auto empty = parameter(Tensor<T>(xt::xarray<T>::from_shape({3, 0})));
    const auto check = [&](const char* name, const Tensor<T>& y, const Shape& shape, double value) {
        CHECK_MESSAGE(y.shape() == shape, name);
        check_all(name, y, value);
        for (const bool recorded : {false, true}) {
            CHECK_MESSAGE((derivative(y, empty, recorded).shape() == Shape{3, 0}), name);
        }
    };
    check("sum", sum(empty), {}, 0.0);
    check("sum along the empty axis", sum(empty, 1), {3}, 0.0);
    check("sum, kept", sum(empty, 1, keep_dims), {3, 1}, 0.0);
    check("sum along the other axis", sum(empty, 0), {0}, 0.0);
    check("mean", mean(empty), {}, NaN);
    check("mean along the empty axis", mean(empty, 1), {3}, NaN);
    check("mean along the other axis", mean(empty, 0), {0}, NaN);
    check("logsumexp", logsumexp(empty), {}, -inf);
    check("logsumexp along the empty axis", logsumexp(empty, 1), {3}, -inf);
    check("logsumexp, kept", logsumexp(empty, {0, 1}, keep_dims), {1, 1}, -inf);
    check("logsumexp along the other axis", logsumexp(empty, 0), {0}, -inf);
    check("amax along the other axis", amax(empty, 0), {0}, NaN);
    check("softmax", softmax(empty), {3, 0}, NaN);
    check("log_softmax", log_softmax(empty), {3, 0}, NaN);
    check("product", matmul(empty, Tensor<T>(xt::xarray<T>::from_shape({0, 2}))), {3, 2}, 0.0);
    check("linear", linear(empty, Tensor<T>(xt::xarray<T>::from_shape({2, 0})), ones<T>({2})), {3, 2}, 1.0);
}

}  // namespace

TEST_CASE("reductions of nothing, and products over nothing: a value, and a gradient without elements") {
    check_nothing<double>();
    check_nothing<float>();
}

TEST_CASE("nothing has no largest element") {
    const Tensor<double> empty(xt::xarray<double>::from_shape({3, 0}));
    CHECK_THROWS_WITH_AS(static_cast<void>(amax(empty)), doctest::Contains("amax: shape (3, 0) has no elements"),
                         ValueError);
    CHECK_THROWS_AS(static_cast<void>(amax(empty, 1)), ValueError);
    CHECK_THROWS_AS(static_cast<void>(amax(empty, {0, 1}, keep_dims)), ValueError);
    CHECK_THROWS_AS(static_cast<void>(amax(empty, keep_dims)), ValueError);
}
