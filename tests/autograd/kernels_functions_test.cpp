// How accurate the elementwise functions are over their whole domain, in units in the last place, against the C++
// library in a wider precision. xsimd's functions are good where it matters and wrong in places: what is used of them
// is held here.

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "kernel_reading.hpp"

using namespace xtape;
using one_by_one::Wider;

namespace {

/// Random numbers whose magnitudes are spread evenly over the exponents of [smallest, largest], and many near the ends;
/// of both signs if asked for.
template <class T>
std::vector<T> spread(T smallest, T largest, bool both_signs) {
    std::vector<T> values = {T(1), T(0.5), smallest, smallest, std::nextafter(smallest, largest)};
    for (T near = largest; values.size() < 100; near = std::nextafter(near, T(0))) {
        values.insert(values.end(), 2, near);
    }
    for (T near = largest; near > T(0.9) * largest; near -= largest / T(1e4)) {
        values.insert(values.end(), 2, near);
    }
    const double low = std::log(static_cast<double>(smallest));
    const double high = std::log(static_cast<double>(largest));
    unsigned state = 1;
    for (int i = 0; i < 20000; ++i) {
        state = state * 1664525U + 1013904223U;
        const double at = low + (high - low) * (static_cast<double>(state) / 4294967296.0);
        values.push_back(std::clamp(static_cast<T>(std::exp(at)), smallest, largest));
    }
    if (both_signs) {
        for (std::size_t i = 0; i < values.size(); i += 2) {
            values[i] = -values[i];
        }
    }
    return values;
}

/// The distance in units in the last place of T at `exact`, which below the smallest normal number stay as they are
/// there.
template <class T>
double ulps(T got, Wider<T> exact) {
    const auto rounded = static_cast<T>(exact);
    if (std::isinf(rounded) || std::isinf(got) || std::isnan(got)) {
        return got == rounded ? 0.0 : HUGE_VAL;
    }
    const T magnitude = std::max(std::abs(rounded), std::numeric_limits<T>::min());
    const T ulp = std::nextafter(magnitude, std::numeric_limits<T>::infinity()) - magnitude;
    return static_cast<double>(std::abs(static_cast<Wider<T>>(got) - exact) / static_cast<Wider<T>>(ulp));
}

// To half a unit of a double.
template <class W>
W digamma(W x) {
    return static_cast<W>(special::digamma(static_cast<double>(x)));
}

template <class Rule, class T, class F>
void check_accuracy(const std::vector<T>& x, F exact, double allowed) {
    std::vector<T> y(x.size());
    kernels::unary<Rule, T>().forward(x.data(), y.data(), x.size());
    double worst = 0;
    std::size_t at = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double error = ulps(y[i], exact(static_cast<Wider<T>>(x[i])));
        if (error > worst) {
            worst = error;
            at = i;
        }
    }
    INFO(std::string(Rule::name), std::string(sizeof(T) == sizeof(float) ? " in float" : " in double"));
    CHECK_MESSAGE(worst <= allowed, worst, " ulps at ", x[at], ": ", y[at], ", not ",
                  static_cast<double>(exact(x[at])));
}

