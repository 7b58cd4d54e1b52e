#include <xtape/autograd/scan.hpp>

#include <algorithm>

#include <xtape/autograd/broadcast.hpp>
#include <xtape/autograd/creation.hpp>
#include <xtape/autograd/fused_compiled.hpp>
#include <xtape/autograd/indexing.hpp>
#include <xtape/autograd/kernels/kernels.hpp>
#include <xtape/autograd/movement.hpp>
#include <xtape/autograd/recording.hpp>

// With s₀ the initial state, sₜ₊₁ = f(sₜ, xₜ) and gₜ₊₁ what arrives at sₜ₊₁ from outside, the gradients of the states,
// λₜ = gₜ + (∂sₜ₊₁/∂sₜ)ᵀ λₜ₊₁, are a recurrence too, linear, from the last step to the first. All else is elementwise
// over all steps at once: the partial derivatives before it, the gradients of the inputs, from sₜ, xₜ and λₜ₊₁, after
// it. So under `create_graph` the derivative of a scan is a scan and some fused ops.

namespace xtape::fused {
namespace {

// The elements of all steps, each step's in a row of whole SIMD registers: what is stored in part of one can't be
// forwarded to the next load, and each step waits for the one before it.
template <class T>
struct Padding {
    std::size_t steps;
    std::size_t length;  // of a row without padding
    std::size_t stride;

    explicit Padding(const Shape& shape) : steps(shape[0]), length(1) {
        for (std::size_t axis = 1; axis < shape.size(); ++axis) {
            length *= shape[axis];
        }
        constexpr std::size_t line = 64 / sizeof(T);
        stride = length == 1 ? 1 : (length + line - 1) / line * line;
    }
    [[nodiscard]] Shape shape() const { return {steps, stride}; }
    [[nodiscard]] bool is_none() const { return stride == length; }

    // Padded with each row's first element, which takes no slow path that the others don't take; or with zeros.
    void pad(const T* from, std::size_t rows, T* to, bool with_zeros = false) const {
        for (std::size_t r = 0; r < rows && length != 0; ++r, from += length, to += stride) {
            std::copy_n(from, length, to);
            std::fill(to + length, to + stride, with_zeros ? T(0) : *from);
        }
    }
    void unpad(const T* from, std::size_t rows, T* to) const {
        for (std::size_t r = 0; r < rows; ++r, from += stride, to += length) {
            std::copy_n(from, length, to);
        }
    }
};

Shape without_first(const Shape& shape) { return Shape(shape.begin() + 1, shape.end()); }
Shape with_first(std::size_t extent, const Shape& shape) {
    Shape result{extent};
    for (const std::size_t e : shape) {
        result.push_back(e);
    }
    return result;
}

// Whether an input has the elements of one row, for each step.
bool is_row(const Shape& input, const Shape& shape) {
    const std::size_t missing = shape.size() - input.size();
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        const std::size_t extent = axis < missing ? 1 : input[axis - missing];
        if (extent != (axis == 0 ? 1 : shape[axis])) {
            return false;
        }
    }
    return true;
}

// The inputs that come after the states, as a run finds them.
template <class T>
class Sources {
public:
    // `data(i)` is where input i lies, `shape_of(i)` its shape.
    template <class Data, class ShapeOf>
    Sources(const Compiled<T>& compiled, const Padding<T>& padding, const Shape& shape, Data data, ShapeOf shape_of)
        : padded_row_{padding.stride} {
        const std::size_t states = compiled.results().size();
        for (std::size_t i = states; i < compiled.inputs(); ++i) {
            if (!compiled.reads(i)) {
                sources_.push_back({nullptr, Spread::unread});
                continue;
            }
            const Shape& input = shape_of(i);
            const Spread spread = element_count(input) == 1 ? Spread::one
                                  : input == shape          ? Spread::whole
                                                            : Spread::row;
            const T* elements = data(i);
            if (spread != Spread::one && !padding.is_none()) {
                const std::size_t rows = spread == Spread::row ? 1 : padding.steps;
                padded_.push_back(Tensor<T>::uninitialized({rows, padding.stride}));
                padding.pad(elements, rows, raw(padded_.back()));
                elements = raw(padded_.back());
            }
            sources_.push_back({elements, spread});
        }
    }
    // For a run step by step, or over all steps at once.
    void add_to(PoolVector<typename Plan<T>::Input>& inputs, Use& use, bool by_rows) const {
        for (const auto& [data, spread] : sources_) {
            use.set(inputs.size(), by_rows || spread != Spread::row ? spread : Spread::smaller, false);
            inputs.push_back({data, &padded_row_});
        }
    }

private:
    PoolVector<std::pair<const T*, Spread>> sources_;
    PoolVector<Tensor<T>> padded_;
    Shape padded_row_;
};

template <class T>
Tensor<T> apply_scan(Ref<Compiled<T>> compiled, PoolVector<T> numbers, const Shape& shape,
                     std::span<const Tensor<T>> inputs);

// What arrives at each state, from a node's gradient or result: of one state it is that of the state itself.
template <class T>
Tensor<T> of_state(const Tensor<T>& all, std::size_t states, std::size_t k) {
    return states == 1 ? all : view(all, k);
}

// Saves the inputs that are read, the initial states for higher orders, and as one more input, a constant, all states
// in padded rows.
template <class T>
struct ScanRule {
    static constexpr const char* name = "scan";

