#include <algorithm>
#include <array>
#include <type_traits>

#include <xtape/autograd/fused_rules.hpp>

namespace xtape::fused {
namespace {

template <class Rule, class... Rules>
constexpr bool is_one_of = (std::is_same_v<Rule, Rules> || ...);

template <class Form>
concept Passes = requires {
    Form::passes;
};
template <class Form>
concept PullsBack = requires {
    &Form::template pullback<float>;
};

template <class Form>
constexpr Pull pull_of() {
    return {true, Passes<Form>, Form::needs};
}

// A rule that is linear in the gradient without a choice of what gets it has a derivative, or passes it on, or negates.
template <class Form>
constexpr bool form_chooses =
    PullsBack<Form> && !is_one_of<Form, Negate, Subtract::Right, Strong2::Left, Strong2::Right, Strong::Right>;

template <class Rule>
constexpr Traits traits_of() {
    constexpr bool is_cheap =
        is_one_of<Rule, Negate, NonNegative, Square, Cube, Abs, Sign, Relu, Floor, Ceil, Round, Trunc, Add, Subtract,
                  Multiply, Maximum, Minimum, LeakyRelu, Strong, Strong2, Less, Equal>;
    if constexpr (requires { typename Rule::Left; }) {
        return {pull_of<typename Rule::Left>(), pull_of<typename Rule::Right>(), !is_cheap,
                form_chooses<typename Rule::Left> || form_chooses<typename Rule::Right>};
    } else if constexpr (requires { Rule::needs; }) {
        return {pull_of<Rule>(), {}, !is_cheap, form_chooses<Rule>};
    } else {
        return {{}, {}, !is_cheap, false};
    }
}

template <class... Unary, class... Binary>
constexpr auto table_of(RuleList<Unary...>, RuleList<Binary...>) {
    constexpr Traits select{{true, false, needs::nothing}, {true, false, needs::nothing}, false, true};
    constexpr Traits clip{{true, false, needs::a | needs::b}, {}, false, true};
    return std::array{traits_of<Unary>()..., traits_of<Binary>()..., select, clip};
}

constexpr auto table = table_of(UnarySteps{}, BinarySteps{});

}  // namespace

const Traits& traits(Code code) { return table[static_cast<std::size_t>(code)]; }

PoolVector<char> needed_for(const Steps& steps, std::span<const Index> wanted) {
    PoolVector<char> needed(*std::max_element(wanted.begin(), wanted.end()) + 1);
    for (const Index i : wanted) {
        needed[i] = 1;
    }
    for (auto i = static_cast<Index>(needed.size()); i-- > 0;) {
        if (needed[i] != 0) {
            for_each_operand(steps, steps[i], [&](Index operand) { needed[operand] = 1; });
        }
    }
    return needed;
}

template <class T>
Program<T> pruned(const Program<T>& program, Index wanted) {
    const PoolVector<char> needed = needed_for(program.steps, {&wanted, 1});
    PoolVector<Index> moved(needed.size());
    Program<T> rest(0);
    rest.numbers = program.numbers;
    for (Index i = 0; i <= wanted; ++i) {
        Step step = program.steps[i];
        if (needed[i] == 0) {
            continue;
        }
        if (step.code != Code::input && step.code != Code::constant) {
            for (Index* operand : {&step.a, &step.b, &step.c}) {
                *operand = *operand == none ? none : moved[*operand];
            }
        }
        moved[i] = rest.append(step);
    }
    return rest;
}

template Program<float> pruned(const Program<float>&, Index);
template Program<double> pruned(const Program<double>&, Index);

}  // namespace xtape::fused
