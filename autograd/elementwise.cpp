#include <xtape/autograd/elementwise.hpp>

#include <xtape/autograd/broadcast.hpp>
#include <xtape/autograd/kernels/kernels.hpp>
#include <xtape/autograd/movement.hpp>
#include <xtape/autograd/recording.hpp>
#include <xtape/autograd/tensor_reading.hpp>

namespace xtape {
namespace {

// The tensor reading of a derivative: it records itself.
template <class Form, class T, class... Values>
Tensor<T> recorded_pull(const Tensor<T>& g, const Values&... values) {
    if constexpr (requires { Form::passes; }) {
        return g;
    } else if constexpr (requires { Form::pullback(g, values...); }) {
        return Form::pullback(g, values...);
    } else {
        return strong(g, Form::derivative(values...));
    }
}

template <class T>
Tensor<T> saved_input(const RuleContext& context, unsigned needs, unsigned which, std::size_t index) {
    return (needs & which) != 0 ? context.input<T>(index) : Tensor<T>();
}

// ------------------------------------------------------------------------------------------------- one input

template <class Rule, class T>
struct UnaryRule {
    static constexpr const char* name = Rule::name;

    void operator()(RuleContext& context) const {
        if (context.creates_graph()) {
            const Tensor<T> x = saved_input<T>(context, Rule::needs, needs::x, 0);
            const Tensor<T> y = (Rule::needs & needs::y) != 0 ? context.output<T>() : Tensor<T>();
            context.give(0, recorded_pull<Rule>(context.gradient<T>(), x, y));
            return;
        }
        const T* g = context.gradient_data<T>();
        const Accumulator<T> out = context.accumulator_in_place<T>(0);
        kernels::unary<Rule, T>().backward(g, context.saved_data<T>(0), context.saved_data<T>(-1), out.data,
                                           element_count(context.output_shape()), out.add);
    }
};

template <class Rule, class T>
Tensor<T> unary(const Tensor<T>& x) {
    const Tensor<T> y = Tensor<T>::uninitialized(x.shape());
    kernels::unary<Rule, T>().forward(x.data(), raw(y), y.size());
    if (records(x)) {
        record(UnaryRule<Rule, T>{}, y.body(), {{x, (Rule::needs & needs::x) != 0}}, (Rule::needs & needs::y) != 0);
    }
    return y;
}

// ------------------------------------------------------------------------------------------------- two inputs

template <class T, class Row>
void for_each_row(const Shape& output, const Shape& a, const Shape& b, std::size_t size, Row row) {
    if (a == b || b.size() == 0 || a.size() == 0) {
        row(0, 0, 0, size, kernels::Steps{a == output ? 1U : 0U, b == output ? 1U : 0U});
        return;
    }
    const BroadcastPlan<2> plan(output, {&a, &b});
    const kernels::Steps steps{plan.inner_steps[0], plan.inner_steps[1]};
    plan.for_each_row([&](std::size_t at, const std::array<std::size_t, 2>& offsets) {
        row(at, offsets[0], offsets[1], plan.inner, steps);
    });
}

template <class Rule, class T>
struct BinaryRule {
    static constexpr const char* name = Rule::name;

    void operator()(RuleContext& context) const {
        const bool left = context.wants(0);
        const bool right = context.wants(1);
        // Whichever comes last may take the incoming gradient's buffer: better one that needs a buffer.
        const bool right_first = left && right && context.has_gradient(1);
        if (right && right_first) {
            differentiate<typename Rule::Right>(context, 1, kernels::binary<Rule, T>().right, false);
        }
        if (left) {
            differentiate<typename Rule::Left>(context, 0, kernels::binary<Rule, T>().left, right_first || !right);
        }
        if (right && !right_first) {
            differentiate<typename Rule::Right>(context, 1, kernels::binary<Rule, T>().right, true);
        }
    }

private:
    template <class Form, class Kernel>
    static void differentiate(RuleContext& context, std::size_t input, Kernel kernel, bool last) {
        if constexpr (requires { Form::passes; }) {
            context.give(input, context.gradient<T>());
        } else if (context.creates_graph()) {
            const Tensor<T> a = saved_input<T>(context, Form::needs, needs::a, 0);
            const Tensor<T> b = saved_input<T>(context, Form::needs, needs::b, 1);
            const Tensor<T> y = (Form::needs & needs::y) != 0 ? context.output<T>() : Tensor<T>();
            context.give(input, recorded_pull<Form>(context.gradient<T>(), a, b, y));
        } else if (context.input_shape(input) == context.output_shape()) {
            const T* g = context.gradient_data<T>();
            const Accumulator<T> out = last ? context.accumulator_in_place<T>(input) : context.accumulator<T>(input);
            run<Form>(context, kernel, g, out.data, out.add);
        } else {
            const Tensor<T> out = Tensor<T>::uninitialized(context.output_shape());
            run<Form>(context, kernel, context.gradient_data<T>(), raw(out), false);
            context.give(input, out);
        }
    }