    Ref<Compiled<T>> compiled;
    PoolVector<T> numbers;
    Shape shape;  // of the results of one state

    void operator()(RuleContext& context) const {
        if (context.creates_graph()) {
            recorded(context);
        } else {
            first_order(context);
        }
    }

private:
    [[nodiscard]] std::size_t states() const { return compiled->results().size(); }

    void first_order(RuleContext& context) const {
        const Padding<T> padding(shape);
        const Sources<T> sources(
            *compiled, padding, shape, [&](std::size_t i) { return context.saved_data<T>(static_cast<int>(i)); },
            [&](std::size_t i) -> const Shape& { return context.input_shape(i); });
        const Tensor<T> gradients = gradients_of_states(context, padding, sources);
        const std::size_t rows = padding.steps + 1;
        for (std::size_t k = 0; k < states(); ++k) {
            if (context.wants(k)) {
                const Tensor<T> first = Tensor<T>::uninitialized(without_first(shape));
                padding.unpad(gradients.data() + k * rows * padding.stride, 1, raw(first));
                context.give(k, first);
            }
        }
        give_gradients_of_inputs(context, padding, sources, gradients);
    }

    // λ₀, ..., of each state, in padded rows. The padding is 0, so that it counts in no sum.
    [[nodiscard]] Tensor<T> gradients_of_states(const RuleContext& context, const Padding<T>& padding,
                                                const Sources<T>& sources) const {
        const Ref<Compiled<T>> adjoint = compiled->adjoint();
        const std::size_t rows = padding.steps + 1;
        const std::size_t block = rows * padding.stride;
        const T* arriving = context.gradient_data<T>();
        const Tensor<T> outside = Tensor<T>::uninitialized({states(), rows, padding.stride});
        const Tensor<T> gradients = Tensor<T>::uninitialized({states(), rows, padding.stride});
        const Tensor<T> partials = partial_derivatives(context, padding, sources);
        PoolVector<typename Plan<T>::Input> inputs;
        PoolVector<T*> outputs;
        Use use(Purpose::value, Reduction::each, false, adjoint->inputs());
        const auto add_input = [&](const T* data) {
            use.set(inputs.size(), Spread::whole, false);
            inputs.push_back({data, nullptr});
        };
        for (std::size_t k = 0; k < states(); ++k) {
            T* g = raw(outside) + k * block;
            std::fill_n(g, padding.stride, T(0));
            padding.pad(arriving + k * padding.steps * padding.length, padding.steps, g + padding.stride, true);
            T* lambda = raw(gradients) + k * block;
            std::copy_n(g + padding.steps * padding.stride, padding.stride, lambda + padding.steps * padding.stride);
            add_input(lambda + padding.stride);
            outputs.push_back(lambda);
        }
        for (std::size_t p = 0; p < partials.shape()[0]; ++p) {
            add_input(partials.data() + p * padding.steps * padding.stride);
        }
        for (std::size_t k = 0; k < states(); ++k) {
            add_input(raw(outside) + k * block);
        }
        adjoint->plan(use).run(padding.shape(), inputs, outputs, adjoint->program().numbers, {padding.steps, true});
        return gradients;
    }

    // The states before each step, then the inputs, over all steps at once.
    void add_inputs(const RuleContext& context, const Padding<T>& padding, const Sources<T>& sources,
                    PoolVector<typename Plan<T>::Input>& inputs, Use& use) const {
        const T* trajectory = context.saved_data<T>(static_cast<int>(compiled->inputs()));
        for (std::size_t k = 0; k < states(); ++k) {
            use.set(k, compiled->reads(k) ? Spread::whole : Spread::unread, false);
            inputs.push_back({trajectory + k * (padding.steps + 1) * padding.stride, nullptr});
        }
        sources.add_to(inputs, use, false);
    }

