#include <xtape/autograd/elementwise.hpp>

#include <xtape/autograd/broadcast.hpp>
#include <xtape/autograd/creation.hpp>
#include <xtape/autograd/elementwise_arguments.hpp>
#include <xtape/autograd/kernels/kernels.hpp>
#include <xtape/autograd/movement.hpp>
#include <xtape/autograd/mutation.hpp>
#include <xtape/autograd/parallel.hpp>
#include <xtape/autograd/recording.hpp>
#include <xtape/autograd/tensor_reading.hpp>

namespace xtape {
namespace {

// From the i-th element on, where there are any.
template <class T>
T* from(T* p, std::size_t i) {
    return p == nullptr ? p : p + i;
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
        const T* x = context.saved_data<T>(0);
        const T* y = context.saved_data<T>(-1);
        const auto kernel = kernels::unary<Rule, T>().backward;
        parallel::for_ranges(element_count(context.output_shape()), 1, [=](std::size_t i, std::size_t end) {
            kernel(g + i, from(x, i), from(y, i), out.data + i, end - i, out.add);
        });
    }
};

template <class Rule, class T>
void apply(const T* x, T* y, std::size_t n) {
    const auto kernel = kernels::unary<Rule, T>().forward;
    parallel::for_ranges(n, 1, [=](std::size_t i, std::size_t end) { kernel(x + i, y + i, end - i); });
}

template <class Rule, class T>
Tensor<T> unary(const Tensor<T>& x) {
#if XTAPE_MUTATIONS
    if (std::is_same_v<Rule, Negate> && mutation::way_to_break(mutation::Part::negation) != 0) {
        return x;
    }
#endif
    const Tensor<T> y = Tensor<T>::uninitialized(x.shape());
    apply<Rule>(x.data(), raw(y), y.size());
    if (records(x)) {
        record(UnaryRule<Rule, T>{}, y.body(), {{x, (Rule::needs & needs::x) != 0}}, (Rule::needs & needs::y) != 0);
    }
    return y;
}

// ------------------------------------------------------------------------------------------------- two inputs

template <class T, class Row>
void for_each_row(const Shape& output, const Shape& a, const Shape& b, std::size_t size, Row row) {
    if (size == 1) {  // then so are the operands: no shape need be looked at
        row(0, 0, 0, 1, kernels::Steps{1, 1});
        return;
    }
    if (a == b || b.size() == 0 || a.size() == 0) {
        const kernels::Steps steps{a == output ? 1U : 0U, b == output ? 1U : 0U};
        parallel::for_ranges(size, 1,
                             [&](std::size_t i, std::size_t end) { row(i, steps.a * i, steps.b * i, end - i, steps); });
        return;
    }
    const BroadcastPlan<2> plan(output, {&a, &b});
    const kernels::Steps steps{static_cast<std::uint32_t>(plan.inner_steps[0]),
                               static_cast<std::uint32_t>(plan.inner_steps[1])};
    parallel::for_ranges(plan.rows, plan.inner, [&](std::size_t first, std::size_t end) {
        plan.for_each_row(first, end, [&](std::size_t at, const std::array<std::size_t, 2>& offsets) {
            row(at, offsets[0], offsets[1], plan.inner, steps);
        });
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
            differentiate<typename Rule::Right>(context, 1, false);
        }
        if (left) {
            differentiate<typename Rule::Left>(context, 0, right_first || !right);
        }
        if (right && !right_first) {
            differentiate<typename Rule::Right>(context, 1, true);
        }
    }

private:
    template <class Form>
    static auto kernel() {
        const auto& both = kernels::binary<Rule, T>();
        return std::is_same_v<Form, typename Rule::Left> ? both.left : both.right;
    }

    template <class Form>
    static void differentiate(RuleContext& context, std::size_t input, bool last) {
        if constexpr (requires { Form::passes; }) {
            context.pass_on(input, last);
        } else if (context.creates_graph()) {
            differentiate_recorded<Form>(context, input);
        } else if (context.input_shape(input) == context.output_shape()) {
            const T* g = context.gradient_data<T>();
            const Accumulator<T> out = last ? context.accumulator_in_place<T>(input) : context.accumulator<T>(input);
            if (element_count(context.output_shape()) == 1) {  // then so are the operands
                const auto [a, b, y] = operands<Form>(context);
                kernel<Form>()(g, a, b, y, out.data, 1, {1, 1}, out.add);
            } else {
                run<Form>(context, g, out.data, out.add);
            }
        } else {
            differentiate_broadcast<Form>(context, input);
        }
    }

    // Apart from the rest, whose every instruction counts where tensors have one element.
    template <class Form>
    [[gnu::noinline]] static void differentiate_recorded(RuleContext& context, std::size_t input) {
        const Tensor<T> a = saved_input<T>(context, Form::needs, needs::a, 0);
        const Tensor<T> b = saved_input<T>(context, Form::needs, needs::b, 1);
        const Tensor<T> y = (Form::needs & needs::y) != 0 ? context.output<T>() : Tensor<T>();
        context.give(input, recorded_pull<Form>(context.gradient<T>(), a, b, y));
    }
    template <class Form>
    [[gnu::noinline]] static void differentiate_broadcast(RuleContext& context, std::size_t input) {
        const Tensor<T> out = Tensor<T>::uninitialized(context.output_shape());
        run<Form>(context, context.gradient_data<T>(), raw(out), false);
        context.give(input, out);
    }

    struct Operands {
        const T* a;
        const T* b;
        const T* y;
    };
    // Null for what the form does not read.
    template <class Form>
    static Operands operands(const RuleContext& context) {
        return {(Form::needs & needs::a) != 0 ? context.saved_data<T>(0) : nullptr,
                (Form::needs & needs::b) != 0 ? context.saved_data<T>(1) : nullptr,
                (Form::needs & needs::y) != 0 ? context.saved_data<T>(-1) : nullptr};
    }

    template <class Form>
    [[gnu::noinline]] static void run(const RuleContext& context, const T* g, T* out, bool add) {
        const auto [a, b, y] = operands<Form>(context);
        const Shape& output = context.output_shape();
        // An operand that the rule does not read has any shape.
        for_each_row<T>(output, a != nullptr ? context.input_shape(0) : output,
                        b != nullptr ? context.input_shape(1) : output, element_count(output),
                        [=, a = a, b = b, y = y, kernel = kernel<Form>()](
                            std::size_t at, std::size_t at_a, std::size_t at_b, std::size_t n, kernels::Steps steps) {
                            kernel(g + at, from(a, at_a), from(b, at_b), from(y, at), out + at, n, steps, add);
                        });
    }
};

#if XTAPE_MUTATIONS
// The operands of an op that a rule uses, broken if it is the op's turn.
template <class Rule, class T>
std::pair<Tensor<T>, Tensor<T>> broken_operands(const Tensor<T>& a, const Tensor<T>& b) {
    constexpr bool is_sum = std::is_same_v<Rule, Add> || std::is_same_v<Rule, Subtract>;
    constexpr bool is_product = std::is_same_v<Rule, Multiply> || std::is_same_v<Rule, Divide>;
    int way = 0;
    if constexpr (is_sum || is_product) {
        way = mutation::way_to_break(is_sum ? mutation::Part::sum : mutation::Part::product);
    }
    const mutation::Pause pause;
    const auto scaled = [&](const Tensor<T>& x, double factor) { return way == 0 ? x : x * factor; };
    switch (way) {
    case 1: return {scaled(a, is_sum ? 0 : -1), b};
    case 2: return {scaled(a, is_sum ? 1 : 2), scaled(b, is_sum ? 0 : 1)};
    case 3: return {a, -b};
    default: return {a, b};
    }
}
#endif

template <class Rule, class T>
#if XTAPE_MUTATIONS
Tensor<T> binary(const Tensor<T>& a_as_it_is, const Tensor<T>& b_as_it_is) {
    const auto [a, b] = broken_operands<Rule>(a_as_it_is, b_as_it_is);
#else
Tensor<T> binary(const Tensor<T>& a, const Tensor<T>& b) {
#endif
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
#if XTAPE_MUTATIONS
    if (const int way = mutation::way_to_break(mutation::Part::choice)) {
        const mutation::Pause pause;
        return where(condition, way == 1 ? a : b, way == 1 ? a : b);
    }
#endif
    const Shape shape = broadcast_shapes("where", condition.shape(), broadcast_shapes("where", a.shape(), b.shape()));
    const Tensor<T> mask = broadcast_to(condition, shape);
    const Tensor<T> left = broadcast_unless_scalar(a, shape);
    const Tensor<T> right = broadcast_unless_scalar(b, shape);
    const Tensor<T> y = Tensor<T>::uninitialized(shape);
    const kernels::Steps steps{left.dimension() != 0 ? 1U : 0U, right.dimension() != 0 ? 1U : 0U};
    kernels::active<T>().elementwise.select(mask.data(), left.data(), right.data(), raw(y), y.size(), steps);
    if (records(left, right)) {
        record(WhereRule<T>{}, y.body(), {{mask, true}, {left}, {right}});
    }
    return y;
}

#define XTAPE_BINARY(name, Rule)                                             \
    template <class T>                                                       \
    Tensor<T> name(const Tensor<T>& a, const Tensor<T>& b) {                 \
        return binary<Rule>(a, b);                                           \
    }                                                                        \
    template Tensor<float> name(const Tensor<float>&, const Tensor<float>&); \
    template Tensor<double> name(const Tensor<double>&, const Tensor<double>&);

XTAPE_BINARY(add, Add)
XTAPE_BINARY(subtract, Subtract)
XTAPE_BINARY(multiply, Multiply)
XTAPE_BINARY(divide, Divide)
XTAPE_BINARY(pow, Pow)
XTAPE_BINARY(maximum, Maximum)
XTAPE_BINARY(minimum, Minimum)
XTAPE_BINARY(atan2, Atan2)
XTAPE_BINARY(hypot, Hypot)
XTAPE_BINARY(fmod, Fmod)
XTAPE_BINARY(logaddexp, Logaddexp)

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
TensorMask<T> is_less(const Tensor<T>& a, const Tensor<T>& b) {
    return {binary<Less>(a, b)};
}
template <class T>
TensorMask<T> is_equal(const Tensor<T>& a, const Tensor<T>& b) {
    return {binary<Equal>(a, b)};
}
template <class T>
TensorMask<T> is_nan(const Tensor<T>& x) {
    [[maybe_unused]] const mutation::Pause pause;
    return {T(1) - binary<Equal>(x, x)};
}

#define XTAPE_UNARY(name, Rule)                        \
    template <class T>                                 \
    Tensor<T> name(const Tensor<T>& x) {               \
        return unary<Rule>(x);                         \
    }                                                  \
    template Tensor<float> name(const Tensor<float>&); \
    template Tensor<double> name(const Tensor<double>&);

XTAPE_UNARY(operator-, Negate)
XTAPE_UNARY(exp, Exp)
XTAPE_UNARY(exp2, Exp2)
XTAPE_UNARY(expm1, Expm1)
XTAPE_UNARY(log, Log)
XTAPE_UNARY(log2, Log2)
XTAPE_UNARY(log10, Log10)
XTAPE_UNARY(log1p, Log1p)
XTAPE_UNARY(square, Square)
XTAPE_UNARY(cube, Cube)
XTAPE_UNARY(sqrt, Sqrt)
XTAPE_UNARY(rsqrt, Rsqrt)
XTAPE_UNARY(cbrt, Cbrt)
XTAPE_UNARY(reciprocal, Reciprocal)
XTAPE_UNARY(abs, Abs)
XTAPE_UNARY(sign, Sign)
XTAPE_UNARY(sin, Sin)
XTAPE_UNARY(cos, Cos)
XTAPE_UNARY(tan, Tan)
XTAPE_UNARY(asin, Asin)
XTAPE_UNARY(acos, Acos)
XTAPE_UNARY(atan, Atan)
XTAPE_UNARY(sinh, Sinh)
XTAPE_UNARY(cosh, Cosh)
XTAPE_UNARY(tanh, Tanh)
XTAPE_UNARY(asinh, Asinh)
XTAPE_UNARY(acosh, Acosh)
XTAPE_UNARY(atanh, Atanh)
XTAPE_UNARY(erf, Erf)
XTAPE_UNARY(erfc, Erfc)
XTAPE_UNARY(lgamma, Lgamma)
XTAPE_UNARY(digamma, Digamma)
XTAPE_UNARY(sigmoid, Sigmoid)
XTAPE_UNARY(log_sigmoid, LogSigmoid)
XTAPE_UNARY(softplus, Softplus)
XTAPE_UNARY(relu, Relu)
XTAPE_UNARY(normal_cdf, NormalCdf)
XTAPE_UNARY(gelu, Gelu)
XTAPE_UNARY(silu, Silu)
XTAPE_UNARY(floor, Floor)
XTAPE_UNARY(ceil, Ceil)
XTAPE_UNARY(round, Round)
XTAPE_UNARY(trunc, Trunc)
XTAPE_UNARY(non_negative, NonNegative)

template <class T>
Tensor<T> polygamma(const Tensor<T>& n, const Tensor<T>& x) {
    return binary<Polygamma>(n, x);
}
template <class T>
Tensor<T> polygamma(int n, const Tensor<T>& x) {
    elementwise::check_order(n);
    return polygamma(Tensor<T>(n), x);
}

template <class T>
Tensor<T> leaky_relu(const Tensor<T>& x, double slope) {
    elementwise::check_finite("leaky_relu", "slope", slope);
    return binary<LeakyRelu>(x, Tensor<T>(slope));
}
template <class T>
Tensor<T> elu(const Tensor<T>& x, double alpha) {
    elementwise::check_finite("elu", "alpha", alpha);
    return binary<Elu>(x, Tensor<T>(alpha));
}
namespace {
template <class T>
struct ClipRule {
    static constexpr const char* name = Clip::name;
    T lo;
    T hi;
    void operator()(RuleContext& context) const {
        if (context.creates_graph()) {
            context.give(0,
                         recorded_pull<Clip>(context.gradient<T>(), context.input<T>(0), Tensor<T>(lo), Tensor<T>(hi)));
            return;
        }
        const T* g = context.gradient_data<T>();
        const Accumulator<T> out = context.accumulator_in_place<T>(0);
        kernels::active<T>().elementwise.clip_backward(g, context.saved_data<T>(0), out.data,
                                                       element_count(context.output_shape()), lo, hi, out.add);
    }
};
}  // namespace

template <class T>
Tensor<T> clip(const Tensor<T>& x, double lo, double hi) {
    elementwise::check_bounds(lo, hi);
    const Tensor<T> y = Tensor<T>::uninitialized(x.shape());
    const T low = static_cast<T>(lo);
    const T high = static_cast<T>(hi);
    kernels::active<T>().elementwise.clip(x.data(), raw(y), y.size(), low, high);
    if (records(x)) {
        record(ClipRule<T>{low, high}, y.body(), {{x, true}});
    }
    return y;
}

#define XTAPE_INSTANTIATE(T)                                                                     \
    template Tensor<T> elementwise::where(const Tensor<T>&, const Tensor<T>&, const Tensor<T>&); \
    template Tensor<T> strong(const Tensor<T>&, const Tensor<T>&);                               \
    template Tensor<T> strong2(const Tensor<T>&, const Tensor<T>&);                              \
    template TensorMask<T> is_less(const Tensor<T>&, const Tensor<T>&);                          \
    template TensorMask<T> is_equal(const Tensor<T>&, const Tensor<T>&);                         \
    template TensorMask<T> is_nan(const Tensor<T>&);                                             \
    template Tensor<T> polygamma(const Tensor<T>&, const Tensor<T>&);                            \
    template Tensor<T> polygamma(int, const Tensor<T>&);                                         \
    template Tensor<T> leaky_relu(const Tensor<T>&, double);                                     \
    template Tensor<T> elu(const Tensor<T>&, double);                                            \
    template Tensor<T> clip(const Tensor<T>&, double, double);
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape
