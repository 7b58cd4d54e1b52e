// Each elementwise op on 2^20 elements, one thread: xtape's against the fastest of three loops (ops_loops.hpp) among
// those that are right. Right is what xtape promises: the largest error in units in the last place, against mpmath's
// values in tests/data/accuracy.json, at special values and over the benchmark's own inputs.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <xtape/autograd.hpp>
#include <xtape/autograd/special_functions.hpp>

#define XTAPE_LOOPS reference
#include "figures.hpp"
#include "ops_formulas.hpp"
#include "ops_loops.hpp"
#include "options.hpp"

namespace {

using namespace xtape;
using bench::Loop;

constexpr std::size_t elements = 1 << 20;
constexpr double limit = 1.3;

// The same bounds as in tests/autograd/accuracy_test.cpp, and what docs/pitfalls.md says of polygamma.
constexpr double usual_bound = 4.0;
const std::map<std::string_view, double> bounds = {{"erfc", 5.0}, {"lgamma", 5.0}, {"polygamma(1)", 16.0}};

// ------------------------------------------------------------------------------------------------ what is right

/// A precision in which T's rounding errors can be seen.
template <class T>
using Wider = std::conditional_t<std::is_same_v<T, float>, double, long double>;

template <class Op>
constexpr bool has_two_inputs = !requires(float x) {
    Op::of(x);
};

template <class Op, class T>
Wider<T> exact(T a, [[maybe_unused]] T b) {
    using W = Wider<T>;
    if constexpr (std::is_same_v<Op, bench::reference::Digamma>) {
        return static_cast<W>(special::digamma(static_cast<double>(a)));
    } else if constexpr (std::is_same_v<Op, bench::reference::Trigamma>) {
        return static_cast<W>(special::polygamma(1, static_cast<double>(a)));
    } else if constexpr (has_two_inputs<Op>) {
        return Op::of(static_cast<W>(a), static_cast<W>(b));
    } else if constexpr (requires(W x) { Op::exact(x); }) {
        return Op::exact(static_cast<W>(a));
    } else {
        return Op::of(static_cast<W>(a));
    }
}

/// Infinite if one is NaN or infinite and the other is not. Below `least_magnitude` units stay as they are there.
template <class T>
double ulps(T got, Wider<T> expected, T least_magnitude) {
    const auto rounded = static_cast<T>(expected);
    if (std::isnan(rounded) || std::isnan(got)) {
        return std::isnan(rounded) && std::isnan(got) ? 0.0 : HUGE_VAL;
    }
    if (std::isinf(rounded) || std::isinf(got)) {
        return got == rounded ? 0.0 : HUGE_VAL;
    }
    const T magnitude = std::max(std::abs(rounded), least_magnitude);
    const T ulp = std::nextafter(magnitude, std::numeric_limits<T>::infinity()) - magnitude;
    return static_cast<double>(std::abs(static_cast<Wider<T>>(got) - expected) / static_cast<Wider<T>>(ulp));
}

template <class T>
std::vector<T> special_values() {
    using Limits = std::numeric_limits<T>;
    std::vector<T> values;
    for (const T x : {T(0), T(0.5), T(1), T(1.5), T(2), T(2.5), T(3), Limits::denorm_min(), Limits::min(),
                      Limits::max(), Limits::infinity(), Limits::quiet_NaN()}) {
        values.insert(values.end(), {x, -x});
    }
    return values;
}

/// The ends of exponentials, and numbers of all magnitudes.
template <class T>
std::vector<T> wide_range() {
    constexpr T end = sizeof(T) == sizeof(float) ? T(150) : T(1080);
    constexpr T magnitudes = sizeof(T) == sizeof(float) ? T(120) : T(1000);
    std::vector<T> values;
    for (int i = -200; i < 200; ++i) {
        const T part = (static_cast<T>(i) + T(0.37)) / T(200);
        values.insert(values.end(), {part * end, std::exp2(part * magnitudes), -std::exp2(part * magnitudes)});
    }
    return values;
}

/// Places where an op's results are known.
template <class T>
struct Places {
    std::vector<T> a;
    std::vector<T> b;
    std::vector<Wider<T>> expected;
    std::vector<T> least_magnitude;  // units are no smaller than those of this number

