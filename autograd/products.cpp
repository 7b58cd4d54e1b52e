#include <xtape/autograd/products.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <xtape/autograd/broadcast.hpp>
#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/gemm.hpp>
#include <xtape/autograd/kernels/kernels.hpp>
#include <xtape/autograd/movement.hpp>
#include <xtape/autograd/parallel.hpp>
#include <xtape/autograd/recording.hpp>
#include <xtape/autograd/reduction.hpp>
#include <xtape/autograd/tensor_reading.hpp>

namespace xtape {
namespace {

// A stack of matrices: the axes before the last two, and the matrix as the product reads it.
struct Stack {
    Shape batch;
    std::size_t rows;
    std::size_t columns;

    Stack(const Shape& shape, bool transposed)
        : batch(shape.begin(), shape.end() - 2), rows(shape[shape.size() - 2]), columns(shape[shape.size() - 1]) {
        if (transposed) {
            std::swap(rows, columns);
        }
    }
};

// c = or += a b for each pair of matrices of two stacks, in the order of `batch`.
template <class T>
void multiply_stacks(const T* a, const Stack& a_stack, bool a_transposed, const T* b, const Stack& b_stack,
                     bool b_transposed, T* c, const Shape& batch, bool add) {
    const std::size_t m = a_stack.rows;
    const std::size_t k = a_stack.columns;
    const std::size_t n = b_stack.columns;
    if (batch.empty()) {
        gemm<T>({a, a_transposed}, {b, b_transposed}, c, m, n, k, add);
        return;
    }
    const BroadcastPlan<2> plan(batch, {&a_stack.batch, &b_stack.batch});
    plan.for_each_row([&](std::size_t at, const std::array<std::size_t, 2>& offsets) {
        for (std::size_t i = 0; i < plan.inner; ++i) {
            gemm<T>({a + (offsets[0] + i * plan.inner_steps[0]) * m * k, a_transposed},
                    {b + (offsets[1] + i * plan.inner_steps[1]) * k * n, b_transposed}, c + (at + i) * m * n, m, n, k,
                    add);
        }
    });
}

template <class T>
struct MatmulRule {
    static constexpr const char* name = "matmul";
    bool a_transposed;
    bool b_transposed;

    // C = op(A) op(B): dA is G op(B)ᵀ, or its transpose op(B) Gᵀ where A was read transposed; dB likewise. Products
    // again, so closed under differentiation, and no matrix is ever transposed in memory.
    void operator()(RuleContext& context) const {
        if (context.wants(0)) {
            if (a_transposed) {
                differentiate(context, 0, 1, b_transposed, -1, true);
            } else {
                differentiate(context, 0, -1, false, 1, !b_transposed);
            }
        }
        if (context.wants(1)) {
            if (b_transposed) {
                differentiate(context, 1, -1, true, 0, a_transposed);
            } else {
                differentiate(context, 1, 0, !a_transposed, -1, false);
            }
        }
    }

private:
    // The product of two operands, each an input's value or (-1) the incoming gradient.
    static void differentiate(RuleContext& context, std::size_t target, int left, bool left_transposed, int right,
                              bool right_transposed) {
        const auto tensor = [&](int which) {
            return which < 0 ? context.gradient<T>() : context.input<T>(static_cast<std::size_t>(which));
        };
        const Shape& shape = context.input_shape(target);
        if (context.creates_graph() || shape.size() != 2 || context.output_shape().size() != 2) {
            context.give(target, matmul_transposed(tensor(left), left_transposed, tensor(right), right_transposed));
            return;
        }
        const auto operand_of = [&](int which) {
            return which < 0 ? context.gradient_data<T>() : context.saved_data<T>(which);
        };
        const Shape& left_shape =
            left < 0 ? context.output_shape() : context.input_shape(static_cast<std::size_t>(left));
        const std::size_t inner = left_transposed ? left_shape[0] : left_shape[1];
        const Accumulator<T> out = context.accumulator<T>(target);
        gemm<T>({operand_of(left), left_transposed}, {operand_of(right), right_transposed}, out.data, shape[0],
                shape[1], inner, out.add);
    }
};

bool broadcasts(const Shape& a, const Shape& b) {
    for (std::size_t back = 1; back <= std::min(a.size(), b.size()); ++back) {
        const std::size_t in_a = a[a.size() - back];
        const std::size_t in_b = b[b.size() - back];
        if (in_a != in_b && in_a != 1 && in_b != 1) {
            return false;
        }
    }
    return true;
}

[[noreturn]] void throw_mismatch(const Shape& a, const Shape& b, const char* reason) {
    throw ShapeError(fmt::format("matmul: shapes {} and {} do not multiply: {}", to_string(a), to_string(b), reason));
}

// All axes but the last, as one.
std::size_t leading_extent(const Shape& shape) { return element_count(Shape(shape.begin(), shape.end() - 1)); }

// Calls f.operator()<Rule>() with the rule of what a linear op ends with.
template <class F>
auto with_rule(LinearEnd end, F f) {
    switch (end) {
    case LinearEnd::relu: return f.template operator()<Relu>();
    case LinearEnd::tanh: return f.template operator()<Tanh>();
    default: return f.template operator()<Sigmoid>();
    }
}

template <class T>
struct LinearRule {
    static constexpr const char* name = "linear";
    LinearEnd end;

