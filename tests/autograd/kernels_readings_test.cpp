// The two readings of each rule, SIMD lanes and tensors, say the same: at special values and at ordinary ones.

#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xtape/autograd/creation.hpp>
#include <xtape/autograd/recording.hpp>
#include <xtape/autograd/tensor_reading.hpp>

#include "kernel_memory.hpp"
#include "kernel_reading.hpp"

using namespace xtape;
using one_by_one::agrees;
using one_by_one::for_each_rule;
using one_by_one::pull;

namespace {

template <class T>
Tensor<T> tensor(const std::vector<T>& values) {
    return Tensor<T>(xt::adapt(values, std::vector<std::size_t>{values.size()}));
}

/// All pairs of special values, and 1000 ordinary ones after them.
template <class T>
one_by_one::Pairs<T> places() {
    one_by_one::Pairs<T> pairs;
    kernel_memory::Array<T> a, b;
    a.lay_out(1000, kernel_memory::Place::aligned);
    fill(a, 1);
    b.lay_out(1000, kernel_memory::Place::aligned);
    fill(b, 2);
    pairs.a.insert(pairs.a.end(), a.data(), a.data() + a.size());
    pairs.b.insert(pairs.b.end(), b.data(), b.data() + b.size());
    return pairs;
}

template <class T>
void expect_same(const char* name, const char* what, const Tensor<T>& lanes, const Tensor<T>& tensors,
                 const std::vector<T>& a, const std::vector<T>& b, T g) {
    const Tensor<T> whole = tensors + zeros_like(lanes);  // a constant may be 0-d
    for (std::size_t i = 0; i < lanes.size(); ++i) {
        const auto magnitude = std::numeric_limits<T>::min() + (std::isfinite(g) ? std::abs(g) : T(0));
        if (!agrees(lanes.data()[i], whole.data()[i], magnitude)) {
            FAIL_CHECK(fmt::format("{}, {}: at {}, {}, cotangent {}: SIMD {}, tensors {}", name, what, a[i], b[i], g,
                                   lanes.data()[i], whole.data()[i]));
        }
    }
}

template <class Rule, class T>
void check_unary() {
    const auto pairs = places<T>();
    const std::vector<T>& x = pairs.a;
    const Tensor<T> input = tensor(x);
    const Tensor<T> y = zeros_like(input);
    const auto& kernel = kernels::unary<Rule, T>();
    kernel.forward(x.data(), raw(y), x.size());
    expect_same(Rule::name, "forward", y, Rule::forward(input), x, x, T(1));
    for (const T cotangent : one_by_one::special_values<T>()) {
        const Tensor<T> g = full<T>(input.shape(), static_cast<double>(cotangent));
        const Tensor<T> out = zeros_like(input);
        kernel.backward(g.data(), x.data(), y.data(), raw(out), x.size(), false);
        expect_same(Rule::name, "backward", out, pull<Rule>(g, input, y), x, x, cotangent);
    }
}

template <class Form, class T, class Kernel>
void check_backward(const char* name, Kernel kernel, const Tensor<T>& a, const Tensor<T>& b, const Tensor<T>& y,
                    const one_by_one::Pairs<T>& pairs) {
    for (const T cotangent : one_by_one::special_values<T>()) {
        const Tensor<T> g = full<T>(y.shape(), static_cast<double>(cotangent));
        const Tensor<T> out = zeros_like(y);
        kernel(g.data(), a.data(), b.data(), y.data(), raw(out), y.size(), {1, 1}, false);
        expect_same(name, "backward", out, pull<Form>(g, a, b, y), pairs.a, pairs.b, cotangent);
    }
}

template <class Rule, class T>
void check_binary() {
    const auto pairs = places<T>();
    const Tensor<T> a = tensor(pairs.a);
    const Tensor<T> b = tensor(pairs.b);
    const Tensor<T> y = zeros_like(a);
    const auto& kernel = kernels::binary<Rule, T>();
    kernel.forward(a.data(), b.data(), raw(y), y.size(), {1, 1});
    expect_same(Rule::name, "forward", y, Rule::forward(a, b), pairs.a, pairs.b, T(1));
    if constexpr (requires { typename Rule::Left; }) {
        check_backward<typename Rule::Left>(Rule::name, kernel.left, a, b, y, pairs);
        check_backward<typename Rule::Right>(Rule::name, kernel.right, a, b, y, pairs);
    }
}

}  // namespace

TEST_CASE("rules of one input read the same with lanes and with tensors") {
    for_each_rule(UnaryRules{}, []<class Rule>(Rule) {
        check_unary<Rule, float>();
        check_unary<Rule, double>();
    });
}

TEST_CASE("rules of two inputs read the same with lanes and with tensors") {
    for_each_rule(BinaryRules{}, []<class Rule>(Rule) {
        check_binary<Rule, float>();
        check_binary<Rule, double>();
    });
}
