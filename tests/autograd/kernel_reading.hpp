#pragma once

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <xtape/autograd/kernels/kernels.hpp>
#include <xtape/autograd/special_functions.hpp>

/// The plainest reading of the rules: one number at a time, the C++ library's functions. SIMD lanes are to agree with
/// it.
namespace one_by_one {

template <class T>
struct One {
    T v;

    friend One operator+(One a, One b) { return {a.v + b.v}; }
    friend One operator-(One a, One b) { return {a.v - b.v}; }
    friend One operator*(One a, One b) { return {a.v * b.v}; }
    friend One operator/(One a, One b) { return {a.v / b.v}; }
    friend One operator-(One a) { return {-a.v}; }
    friend One operator+(double a, One b) { return {static_cast<T>(a) + b.v}; }
    friend One operator-(double a, One b) { return {static_cast<T>(a) - b.v}; }
    friend One operator*(double a, One b) { return {static_cast<T>(a) * b.v}; }
    friend One operator/(double a, One b) { return {static_cast<T>(a) / b.v}; }
    friend One operator+(One a, double b) { return {a.v + static_cast<T>(b)}; }
    friend One operator-(One a, double b) { return {a.v - static_cast<T>(b)}; }

    friend bool is_less(One a, One b) { return a.v < b.v; }
    friend bool is_less(One a, double b) { return a.v < static_cast<T>(b); }
    friend bool is_greater(One a, One b) { return a.v > b.v; }
    friend bool is_greater(One a, double b) { return a.v > static_cast<T>(b); }
    friend bool is_equal(One a, One b) { return a.v == b.v; }
    friend bool is_equal(One a, double b) { return a.v == static_cast<T>(b); }
    friend bool is_nan(One a) { return std::isnan(a.v); }
    friend One select(bool holds, One a, One b) { return holds ? a : b; }
    friend One select(bool holds, double a, One b) { return holds ? One{static_cast<T>(a)} : b; }
    friend One select(bool holds, One a, double b) { return holds ? a : One{static_cast<T>(b)}; }
    friend One zeros_like(One) { return {T(0)}; }
    friend One constant(One, double c) { return {static_cast<T>(c)}; }

    friend One abs(One x) { return {std::abs(x.v)}; }
    friend One sqrt(One x) { return {std::sqrt(x.v)}; }
    friend One exp(One x) { return {std::exp(x.v)}; }
    friend One log(One x) { return {std::log(x.v)}; }
    friend One sin(One x) { return {std::sin(x.v)}; }
    friend One cos(One x) { return {std::cos(x.v)}; }
    friend One tanh(One x) { return {std::tanh(x.v)}; }
    friend One exp2(One x) { return {std::exp2(x.v)}; }
    friend One expm1(One x) { return {std::expm1(x.v)}; }
    friend One log2(One x) { return {std::log2(x.v)}; }
    friend One log10(One x) { return {std::log10(x.v)}; }
    friend One log1p(One x) { return {std::log1p(x.v)}; }
    friend One cbrt(One x) { return {std::cbrt(x.v)}; }
    friend One tan(One x) { return {std::tan(x.v)}; }
    friend One asin(One x) { return {std::asin(x.v)}; }
    friend One acos(One x) { return {std::acos(x.v)}; }
    friend One atan(One x) { return {std::atan(x.v)}; }
    friend One sinh(One x) { return {std::sinh(x.v)}; }
    friend One cosh(One x) { return {std::cosh(x.v)}; }
    friend One asinh(One x) { return {std::asinh(x.v)}; }
    friend One acosh(One x) { return {std::acosh(x.v)}; }
    friend One atanh(One x) { return {std::atanh(x.v)}; }
    friend One erf(One x) { return {std::erf(x.v)}; }
    friend One erfc(One x) { return {std::erfc(x.v)}; }
    friend One floor(One x) { return {std::floor(x.v)}; }
    friend One ceil(One x) { return {std::ceil(x.v)}; }
    friend One trunc(One x) { return {std::trunc(x.v)}; }
    friend One round(One x) { return {std::nearbyint(x.v)}; }
    friend One pow(One a, One b) { return {std::pow(a.v, b.v)}; }
    friend One atan2(One a, One b) { return {std::atan2(a.v, b.v)}; }
    friend One hypot(One a, One b) { return {std::hypot(a.v, b.v)}; }
    friend One fmod(One a, One b) { return {std::fmod(a.v, b.v)}; }
    friend One normal_cdf(One x) { return {static_cast<T>(xtape::special::normal_cdf(static_cast<double>(x.v)))}; }
    friend One times_normal_cdf(One x) {
        return {static_cast<T>(xtape::special::times_normal_cdf(static_cast<double>(x.v)))};
    }
    friend One lgamma(One x) { return {std::lgamma(x.v)}; }
    friend One digamma(One x) { return {static_cast<T>(xtape::special::digamma(static_cast<double>(x.v)))}; }
    friend One polygamma(One n, One x) {
        return {static_cast<T>(xtape::special::polygamma(static_cast<double>(n.v), static_cast<double>(x.v)))};
    }
    friend One sigmoid(One x) { return xtape::Sigmoid::forward(x); }