template <class T>
void check_functions() {
    using W = Wider<T>;
    using Limits = std::numeric_limits<T>;
    const T tiny = Limits::denorm_min();
    const T greatest_exponent = std::log(Limits::max());
    check_accuracy<Exp>(
        spread<T>(tiny, greatest_exponent, true), [](W x) { return std::exp(x); }, 3);
    check_accuracy<Exp>(
        spread<T>(T(1), -std::log(tiny), true), [](W x) { return std::exp(x); }, 3);
    check_accuracy<Log>(
        spread<T>(tiny, Limits::max(), false), [](W x) { return std::log(x); }, 3);
    check_accuracy<Log>(
        spread<T>(T(0.5), T(2), false), [](W x) { return std::log(x); }, 3);
    check_accuracy<Sqrt>(
        spread<T>(tiny, Limits::max(), false), [](W x) { return std::sqrt(x); }, 1);
    check_accuracy<Square>(
        spread<T>(tiny, Limits::max(), true), [](W x) { return x * x; }, 1);
    check_accuracy<Tanh>(
        spread<T>(tiny, Limits::max(), true), [](W x) { return std::tanh(x); }, 3);
    check_accuracy<Sin>(
        spread<T>(tiny, T(1e5), true), [](W x) { return std::sin(x); }, 3);
    check_accuracy<Cos>(
        spread<T>(tiny, T(1e5), true), [](W x) { return std::cos(x); }, 4);
    check_accuracy<Sigmoid>(
        spread<T>(tiny, -std::log(Limits::min()), true), [](W x) { return 1 / (1 + std::exp(-x)); }, 4);
    const auto everywhere = spread<T>(tiny, Limits::max(), true);
    const auto positive = spread<T>(tiny, Limits::max(), false);
    const auto up_to_1 = spread<T>(tiny, T(1), true);
    const auto exponents = spread<T>(tiny, greatest_exponent, true);
    check_accuracy<Exp2>(
        spread<T>(tiny, std::log2(Limits::max()), true), [](W x) { return std::exp2(x); }, 3);
    check_accuracy<Expm1>(
        exponents, [](W x) { return std::expm1(x); }, 4);
    check_accuracy<Log2>(
        positive, [](W x) { return std::log2(x); }, 2);
    check_accuracy<Log10>(
        positive, [](W x) { return std::log10(x); }, 3);
    check_accuracy<Log1p>(
        positive, [](W x) { return std::log1p(x); }, 3);
    check_accuracy<Log1p>(
        spread<T>(tiny, std::nextafter(T(1), T(0)), true), [](W x) { return std::log1p(x); }, 3);
    check_accuracy<Cube>(
        spread<T>(std::cbrt(Limits::min()), T(0.99) * std::cbrt(Limits::max()), true), [](W x) { return x * x * x; },
        2);
    check_accuracy<Rsqrt>(
        spread<T>(Limits::min(), Limits::max(), false), [](W x) { return 1 / std::sqrt(x); }, 2);
    check_accuracy<Cbrt>(
        everywhere, [](W x) { return std::cbrt(x); }, 3);
    check_accuracy<Reciprocal>(
        everywhere, [](W x) { return 1 / x; }, 1);
    check_accuracy<Tan>(
        spread<T>(tiny, T(1e5), true), [](W x) { return std::tan(x); }, 4);
    check_accuracy<Asin>(
        up_to_1, [](W x) { return std::asin(x); }, 3);
    check_accuracy<Acos>(
        up_to_1, [](W x) { return std::acos(x); }, 2);
    check_accuracy<Atan>(
        everywhere, [](W x) { return std::atan(x); }, 3);
    check_accuracy<Sinh>(
        exponents, [](W x) { return std::sinh(x); }, 4);
    check_accuracy<Cosh>(
        exponents, [](W x) { return std::cosh(x); }, 4);
    check_accuracy<Asinh>(
        everywhere, [](W x) { return std::asinh(x); }, 4);
    std::vector<T> from_1 = spread<T>(T(1), Limits::max(), false);
    std::erase_if(from_1, [](T x) { return x < 1; });
    check_accuracy<Acosh>(
        from_1, [](W x) { return std::acosh(x); }, 4);
    check_accuracy<Atanh>(
        up_to_1, [](W x) { return std::atanh(x); }, 4);
    check_accuracy<Erf>(
        everywhere, [](W x) { return std::erf(x); }, 2);
    check_accuracy<Erfc>(
        spread<T>(tiny, T(sizeof(T) == sizeof(float) ? 10 : 27), true), [](W x) { return std::erfc(x); }, 5);
    check_accuracy<Lgamma>(
        positive, [](W x) { return std::lgamma(x); }, 5);
    check_accuracy<Digamma>(
        spread<T>(Limits::min(), Limits::max(), false), [](W x) { return digamma(x); }, 4);
    check_accuracy<NormalCdf>(
        spread<T>(tiny, T(sizeof(T) == sizeof(float) ? 14 : 38), true),
        [](W x) { return W(0.5) * std::erfc(-x * std::sqrt(W(0.5))); }, 4);
    check_accuracy<LogSigmoid>(
        exponents, [](W x) { return x < 0 ? x - std::log1p(std::exp(x)) : -std::log1p(std::exp(-x)); }, 4);
    check_accuracy<Softplus>(
        exponents, [](W x) { return x < 0 ? std::log1p(std::exp(x)) : x + std::log1p(std::exp(-x)); }, 4);
    check_accuracy<Gelu>(
        spread<T>(tiny, T(sizeof(T) == sizeof(float) ? 13 : 37.6), true),
        [](W x) { return x * W(0.5) * std::erfc(-x * std::sqrt(W(0.5))); }, 4);
    check_accuracy<Silu>(
        spread<T>(tiny, -std::log(Limits::min()), true), [](W x) { return x / (1 + std::exp(-x)); }, 4);
    for (const auto check : {0, 1, 2, 3}) {
        const auto rounded = [check](W x) {
            return check == 0   ? std::floor(x)
                   : check == 1 ? std::ceil(x)
                   : check == 2 ? std::trunc(x)
                                : std::nearbyint(x);
        };
        const auto places = spread<T>(tiny, T(1e7), true);
        check == 0   ? check_accuracy<Floor>(places, rounded, 0)
        : check == 1 ? check_accuracy<Ceil>(places, rounded, 0)
        : check == 2 ? check_accuracy<Trunc>(places, rounded, 0)
                     : check_accuracy<Round>(places, rounded, 0);
    }
    check_accuracy<Relu>(
        spread<T>(tiny, Limits::max(), true), [](W x) { return std::max(x, W(0)); }, 0);
    check_accuracy<Abs>(
        spread<T>(tiny, Limits::max(), true), [](W x) { return std::abs(x); }, 0);
}

template <class T>
void check_pow() {
    const std::vector<T> a = spread<T>(std::numeric_limits<T>::denorm_min(), std::numeric_limits<T>::max(), false);
    std::vector<T> b = spread<T>(T(1e-3), T(20), true);
    std::vector<T> y(a.size());
    std::rotate(b.begin(), b.begin() + 777, b.end());
    kernels::binary<Pow, T>().forward(a.data(), b.data(), y.data(), a.size(), {1, 1});
    double worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        worst = std::max(worst, ulps(y[i], std::pow(static_cast<Wider<T>>(a[i]), static_cast<Wider<T>>(b[i]))));
    }
    CHECK(worst <= 1.5);
}

}  // namespace

TEST_CASE("functions are within a few units in the last place over their whole domain, in float") {
    check_functions<float>();
    check_pow<float>();
}

TEST_CASE("functions are within a few units in the last place over their whole domain, in double") {
    check_functions<double>();
    check_pow<double>();
}

TEST_CASE("sin and cos of large arguments") {
    const auto check = []<class T>(T) {
        const std::vector<T> x = spread<T>(T(1e5), T(1e15), true);
        check_accuracy<Sin>(
            x, [](Wider<T> at) { return std::sin(at); }, 3);
        check_accuracy<Cos>(
            x, [](Wider<T> at) { return std::cos(at); }, 3);
    };
    check(float());
    check(double());
}