    // Of each state by each state that leads to it, for all steps.
    [[nodiscard]] Tensor<T> partial_derivatives(const RuleContext& context, const Padding<T>& padding,
                                                const Sources<T>& sources) const {
        Use use(Purpose::partials, Reduction::each, false, compiled->inputs());
        PoolVector<typename Plan<T>::Input> inputs;
        add_inputs(context, padding, sources, inputs, use);
        for (std::size_t k = 0; k < states(); ++k) {
            use.set(k, use.spread(k), true);
        }
        const std::size_t count = compiled->adjoint()->inputs() - 2 * states();
        const Tensor<T> partials = Tensor<T>::uninitialized({count, padding.steps, padding.stride});
        PoolVector<T*> outputs;
        for (std::size_t p = 0; p < count; ++p) {
            outputs.push_back(raw(partials) + p * padding.steps * padding.stride);
        }
        compiled->plan(use).run(padding.shape(), inputs, outputs, numbers);
        return partials;
    }

    void give_gradients_of_inputs(RuleContext& context, const Padding<T>& padding, const Sources<T>& sources,
                                  const Tensor<T>& gradients) const {
        Use use(Purpose::gradients, Reduction::each, false, compiled->inputs());
        PoolVector<typename Plan<T>::Input> inputs;
        add_inputs(context, padding, sources, inputs, use);
        PoolVector<T*> outputs;
        PoolVector<std::pair<std::size_t, Tensor<T>>> padded;  // inputs, and their gradients in padded rows
        for (std::size_t i = states(); i < compiled->inputs(); ++i) {
            if (!context.wants(i) || !compiled->leads_from(i)) {
                continue;
            }
            const Spread spread = use.spread(i);
            bool adds = false;
            if (spread == Spread::one || (spread == Spread::whole && padding.is_none())) {
                const Accumulator<T> out = context.accumulator<T>(i);
                outputs.push_back(out.data);
                adds = out.add;
            } else {
                padded.emplace_back(i, Tensor<T>::uninitialized(padding.shape()));
                outputs.push_back(raw(padded.back().second));
            }
            use.set(i, spread, true, adds);
        }
        if (outputs.empty()) {
            return;
        }
        for (std::size_t k = 0; k < states(); ++k) {
            inputs.push_back({gradients.data() + (k * (padding.steps + 1) + 1) * padding.stride, nullptr});
        }
        compiled->plan(use).run(padding.shape(), inputs, outputs, numbers);
        for (const auto& [input, gradient] : padded) {
            const Tensor<T> g = Tensor<T>::uninitialized(context.input_shape(input));
            if (use.spread(input) == Spread::whole) {
                padding.unpad(gradient.data(), padding.steps, raw(g));
            } else {
                const Tensor<T> total = zeros<T>({padding.stride});
                kernels::active<T>().reduce.add_columns(gradient.data(), raw(total), padding.steps, padding.stride);
                padding.unpad(total.data(), 1, raw(g));
            }
            context.give(input, g);
        }
    }

    // The same in tensor ops.
    void recorded(RuleContext& context) const {
        const std::size_t count = compiled->inputs();
        PoolVector<Tensor<T>> xs(count, Tensor<T>(T(0)));  // which stand for those that are not read
        for (std::size_t i = 0; i < count; ++i) {
            if (i < states() || compiled->reads(i)) {
                xs[i] = context.input<T>(i);
            }
        }
        // What gradients are computed from: the states before each step, the inputs, the gradients of the states after.
        PoolVector<Tensor<T>> arguments = xs;
        const Tensor<T> results = apply_scan<T>(compiled, numbers, shape, xs);
        for (std::size_t k = 0; k < states(); ++k) {
            arguments[k] = one_later(xs[k], of_state(results, states(), k));
        }
        arguments.resize(count + states(), Tensor<T>(T(0)));

        PoolVector<Tensor<T>> arriving;
        for (std::size_t k = 0; k < states(); ++k) {
            arriving.push_back(of_state(context.gradient<T>(), states(), k));
        }
        const Tensor<T> backward = recorded_gradients_of_states(arriving, arguments);
        for (std::size_t k = 0; k < states(); ++k) {
            const Tensor<T> gradients = of_state(backward, states(), k);
            if (context.wants(k)) {
                context.give(k, view(gradients, shape[0] - 1));
            }
            arguments[count + k] = flip(one_later(view(arriving[k], shape[0] - 1), gradients), 0);
        }
        for (std::size_t i = states(); i < count; ++i) {
            if (context.wants(i) && compiled->leads_from(i)) {
                context.give(i, apply_gradient<T>(*compiled, i, numbers, arguments));
            }
        }
    }

