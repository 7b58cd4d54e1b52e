#pragma once

// What fused programs have to do with the rules of rules.hpp. Not for users: those rules' names are xtape's own.

#include <span>

#include <xtape/autograd/fused_program.hpp>
#include <xtape/autograd/rules.hpp>

namespace xtape::fused {

#define XTAPE_FUSED_RULE(name, Rule) Rule,
/// The rules in the order of their codes.
using UnarySteps = RuleList<XTAPE_FUSED_UNARY(XTAPE_FUSED_RULE) Negate, NonNegative, NormalCdf>;
using BinarySteps =
    RuleList<XTAPE_FUSED_BINARY(XTAPE_FUSED_RULE) Polygamma, LeakyRelu, Elu, Strong, Strong2, Less, Equal>;
#undef XTAPE_FUSED_RULE
static_assert(UnarySteps::size == UnaryRules::size && BinarySteps::size == BinaryRules::size);

/// How one operand of a rule gets its gradient.
struct Pull {
    bool exists = false;  // the rule is differentiable by it
    bool passes = false;  // it is the incoming one
    unsigned needs = 0;   // the values that it reads, as rules.hpp writes them
};

struct Traits {
    Pull left;
    Pull right;
    bool is_costly;  // takes many times as long as to read and write an element
    bool chooses;    // its derivative selects: 0, whatever arrives, for what was not taken
};

/// What the steps of a rule, select or clip are like.
[[nodiscard]] const Traits& traits(Code code);

[[nodiscard]] constexpr bool is_unary(Code code) { return code <= Code::NormalCdf; }
[[nodiscard]] constexpr bool is_pull(Code code) { return code == Code::pull_left || code == Code::pull_right; }

/// Calls f with each value that a step reads.
template <class F>
void for_each_operand(const Steps& steps, const Step& step, F f) {
    if (step.code == Code::input || step.code == Code::constant) {
        return;
    }
    if (!is_pull(step.code)) {
        for (const Index operand : {step.a, step.b, step.c}) {
            if (operand != none) {
                f(operand);
            }
        }
        return;
    }
    const Step& forward = steps[step.a];
    const Pull& pull = step.code == Code::pull_left ? traits(forward.code).left : traits(forward.code).right;
    f(step.b);
    if (step.c != none) {
        f(step.c);
    }
    if ((pull.needs & needs::a) != 0) {
        f(forward.a);
    }
    if ((pull.needs & needs::b) != 0) {
        f(forward.b);
    }
    if (forward.code == Code::clip) {
        f(forward.c);
    }
    if ((pull.needs & needs::y) != 0) {
        f(step.a);
    }
}

/// Which steps those `wanted` depend on, themselves included, up to the last of them.
[[nodiscard]] PoolVector<char> needed_for(const Steps& steps, std::span<const Index> wanted);

/// What a program becomes when only one value is wanted of it: the last. Its numbers stay.
template <class T>
[[nodiscard]] Program<T> pruned(const Program<T>& program, Index wanted);

}  // namespace xtape::fused
