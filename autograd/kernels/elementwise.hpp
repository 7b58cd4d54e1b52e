#pragma once

// The elementwise rules as loops. Two sources include it, one a type: they compile side by side.

#include <xtape/autograd/kernels/kernels.hpp>
#include <xtape/autograd/kernels/lane_functions.hpp>
#include <xtape/autograd/mutation.hpp>

namespace xtape::XTAPE_ARCH {

// The helpers that rules call by name, for lanes.
template <class T>
Lane<T> strong(Lane<T> g, Lane<T> d) {
    return strong_product(g, d);
}
template <class T>
Lane<T> strong2(Lane<T> a, Lane<T> b) {
    return Strong2::forward(a, b);
}
template <class T>
Lane<T> non_negative(Lane<T> x) {
    return NonNegative::forward(x);
}
template <class T>
Lane<T> zeros_like(Lane<T>) {
    return Lane<T>(T(0));
}
template <class T>
Lane<T> sigmoid(Lane<T> x) {
    return Sigmoid::forward(x);
}

}  // namespace xtape::XTAPE_ARCH

#if XTAPE_MUTATIONS
#include <xtape/autograd/kernels/breakable_lane.hpp>
#endif

namespace xtape::XTAPE_ARCH {
namespace {

// What rules are read with.
#if XTAPE_MUTATIONS
template <class T>
using RuleLane = BreakableLane<T>;
#else
template <class T>
using RuleLane = Lane<T>;
#endif

// The input's gradient from the incoming one, whatever form the rule's derivative takes.
template <class Form, class T, class... Values>
[[gnu::always_inline]] inline Lane<T> pull(const Lane<T>& g, const Values&... values) {
    [[maybe_unused]] const mutation::FormRule<Form> rule;
    if constexpr (requires { Form::passes; }) {
        return g;
    } else if constexpr (requires { Form::pullback(g, values...); }) {
        return Form::pullback(RuleLane<T>(g), RuleLane<T>(values)...);
    } else {
        return strong_product<Lane<T>>(g, Form::derivative(RuleLane<T>(values)...));
    }
}

template <class Rule, class T>
void unary_forward(const T* x, T* y, size_t n) {
    for_each_lane<T>(n, [=](auto load, auto store) { store(Rule::forward(load(x)), y); });
}

template <class Rule, bool add, class T>
void unary_backward_pass(const T* g, const T* x, const T* y, T* out, size_t n) {
    for_each_lane<T>(n, [=](auto load, auto store) {
        Lane<T> at_x(T(0));
        Lane<T> at_y(T(0));
        if constexpr ((Rule::needs & needs::x) != 0) {
            at_x = load(x);
        }
        if constexpr ((Rule::needs & needs::y) != 0) {
            at_y = load(y);
        }
        const Lane<T> gradient = pull<Rule>(load(g), at_x, at_y);
        store(add ? load(out) + gradient : gradient, out);
    });
}

template <class Rule, class T>
void unary_backward(const T* g, const T* x, const T* y, T* out, size_t n, bool add) {
    add ? unary_backward_pass<Rule, true>(g, x, y, out, n) : unary_backward_pass<Rule, false>(g, x, y, out, n);
}

// Calls f with readers for the operands: the lane at the current place, or the one value that an operand has in the
// whole row.
template <class T, class F>
[[gnu::always_inline]] inline void with_readers(const T* a, const T* b, kernels::Steps steps, F f) {
    const auto moving = [](const T* p) { return [p](auto load) { return load(p); }; };
    const auto fixed = [](const T* p) { return [value = Lane<T>(p == nullptr ? T(0) : *p)](auto) { return value; }; };
    if (steps.a != 0 && steps.b != 0) {
        f(moving(a), moving(b));
    } else if (steps.a != 0) {
        f(moving(a), fixed(b));
    } else if (steps.b != 0) {
        f(fixed(a), moving(b));
    } else {
        f(fixed(a), fixed(b));
    }
}

template <class Rule, class T>
void binary_forward(const T* a, const T* b, T* y, size_t n, kernels::Steps steps) {
    with_readers(a, b, steps, [=](auto read_a, auto read_b) {
        for_each_lane<T>(n, [=](auto load, auto store) { store(Rule::forward(read_a(load), read_b(load)), y); });
    });
}

template <class Form, bool add, class T>
void binary_backward_pass(const T* g, const T* a, const T* b, const T* y, T* out, size_t n, kernels::Steps steps) {
    with_readers(a, b, steps, [=](auto read_a, auto read_b) {
        for_each_lane<T>(n, [=](auto load, auto store) {
            Lane<T> at_a(T(0));
            Lane<T> at_b(T(0));
            Lane<T> at_y(T(0));
            if constexpr ((Form::needs & needs::a) != 0) {
                at_a = read_a(load);
            }
            if constexpr ((Form::needs & needs::b) != 0) {
                at_b = read_b(load);
            }
            if constexpr ((Form::needs & needs::y) != 0) {
                at_y = load(y);
            }
            const Lane<T> gradient = pull<Form>(load(g), at_a, at_b, at_y);
            store(add ? load(out) + gradient : gradient, out);
        });
    });
}

template <class Form, class T>
void binary_backward(const T* g, const T* a, const T* b, const T* y, T* out, size_t n, kernels::Steps steps, bool add) {
    add ? binary_backward_pass<Form, true>(g, a, b, y, out, n, steps)
        : binary_backward_pass<Form, false>(g, a, b, y, out, n, steps);
}

template <class T>
void sine_and_cosine(const T* x, T* sine, T* cosine, size_t n) {
    for_each_lane<T>(n, [=](auto load, auto store) {
        const LanePair<T> both = sin_and_cos(load(x));
        store(both.first, sine);
        store(both.second, cosine);
    });
}

template <class T>
void select_elements(const T* condition, const T* a, const T* b, T* y, size_t n, kernels::Steps steps) {
    with_readers(a, b, steps, [=](auto read_a, auto read_b) {
        for_each_lane<T>(n, [=](auto load, auto store) {
            store(select(is_equal(load(condition), 0.0), read_b(load), read_a(load)), y);
        });
    });
}

template <class T>
void clip(const T* x, T* y, size_t n, T lo, T hi) {
    const Lane<T> low(lo);
    const Lane<T> high(hi);
    for_each_lane<T>(n, [=](auto load, auto store) { store(Clip::forward(load(x), low, high), y); });
}

template <class T>
void clip_backward(const T* g, const T* x, T* out, size_t n, T lo, T hi, bool add) {
    const Lane<T> low(lo);
    const Lane<T> high(hi);
    for_each_lane<T>(n, [=](auto load, auto store) {
        const Lane<T> gradient = pull<Clip>(load(g), load(x), low, high);
        store(add ? load(out) + gradient : gradient, out);
    });
}

template <class Rule, class T>
constexpr kernels::BinaryKernels<T> binary_kernels() {
    if constexpr (requires { typename Rule::Left; }) {
        return {binary_forward<Rule, T>, binary_backward<typename Rule::Left, T>,
                binary_backward<typename Rule::Right, T>};
    } else {
        return {binary_forward<Rule, T>, nullptr, nullptr};
    }
}

template <class T, class... Unary, class... Binary>
constexpr kernels::ElementwiseKernels<T> table_of(RuleList<Unary...>, RuleList<Binary...>) {
    return {{{unary_forward<Unary, T>, unary_backward<Unary, T>}...},
            {binary_kernels<Binary, T>()...},
            sine_and_cosine<T>,
            select_elements<T>,
            clip<T>,
            clip_backward<T>};
}

}  // namespace

template <class T>
kernels::ElementwiseKernels<T> elementwise_kernels() {
    return table_of<T>(UnaryRules{}, BinaryRules{});
}

}  // namespace xtape::XTAPE_ARCH
