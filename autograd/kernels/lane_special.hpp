#pragma once

// The normal distribution and the gamma function's logarithmic derivatives, for lanes: in a lane's arithmetic where
// that is exact enough, elsewhere by special_functions.hpp, one element at a time. Included by lane_functions.hpp,
// after what it defines.

#include <xtape/autograd/special_functions.hpp>

namespace xtape::XTAPE_ARCH {

// f of doubles, for floats.
template <class F>
Lane<float> in_double(Lane<float> x, F f) {
    using Wide = Lane<double>;
    alignas(64) float narrow[Lane<float>::size];
    alignas(64) double wide[Lane<float>::size];
    x.v.store_aligned(narrow);
    for (size_t i = 0; i < Lane<float>::size; ++i) {
        wide[i] = static_cast<double>(narrow[i]);
    }
    for (size_t i = 0; i < Lane<float>::size; i += Wide::size) {
        f(Wide::load(wide + i)).store(wide + i);
    }
    for (size_t i = 0; i < Lane<float>::size; ++i) {
        narrow[i] = static_cast<float>(wide[i]);
    }
    return Lane<float>(Lane<float>::Batch::load_aligned(narrow));
}

// a * b - product, exactly, for their rounded product.
template <class T>
Lane<T> rest_of_product(Lane<T> a, Lane<T> b, Lane<T> product) {
#if defined(__FMA__)
    return -minus_product(product, a, b);
#else
    // Dekker's: halves whose products are exact.
    constexpr double splitter = sizeof(T) == sizeof(float) ? 0x1p12 + 1 : 0x1p27 + 1;
    const auto upper_half = [](Lane<T> x) {
        const Lane<T> shifted = splitter * x;
        return shifted - (shifted - x);
    };
    const Lane<T> a_high = upper_half(a);
    const Lane<T> b_high = upper_half(b);
    const Lane<T> a_low = a - a_high;
    const Lane<T> b_low = b - b_high;
    return a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low);
#endif
}

// erfc(-x / sqrt 2) / 2. Far left the argument's rounding would cost hundreds of ulp: what it lost comes back to first
// order.
template <class T>
Lane<T> normal_cdf(Lane<T> x) {
    constexpr double root = 0.7071067811865476;
    constexpr double root_here = static_cast<double>(static_cast<T>(root));
    constexpr double root_rest = (root - root_here) - 4.8336466567264567e-17;
    // Beyond, the result is 0 or 1, and the product of halves might overflow.
    const Lane<T> within = select(is_greater(x, 50.0), 50.0, select(is_less(x, -50.0), -50.0, x));
    const Lane<T> factor = constant(x, -root_here);
    const Lane<T> z = within * factor;
    const Lane<T> lost = rest_of_product(within, factor, z) - root_rest * within;
    const Lane<T> rounded = erfc(z);
    const Lane<T> corrected = rounded - 1.1283791670955126 * exp(-(z * z)) * lost;
    return 0.5 * select(is_greater(corrected, 0.0), corrected, rounded);  // at the end of T's range nothing is left
}
// x Φ(x). Where Φ(x) is below T's normal numbers and the product is not, one element at a time in a wider type.
template <class T>
Lane<T> times_normal_cdf(Lane<T> x) {
    const Lane<T> cdf = normal_cdf(x);
    const Lane<T> y = select(is_equal(cdf, 0.0), 0.0, x * cdf);
    const LaneMask<T> far_left{is_less(x, sizeof(T) == sizeof(float) ? -12.5 : -37.0).m & is_greater(x, -40.0).m};
    if (!xsimd::any(far_left.m)) [[likely]] {
        return y;
    }
    const auto one = [](T e) { return static_cast<T>(special::times_normal_cdf(static_cast<double>(e))); };
    return select(far_left, each(x, one), y);
}