    void add(T at, T beside, Wider<T> value, T magnitude) {
        a.push_back(at);
        b.push_back(beside);
        expected.push_back(value);
        least_magnitude.push_back(std::isfinite(magnitude) ? std::max(magnitude, std::numeric_limits<T>::min())
                                                           : std::numeric_limits<T>::min());
    }
};

template <class Op, class T>
Places<T> places_of(const nlohmann::json& accuracy, const std::vector<T>& a, const std::vector<T>& b) {
    constexpr std::size_t of_the_inputs = 4096;
    Places<T> places;
    const auto add = [&](T at, T beside, Wider<T> value) {
        // In a sum of logarithms the larger may cancel: its units count.
        const bool cancels = std::is_same_v<Op, bench::reference::Logaddexp>;
        places.add(at, beside, value, cancels ? std::max(std::abs(at), std::abs(beside)) : T(0));
    };
    const auto number = [](const nlohmann::json& value) {
        return value.is_string() ? (value == "-inf" ? -HUGE_VAL : HUGE_VAL) : value.get<double>();
    };
    for (const auto& line : accuracy) {
        if (line["name"] == Op::name && line["type"] == (sizeof(T) == sizeof(float) ? "float" : "double")) {
            const auto& x = line[has_two_inputs<Op> ? "a" : "x"];
            for (std::size_t i = 0; i < x.size(); ++i) {
                add(static_cast<T>(number(x[i])), has_two_inputs<Op> ? static_cast<T>(number(line["b"][i])) : T(0),
                    static_cast<Wider<T>>(number(line["y"][i])) + static_cast<Wider<T>>(number(line["rest"][i])));
            }
        }
    }
    for (const T left : special_values<T>()) {
        for (const T right : has_two_inputs<Op> ? special_values<T>() : std::vector<T>{T(0)}) {
            add(left, right, exact<Op>(left, right));
        }
    }
    // Where Φ is below T's normal numbers gelu has lost digits in all of the programs.
    if constexpr (!has_two_inputs<Op> && !std::is_same_v<Op, bench::reference::Gelu>) {
        for (const T at : wide_range<T>()) {
            add(at, T(0), exact<Op>(at, T(0)));
        }
    }
    for (std::size_t i = 0; i < of_the_inputs; ++i) {
        add(a[i], b[i], exact<Op>(a[i], b[i]));
    }
    while (places.a.size() % 16 != 0) {  // whole batches
        add(a[0], b[0], exact<Op>(a[0], b[0]));
    }
    return places;
}

template <class T, class F>
double worst_error(const Places<T>& places, F f) {
    std::vector<T> y(places.a.size());
    f(places.a.data(), places.b.data(), y.data(), y.size());
    double worst = 0.0;
    for (std::size_t i = 0; i < y.size(); ++i) {
        worst = std::max(worst, ulps(y[i], places.expected[i], places.least_magnitude[i]));
    }
    return worst;
}

// ------------------------------------------------------------------------------------------------ xtape's ops

template <class T>
Tensor<T> apply(std::string_view op, const Tensor<T>& a, const Tensor<T>& b) {
    using F = Tensor<T> (*)(const Tensor<T>&, const Tensor<T>&);
    using X = Tensor<T>;
#define XTAPE_CALL1(name)                                          \
    {                                                              \
#name, [](const X& x, const X&) { return xtape::name(x); } \
    }
#define XTAPE_CALL2(name)                                               \
    {                                                                   \
#name, [](const X& x, const X& z) { return xtape::name(x, z); } \
    }
    static const std::map<std::string_view, F> ops = {
        {"negate", [](const X& x, const X&) { return -x; }},
        XTAPE_CALL1(exp),
        XTAPE_CALL1(exp2),
        XTAPE_CALL1(expm1),
        XTAPE_CALL1(log),
        XTAPE_CALL1(log2),
        XTAPE_CALL1(log10),
        XTAPE_CALL1(log1p),
        XTAPE_CALL1(square),
        XTAPE_CALL1(cube),
        XTAPE_CALL1(sqrt),
        XTAPE_CALL1(rsqrt),
        XTAPE_CALL1(cbrt),
        XTAPE_CALL1(reciprocal),
        XTAPE_CALL1(abs),
        XTAPE_CALL1(sign),
        XTAPE_CALL1(sin),
        XTAPE_CALL1(cos),
        XTAPE_CALL1(tan),
        XTAPE_CALL1(asin),
        XTAPE_CALL1(acos),
        XTAPE_CALL1(atan),
        XTAPE_CALL1(sinh),
        XTAPE_CALL1(cosh),
        XTAPE_CALL1(tanh),
        XTAPE_CALL1(asinh),
        XTAPE_CALL1(acosh),
        XTAPE_CALL1(atanh),
        XTAPE_CALL1(erf),
        XTAPE_CALL1(erfc),
        XTAPE_CALL1(lgamma),
        XTAPE_CALL1(digamma),
        {"polygamma(1)", [](const X& x, const X&) { return polygamma(1, x); }},
        XTAPE_CALL1(sigmoid),
        XTAPE_CALL1(log_sigmoid),
        XTAPE_CALL1(softplus),
        XTAPE_CALL1(relu),
        XTAPE_CALL1(leaky_relu),
        XTAPE_CALL1(elu),
        {"clip", [](const X& x, const X&) { return clip(x, -1.0, 2.0); }},
        XTAPE_CALL1(gelu),
        XTAPE_CALL1(silu),
        XTAPE_CALL1(floor),
        XTAPE_CALL1(ceil),
        XTAPE_CALL1(round),
        XTAPE_CALL1(trunc),
        {"add", [](const X& x, const X& z) { return x + z; }},
        {"subtract", [](const X& x, const X& z) { return x - z; }},
        {"multiply", [](const X& x, const X& z) { return x * z; }},
        {"divide", [](const X& x, const X& z) { return x / z; }},
        XTAPE_CALL2(pow),
        XTAPE_CALL2(maximum),
        XTAPE_CALL2(minimum),
        XTAPE_CALL2(atan2),
        XTAPE_CALL2(hypot),
        XTAPE_CALL2(fmod),
        XTAPE_CALL2(logaddexp)};
#undef XTAPE_CALL1
#undef XTAPE_CALL2
    return ops.at(op)(a, b);
}

template <class T>
Tensor<T> tensor_of(const T* values, std::size_t n) {
    return Tensor<T>(xt::xarray<T>(xt::adapt(values, n, xt::no_ownership(), std::vector<std::size_t>{n})));
}

// ------------------------------------------------------------------------------------------------ a row

struct Candidate {
    const char* name;
    double error = 0.0;
    std::optional<double> nanoseconds = {};  // of those that are right
};

std::string verdict_on(const Candidate& candidate, double bound) {
    if (candidate.nanoseconds) {
        return fmt::format("{} {:.3f}", candidate.name, *candidate.nanoseconds);
    }
    return std::isinf(candidate.error)
               ? fmt::format("{} fails: not finite, or a NaN lost", candidate.name)
               : fmt::format("{} fails: {:.3g} ulp, not {:.0f}", candidate.name, candidate.error, bound);
}

/// Prints an op's row; false if xtape is wrong or too slow.
template <class Op, class T>
bool run(const nlohmann::json& accuracy, const bench::Options& options, bench::Figures& figures) {
    const char* type = sizeof(T) == sizeof(float) ? "float" : "double";
    std::mt19937_64 generator(20240229);
    std::uniform_real_distribution<T> left(static_cast<T>(Op::low), static_cast<T>(Op::high));
    std::uniform_real_distribution<T> right(T(-3), T(3));
    std::vector<T> a(elements);
    std::vector<T> b(elements);
    std::vector<T> y(elements);
    std::ranges::generate(a, [&] { return left(generator); });
    std::ranges::generate(b, [&] { return right(generator); });
    const Places<T> places = places_of<Op, T>(accuracy, a, b);
    const double bound = bounds.contains(Op::name) ? bounds.at(Op::name) : usual_bound;

    const double error = worst_error(places, [](const T* at, const T* beside, T* out, std::size_t n) {
        const Tensor<T> result = apply(Op::name, tensor_of(at, n), tensor_of(beside, n));
        std::copy_n(result.data(), n, out);
    });

    const Tensor<T> x = tensor_of(a.data(), elements);
    const Tensor<T> z = tensor_of(b.data(), elements);
    const Tensor<T> p = parameter(x);
    const Tensor<T> recorded = apply(Op::name, p, z);
    const Tensor<T> seed = ones<T>({elements});
    std::vector<std::function<void()>> programs = {[&] { std::ignore = apply(Op::name, x, z); },
                                                   [&] { recorded.backward(seed, {.retain_graph = true}); }};
    std::vector<Candidate> candidates = {{"std"}, {"libmvec"}, {"xsimd"}};
    const Loop<T> loops[] = {bench::plain::loop<T>(Op::name), bench::fast::loop<T>(Op::name),
                             bench::batches::loop<T>(Op::name)};
    std::vector<Candidate*> timed;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        if (loops[i] == nullptr) {
            candidates[i].name = nullptr;
            continue;
        }
        candidates[i].error = worst_error(places, loops[i]);
        if (candidates[i].error <= bound) {
            timed.push_back(&candidates[i]);
            programs.push_back([&, loop = loops[i]] { loop(a.data(), b.data(), y.data(), elements); });
        }
    }
    const std::vector<double> seconds = bench::best_in_turn(programs, options.effort());
    const auto per_element = [&](std::size_t program) { return seconds[program] / elements * 1e9; };
    const Candidate* fastest = nullptr;
    for (std::size_t i = 0; i < timed.size(); ++i) {
        timed[i]->nanoseconds = per_element(i + 2);
        if (fastest == nullptr || *timed[i]->nanoseconds < *fastest->nanoseconds) {
            fastest = timed[i];
        }
    }

