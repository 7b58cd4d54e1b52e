#include <xtape/autograd/fuse.hpp>

#include <algorithm>
#include <array>
#include <cmath>

#include <xtape/autograd/broadcast.hpp>
#include <xtape/autograd/elementwise_arguments.hpp>
#include <xtape/autograd/errors.hpp>
#include <xtape/autograd/fused_compiled.hpp>
#include <xtape/autograd/kernels/kernels.hpp>
#include <xtape/autograd/movement.hpp>
#include <xtape/autograd/recording.hpp>
#include <xtape/autograd/tensor_reading.hpp>

namespace xtape::fused {
namespace {

// How many inputs may have their derivatives computed with the value and saved.
constexpr std::size_t most_partials = 4;

Spread spread_of(const Shape& input, bool is_of_run_shape, bool single) {
    if (single) {
        return Spread::one;
    }
    return is_of_run_shape ? Spread::whole : element_count(input) == 1 ? Spread::one : Spread::smaller;
}

// The node saves what inputs the program reads, for any derivative; and the partial derivatives, if it has them, for
// the first one. These are further inputs of it, constant ones.
template <class T>
struct FuseRule {
    static constexpr const char* name = "fuse";

    Ref<Compiled<T>> compiled;
    PoolVector<T> numbers;
    Reduction reduction;
    Shape shape;  // of the elements, before they are reduced
    std::uint32_t partial_count = 0;
    std::array<std::uint32_t, most_partials> partial_of{};  // which input each belongs to

    void operator()(RuleContext& context) const {
        if (context.creates_graph()) {
            recorded(context);
        } else if (partial_count != 0 && !(compiled->chooses() && has_infinite(context))) {
            from_partials(context);
        } else {
            recomputed(context);
        }
    }

    // What an element has in a mean; in a sum, or where it is a result itself, 1.
    [[nodiscard]] T share() const {
        return reduction == Reduction::mean ? T(1) / static_cast<T>(element_count(shape)) : T(1);
    }

private:
    [[nodiscard]] bool wants(const RuleContext& context, std::size_t input) const {
        return context.wants(input) && compiled->leads_from(input);
    }

    // Each gradient is a fused op of the inputs and the elements' gradient.
    void recorded(RuleContext& context) const {
        const std::size_t count = compiled->inputs();
        PoolVector<Tensor<T>> inputs(count + 1, Tensor<T>(T(0)));  // which stand for those that are not read
        for (std::size_t i = 0; i < count; ++i) {
            if (compiled->reads(i)) {
                inputs[i] = context.input<T>(i);
            }
        }
        inputs[count] = context.gradient<T>();
        if (reduction != Reduction::each) {
            inputs[count] = broadcast_to(inputs[count] * share(), shape);
        }
        for (std::size_t i = 0; i < count; ++i) {
            if (wants(context, i)) {
                context.give(i, apply_gradient<T>(*compiled, i, numbers, inputs));
            }
        }
    }

    // Where the incoming gradient is infinite, what was not chosen gets 0 all the same; a product would make it NaN.
    [[nodiscard]] static bool has_infinite(const RuleContext& context) {
        T magnitudes = 0;
        kernels::active<T>().reduce.magnitudes.elements(context.gradient_data<T>(), nullptr, &magnitudes,
                                                        {1, element_count(context.output_shape()), 1});
        return !std::isfinite(magnitudes);
    }

    void from_partials(RuleContext& context) const {
        for (std::uint32_t k = 0; k < partial_count; ++k) {
            if (!context.wants(partial_of[k])) {
                continue;
            }
            const bool is_last = k + 1 == partial_count || !context.wants(partial_of[k + 1]);
            if (reduction == Reduction::each) {
                from_partial(context, k, is_last);
            } else {
                from_partial_of_reduced(context, k);
            }
        }
    }
    void from_partial(RuleContext& context, std::uint32_t k, bool is_last) const {
        const auto strong_product = kernels::binary<Multiply, T>().left;  // the gradient by a of a * b
        const T* partial = context.saved_data<T>(static_cast<int>(compiled->inputs() + k));
        const T* g = context.gradient_data<T>();
        const Accumulator<T> out =
            is_last ? context.accumulator_in_place<T>(partial_of[k]) : context.accumulator<T>(partial_of[k]);
        strong_product(g, nullptr, partial, nullptr, out.data, element_count(shape), {1, 1}, out.add);
    }
    // A loss's own gradient is 1: then the saved derivative is the gradient.
    void from_partial_of_reduced(RuleContext& context, std::uint32_t k) const {
        const Tensor<T> partial = context.input<T>(compiled->inputs() + k);
        const Tensor<T> g = context.gradient<T>();
        context.give(partial_of[k], g.item() == T(1) ? partial : strong(g, partial));
    }

