#include <xtape/autograd/fused_plan.hpp>

#include <algorithm>
#include <array>

#include <xtape/autograd/fused_rules.hpp>

namespace xtape::fused {
namespace {

// Where the kernels of each rule stand in their table.
template <class... Unary, class... Binary>
constexpr auto table_of(RuleList<Unary...>, RuleList<Binary...>) {
    return std::array{UnaryRules::index_of<Unary>..., BinaryRules::index_of<Binary>...};
}
constexpr auto kernel_indices = table_of(UnarySteps{}, BinarySteps{});

template <class T>
const kernels::UnaryKernels<T>& unary_kernels(Code code) {
    return kernels::active<T>().elementwise.unary[kernel_indices[static_cast<std::size_t>(code)]];
}
template <class T>
const kernels::BinaryKernels<T>& binary_kernels(Code code) {
    return kernels::active<T>().elementwise.binary[kernel_indices[static_cast<std::size_t>(code)]];
}

}  // namespace

// Values that are the same for all elements are computed once: those made of numbers and single inputs before the
// tiles, those made of sums after them.
template <class T>
class Plan<T>::Compiler {
public:
    Compiler(Plan& plan, const Program<T>& program, std::span<const Spread> inputs, std::span<const Target> targets)
        : plan_(plan), steps_(program.steps), inputs_(inputs), targets_(targets), values_(program.steps.size()) {
        mark();
        choose_homes();
        pair_sines();
        for (Index i = 0; i < steps_.size(); ++i) {
            if (values_[i].is_needed) {
                emit(i);
            }
        }
        emit_targets();
    }

private:
    enum class Phase : std::uint8_t { before, tiled, after };
    static constexpr Index never = none - 1;

    struct Value {
        bool is_needed = false;
        Phase phase = Phase::before;
        Index uses = 0;
        Index last_use = 0;    // the step of the tiled phase after which its slot is free
        Index home = none;     // the output in whose place it is computed
        Index partner = none;  // of a sine the cosine of the same value, or the other way round
        At at = nowhere;
        At filled = nowhere;  // a slot full of it
    };

    [[nodiscard]] bool is_computed(Index i) const {
        return steps_[i].code != Code::input && steps_[i].code != Code::constant;
    }
    // In the tiled phase values of other phases are the same for all elements.
    [[nodiscard]] bool is_same(Index i, Phase phase) const {
        return phase == Phase::tiled && values_[i].phase != Phase::tiled;
    }

    void mark() {
        const auto use = [this](Index i, Index by) {
            values_[i].is_needed = true;
            ++values_[i].uses;
            values_[i].last_use = std::max(values_[i].last_use, by);
        };
        for (const Target& target : targets_) {
            use(target.value, 0);
        }
        for (Index i = static_cast<Index>(steps_.size()); i-- > 0;) {
            if (values_[i].is_needed) {
                for_each_operand(steps_, steps_[i], [&](Index operand) { use(operand, i); });
            }
        }
        for (Index i = 0; i < steps_.size(); ++i) {
            Value& value = values_[i];
            const Step& step = steps_[i];
            if (step.code == Code::input) {
                value.phase = inputs_[step.a] == Spread::one ? Phase::before : Phase::tiled;
            } else if (step.code == Code::sum) {
                value.phase = Phase::after;
            } else {
                for_each_operand(steps_, step,
                                 [&](Index operand) { value.phase = std::max(value.phase, values_[operand].phase); });
            }
        }
    }

    // An output's value is computed in its place, if nothing is there to add to; and so is what only goes to be added
    // to.
    void choose_homes() {
        for (Index k = 0; k < targets_.size(); ++k) {
            Value& value = values_[targets_[k].value];
            if (value.phase == Phase::tiled && !targets_[k].add && value.home == none &&
                is_computed(targets_[k].value)) {
                value.home = k;
            } else {
                value.last_use = never;
            }
        }
        for (Index i = static_cast<Index>(steps_.size()); i-- > 0;) {
            const Step& step = steps_[i];
            if (values_[i].home == none || !is_pull(step.code) || step.c == none) {
                continue;
            }
            Value& addend = values_[step.c];
            if (addend.uses == 1 && addend.phase == Phase::tiled && is_computed(step.c)) {
                addend.home = values_[i].home;
            }
        }
    }