    void operator()(RuleContext& context) const {
        context.creates_graph() ? composed(context, composed_gradient(context)) : fused(context);
    }

private:
    // The gradient by x Wᵀ + b.
    [[nodiscard]] Tensor<T> composed_gradient(const RuleContext& context) const {
        const Tensor<T> g = context.gradient<T>();
        return end == LinearEnd::plain ? g : with_rule(end, [&]<class Rule>() {
            return recorded_pull<Rule>(g, Tensor<T>(), context.output<T>());
        });
    }
    [[nodiscard]] Tensor<T> gradient_before_end(const RuleContext& context) const {
        const Tensor<T> through = context.scratch<T>();
        const auto kernel = with_rule(end, []<class Rule>() { return kernels::unary<Rule, T>().backward; });
        const T* g = context.gradient_data<T>();
        const T* y = context.saved_data<T>(-1);
        parallel::for_ranges(through.size(), 1, [=, out = raw(through)](std::size_t i, std::size_t to) {
            kernel(g + i, nullptr, y + i, out + i, to - i, false);
        });
        return through;
    }

    static void composed(RuleContext& context, const Tensor<T>& gradient) {
        const Tensor<T> g = rows_of(gradient);
        if (context.wants(0)) {
            context.give(0, reshape(matmul(g, context.input<T>(1)), Axes(context.input_shape(0))));
        }
        if (context.wants(1)) {
            context.give(1, matmul_transposed(g, true, rows_of(context.input<T>(0)), false));
        }
        if (context.input_count() == 3 && context.wants(2)) {
            context.give(2, sum(g, {0}));
        }
    }

    void fused(RuleContext& context) const {
        const std::size_t out_features = context.output_shape().back();
        const std::size_t rows = leading_extent(context.output_shape());
        const Tensor<T> before_end = end == LinearEnd::plain ? Tensor<T>() : gradient_before_end(context);
        const T* g = before_end ? before_end.data() : context.gradient_data<T>();
        if (context.wants(0)) {
            const std::size_t in_features = context.input_shape(0).back();
            const Accumulator<T> out = context.accumulator<T>(0);
            gemm<T>({g, false}, {context.saved_data<T>(1), false}, out.data, rows, in_features, out_features, out.add);
        }
        if (context.wants(1)) {
            const Accumulator<T> out = context.accumulator<T>(1);
            gemm<T>({g, true}, {context.saved_data<T>(0), false}, out.data, out_features, context.input_shape(1)[1],
                    rows, out.add);
        }
        if (context.input_count() == 3 && context.wants(2)) {
            const Accumulator<T> out = context.accumulator<T>(2);
            if (!out.add) {
                std::fill_n(out.data, out_features, T(0));
            }
            kernels::active<T>().reduce.add_columns(g, out.data, rows, out_features);
        }
    }