    // Reads the inputs again.
    void recomputed(RuleContext& context) const {
        const bool single = element_count(shape) == 1;
        const std::size_t count = compiled->inputs();
        PoolVector<typename Plan<T>::Input> inputs(count + 1);
        PoolVector<T*> outputs;
        outputs.reserve(count);
        PoolVector<std::pair<std::size_t, Tensor<T>>> smaller;  // inputs, and their gradients before they are summed
        Use use(Purpose::gradients, reduction, single, count);
        for (std::size_t i = 0; i < count; ++i) {
            if (!compiled->reads(i)) {
                continue;
            }
            const Shape& input_shape = context.input_shape(i);
            const Spread spread = spread_of(input_shape, input_shape == shape, single);
            inputs[i] = {context.saved_data<T>(static_cast<int>(i)), &input_shape};
            bool adds = false;
            if (!wants(context, i)) {
                use.set(i, spread, false);
                continue;
            }
            if (spread == Spread::smaller) {
                smaller.emplace_back(i, Tensor<T>::uninitialized(shape));
                outputs.push_back(raw(smaller.back().second));
            } else {
                const Accumulator<T> out = context.accumulator<T>(i);
                outputs.push_back(out.data);
                adds = out.add;
            }
            use.set(i, spread, true, adds);
        }
        if (outputs.empty()) {
            return;
        }
        const T of_each = *context.gradient_data<T>() * share();  // which a reduced element gets
        inputs[count] = {reduction == Reduction::each ? context.gradient_data<T>() : &of_each, &shape};
        compiled->plan(use).run(shape, inputs, outputs, numbers);
        for (auto& [input, gradient] : smaller) {
            context.give(input, std::move(gradient));
        }
    }
};

template <class T>
Shape common_shape(std::span<const Tensor<T>* const> inputs) {
    Shape shape = inputs.front()->shape();
    for (const Tensor<T>* input : inputs.subspan(1)) {
        if (!(input->shape() == shape)) {
            shape = broadcast_shapes("fuse", shape, input->shape());
        }
    }
    return shape;
}

}  // namespace

template <class T>
Tensor<T> apply_compiled(Ref<Compiled<T>> compiled, PoolVector<T> numbers, Reduction reduction,
                         std::span<const Tensor<T>* const> inputs) {
    const Shape shape = common_shape(inputs);
    const bool single = element_count(shape) == 1;
    const bool is_recording_now = is_recording();
    std::size_t wanted = 0;
    bool all_whole = true;
    PoolVector<typename Plan<T>::Input> sources;
    sources.reserve(inputs.size() + 1);
    Use use(Purpose::value, reduction, single, inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const Tensor<T>& input = *inputs[i];
        sources.push_back({input.data(), &input.shape()});
        if (!compiled->reads(i)) {
            continue;
        }
        const bool is_whole = input.shape() == shape;
        use.set(i, spread_of(input.shape(), is_whole, single), false);
        if (is_recording_now && input.requires_grad() && compiled->leads_from(i)) {
            ++wanted;
            all_whole = all_whole && is_whole;
        }
    }
    const Tensor<T> y = Tensor<T>::uninitialized(reduction == Reduction::each ? shape : Shape{});
    const auto average = [&] {
        if (reduction == Reduction::mean) {
            *raw(y) /= static_cast<T>(element_count(shape));
        }
    };
    if (wanted == 0) {
        T* const output = raw(y);
        compiled->plan(use).run(shape, sources, {&output, 1}, numbers);
        average();
        return y;
    }

    // To compute the partial derivatives with the value costs the memory to keep them, and saves computing the program
    // again.
    FuseRule<T> rule{std::move(compiled), std::move(numbers), reduction, shape};
    PoolVector<T*> outputs;
    outputs.reserve(1 + most_partials);
    outputs.push_back(raw(y));
    PoolVector<RecordedInput> recorded;
    recorded.reserve(inputs.size() + most_partials);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        recorded.emplace_back(*inputs[i], rule.compiled->reads(i));
    }
    std::array<Tensor<T>, most_partials> partials;
    if (all_whole && wanted <= most_partials && rule.compiled->costly_steps() >= wanted) {
        use.set_purpose(Purpose::value_and_partials);
        for (std::uint32_t i = 0; i < inputs.size(); ++i) {
            if (inputs[i]->requires_grad() && rule.compiled->leads_from(i)) {
                use.set(i, use.spread(i), true);
                Tensor<T>& partial = partials[rule.partial_count];
                partial = Tensor<T>::uninitialized(shape);
                rule.partial_of[rule.partial_count++] = i;
                outputs.push_back(raw(partial));
                recorded.emplace_back(partial, true);
            }
        }
    }
    const T share = rule.share();
    sources.push_back({&share, nullptr});
    rule.compiled->plan(use).run(shape, sources, outputs, rule.numbers);
    average();
    record(std::move(rule), y.body(), std::span<const RecordedInput>(recorded));
    return y;
}