    // The sine and the cosine of the same value are computed together, when the first of them is due.
    void pair_sines() {
        PoolVector<Index> first(steps_.size(), none);  // by operand
        for (Index i = 0; i < steps_.size(); ++i) {
            const Code code = steps_[i].code;
            if (!values_[i].is_needed || (code != Code::Sin && code != Code::Cos)) {
                continue;
            }
            Index& other = first[steps_[i].a];
            if (other == none) {
                other = i;
            } else if (steps_[other].code != code && values_[other].partner == none) {
                values_[other].partner = i;
                values_[i].partner = other;
            }
        }
    }

    [[nodiscard]] At new_place(Source source, Index index, Moves moves = Moves::never) {
        plan_.places_.push_back({source, moves, index});
        return static_cast<At>(plan_.places_.size() - 1);
    }
    [[nodiscard]] At new_slot() { return new_place(Source::slot, plan_.slots_++); }
    [[nodiscard]] At free_slot() {
        if (free_.empty()) {
            return new_slot();
        }
        const At slot = free_.back();
        free_.pop_back();
        return slot;
    }
    void release(Value& value, Index i) {
        if (plan_.places_[value.at].source == Source::slot && value.last_use == i) {
            free_.push_back(value.at);
            value.last_use = never;
        }
    }
    void release_operands(Index i) {
        for_each_operand(steps_, steps_[i], [&](Index operand) { release(values_[operand], i); });
    }
    [[nodiscard]] At destination(const Value& value) {
        if (value.phase != Phase::tiled) {
            return new_place(Source::cell, plan_.cells_++);
        }
        return value.home != none ? new_place(Source::output, value.home, Moves::with_run) : free_slot();
    }

    // Where a kernel finds an operand that it reads element by element.
    [[nodiscard]] At moving(Index i, Phase phase) {
        Value& value = values_[i];
        if (!is_same(i, phase)) {
            return value.at;
        }
        if (value.filled == nowhere) {
            value.filled = new_slot();  // that nothing else ever gets: it is filled but once
            plan_.before_.push_back(Call{.kind = Kind::fill, .a = value.at, .out = value.filled});
        }
        return value.filled;
    }

    [[nodiscard]] PoolVector<Call>& calls(Phase phase) {
        return phase == Phase::before ? plan_.before_ : phase == Phase::tiled ? plan_.tiled_ : plan_.after_;
    }

    void emit(Index i) {
        const Step& step = steps_[i];
        Value& value = values_[i];
        switch (step.code) {
        case Code::input: emit_input(step.a, value); return;
        case Code::constant: value.at = new_place(Source::number, step.a); return;
        case Code::sum:
            plan_.tiled_.push_back(Call{.kind = Kind::sum, .index = plan_.sums_, .a = moving(step.a, Phase::tiled)});
            release_operands(i);
            value.at = destination(value);
            plan_.after_.push_back(Call{.kind = Kind::total, .index = plan_.sums_++, .out = value.at});
            return;
        case Code::pull_left:
        case Code::pull_right: emit_pull(i); return;
        default:
            if (value.at != nowhere) {  // computed with its partner
                release_operands(i);
            } else if (value.partner != none) {
                emit_pair(i);
            } else {
                emit_rule(i);
            }
            return;
        }
    }

    void emit_input(Index input, Value& value) {
        const Spread spread = inputs_[input];
        value.at = new_place(Source::input, input,
                             spread == Spread::whole ? Moves::with_run
                             : spread == Spread::row ? Moves::within_row
                                                     : Moves::never);
        if (spread == Spread::smaller) {
            const At slot = free_slot();
            plan_.tiled_.push_back(Call{
                .kind = Kind::expand, .index = static_cast<Index>(plan_.expanded_.size()), .a = value.at, .out = slot});
            plan_.expanded_.push_back(input);
            value.at = slot;
        }
    }

    void emit_pair(Index i) {
        Value& value = values_[i];
        Value& partner = values_[value.partner];  // which comes later and reads the operand: that keeps its slot
        Call call{.kind = Kind::sine_and_cosine, .a = moving(steps_[i].a, value.phase)};
        value.at = destination(value);
        partner.at = destination(partner);
        const bool is_sine = steps_[i].code == Code::Sin;
        call.out = is_sine ? value.at : partner.at;
        call.y = is_sine ? partner.at : value.at;
        calls(value.phase).push_back(call);
    }

