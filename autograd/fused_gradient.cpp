#include <xtape/autograd/fused_gradient.hpp>

#include <algorithm>
#include <array>

#include <xtape/autograd/fused_reading.hpp>
#include <xtape/autograd/fused_rules.hpp>

namespace xtape::fused {
namespace {

// A derivative of rules.hpp, read with Values.
template <class T>
using RecordedPull = Value<T> (*)(const Value<T>& g, const Value<T>& a, const Value<T>& b, const Value<T>& y);

template <class T>
struct RecordedPulls {
    RecordedPull<T> left = nullptr;
    RecordedPull<T> right = nullptr;
};

template <class Form, class T>
Value<T> binary_pull(const Value<T>& g, const Value<T>& a, const Value<T>& b, const Value<T>& y) {
    return recorded_gradient<Form>(g, a, b, y);
}

template <class Rule, class T>
constexpr RecordedPulls<T> pulls_of() {
    if constexpr (requires { typename Rule::Left; }) {
        return {binary_pull<typename Rule::Left, T>, binary_pull<typename Rule::Right, T>};
    } else if constexpr (requires { Rule::needs; }) {
        return {[](const Value<T>& g, const Value<T>& x, const Value<T>&, const Value<T>& y) {
            return recorded_gradient<Rule>(g, x, y);
        }};
    } else {
        return {};
    }
}

template <class T, class... Unary, class... Binary>
constexpr auto table_of(RuleList<Unary...>, RuleList<Binary...>) {
    return std::array{pulls_of<Unary, T>()..., pulls_of<Binary, T>()...};
}

template <class T>
constexpr auto recorded_pulls = table_of<T>(UnarySteps{}, BinarySteps{});

template <class T>
class Gradients {
public:
    Gradients(Program<T>& program, std::span<const Index> results, std::span<const Index> seeds,
              const InputFlags& wanted, const InputFlags& uniform, Reading reading)
        : program_(program), reading_(reading), one_(program.steps[seeds[0]].code == Code::constant ? seeds[0] : none) {
        const Index end = *std::max_element(results.begin(), results.end()) + 1;
        active_.resize(end);
        uniform_.resize(end);
        gradient_.resize(end, none);
        for (Index i = 0; i < end; ++i) {
            mark(i, wanted, uniform);
        }
        for (std::size_t k = 0; k < results.size(); ++k) {
            if (active_[results[k]] != 0) {
                arrive(results[k], uniform_[results[k]] != 0 ? sum(seeds[k]) : seeds[k]);
            }
        }
        for (Index i = end; i-- > 0;) {
            if (gradient_[i] != none && program.steps[i].code != Code::input) {
                const Traits& rule = traits(program.steps[i].code);
                pull(i, rule.left, true);
                pull(i, rule.right, false);
            }
        }
    }

    [[nodiscard]] PoolVector<Index> of_inputs(std::size_t count) const {
        PoolVector<Index> found(count, none);
        for (Index i = 0; i < gradient_.size(); ++i) {
            if (program_.steps[i].code == Code::input) {
                found[program_.steps[i].a] = gradient_[i];
            }
        }
        return found;
    }

private:
    // What leads to a wanted input is active.
    void mark(Index i, const InputFlags& wanted, const InputFlags& uniform) {
        const Step& step = program_.steps[i];
        if (step.code == Code::input) {
            active_[i] = wanted[step.a];
            uniform_[i] = uniform[step.a];
            return;
        }
        bool all = true;
        for_each_operand(program_.steps, step, [&](Index operand) { all = all && uniform_[operand] != 0; });
        uniform_[i] = all;
        if (step.code != Code::constant) {
            const Traits& rule = traits(step.code);
            active_[i] =
                (rule.left.exists && active_[step.a] != 0) || (rule.right.exists && active_[step.b] != 0) ? 1 : 0;
        }
    }

    Index sum(Index x) { return program_.append({.code = Code::sum, .a = x}); }
    void arrive(Index i, Index term) {
        Index& arrived = gradient_[i];
        arrived = arrived == none ? term : program_.append({.code = Code::Add, .a = arrived, .b = term});
    }

    // Adds what step i passes on to the gradient of its left or right operand.
    void pull(Index i, const Pull& rule, bool left) {
        const Step step = program_.steps[i];
        const Index operand = left ? step.a : step.b;
        if (!rule.exists || active_[operand] == 0) {
            return;
        }
        Index& arrived = gradient_[operand];
        const Index g = gradient_[i];
        const bool is_summed = uniform_[operand] != 0 && uniform_[i] == 0;
        Index term = none;
        if (rule.passes) {
            term = g;
        } else if (step.code == Code::select) {
            const Index zero = program_.constant(T(0));
            term = program_.append({.code = Code::select, .a = left ? g : zero, .b = left ? zero : g, .c = step.c});
        } else if (reading_ == Reading::recorded) {
            term = recorded(i, step, left);
        } else if (const Index slope = slope_of(i, step, left); slope != none && g == one_) {
            term = slope;
        } else {
            const Index addend = is_summed ? none : arrived;
            // Of a product that is never computed: its rule by the left operand multiplies by the right one.
            const bool by_slope = step.code == Code::Sin || step.code == Code::Cos;
            const Index of = by_slope ? program_.append({.code = Code::Multiply, .a = i, .b = slope}) : i;
            term = program_.append({.code = left ? Code::pull_left : Code::pull_right, .a = of, .b = g, .c = addend});
            if (addend != none) {
                arrived = term;
                return;
            }
        }
        if (is_summed) {
            term = sum(term);
        }
        arrive(operand, term);
    }

    // The step that is the derivative, where there is one. Sine and cosine of the same value come together.
    Index slope_of(Index i, const Step& step, bool left) {
        switch (step.code) {
        case Code::Multiply: return left ? step.b : step.a;
        case Code::Exp: return i;
        case Code::Sin: return program_.append({.code = Code::Cos, .a = step.a});
        case Code::Cos: {
            const Index sine = program_.append({.code = Code::Sin, .a = step.a});
            return program_.append({.code = Code::Negate, .a = sine});
        }
        default: return none;
        }
    }

    Index recorded(Index i, const Step& step, bool left) {
        const auto value = [&](Index index) { return Value<T>(program_, index == none ? i : index); };
        const Value<T> g = value(gradient_[i]);
        if (step.code == Code::clip) {
            return Clip::pullback(g, value(step.a), value(step.b), value(step.c)).index();
        }
        const RecordedPulls<T>& rule = recorded_pulls<T>[static_cast<std::size_t>(step.code)];
        return (left ? rule.left : rule.right)(g, value(step.a), value(step.b), value(i)).index();
    }

    Program<T>& program_;
    Reading reading_;
    Index one_;  // the seed, if it is 1
    PoolVector<char> active_;
    PoolVector<char> uniform_;
    PoolVector<Index> gradient_;
};

}  // namespace

template <class T>
PoolVector<Index> append_gradients(Program<T>& program, std::span<const Index> results, std::span<const Index> seeds,
                                   const InputFlags& wanted, const InputFlags& uniform, Reading reading) {
    return Gradients<T>(program, results, seeds, wanted, uniform, reading).of_inputs(wanted.size());
}

template PoolVector<Index> append_gradients(Program<float>&, std::span<const Index>, std::span<const Index>,
                                            const InputFlags&, const InputFlags&, Reading);
template PoolVector<Index> append_gradients(Program<double>&, std::span<const Index>, std::span<const Index>,
                                            const InputFlags&, const InputFlags&, Reading);

}  // namespace xtape::fused