    template <class Form, class Kernel>
    static void run(RuleContext& context, Kernel kernel, const T* g, T* out, bool add) {
        const T* a = (Form::needs & needs::a) != 0 ? context.saved_data<T>(0) : nullptr;
        const T* b = (Form::needs & needs::b) != 0 ? context.saved_data<T>(1) : nullptr;
        const T* y = (Form::needs & needs::y) != 0 ? context.saved_data<T>(-1) : nullptr;
        // An operand that the rule does not read has any shape.
        const Shape& output = context.output_shape();
        for_each_row<T>(output, a != nullptr ? context.input_shape(0) : output,
                        b != nullptr ? context.input_shape(1) : output, element_count(output),
                        [&](std::size_t at, std::size_t at_a, std::size_t at_b, std::size_t n, kernels::Steps steps) {
                            kernel(g + at, a != nullptr ? a + at_a : g + at, b != nullptr ? b + at_b : g + at,
                                   y != nullptr ? y + at : nullptr, out + at, n, steps, add);
                        });
    }
};

template <class Rule, class T>
Tensor<T> binary(const Tensor<T>& a, const Tensor<T>& b) {
    const bool same = a.shape() == b.shape();
    const Tensor<T> y = Tensor<T>::uninitialized(same ? a.shape() : broadcast_shapes(Rule::name, a.shape(), b.shape()));
    const auto& kernel = kernels::binary<Rule, T>();
    for_each_row<T>(y.shape(), a.shape(), b.shape(), y.size(),
                    [&](std::size_t at, std::size_t at_a, std::size_t at_b, std::size_t n, kernels::Steps steps) {
                        kernel.forward(a.data() + at_a, b.data() + at_b, raw(y) + at, n, steps);
                    });
    if constexpr (requires { typename Rule::Left; }) {
        if (!records(a, b)) {
            return y;
        }
        const unsigned needed =
            (a.requires_grad() ? Rule::Left::needs : 0U) | (b.requires_grad() ? Rule::Right::needs : 0U);
        record(BinaryRule<Rule, T>{}, y.body(), {{a, (needed & needs::a) != 0}, {b, (needed & needs::b) != 0}},
               (needed & needs::y) != 0);
    }
    return y;
}

// ------------------------------------------------------------------------------------------------- where

template <class T>
struct WhereRule {
    static constexpr const char* name = "where";