// log Gamma(x) for x > 0. In [0.75, 1.5) it is z = x - 1, and in [1.5, 2.5) z = x - 2, times a polynomial in z
// (interpolated at Chebyshev's points), which keeps the digits at the roots. Left of that it goes up there and from 2.5
// to 8.5 it comes down there, by Gamma(x + 1) = x Gamma(x); beyond it is Stirling's series (Abramowitz and
// Stegun 6.1.41).
inline Lane<double> positive_lgamma(Lane<double> x) {
    using V = Lane<double>;
    struct Coefficients {
        double at_1;
        double at_2;
    };
    constexpr Coefficients polynomial[] = {
        {-0.5772156649015329, 0.42278433509846713},       {0.8224670334241132, 0.3224670334241132},
        {-0.40068563438653143, -0.0673523010531981},      {0.2705808084277827, 0.020580808427784546},
        {-0.2073855510286789, -0.007385551028673982},     {0.16955717699783138, 0.002890510330741522},
        {-0.1440498967688838, -0.0011927539117034586},    {0.1255096694802822, 0.0005096695247431375},
        {-0.1113342657830147, -0.00022315475844598002},   {0.100099459962104, 9.945751277815141e-05},
        {-0.09095402579835395, -4.492623691034089e-05},   {0.08335376857031611, 2.0507212858543456e-05},
        {-0.07693212505557731, -9.439485805817927e-06},   {0.07143387369067304, 4.374865601535207e-06},
        {-0.066678042168473, -2.039239006512733e-06},     {0.06250491616189947, 9.55152402677789e-07},
        {-0.05871173850175508, -4.4910141797059787e-07},  {0.05528806007317391, 2.120018321266483e-07},
        {-0.053052193638537436, -1.0102969993315554e-07}, {0.052725430879886626, 4.798558267904044e-08},
        {-0.050936212615662654, -2.1175303121818353e-08}, {0.040434355000481564, 1.0099732190744157e-08},
        {-0.021235727970751416, -7.378782763359956e-09},  {0.005248300919437493, 3.5397345306487626e-09}};
    constexpr double series[] = {0.08333333333333333,    -0.002777777777777778, 0.0007936507936507937,
                                 -0.0005952380952380953, 0.0008417508417508417, -0.0019175269175269176,
                                 0.00641025641025641,    -0.029550653594771242};
    const auto left = is_less(x, 0.75);
    const auto far_left = is_less(x, 0.5);
    const auto below_2 = is_less(x, 1.5);
    const auto far = is_greater(x, 8.5);
    V product = constant(x, 1.0);
    V reduced = x;
    for (int i = 0; i < 6; ++i) {
        const auto above = is_greater(reduced, 2.5);
        reduced = select(above, reduced - 1.0, reduced);
        product = select(above, product * reduced, product);
    }
    const V z = select(far_left, x, select(below_2, x - 1.0, reduced - 2.0));
    V value = constant(x, 0.0);
    for (int k = 23; k >= 0; --k) {
        const auto [at_1, at_2] = polynomial[k];
        value = value * z + select(left, at_2, select(below_2, at_1, constant(x, at_2)));
    }
    const V logarithm = log(select(far, x, select(far_left, x * (x + 1.0), select(left, x, product))));
    const V inverse = 1.0 / x;
    const V inverse_square = inverse * inverse;
    V tail = constant(x, series[7]);
    for (int k = 6; k >= 0; --k) {
        tail = tail * inverse_square + series[k];
    }
    const V stirling = (x - 0.5) * (logarithm - 1.0) + (0.4189385332046727 + tail * inverse);
    return select(far, stirling, z * value + select(left, -logarithm, logarithm));
}

// psi for x > 0. With r its root, psi(x) = psi(x) - psi(r), and by psi(x) = psi(x + 1) - 1/x that is
//     (x - r) (the sum over k < 9 of 1 / ((r + k) (x + k))) + psi(x + 9) - psi(r + 9)
// where the last difference, by the asymptotic series (Abramowitz and Stegun 6.3.18), is again a multiple of x - r:
// all terms have one sign, and nothing cancels at the root.
inline Lane<double> positive_digamma(Lane<double> x) {
    using V = Lane<double>;
    constexpr double root = 1.4616321449683622;
    constexpr double root_rest = 9.549995429965697e-17;
    constexpr double root_inverse = 0.6841666717870696;
    constexpr double far_root = 10.461632144968362;  // r + 9
    constexpr double far_root_inverse_square = 0.009136947082572063;
    // 1 / ((r + k) (x + k)) for k and k + 1, together (slope x + rest) / ((x + k) (x + k + 1)); k = 1, 3, 5, 7
    struct Pair {
        double slope;
        double rest;
    };
    constexpr Pair pairs[] = {{0.6951156097451168, 1.1013501489080966},
                              {0.40722867554010994, 1.4458192513030856},
                              {0.2887785968398993, 1.5986526451589487},
                              {0.22387052014611397, 1.685274150748057}};
    // (p(t) - p(1 / (r + 9)^2)) / (t - 1 / (r + 9)^2) for the series p(1 / x^2), to B_18
    constexpr double series[] = {0.08325752026579693,   -0.00829741781924231, 0.003930800273488344,
                                 -0.004099147606651218, 0.007389673969354114, -0.020366059332706486,
                                 0.07953824767966462,   -0.4153559848132987,  3.0539543302701198};
    // Far right all but the logarithm has reached its limit, and the products below would overflow.
    const V near = select(is_greater(x, 1e17), 1e17, x);
    const V from_root = (near - root) - root_rest;
    const V inverse = 1.0 / near;
    // k = 0, which far left is all: there as it was before the terms were joined, with fewer roundings.
    const V first = select(is_less(near, 0.5), root_inverse - inverse, from_root * (root_inverse * inverse));
    const V far_inverse = 1.0 / (near + 9.0);
    const V t = far_inverse * far_inverse;
    V tail = constant(x, series[8]);
    for (int k = 7; k >= 0; --k) {
        tail = tail * t + series[k];
    }
    V sum = (near + (far_root + 9.0)) * t * far_root_inverse_square * tail + 0.5 / far_root * far_inverse;
    for (int k = 7; k >= 1; k -= 2) {
        const Pair pair = pairs[k / 2];
        sum = sum + (pair.slope * near + pair.rest) / (near * (near + (2.0 * k + 1.0)) + k * (k + 1.0));
    }
    return log1p(((x - root) - root_rest) / far_root) + from_root * sum + first;
}

// A number to about twice a double's digits, as a double and what its rounding lost.
struct Exact {
    Lane<double> value;
    Lane<double> rest;
};
inline Exact exact_sum(Lane<double> x, Lane<double> whole) {
    const Lane<double> sum = x + whole;
    return {sum, x - (sum - whole)};
}
inline Exact exact_power(Exact x, int n) {
    Exact result = x;
    for (int i = 1; i < n; ++i) {
        const Lane<double> product = result.value * x.value;
        result.rest = result.rest * x.value + (result.value * x.rest + rest_of_product(result.value, x.value, product));
        result.value = product;
    }
    return result;
}

// psi^(n), n >= 1, for x > 0: (-1)^(n+1) n! times Hurwitz's zeta(n + 1, x), upwards and then by Euler and Maclaurin
// (Abramowitz and Stegun 6.4.11). Powers above the third would multiply their roundings: there what they lose is put
// back.
inline Lane<double> positive_polygamma(int n, Lane<double> x) {
    using V = Lane<double>;
    constexpr double bernoulli[] = {1.0 / 6,       -1.0 / 30, 1.0 / 42,      -1.0 / 30,     5.0 / 66,
                                    -691.0 / 2730, 7.0 / 6,   -3617.0 / 510, 43867.0 / 798, -174611.0 / 330};
    const bool few_products = n <= 2;
    const double start = 10.0 + n;
    double factorial = 1.0;  // (n - 1)!
    for (int i = 2; i < n; ++i) {
        factorial *= i;
    }
    const auto term = [&](double step) {  // n! / (x + step)^(n + 1)
        if (few_products) {
            const V at = x + step;
            const V square = at * at;
            return factorial * n / (n == 1 ? square : square * at);
        }
        const Exact power = exact_power(exact_sum(x, constant(x, step)), n + 1);
        const V quotient = factorial * n / power.value;
        const V corrected = quotient - quotient * (power.rest * quotient / (factorial * n));
        return select(is_less(quotient, __builtin_inf()), corrected, quotient);
    };
    V steps = constant(x, 0.0);
    int most = 0;
    for (LaneMask<double> near = is_less(x, start); xsimd::any(near.m); near = is_less(x + most, start)) {
        ++most;
        steps = select(near, most, steps);
    }
    V below = constant(x, 0.0);
    for (int k = most - 1; k >= 0; --k) {  // the smallest first
        below = below + select(is_greater(steps, k), term(k), 0.0);
    }
    const Exact end = exact_sum(x, steps);
    const V inverse = 1.0 / end.value;
    const V inverse_square = inverse * inverse;
    // (n-1)! / x^n (1 + n / (2x) + the sum of B_2k (2k + n - 1)! / ((2k)! (n-1)!) x^-2k)
    double coefficients[10];
    double rising = 1.0;
    for (int k = 1; k <= 10; ++k) {
        rising *= (2.0 * k + n - 1.0) * (2.0 * k + n - 2.0) / (2.0 * k * (2.0 * k - 1.0));
        coefficients[k - 1] = bernoulli[k - 1] * rising;
    }
    V series = constant(x, coefficients[9]);
    for (int k = 8; k >= 0; --k) {
        series = series * inverse_square + coefficients[k];
    }
    V tail = factorial * (1.0 + (0.5 * n * inverse + series * inverse_square));
    if (few_products) {
        tail = n == 1 ? tail / end.value : tail / end.value / end.value;
    } else {  // in two steps, since x^n overflows before its inverse vanishes
        const Exact first = exact_power(end, n / 2);
        const Exact second = exact_power(end, n - n / 2);
        const V lost = first.rest / first.value + second.rest / second.value;
        tail = tail / first.value / second.value;
        tail = tail - select(is_less(x, 1e70), tail * lost, 0.0);
    }
    return n % 2 == 0 ? -(below + tail) : below + tail;
}

template <class T, class F>
Lane<T> by_lane(Lane<T> x, F f) {
    if constexpr (sizeof(T) == sizeof(float)) {
        return in_double(x, f);
    } else {
        return f(x);
    }
}

// Left of 0 lie roots between the poles, where only a wider type keeps the digits.
template <class T, class F>
Lane<T> except_left_of_0(Lane<T> x, Lane<T> y, F f) {
    const LaneMask<T> negative = is_less(x, 0.0);
    return xsimd::any(negative.m) ? select(negative, each(x, f), y) : y;
}
template <class T>
Lane<T> lgamma(Lane<T> x) {
    return except_left_of_0(x, by_lane(x, positive_lgamma),
                            [](T e) { return static_cast<T>(special::lgamma(static_cast<double>(e))); });
}
template <class T>
Lane<T> digamma(Lane<T> x) {
    return except_left_of_0(x, by_lane(x, positive_digamma),
                            [](T e) { return static_cast<T>(special::digamma(static_cast<double>(e))); });
}
template <class T>
Lane<T> polygamma(Lane<T> n, Lane<T> x) {
    constexpr int highest_order = 8;
    const auto one_by_one = [](Lane<T> order, Lane<T> at) {
        return each(order, at, [](T o, T e) {
            return static_cast<T>(special::polygamma(static_cast<double>(o), static_cast<double>(e)));
        });
    };
    const T first = n.v.get(0);
    if (!xsimd::all(n.v == typename Lane<T>::Batch(first)) || !(first >= T(0) && first <= T(highest_order)) ||
        first != T(static_cast<int>(first))) {
        return one_by_one(n, x);
    }
    const int order = static_cast<int>(first);
    if (order == 0) {
        return digamma(x);
    }
    const LaneMask<T> inside{is_greater(x, 0.0).m & is_less(x, __builtin_inf()).m};
    const Lane<T> y =
        by_lane(select(inside, x, 1.0), [order](Lane<double> at) { return positive_polygamma(order, at); });
    return xsimd::all(inside.m) ? y : select(inside, y, one_by_one(n, x));
}

}  // namespace xtape::XTAPE_ARCH