template <class T>
Tensor<T> apply_gradient(Compiled<T>& compiled, std::size_t input, const PoolVector<T>& numbers,
                         std::span<const Tensor<T>> inputs) {
    Ref<Compiled<T>> gradient = compiled.gradient(input);
    PoolVector<T> its_numbers = gradient->program().numbers;
    std::copy(numbers.begin(), numbers.end(), its_numbers.begin());
    PoolVector<const Tensor<T>*> pointers;
    for (const Tensor<T>& tensor : inputs) {
        pointers.push_back(&tensor);
    }
    return apply_compiled<T>(std::move(gradient), std::move(its_numbers), Reduction::each, pointers);
}

template <class T>
Tensor<T> evaluate(Program<T> program, Index result, Reduction reduction, std::span<const Tensor<T>* const> inputs,
                   CallSite<T>& site) {
    Ref<Compiled<T>> compiled = find_or_compile<T>(program, {&result, 1}, static_cast<Index>(inputs.size()), site);
    return apply_compiled<T>(std::move(compiled), std::move(program.numbers), reduction, inputs);
}

void throw_foreign_value() {
    throw ValueError("a lambda given to fuse or scan uses a value that another one was called with");
}

template <AnyValue V>
V polygamma(int n, const V& x) {
    elementwise::check_order(n);
    return apply<Code::Polygamma>(n, x);
}

template <AnyValue V>
V leaky_relu(const V& x, double slope) {
    elementwise::check_finite("leaky_relu", "slope", slope);
    return apply<Code::LeakyRelu>(x, slope);
}
template <AnyValue V>
V elu(const V& x, double alpha) {
    elementwise::check_finite("elu", "alpha", alpha);
    return apply<Code::Elu>(x, alpha);
}
template <AnyValue V>
V clip(const V& x, double lo, double hi) {
    using T = typename V::value_type;
    elementwise::check_bounds(lo, hi);
    Program<T>& program = x.program();
    const Index low = program.constant(static_cast<T>(lo));
    const Index high = program.constant(static_cast<T>(hi));
    return {program, program.append({.code = Code::clip, .a = x.index(), .b = low, .c = high})};
}

#define XTAPE_INSTANTIATE(T)                                                                                          \
    template Tensor<T> apply_compiled(Ref<Compiled<T>>, PoolVector<T>, Reduction, std::span<const Tensor<T>* const>); \
    template Tensor<T> apply_gradient(Compiled<T>&, std::size_t, const PoolVector<T>&, std::span<const Tensor<T>>);   \
    template Tensor<T> evaluate(Program<T>, Index, Reduction, std::span<const Tensor<T>* const>, CallSite<T>&);       \
    template Value<T> polygamma(int, const Value<T>&);                                                                \
    template Value<T> leaky_relu(const Value<T>&, double);                                                            \
    template Value<T> elu(const Value<T>&, double);                                                                   \
    template Value<T> clip(const Value<T>&, double, double);
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape::fused