    void operator()(RuleContext& context) const {
        const Tensor<T> condition = context.input<T>(0);
        const Tensor<T> g = context.gradient<T>();
        const Tensor<T> zero(T(0));
        if (context.wants(1)) {
            context.give(1, elementwise::where(condition, g, zero));
        }
        if (context.wants(2)) {
            context.give(2, elementwise::where(condition, zero, g));
        }
    }
};

template <class T>
Tensor<T> broadcast_unless_scalar(const Tensor<T>& x, const Shape& shape) {
    return x.dimension() == 0 ? x : broadcast_to(x, shape);
}

}  // namespace

namespace elementwise {

template <class T>
Tensor<T> where(const Tensor<T>& condition, const Tensor<T>& a, const Tensor<T>& b) {
    const Shape shape = broadcast_shapes("where", condition.shape(), broadcast_shapes("where", a.shape(), b.shape()));
    const Tensor<T> mask = broadcast_to(condition, shape);
    const Tensor<T> left = broadcast_unless_scalar(a, shape);
    const Tensor<T> right = broadcast_unless_scalar(b, shape);
    const Tensor<T> y = Tensor<T>::uninitialized(shape);
    const kernels::Steps steps{left.dimension() != 0, right.dimension() != 0};
    kernels::active<T>().elementwise.select(mask.data(), left.data(), right.data(), raw(y), y.size(), steps);
    if (records(left, right)) {
        record(WhereRule<T>{}, y.body(), {{mask, true}, {left}, {right}});
    }
    return y;
}

template <class T>
Tensor<T> add(const Tensor<T>& a, const Tensor<T>& b) {
    return binary<Add>(a, b);
}
template <class T>
Tensor<T> subtract(const Tensor<T>& a, const Tensor<T>& b) {
    return binary<Subtract>(a, b);
}
template <class T>
Tensor<T> multiply(const Tensor<T>& a, const Tensor<T>& b) {
    return binary<Multiply>(a, b);
}
template <class T>
Tensor<T> divide(const Tensor<T>& a, const Tensor<T>& b) {
    return binary<Divide>(a, b);
}
template <class T>
Tensor<T> pow(const Tensor<T>& a, const Tensor<T>& b) {
    return binary<Pow>(a, b);
}
template <class T>
Tensor<T> maximum(const Tensor<T>& a, const Tensor<T>& b) {
    return binary<Maximum>(a, b);
}
template <class T>
Tensor<T> minimum(const Tensor<T>& a, const Tensor<T>& b) {
    return binary<Minimum>(a, b);
}

}  // namespace elementwise

template <class T>
Tensor<T> strong(const Tensor<T>& g, const Tensor<T>& d) {
    return binary<Strong>(g, d);
}
template <class T>
Tensor<T> strong2(const Tensor<T>& a, const Tensor<T>& b) {
    return binary<Strong2>(a, b);
}
template <class T>
Tensor<T> non_negative(const Tensor<T>& x) {
    return unary<NonNegative>(x);
}
template <class T>
TensorMask<T> is_less(const Tensor<T>& a, const Tensor<T>& b) {
    return {binary<Less>(a, b)};
}
template <class T>
TensorMask<T> is_equal(const Tensor<T>& a, const Tensor<T>& b) {
    return {binary<Equal>(a, b)};
}
template <class T>
TensorMask<T> is_nan(const Tensor<T>& x) {
    return {T(1) - binary<Equal>(x, x)};
}

template <class T>
Tensor<T> operator-(const Tensor<T>& x) {
    return unary<Negate>(x);
}
template <class T>
Tensor<T> exp(const Tensor<T>& x) {
    return unary<Exp>(x);
}
template <class T>
Tensor<T> log(const Tensor<T>& x) {
    return unary<Log>(x);
}
template <class T>
Tensor<T> sqrt(const Tensor<T>& x) {
    return unary<Sqrt>(x);
}
template <class T>
Tensor<T> square(const Tensor<T>& x) {
    return unary<Square>(x);
}
template <class T>
Tensor<T> abs(const Tensor<T>& x) {
    return unary<Abs>(x);
}
template <class T>
Tensor<T> tanh(const Tensor<T>& x) {
    return unary<Tanh>(x);
}
template <class T>
Tensor<T> sin(const Tensor<T>& x) {
    return unary<Sin>(x);
}
template <class T>
Tensor<T> cos(const Tensor<T>& x) {
    return unary<Cos>(x);
}
template <class T>
Tensor<T> sigmoid(const Tensor<T>& x) {
    return unary<Sigmoid>(x);
}
template <class T>
Tensor<T> relu(const Tensor<T>& x) {
    return unary<Relu>(x);
}

#define XTAPE_INSTANTIATE(T)                                                                     \
    template Tensor<T> elementwise::add(const Tensor<T>&, const Tensor<T>&);                     \
    template Tensor<T> elementwise::subtract(const Tensor<T>&, const Tensor<T>&);                \
    template Tensor<T> elementwise::multiply(const Tensor<T>&, const Tensor<T>&);                \
    template Tensor<T> elementwise::divide(const Tensor<T>&, const Tensor<T>&);                  \
    template Tensor<T> elementwise::pow(const Tensor<T>&, const Tensor<T>&);                     \
    template Tensor<T> elementwise::maximum(const Tensor<T>&, const Tensor<T>&);                 \
    template Tensor<T> elementwise::minimum(const Tensor<T>&, const Tensor<T>&);                 \
    template Tensor<T> elementwise::where(const Tensor<T>&, const Tensor<T>&, const Tensor<T>&); \
    template Tensor<T> strong(const Tensor<T>&, const Tensor<T>&);                               \
    template Tensor<T> strong2(const Tensor<T>&, const Tensor<T>&);                              \
    template Tensor<T> non_negative(const Tensor<T>&);                                           \
    template TensorMask<T> is_less(const Tensor<T>&, const Tensor<T>&);                          \
    template TensorMask<T> is_equal(const Tensor<T>&, const Tensor<T>&);                         \
    template TensorMask<T> is_nan(const Tensor<T>&);                                             \
    template Tensor<T> operator-(const Tensor<T>&);                                              \
    template Tensor<T> exp(const Tensor<T>&);                                                    \
    template Tensor<T> log(const Tensor<T>&);                                                    \
    template Tensor<T> sqrt(const Tensor<T>&);                                                   \
    template Tensor<T> square(const Tensor<T>&);                                                 \
    template Tensor<T> abs(const Tensor<T>&);                                                    \
    template Tensor<T> tanh(const Tensor<T>&);                                                   \
    template Tensor<T> sin(const Tensor<T>&);                                                    \
    template Tensor<T> cos(const Tensor<T>&);                                                    \
    template Tensor<T> sigmoid(const Tensor<T>&);                                                \
    template Tensor<T> relu(const Tensor<T>&);
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape
