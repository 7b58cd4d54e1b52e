#include <xtape/autograd/special_functions.hpp>

#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include <math.h>  // lgamma_r, which is POSIX's

namespace xtape::special {
namespace {

using Wide = long double;

constexpr Wide pi = std::numbers::pi_v<Wide>;

// B_2, B_4, ..., B_20
constexpr std::array<Wide, 10> bernoulli = {1.0L / 6,       -1.0L / 30,      1.0L / 42, -1.0L / 30,
                                            5.0L / 66,      -691.0L / 2730,  7.0L / 6,  -3617.0L / 510,
                                            43867.0L / 798, -174611.0L / 330};

// From here on the asymptotic series' first omitted term is below long double's precision.
constexpr Wide far_enough = 20.0L;

bool is_pole(double x) { return x <= 0.0 && x == std::floor(x); }

// cot(pi x), from the exact distance to the nearest pole.
Wide cotangent_of_pi_times(double x) {
    const Wide fraction = static_cast<Wide>(x) - std::round(static_cast<Wide>(x));  // in [-1/2, 1/2]
    return std::cos(pi * fraction) / std::sin(pi * fraction);
}

// d^n/dx^n of pi cot(pi x), as a polynomial in c = cot(pi x), since dc/dx = -pi (1 + c^2).
Wide derivative_of_cotangent(int n, double x) {
    std::vector<Wide> coefficients = {0.0L, pi};
    for (int order = 0; order < n; ++order) {
        std::vector<Wide> next(coefficients.size() + 1, 0.0L);
        for (std::size_t k = 1; k < coefficients.size(); ++k) {
            const Wide term = -pi * static_cast<Wide>(k) * coefficients[k];
            next[k - 1] += term;
            next[k + 1] += term;
        }
        coefficients = std::move(next);
    }
    const Wide c = cotangent_of_pi_times(x);
    Wide value = 0.0L;
    for (std::size_t k = coefficients.size(); k-- > 0;) {
        value = value * c + coefficients[k];
    }
    return value;
}

// psi for x > 0: upwards by psi(x) = psi(x + 1) - 1/x, then the asymptotic series (Abramowitz and Stegun 6.3.18).
Wide positive_digamma(Wide x) {
    Wide below = 0.0L;
    for (; x < far_enough; x += 1.0L) {
        below += 1.0L / x;
    }
    const Wide inverse_square = 1.0L / (x * x);
    Wide power = inverse_square;
    Wide series = 0.0L;
    for (std::size_t k = 0; k < bernoulli.size(); ++k, power *= inverse_square) {
        series += bernoulli[k] * power / static_cast<Wide>(2 * (k + 1));
    }
    return std::log(x) - 0.5L / x - series - below;
}

// The positive root of psi, in two parts, and psi's Taylor series there: as a difference of two numbers near 0.8 it
// would have no digits left.
constexpr Wide root = 1.4616321449683622;
constexpr Wide root_rest = 9.549995429965697715184e-17L;
constexpr std::array<Wide, 16> at_root = {
    0.9676722454476211704274L,   -0.4427631689835921060929L,   0.2584997609556510106244L,
    -0.1639427054424065275043L,  0.1078240506912623657572L,    -0.07219956125645471092612L,
    0.04880428816414310722509L,  -0.03316112647484735929226L,  0.02259764823221810465962L,
    -0.0154247659049489591388L,  0.01053879161661217538812L,   -0.00720453438635686824097L,
    0.004926781395729853446354L, -0.003369801655439328082793L, 0.002305126326734927836938L,
    -0.001576936771430197259271L};

// psi^(n), n >= 1, for x > 0: (-1)^(n+1) n! times Hurwitz's zeta(n + 1, x), upwards and then by Euler and Maclaurin
// (Abramowitz and Stegun 6.4.11).
Wide positive_polygamma(int n, Wide x) {
    Wide below = 0.0L;
    const Wide start = far_enough + static_cast<Wide>(n);
    for (; x < start; x += 1.0L) {
        below += std::pow(x, static_cast<Wide>(-n - 1));
    }
    // n! zeta = (n-1)! / x^n + n! / (2 x^(n+1)) + sum of B_2k (2k + n - 1)! / ((2k)! x^(2k + n)); all over n! here.
    const Wide inverse = 1.0L / x;
    Wide tail = 1.0L / static_cast<Wide>(n) + 0.5L * inverse;
    Wide rising = 1.0L / static_cast<Wide>(n);  // (2k + n - 1)! / ((2k)! n!) x^(-2k)
    for (std::size_t k = 1; k <= bernoulli.size(); ++k) {
        const auto twice = static_cast<Wide>(2 * k);
        rising *= (twice + static_cast<Wide>(n) - 1.0L) * (twice + static_cast<Wide>(n) - 2.0L) /
                  (twice * (twice - 1.0L)) * inverse * inverse;
        tail += bernoulli[k - 1] * rising;
    }
    const Wide zeta = below + tail * std::pow(x, static_cast<Wide>(-n));
    return (n % 2 == 0 ? -1.0L : 1.0L) * std::tgamma(static_cast<Wide>(n) + 1.0L) * zeta;
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
    return ::lgamma_r(x, &sign);
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
        return static_cast<double>(positive_digamma(1.0L - static_cast<Wide>(x)) - pi * cotangent_of_pi_times(x));
    }
    const Wide distance = (static_cast<Wide>(x) - root) - root_rest;
    if (std::abs(distance) < 0.1L) {
        Wide value = 0.0L;
        for (std::size_t k = at_root.size(); k-- > 0;) {
            value = value * distance + at_root[k];
        }
        return static_cast<double>(value * distance);
    }
    return static_cast<double>(positive_digamma(x));
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
    if (x < 0.0) {  // the n-th derivative of the reflection above
        const Wide mirrored = positive_polygamma(n, 1.0L - static_cast<Wide>(x));
        return static_cast<double>((n % 2 == 0 ? mirrored : -mirrored) - derivative_of_cotangent(n, x));
    }
    return static_cast<double>(positive_polygamma(n, x));
}

}  // namespace xtape::special