    friend One strong(One g, One d) { return xtape::strong_product(g, d); }
    friend One strong2(One a, One b) { return xtape::Strong2::forward(a, b); }
    friend One non_negative(One x) { return xtape::NonNegative::forward(x); }
};

/// An input's gradient, whatever form the rule's derivative takes.
template <class Form, class V, class... Values>
V pull(V g, Values... values) {
    if constexpr (requires { Form::passes; }) {
        return g;
    } else if constexpr (requires { Form::pullback(g, values...); }) {
        return Form::pullback(g, values...);
    } else {
        return strong(g, Form::derivative(values...));
    }
}

/// Calls f(rule) for each rule of a list.
template <class... Rules, class F>
void for_each_rule(xtape::RuleList<Rules...>, F f) {
    (f(Rules{}), ...);
}

/// A precision in which the rounding of T's arithmetic can be seen.
template <class T>
using Wider = std::conditional_t<std::is_same_v<T, float>, double, long double>;

/// Whether `got` is `expected`: NaN for NaN, infinity for the same infinity, else within `ulps` of the magnitudes that
/// took part. Next to the largest number an infinity is within them too.
template <class T, class W>
bool agrees(T got, W expected, W magnitude, double ulps = 8) {
    if (std::isnan(expected) || std::isinf(expected)) {
        return std::isnan(expected) ? std::isnan(got) : static_cast<W>(got) == expected;
    }
    const W allowed =
        static_cast<W>(ulps) * static_cast<W>(std::numeric_limits<T>::epsilon()) * (std::abs(expected) + magnitude);
    const T finite = std::isinf(got) ? std::copysign(std::numeric_limits<T>::max(), got) : got;
    return std::abs(static_cast<W>(finite) - expected) <= allowed;
}

template <class T>
std::vector<T> special_values() {
    using Limits = std::numeric_limits<T>;
    return {T(0),
            -T(0),
            T(1),
            T(-1),
            T(0.5),
            T(-0.5),
            T(2),
            T(-2),
            T(3),
            T(-3),
            T(2.5),
            T(-2.5),
            Limits::min(),
            -Limits::min(),
            Limits::max(),
            Limits::lowest(),
            Limits::denorm_min(),
            -Limits::denorm_min(),
            Limits::infinity(),
            -Limits::infinity(),
            Limits::quiet_NaN()};
}

/// All pairs of special values, as two arrays.
template <class T>
struct Pairs {
    std::vector<T> a;
    std::vector<T> b;
    Pairs() {
        for (const T left : special_values<T>()) {
            for (const T right : special_values<T>()) {
                a.push_back(left);
                b.push_back(right);
            }
        }
    }
};

}  // namespace one_by_one