    void emit_rule(Index i) {
        const Step& step = steps_[i];
        Value& value = values_[i];
        const Phase phase = value.phase;
        Call call;
        if (is_unary(step.code)) {
            call.kind = Kind::unary;
            call.kernel.unary = unary_kernels<T>(step.code).forward;
            call.a = moving(step.a, phase);
        } else if (step.code == Code::clip) {
            call.kind = Kind::clip;
            call.a = moving(step.a, phase);
            call.b = values_[step.b].at;
            call.g = values_[step.c].at;
        } else {
            call.a = values_[step.a].at;
            call.b = values_[step.b].at;
            call.step_a = is_same(step.a, phase) ? 0 : 1;
            call.step_b = is_same(step.b, phase) ? 0 : 1;
            if (step.code == Code::select) {
                call.kind = Kind::select;
                call.g = moving(step.c, phase);
            } else {
                call.kind = Kind::binary;
                call.kernel.binary = binary_kernels<T>(step.code).forward;
            }
        }
        release_operands(i);  // kernels read an element before they write it: what dies here may give its slot
        call.out = value.at = destination(value);
        calls(phase).push_back(call);
    }

    void emit_pull(Index i) {
        const Step& step = steps_[i];
        const Phase phase = values_[i].phase;
        const bool left = step.code == Code::pull_left;
        const Step& forward = steps_[step.a];
        const unsigned needs = (left ? traits(forward.code).left : traits(forward.code).right).needs;
        Call call;
        if (forward.code == Code::clip) {
            call.kind = Kind::clip_pull;
            call.a = moving(forward.a, phase);
            call.b = values_[forward.b].at;
            call.y = values_[forward.c].at;
        } else {
            if (is_unary(forward.code)) {
                call.kind = Kind::unary_pull;
                call.kernel.unary_pull = unary_kernels<T>(forward.code).backward;
                if ((needs & needs::x) != 0) {
                    call.a = moving(forward.a, phase);
                }
            } else {
                call.kind = Kind::binary_pull;
                const auto& rule = binary_kernels<T>(forward.code);
                call.kernel.binary_pull = left ? rule.left : rule.right;
                if ((needs & needs::a) != 0) {
                    call.a = values_[forward.a].at;
                    call.step_a = is_same(forward.a, phase) ? 0 : 1;
                }
                if ((needs & needs::b) != 0) {
                    call.b = values_[forward.b].at;
                    call.step_b = is_same(forward.b, phase) ? 0 : 1;
                }
            }
            if ((needs & needs::y) != 0) {
                call.y = moving(step.a, phase);
            }
        }
        call.g = moving(step.b, phase);
        finish_pull(i, call);
    }

    // A pull is added to its addend where that lies, unless somebody else still reads the addend.
    void finish_pull(Index i, Call call) {
        Value& value = values_[i];
        const Index c = steps_[i].c;
        if (c == none) {
            release_operands(i);
            call.out = value.at = destination(value);
            calls(value.phase).push_back(call);
            return;
        }
        Value& addend = values_[c];
        const bool is_free = plan_.places_[addend.at].source == Source::slot && addend.last_use == i;
        call.add = value.home != none ? addend.home == value.home : is_free;
        value.at = call.add ? addend.at : destination(value);  // before what dies here gives its slot
        call.out = value.at;
        calls(value.phase).push_back(call);
        if (call.add) {
            addend.last_use = never;
        } else {
            calls(value.phase).push_back(sum_of(value.at, addend.at, is_same(c, value.phase) ? 0 : 1));
        }
        release_operands(i);
    }

    // a += b
    [[nodiscard]] static Call sum_of(At a, At b, std::uint8_t step_b) {
        Call call{.kind = Kind::binary, .step_b = step_b, .a = a, .b = b, .out = a};
        call.kernel.binary = kernels::binary<Add, T>().forward;
        return call;
    }

    void emit_targets() {
        for (Index k = 0; k < targets_.size(); ++k) {
            const Target& target = targets_[k];
            if (values_[target.value].home == k) {
                continue;
            }
            const Phase phase = target.single ? Phase::after : Phase::tiled;
            const At from = moving(target.value, phase);
            const At to = new_place(Source::output, k, target.single ? Moves::never : Moves::with_run);
            calls(phase).push_back(target.add ? sum_of(to, from, 1) : Call{.kind = Kind::copy, .a = from, .out = to});
        }
    }

    Plan& plan_;
    const Steps& steps_;
    std::span<const Spread> inputs_;
    std::span<const Target> targets_;
    PoolVector<Value> values_;
    PoolVector<At> free_;
};

template <class T>
Plan<T>::Plan(Program<T> program, std::span<const Spread> inputs, std::span<const Target> targets)
    : numbers_(std::move(program.numbers)) {
    Compiler(*this, program, inputs, targets);
}

template class Plan<float>;
template class Plan<double>;

}  // namespace xtape::fused
