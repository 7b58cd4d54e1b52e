// The elementwise kernels against one number at a time, for every rule: all sizes, places in memory, steps, ways to
// write.

#include <cstdlib>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "kernel_memory.hpp"
#include "kernel_reading.hpp"

using namespace xtape;
using kernel_memory::Array;
using kernel_memory::Place;
using one_by_one::agrees;
using one_by_one::for_each_rule;
using one_by_one::One;
using one_by_one::Pairs;
using one_by_one::pull;
using one_by_one::special_values;
using one_by_one::Wider;

namespace {

enum class Writing { overwrite, add, over_g };
constexpr Writing writings[] = {Writing::overwrite, Writing::add, Writing::over_g};

template <class T>
void expect_near(const char* what, T got, Wider<T> expected, Wider<T> magnitude, std::size_t i, std::size_t n) {
    if (!agrees(got, expected, magnitude)) {
        FAIL_CHECK(fmt::format("{}, {}: element {} of {} is {:.17g}, not {:.17g}", what,
                               sizeof(T) == sizeof(float) ? "float" : "double", i, n, static_cast<double>(got),
                               static_cast<double>(expected)));
    }
}

/// Runs `check(n, place)` at every size and place.
template <class F>
void everywhere(F check) {
    for (const std::size_t n : kernel_memory::sizes) {
        for (const Place place : kernel_memory::places) {
            check(n, place);
        }
    }
}

template <class Rule, class T>
void check_unary() {
    using W = One<Wider<T>>;
    Array<T> g, x, y, out;
    everywhere([&](std::size_t n, Place place) {
        const auto& kernel = kernels::unary<Rule, T>();
        x.lay_out(n, place);
        fill(x, 1);
        y.lay_out(n, place);
        kernel.forward(x.data(), y.data(), n);
        for (std::size_t i = 0; i < n; ++i) {
            expect_near<T>(Rule::name, y[i], Rule::forward(W{x[i]}).v, 0, i, n);
        }
        CHECK(y.kept_to_its_own());
        for (const Writing writing : writings) {
            g.lay_out(n, place);
            fill(g, 2);
            out.lay_out(n, place);
            fill(out, 3);
            const std::vector<T> g_before(g.data(), g.data() + n);
            const std::vector<T> out_before(out.data(), out.data() + n);
            Array<T>& target = writing == Writing::over_g ? g : out;
            kernel.backward(g.data(), (Rule::needs & needs::x) != 0 ? x.data() : nullptr,
                            (Rule::needs & needs::y) != 0 ? y.data() : nullptr, target.data(), n,
                            writing == Writing::add);
            for (std::size_t i = 0; i < n; ++i) {
                const Wider<T> before = writing == Writing::add ? out_before[i] : T(0);
                const Wider<T> pulled = pull<Rule>(W{g_before[i]}, W{x[i]}, W{y[i]}).v;
                expect_near<T>(Rule::name, target[i], before + pulled,
                               std::abs(before) + std::abs(Wider<T>(g_before[i])), i, n);
            }
            CHECK(target.kept_to_its_own());
        }
    });
}

template <class Form, class T, class Kernel>
void check_binary_backward(const char* name, Kernel kernel, Array<T>& a, Array<T>& b, Array<T>& y, kernels::Steps steps,
                           Place place) {
    using W = One<Wider<T>>;
    static Array<T> g, out;
    const std::size_t n = y.size();
    for (const Writing writing : writings) {
        g.lay_out(n, place);
        fill(g, 4);
        out.lay_out(n, place);
        fill(out, 5);
        const std::vector<T> g_before(g.data(), g.data() + n);
        const std::vector<T> out_before(out.data(), out.data() + n);
        Array<T>& target = writing == Writing::over_g ? g : out;
        kernel(g.data(), (Form::needs & needs::a) != 0 ? a.data() : nullptr,
               (Form::needs & needs::b) != 0 ? b.data() : nullptr, (Form::needs & needs::y) != 0 ? y.data() : nullptr,
               target.data(), n, steps, writing == Writing::add);
        for (std::size_t i = 0; i < n; ++i) {
            const Wider<T> before = writing == Writing::add ? out_before[i] : T(0);
            const Wider<T> pulled = pull<Form>(W{g_before[i]}, W{a[i * steps.a]}, W{b[i * steps.b]}, W{y[i]}).v;
            expect_near<T>(name, target[i], before + pulled, std::abs(before) + std::abs(Wider<T>(g_before[i])), i, n);
        }
        CHECK(target.kept_to_its_own());
    }
}

template <class Rule, class T>
void check_binary() {
    using W = One<Wider<T>>;
    Array<T> a, b, y;
    for (const kernels::Steps steps : {kernels::Steps{1, 1}, {1, 0}, {0, 1}, {0, 0}}) {
        everywhere([&](std::size_t n, Place place) {
            const auto& kernel = kernels::binary<Rule, T>();
            a.lay_out(steps.a == 0 ? 1 : n, place);
            fill(a, 6);
            b.lay_out(steps.b == 0 ? 1 : n, place);
            fill(b, 7);
            y.lay_out(n, place);
            kernel.forward(a.data(), b.data(), y.data(), n, steps);
            for (std::size_t i = 0; i < n; ++i) {
                const W left{a[i * steps.a]};
                const W right{b[i * steps.b]};
                // What is added may cancel.
                const auto magnitude = std::is_same_v<Rule, Logaddexp> ? std::abs(left.v) : 0;
                expect_near<T>(Rule::name, y[i], Rule::forward(left, right).v, magnitude, i, n);
            }
            CHECK(y.kept_to_its_own());
            if constexpr (requires { typename Rule::Left; }) {
                check_binary_backward<typename Rule::Left>(Rule::name, kernel.left, a, b, y, steps, place);
                check_binary_backward<typename Rule::Right>(Rule::name, kernel.right, a, b, y, steps, place);
            }
        });
    }
}

template <class T>
void check_select() {
    Array<T> condition, a, b, y;
    for (const kernels::Steps steps : {kernels::Steps{1, 1}, {1, 0}, {0, 1}, {0, 0}}) {
        everywhere([&](std::size_t n, Place place) {
            condition.lay_out(n, place);
            fill(condition, 8);
            for (std::size_t i = 0; i < n; i += 2) {
                condition[i] = i % 4 == 0 ? T(0) : std::numeric_limits<T>::quiet_NaN();  // which is not 0
            }
            a.lay_out(steps.a == 0 ? 1 : n, place);
            fill(a, 9);
            b.lay_out(steps.b == 0 ? 1 : n, place);
            fill(b, 10);
            y.lay_out(n, place);
            kernels::active<T>().elementwise.select(condition.data(), a.data(), b.data(), y.data(), n, steps);
            for (std::size_t i = 0; i < n; ++i) {
                CHECK(y[i] == (condition[i] != T(0) ? a[i * steps.a] : b[i * steps.b]));
            }
            CHECK(y.kept_to_its_own());
        });
    }
}

// The reading in T's own precision: where an intermediate result overflows, it does in both.
template <class Rule, class T>
void check_unary_at_special_values() {
    const Pairs<T> pairs;
    const std::size_t n = pairs.a.size();
    const std::vector<T>&g = pairs.a, &x = pairs.b;
    std::vector<T> y(n), out(n);
    const auto& kernel = kernels::unary<Rule, T>();
    kernel.forward(x.data(), y.data(), n);
    kernel.backward(g.data(), x.data(), y.data(), out.data(), n, false);
    for (std::size_t i = 0; i < n; ++i) {
        INFO(std::string(Rule::name), " at ", x[i], " with a cotangent of ", g[i]);
        const T expected = Rule::forward(One<T>{x[i]}).v;
        CHECK_MESSAGE(agrees(y[i], expected, std::numeric_limits<T>::min()), y[i], " is not ", expected);
        CHECK_MESSAGE((std::isnan(expected) || std::signbit(y[i]) == std::signbit(expected)), "the sign of ", y[i]);
        const T pulled = pull<Rule>(One<T>{g[i]}, One<T>{x[i]}, One<T>{y[i]}).v;
        const T magnitude = std::numeric_limits<T>::min() + (std::isfinite(g[i]) ? std::abs(g[i]) : T(0));
        CHECK_MESSAGE(agrees(out[i], pulled, magnitude), "gradient ", out[i], ", not ", pulled);
    }
}

template <class Form, class T, class Kernel>
void check_backward_at_special_values(const char* name, Kernel kernel, const Pairs<T>& pairs, const std::vector<T>& y) {
    const std::size_t n = y.size();
    std::vector<T> g(n), out(n);
    for (const T cotangent : special_values<T>()) {
        g.assign(n, cotangent);
        kernel(g.data(), pairs.a.data(), pairs.b.data(), y.data(), out.data(), n, {1, 1}, false);
        for (std::size_t i = 0; i < n; ++i) {
            const T pulled = pull<Form>(One<T>{g[i]}, One<T>{pairs.a[i]}, One<T>{pairs.b[i]}, One<T>{y[i]}).v;
            if (!agrees(out[i], pulled, std::numeric_limits<T>::min())) {
                FAIL_CHECK(fmt::format("{}({}, {}), cotangent {}: {}, not {}", name, pairs.a[i], pairs.b[i], g[i],
                                       out[i], pulled));
            }
        }
    }
}

template <class Rule, class T>
void check_binary_at_special_values() {
    const Pairs<T> pairs;
    const std::size_t n = pairs.a.size();
    std::vector<T> y(n);
    const auto& kernel = kernels::binary<Rule, T>();
    kernel.forward(pairs.a.data(), pairs.b.data(), y.data(), n, {1, 1});
    for (std::size_t i = 0; i < n; ++i) {
        const T expected = Rule::forward(One<T>{pairs.a[i]}, One<T>{pairs.b[i]}).v;
        INFO(std::string(Rule::name), " at ", pairs.a[i], ", ", pairs.b[i]);
        CHECK_MESSAGE(agrees(y[i], expected, std::numeric_limits<T>::min()), y[i], " is not ", expected);
    }
    if constexpr (requires { typename Rule::Left; }) {
        check_backward_at_special_values<typename Rule::Left>(Rule::name, kernel.left, pairs, y);
        check_backward_at_special_values<typename Rule::Right>(Rule::name, kernel.right, pairs, y);
    }
}

}  // namespace

