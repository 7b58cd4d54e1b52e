#include <xtape/autograd/special_functions.hpp>

#include <array>
#include <cfloat>
#include <cmath>
#include <concepts>
#include <cstdlib>
#include <limits>
#include <numbers>
#include <type_traits>
#include <vector>

#include <math.h>  // lgamma_r and lgammal_r, which are not ISO C++'s

namespace xtape::special {
namespace {

using Wide = long double;

// The type for the few arguments where the terms cancel so far that Wide has no digits left. On x86 it is the
// compiler's own, of 113 bits: + - * / and conversions are in libgcc, functions would need libquadmath. Where there is
// none, Wide has them itself (AArch64), or the digits stay lost.
#if LDBL_MANT_DIG < 113 && defined(__SIZEOF_FLOAT128__)
__extension__ typedef __float128 Quad;
#else
using Quad = Wide;
#endif

// A double and what it lacks: no literal has 113 bits.
template <class Real>
constexpr Real pi = static_cast<Real>(3.141592653589793) +
                    static_cast<Real>(1.22464679914735317722606593227500105e-16L);
template <class Real>
constexpr Real ln2 = static_cast<Real>(0.6931471805599453) + static_cast<Real>(2.31904681384629955842e-17L);

// B_2, B_4, ..., B_28
template <class Real>
constexpr std::array<Real, 14> bernoulli = {
    Real(1) / 6,       Real(-1) / 30,           Real(1) / 42,       Real(-1) / 30,
    Real(5) / 66,      Real(-691) / 2730,       Real(7) / 6,        Real(-3617) / 510,
    Real(43867) / 798, Real(-174611) / 330,     Real(854513) / 138, Real(-236364091) / 2730,
    Real(8553103) / 6, Real(-23749461029) / 870};

// From here on the asymptotic series' first omitted term is below Real's precision.
template <class Real>
constexpr Real far_enough = std::is_same_v<Real, Quad> ? 26 : 10;

bool is_pole(double x) { return x <= 0.0 && x == std::floor(x); }

Wide log(Wide x) { return std::log(x); }
// By powers of 2 into [sqrt(1/2), sqrt(2)], and there 2 artanh((x - 1) / (x + 1)) by its series.
template <std::same_as<Quad> Real>
Real log(Real x) {
    const double exponent = std::round(std::log2(static_cast<double>(x)));
    const Real reduced = x / static_cast<Real>(std::exp2(exponent));
    const Real ratio = (reduced - 1) / (reduced + 1);
    const Real square = ratio * ratio;
    Real sum = 0;
    for (int k = 45; k > 0; k -= 2) {  // ratio^46 < 0.172^46 < 2^-113
        sum = sum * square + Real(1) / k;
    }
    return static_cast<Real>(exponent) * ln2<Real> + 2 * ratio * sum;
}

Wide tangent(Wide x) { return std::tan(x); }
// For |x| <= pi / 4, by the series of sine and cosine.
template <std::same_as<Quad> Real>
Real tangent(Real x) {
    Real cosine = 0;
    Real sine = 0;
    Real term = 1;
    for (int k = 1; k < 30; k += 2) {  // (pi / 4)^30 / 30! < 2^-113
        cosine += term;
        term *= x / k;
        sine += term;
        term *= -x / (k + 1);
    }
    return sine / cosine;
}

Wide power(Wide x, int n) { return std::pow(x, static_cast<Wide>(n)); }
template <std::same_as<Quad> Real>
Real power(Real x, int n) {
    Real result = 1;
    Real square = x;
    for (int rest = std::abs(n); rest != 0; rest /= 2, square *= square) {
        result *= rest % 2 == 0 ? Real(1) : square;
    }
    return n < 0 ? 1 / result : result;
}

template <class Real>
Real factorial(int n) {
    Real result = 1;
    for (int k = 2; k <= n; ++k) {
        result *= static_cast<Real>(k);
    }
    return result;
}

// cot(pi x), from the exact distance to the nearest pole or root.
template <class Real>
Real cotangent_of_pi_times(double x) {
    const double from_pole = x - std::round(x);
    const double to_root = 0.5 - std::abs(from_pole);
    if (to_root > 0.25) {
        return 1 / tangent(pi<Real> * static_cast<Real>(from_pole));
    }
    const Real magnitude = tangent(pi<Real> * static_cast<Real>(to_root));
    return from_pole < 0 ? -magnitude : magnitude;
}

// d^n/dx^n of pi cot(pi x), as a polynomial in c = cot(pi x), since dc/dx = -pi (1 + c^2).
template <class Real>
Real derivative_of_cotangent(int n, double x) {
    std::vector<Real> coefficients = {Real(0), pi<Real>};
    for (int order = 0; order < n; ++order) {
        std::vector<Real> next(coefficients.size() + 1, Real(0));
        for (std::size_t k = 1; k < coefficients.size(); ++k) {
            const Real term = -pi<Real> * static_cast<Real>(k) * coefficients[k];
            next[k - 1] += term;
            next[k + 1] += term;
        }
        coefficients = std::move(next);
    }
    const Real c = cotangent_of_pi_times<Real>(x);
    Real value = 0;
    for (std::size_t k = coefficients.size(); k-- > 0;) {
        value = value * c + coefficients[k];
    }
    return value;
}

// B_2k / (2k)
template <class Real>
constexpr auto digamma_series = [] {
    auto series = bernoulli<Real>;
    for (std::size_t k = 0; k < series.size(); ++k) {
        series[k] /= static_cast<Real>(2 * (k + 1));
    }
    return series;
}();

// psi for x > 0: upwards by psi(x) = psi(x + 1) - 1/x, then the asymptotic series (Abramowitz and Stegun 6.3.18).
template <class Real>
Real positive_digamma(Real x) {
    Real below = 0;
    for (; x < far_enough<Real>; x += 1) {
        below += 1 / x;
    }
    const Real inverse_square = 1 / (x * x);
    Real series = 0;
    for (std::size_t k = digamma_series<Real>.size(); k-- > 0;) {
        series = (series + digamma_series<Real>[k]) * inverse_square;
    }
    return log(x) - 1 / (2 * x) - series - below;
}

// The positive root of psi, in two parts, and psi's Taylor series there: as a difference of two numbers near 0.8 it
// would have no digits left.
constexpr Wide positive_root = 1.4616321449683622;
constexpr Wide positive_root_rest = 9.549995429965697715184e-17L;
constexpr std::array<Wide, 16> at_root = {
    0.9676722454476211704274L,   -0.4427631689835921060929L,   0.2584997609556510106244L,
    -0.1639427054424065275043L,  0.1078240506912623657572L,    -0.07219956125645471092612L,
    0.04880428816414310722509L,  -0.03316112647484735929226L,  0.02259764823221810465962L,
    -0.0154247659049489591388L,  0.01053879161661217538812L,   -0.00720453438635686824097L,
    0.004926781395729853446354L, -0.003369801655439328082793L, 0.002305126326734927836938L,
    -0.001576936771430197259271L};

// psi^(n), n >= 1, for x > 0: (-1)^(n+1) n! times Hurwitz's zeta(n + 1, x), upwards and then by Euler and Maclaurin
// (Abramowitz and Stegun 6.4.11).
template <class Real>
Real positive_polygamma(int n, Real x) {
    Real below = 0;
    const Real start = far_enough<Real> + static_cast<Real>(n);
    for (; x < start; x += 1) {
        below += power(x, -n - 1);
    }
    // n! zeta = (n-1)! / x^n + n! / (2 x^(n+1)) + sum of B_2k (2k + n - 1)! / ((2k)! x^(2k + n)); all over n! here.
    const Real inverse = 1 / x;
    Real tail = 1 / static_cast<Real>(n) + Real(0.5) * inverse;
    Real rising = 1 / static_cast<Real>(n);  // (2k + n - 1)! / ((2k)! n!) x^(-2k)
    for (std::size_t k = 1; k <= bernoulli<Real>.size(); ++k) {
        const auto twice = static_cast<Real>(2 * k);
        rising *= (twice + static_cast<Real>(n) - 1) * (twice + static_cast<Real>(n) - 2) / (twice * (twice - 1)) *
                  inverse * inverse;
        tail += bernoulli<Real>[k - 1] * rising;
    }
    const Real zeta = below + tail * power(x, -n);
    return (n % 2 == 0 ? -1 : 1) * factorial<Real>(n) * zeta;
}

}  // namespace

double normal_cdf(double x) {
    // erfc(-x / sqrt 2) / 2. Far left the argument's rounding would cost hundreds of ulp: what it lost comes back to
    // first order.
    constexpr double root = 0.7071067811865476;
    constexpr double root_rest = -4.8336466567264567e-17;
    const double z = -x * root;
    const double lost = std::fma(-x, root, -z) - x * root_rest;
    const double slope = 2.0 * std::numbers::inv_sqrtpi * std::exp(-z * z);
    return 0.5 * (std::erfc(z) - (slope == 0.0 ? 0.0 : slope * lost));
}

double times_normal_cdf(double x) {
    const Wide wide = x;
    const Wide twice_cdf = std::erfc(-wide * std::sqrt(0.5L));
    return twice_cdf == 0.0L ? 0.0 : static_cast<double>(0.5L * wide * twice_cdf);
}

double lgamma(double x) {
    int sign = 0;
    const double value = ::lgamma_r(x, &sign);
    // Left of 0, where the result is small, glibc's errs by up to 6 units in the last place.
    return x < 0.0 && std::abs(value) < 2.0 ? static_cast<double>(::lgammal_r(x, &sign)) : value;
}

double digamma(double x) {
    if (x == 0.0) {
        return std::signbit(x) ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
    }
    if (std::isnan(x) || x == std::numeric_limits<double>::infinity()) {
        return x;
    }
    if (is_pole(x) || std::isinf(x)) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    if (x < 0.0) {  // psi(1 - x) - psi(x) = pi cot(pi x)
        const Wide mirrored = positive_digamma(1 - static_cast<Wide>(x));
        const Wide value = mirrored - pi<Wide> * cotangent_of_pi_times<Wide>(x);
        if (std::abs(value) < (4 + mirrored) / 1024) {  // close to a root; mirrored is itself a difference, of about 3
            return static_cast<double>(positive_digamma(1 - static_cast<Quad>(x)) -
                                       pi<Quad> * cotangent_of_pi_times<Quad>(x));
        }
        return static_cast<double>(value);
    }
    const Wide distance = (static_cast<Wide>(x) - positive_root) - positive_root_rest;
    if (std::abs(distance) < 0.1L) {
        Wide value = 0.0L;
        for (std::size_t k = at_root.size(); k-- > 0;) {
            value = value * distance + at_root[k];
        }
        return static_cast<double>(value * distance);
    }
    return static_cast<double>(positive_digamma<Wide>(x));
}

double polygamma(double order, double x) {
    constexpr double highest_order = 1e6;  // what it takes to compute grows with it
    if (!(order >= 0 && order <= highest_order) || order != std::floor(order)) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    const int n = static_cast<int>(order);
    if (n == 0) {
        return digamma(x);
    }
    if (std::isnan(x)) {
        return x;
    }
    if (is_pole(x) || std::isinf(x)) {
        if (x > 0.0) {
            return n % 2 == 0 ? -0.0 : 0.0;
        }
        return n % 2 == 0 || std::isinf(x) ? std::numeric_limits<double>::quiet_NaN()
                                           : std::numeric_limits<double>::infinity();
    }
    if (x < 0.0) {  // the n-th derivative of that; only even n have roots here
        const Wide mirrored = positive_polygamma<Wide>(n, 1 - static_cast<Wide>(x));
        const Wide value = (n % 2 == 0 ? mirrored : -mirrored) - derivative_of_cotangent<Wide>(n, x);
        if (std::abs(value) < std::abs(mirrored) / 32) {
            return static_cast<double>(positive_polygamma<Quad>(n, 1 - static_cast<Quad>(x)) -
                                       derivative_of_cotangent<Quad>(n, x));
        }
        return static_cast<double>(value);
    }
    return static_cast<double>(positive_polygamma<Wide>(n, x));
}

}  // namespace xtape::special