    std::string remarks;
    for (const Candidate& candidate : candidates) {
        if (candidate.name != nullptr && &candidate != fastest) {
            remarks += (remarks.empty() ? "" : "; ") + verdict_on(candidate, bound);
        }
    }
    const double ratio = fastest == nullptr ? 0.0 : per_element(0) / *fastest->nanoseconds;
    const bool wrong = error > bound;
    const bool slow = ratio > limit;
    fmt::print("{:<13} {:<7} {:>8.3f} {:>6.2f} {:>8} {:<8} {:>6.2f} {:>5.1f} {:>8.3f}  {}{}{}\n", Op::name, type,
               per_element(0), error, fastest == nullptr ? "" : fmt::format("{:.3f}", *fastest->nanoseconds),
               fastest == nullptr ? "none" : fastest->name, ratio, limit, per_element(1), wrong ? "WRONG  " : "",
               slow ? "TOO SLOW  " : "", remarks);
    std::fflush(stdout);
    if (fastest != nullptr) {
        figures.at_most(limit, fmt::format("{}, {}: over the fastest right loop", Op::name, type), ratio);
    }
    return !wrong && options.accept(!slow);
}

constexpr const char* usage = R"(usage: bench_ops [OPTION...]

Times each elementwise op on 2^20 elements, one thread, without recording, in nanoseconds an element: xtape's op against
the fastest right loop. Three loops are tried, each writing into memory it is given: the C++ library's functions with every
flag for this machine (std), the same with -ffast-math, which calls glibc's libmvec (libmvec), and xsimd's functions
(xsimd). A loop counts only if it passes the check that xtape's op must pass: mpmath's values, special values, and the
inputs themselves, to 4 units in the last place (more for a few, as in tests/autograd/accuracy_test.cpp).

  --seconds S       how long to time a row (0.3)
  --only OP         only that op