TEST_CASE("XTAPE_SIMD chooses the instruction set") {
    const std::string chosen = kernels::instruction_set();
    const char* wish = std::getenv("XTAPE_SIMD");
    if (wish != nullptr && chosen != "generic") {
        CHECK(chosen == wish);
    }
    MESSAGE("kernels for ", chosen);
}

TEST_CASE("kernels of one input") {
    for_each_rule(UnaryRules{}, []<class Rule>(Rule) {
        check_unary<Rule, float>();
        check_unary<Rule, double>();
    });
}

TEST_CASE("kernels of two inputs, with every step") {
    for_each_rule(BinaryRules{}, []<class Rule>(Rule) {
        check_binary<Rule, float>();
        check_binary<Rule, double>();
    });
}

TEST_CASE("select, with every step") {
    check_select<float>();
    check_select<double>();
}

TEST_CASE("kernels of one input at special values") {
    for_each_rule(UnaryRules{}, []<class Rule>(Rule) {
        check_unary_at_special_values<Rule, float>();
        check_unary_at_special_values<Rule, double>();
    });
}

TEST_CASE("kernels of two inputs at special values, pow against the C library's among them") {
    for_each_rule(BinaryRules{}, []<class Rule>(Rule) {
        check_binary_at_special_values<Rule, float>();
        check_binary_at_special_values<Rule, double>();
    });
}