    // ..., λ₀ of each state: the last one first. `arguments` are complete but for the gradients.
    [[nodiscard]] Tensor<T> recorded_gradients_of_states(const PoolVector<Tensor<T>>& arriving,
                                                         PoolVector<Tensor<T>> arguments) const {
        PoolVector<Tensor<T>> inputs;
        for (const Tensor<T>& g : arriving) {
            inputs.push_back(view(g, shape[0] - 1));
        }
        for (std::size_t k = 0; k < states(); ++k) {
            Tensor<T>& seed = arguments[compiled->inputs() + k];
            seed = Tensor<T>(T(1));
            for (std::size_t i = 0; i < states(); ++i) {
                if (compiled->leads_from(i, k)) {
                    inputs.push_back(flip(apply_gradient<T>(*compiled, i, numbers, arguments), 0));
                }
            }
            seed = Tensor<T>(T(0));
        }
        for (const Tensor<T>& g : arriving) {
            inputs.push_back(flip(one_later(zeros<T>(without_first(shape)), g), 0));
        }
        Ref<Compiled<T>> adjoint = compiled->adjoint();
        PoolVector<T> its_numbers = adjoint->program().numbers;
        return apply_scan<T>(std::move(adjoint), std::move(its_numbers), shape, inputs);
    }

    // In place of each row the one before it, of the first one `first`.
    [[nodiscard]] static Tensor<T> one_later(const Tensor<T>& first, const Tensor<T>& rows) {
        return concatenate<T>({expand_dims(first, 0), view(rows, xt::range(std::size_t{0}, rows.shape()[0] - 1))});
    }
};

// Of one state the result has the shape, of several one more axis before it. Initial states are of a row's shape; the
// others have all elements, or those of a row, or one.
template <class T>
Tensor<T> apply_scan(Ref<Compiled<T>> compiled, PoolVector<T> numbers, const Shape& shape,
                     std::span<const Tensor<T>> inputs) {
    const std::size_t states = compiled->results().size();
    const Padding<T> padding(shape);
    const std::size_t block = (padding.steps + 1) * padding.stride;
    const Tensor<T> trajectory = Tensor<T>::uninitialized({states, padding.steps + 1, padding.stride});
    Use use(Purpose::value, Reduction::each, false, compiled->inputs());
    PoolVector<typename Plan<T>::Input> sources;
    PoolVector<T*> outputs;
    for (std::size_t k = 0; k < states; ++k) {
        T* state = raw(trajectory) + k * block;
        padding.pad(inputs[k].data(), 1, state);
        use.set(k, compiled->reads(k) ? Spread::whole : Spread::unread, false);
        sources.push_back({state, nullptr});
        outputs.push_back(state + padding.stride);
    }
    const Sources<T> others(
        *compiled, padding, shape, [&](std::size_t i) { return inputs[i].data(); },
        [&](std::size_t i) -> const Shape& { return inputs[i].shape(); });
    others.add_to(sources, use, true);
    compiled->plan(use).run(padding.shape(), sources, outputs, numbers, {padding.steps});

    const Tensor<T> y = Tensor<T>::uninitialized(states == 1 ? shape : with_first(states, shape));
    for (std::size_t k = 0; k < states; ++k) {
        padding.unpad(outputs[k], padding.steps, raw(y) + k * padding.steps * padding.length);
    }
    bool leads = false;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        leads = leads || (inputs[i].requires_grad() && compiled->leads_from(i));
    }
    if (leads && is_recording()) {
        PoolVector<RecordedInput> recorded;
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            recorded.emplace_back(inputs[i], i < states || compiled->reads(i));
        }
        recorded.emplace_back(trajectory, true);
        record(ScanRule<T>{std::move(compiled), std::move(numbers), shape}, y.body(),
               std::span<const RecordedInput>(recorded));
    }
    return y;
}

}  // namespace

template <class T>
std::vector<Tensor<T>> evaluate_scan(Program<T> program, std::span<const Index> results,
                                     std::span<const Tensor<T>* const> inputs, CallSite<T>& site) {
    const std::size_t states = results.size();
    Shape shape{1};
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const Shape& input = inputs[i]->shape();
        shape = broadcast_shapes("scan", shape, i < states ? with_first(1, input) : input);
    }
    PoolVector<Tensor<T>> arranged;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const Tensor<T>& input = *inputs[i];
        const bool fits = i < states || input.size() == 1 || input.shape() == shape || is_row(input.shape(), shape);
        const Shape& wanted = i < states ? without_first(shape) : fits ? input.shape() : shape;
        arranged.push_back(input.shape() == wanted ? input : broadcast_to(input, wanted));
    }
    if (element_count(shape) == 0) {
        return std::vector<Tensor<T>>(states, Tensor<T>::uninitialized(shape));
    }
    Ref<Compiled<T>> compiled = find_or_compile<T>(program, results, static_cast<Index>(inputs.size()), site);
    const Tensor<T> all = apply_scan<T>(std::move(compiled), std::move(program.numbers), shape, arranged);
    std::vector<Tensor<T>> each;
    for (std::size_t k = 0; k < states; ++k) {
        each.push_back(of_state(all, states, k));
    }
    return each;
}

#define XTAPE_INSTANTIATE(T)                                                          \
    template std::vector<Tensor<T>> evaluate_scan(Program<T>, std::span<const Index>, \
                                                  std::span<const Tensor<T>* const>, CallSite<T>&);
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape::fused