    static Tensor<T> rows_of(const Tensor<T>& x) {
        return reshape(x, Axes{leading_extent(x.shape()), x.shape().back()});
    }
};

}  // namespace

template <class T>
Tensor<T> matmul_transposed(const Tensor<T>& a, bool transpose_a, const Tensor<T>& b, bool transpose_b) {
    const Stack a_stack(a.shape(), transpose_a);
    const Stack b_stack(b.shape(), transpose_b);
    if (a_stack.columns != b_stack.rows) {
        throw_mismatch(a.shape(), b.shape(),
                       fmt::format("the inner extents are {} and {}", a_stack.columns, b_stack.rows).c_str());
    }
    if (!broadcasts(a_stack.batch, b_stack.batch)) {
        throw_mismatch(a.shape(), b.shape(), "the axes before the last two do not broadcast");
    }
    const Shape batch = broadcast_shapes("matmul", a_stack.batch, b_stack.batch);
    Shape shape = batch;
    shape.push_back(a_stack.rows);
    shape.push_back(b_stack.columns);
    Tensor<T> c = Tensor<T>::uninitialized(shape);
    multiply_stacks(a.data(), a_stack, transpose_a, b.data(), b_stack, transpose_b, raw(c), batch, false);
    if (records(a, b)) {
        record(MatmulRule<T>{transpose_a, transpose_b}, c.body(), {{a, b.requires_grad()}, {b, a.requires_grad()}});
    }
    return c;
}

template <class T>
Tensor<T> detail::matmul(const Tensor<T>& a, const Tensor<T>& b) {
    if (a.dimension() == 0 || b.dimension() == 0) {
        throw_mismatch(a.shape(), b.shape(), "a 0-dimensional operand has no axis to sum over; use *");
    }
    if (a.dimension() == 1 || b.dimension() == 1) {
        const Tensor<T> row = a.dimension() == 1 ? expand_dims(a, 0) : a;
        const Tensor<T> column = b.dimension() == 1 ? expand_dims(b, 1) : b;
        const Tensor<T> product = xtape::matmul(row, column);
        Axes gone;
        if (a.dimension() == 1) {
            gone.push_back(-2);
        }
        if (b.dimension() == 1) {
            gone.push_back(-1);
        }
        return squeeze(product, gone);
    }
    if (a.dimension() > 2 && b.dimension() == 2 && a.size() != 0) {
        // One tall product instead of a stack of them.
        const std::size_t inner = a.shape().back();
        Axes shape(a.shape());
        shape[shape.size() - 1] = static_cast<std::ptrdiff_t>(b.shape()[1]);
        if (inner == b.shape()[0]) {
            return reshape(matmul_transposed(reshape(a, {std::ptrdiff_t{-1}, static_cast<std::ptrdiff_t>(inner)}),
                                             false, b, false),
                           shape);
        }
    }
    return matmul_transposed(a, false, b, false);
}

template <class T>
Tensor<T> linear(const Tensor<T>& x, const Tensor<T>& weight, const Tensor<T>& bias, LinearEnd end) {
    const bool has_bias = static_cast<bool>(bias);
    const bool fits = weight.dimension() == 2 && x.dimension() >= 1 && x.shape().back() == weight.shape()[1] &&
                      (!has_bias || (bias.dimension() == 1 && bias.shape()[0] == weight.shape()[0]));
    if (!fits) {
        throw ShapeError(fmt::format("linear: input {}, weight {}, bias {}; it takes (..., in), (out, in) and (out,)",
                                     to_string(x.shape()), to_string(weight.shape()),
                                     has_bias ? to_string(bias.shape()) : "none"));
    }
    const std::size_t in_features = weight.shape()[1];
    const std::size_t out_features = weight.shape()[0];
    Shape shape = x.shape();
    shape[shape.size() - 1] = out_features;
    Tensor<T> y = Tensor<T>::uninitialized(shape);
    const std::size_t rows = leading_extent(shape);
    if (has_bias) {
        for (std::size_t i = 0; i < rows; ++i) {
            std::copy_n(bias.data(), out_features, raw(y) + i * out_features);
        }
    }
    gemm<T>({x.data(), false}, {weight.data(), true}, raw(y), rows, out_features, in_features, has_bias);
    if (end != LinearEnd::plain) {
        const auto kernel = with_rule(end, []<class Rule>() { return kernels::unary<Rule, T>().forward; });
        parallel::for_ranges(y.size(), 1,
                             [=, out = raw(y)](std::size_t i, std::size_t to) { kernel(out + i, out + i, to - i); });
    }
    if (has_bias ? records(x, weight, bias) : records(x, weight)) {
        const RecordedInput inputs[] = {
            {x, weight.requires_grad()}, {weight, x.requires_grad()}, {has_bias ? bias : x}};
        record(LinearRule<T>{end}, y.body(), std::span<const RecordedInput>(inputs, has_bias ? 3 : 2),
               end != LinearEnd::plain);
    }
    return y;
}

#define XTAPE_INSTANTIATE(T)                                                              \
    template Tensor<T> matmul_transposed(const Tensor<T>&, bool, const Tensor<T>&, bool); \
    template Tensor<T> detail::matmul(const Tensor<T>&, const Tensor<T>&);                \
    template Tensor<T> linear(const Tensor<T>&, const Tensor<T>&, const Tensor<T>&, LinearEnd);
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape
