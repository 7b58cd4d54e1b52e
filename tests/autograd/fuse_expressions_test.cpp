// fuse against op by op on random expressions, which the compiler draws: every op, first and second derivatives.

#include "fused_comparison.hpp"

using namespace fused_comparison;

namespace {

constexpr unsigned mixed(unsigned seed) {
    seed ^= seed >> 16;
    seed *= 0x7feb352dU;
    seed ^= seed >> 15;
    seed *= 0x846ca68bU;
    return seed ^ seed >> 16;
}

// Values in [0.5, 2.5], for what is not defined everywhere or grows too fast.
constexpr auto guarded = [](const auto& x) { return 1.5 + sin(x); };

constexpr unsigned op_count = 52;
// The expressions are put together from so many parts of each depth, that the compiler may be done in time.
constexpr unsigned parts = 64;

/// Op `op` of a and b, smooth where it is evaluated: fuse and op by op differ in rounding, which kinks would blow up.
template <unsigned op, class V>
[[gnu::noinline]] V applied(const V& a, const V& b) {
    static_assert(op < op_count);
    // clang-format off
    if constexpr (op == 0) { return -a; }
    else if constexpr (op == 1) { return abs(guarded(a)); }
    else if constexpr (op == 2) { return square(tanh(a)); }
    else if constexpr (op == 3) { return cube(tanh(a)); }
    else if constexpr (op == 4) { return sqrt(guarded(a)); }
    else if constexpr (op == 5) { return rsqrt(guarded(a)); }
    else if constexpr (op == 6) { return cbrt(guarded(a)); }
    else if constexpr (op == 7) { return reciprocal(guarded(a)); }
    else if constexpr (op == 8) { return exp(sin(a)); }
    else if constexpr (op == 9) { return exp2(sin(a)); }
    else if constexpr (op == 10) { return expm1(sin(a)); }
    else if constexpr (op == 11) { return log(guarded(a)); }
    else if constexpr (op == 12) { return log2(guarded(a)); }
    else if constexpr (op == 13) { return log10(guarded(a)); }
    else if constexpr (op == 14) { return log1p(square(sin(a))); }
    else if constexpr (op == 15) { return sin(a); }
    else if constexpr (op == 16) { return cos(a); }
    else if constexpr (op == 17) { return tan(0.5 * tanh(a)); }
    else if constexpr (op == 18) { return asin(0.5 * sin(a)); }
    else if constexpr (op == 19) { return acos(0.5 * sin(a)); }
    else if constexpr (op == 20) { return atan(a); }
    else if constexpr (op == 21) { return sinh(tanh(a)); }
    else if constexpr (op == 22) { return cosh(tanh(a)); }
    else if constexpr (op == 23) { return tanh(a); }
    else if constexpr (op == 24) { return asinh(a); }
    else if constexpr (op == 25) { return acosh(1.0 + guarded(a)); }
    else if constexpr (op == 26) { return atanh(0.5 * sin(a)); }
    else if constexpr (op == 27) { return erf(a); }
    else if constexpr (op == 28) { return erfc(a); }
    else if constexpr (op == 29) { return lgamma(guarded(a)); }
    else if constexpr (op == 30) { return digamma(guarded(a)); }
    else if constexpr (op == 31) { return polygamma(1, 1.0 + guarded(a)); }
    else if constexpr (op == 32) { return sigmoid(a); }
    else if constexpr (op == 33) { return log_sigmoid(a); }
    else if constexpr (op == 34) { return softplus(a); }
    else if constexpr (op == 35) { return gelu(a); }
    else if constexpr (op == 36) { return silu(a); }
    else if constexpr (op == 37) { return relu(guarded(a)) - relu(-guarded(b)); }
    else if constexpr (op == 38) { return leaky_relu(-guarded(a), 0.3); }
    else if constexpr (op == 39) { return elu(-guarded(a), 0.7); }
    else if constexpr (op == 40) { return clip(a, -40, 1e3) * sign(guarded(b)); }
    else if constexpr (op == 41) { return a + b; }
    else if constexpr (op == 42) { return a - b; }
    else if constexpr (op == 43) { return tanh(a) * b; }
    else if constexpr (op == 44) { return a / guarded(b); }
    else if constexpr (op == 45) { return pow(guarded(a), tanh(b)); }
    else if constexpr (op == 46) { return maximum(a, 3.0 + guarded(b)) + minimum(3.0 + guarded(a), tanh(b)); }
    else if constexpr (op == 47) { return atan2(a, guarded(b)); }
    else if constexpr (op == 48) { return hypot(a, guarded(b)); }
    else if constexpr (op == 49) { return fmod(guarded(a), 3.0 + guarded(b)); }
    else if constexpr (op == 50) { return logaddexp(a, b); }
    else { return where(guarded(a) > 0.1 && 0.2 < guarded(b), a * 2, 1 / b); }
    // clang-format on
}

template <unsigned seed, int depth, class V>
[[gnu::noinline]] V expression(const V& x, const V& y, const V& z) {
    constexpr unsigned drawn = mixed(seed);
    if constexpr (depth == 0) {
        if constexpr (drawn % 3 == 0) {
            return x * 0.75;
        } else if constexpr (drawn % 3 == 1) {
            return y;
        } else {
            return 1 - z;
        }
    } else {
        // The outermost op takes its turn, so that all have one.
        constexpr unsigned op = depth == 3 ? seed % op_count : drawn % op_count;
        return applied<op>(expression<mixed(2 * seed + 1) % parts, depth - 1>(x, y, z),
                           expression<mixed(2 * seed + 2) % parts, depth - 1>(x, y, z));
    }
}

// Half of them are scaled: then a number of the lambda's is a gradient on the way.
template <unsigned seed>
constexpr auto random_lambda = [](auto x, auto y, auto z) {
    const auto sum = expression<seed, 3>(x, y, z) + 0.1 * x * y * z;
    if constexpr (seed / op_count == 0) {
        return sum;
    } else {
        return 0.3 * (sum * 1.7);
    }
};

// Twice as many as there are ops.
template <class T>
const std::vector<Pair<T>>& random_pairs() {
    static const std::vector<Pair<T>> pairs = []<unsigned... seeds>(std::integer_sequence<unsigned, seeds...>) {
        return std::vector{pair_of<T, 3>(fmt::format("random expression {}", seeds), random_lambda<seeds>)...};
    }
    (std::make_integer_sequence<unsigned, 2 * op_count>{});
    return pairs;
}

template <class T>
void check_all(const std::vector<Shape>& shapes, const std::vector<bool>& wanted = {}) {
    for (const Pair<T>& pair : random_pairs<T>()) {
        check_pair(pair, shapes, 2, wanted);
    }
    CHECK(random_pairs<T>().size() >= 100);
}

}  // namespace

TEST_CASE_TEMPLATE("random expressions fused are what they are op by op, to second order", T, float, double) {
    check_all<T>({{37}, {37}, {37}});
}

TEST_CASE("random expressions may broadcast") { check_all<double>({{3, 1, 5}, {4, 5}, {}}); }

TEST_CASE("random expressions may have inputs that require no gradient") {
    check_all<double>({{9}, {9}, {9}}, {false, true, false});
    check_all<double>({{9}, {9}, {9}}, {true, false, true});
}