"ulp" is xtape's largest error there; "replay" is the gradient's way back through the op, added into a leaf's. Fails if
an op is wrong or takes more than 1.3 times as long as the fastest right loop. XTAPE_SIMD chooses xtape's instruction set.)";

template <class... Ops>
bool run_all(bench::reference::List<Ops...>, const nlohmann::json& accuracy, const bench::Options& options,
             bench::Figures& figures, int& rows) {
    bool passed = true;
    const auto run_op = [&]<class Op>(Op) {
        if (options.only.empty() || options.only == Op::name) {
            passed = run<Op, float>(accuracy, options, figures) && passed;
            passed = run<Op, double>(accuracy, options, figures) && passed;
            rows += 2;
        }
    };
    (run_op(Ops{}), ...);
    return passed;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::Options options = bench::parse_options(argc, argv, usage, {.budget = 0.3}, false);
    xtape::set_num_threads(1);
    std::ifstream file(XTAPE_TEST_DATA_DIR "/accuracy.json");
    const auto accuracy = nlohmann::json::parse(file);
    fmt::print("{:<13} {:<7} {:>8} {:>6} {:>8} {:<8} {:>6} {:>5} {:>8}  others\n", "op", "type", "xtape/ns", "ulp",
               "loop/ns", "", "ratio", "limit", "replay");
    bench::Figures figures("ops", options.json);
    int rows = 0;
    bool passed = run_all(bench::reference::OneInput{}, accuracy, options, figures, rows);
    passed = run_all(bench::reference::TwoInputs{}, accuracy, options, figures, rows) && passed;
    if (rows == 0) {
        fmt::print("no op is called \"{}\"\n", options.only);
        return EXIT_FAILURE;
    }
    return passed ? EXIT_SUCCESS : EXIT_FAILURE;
}
