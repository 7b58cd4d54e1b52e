#pragma once

// Where the mutation test (tests/mutation) gets hold of a derivative rule to break it: a sign, a factor, a term, a
// choice. In every other build these are nothing.

namespace xtape {
class RuleContext;
struct Node;
struct Body;
template <class U>
class Ref;
}  // namespace xtape

namespace xtape::mutation {

#if XTAPE_MUTATIONS

inline constexpr bool enabled = true;

/// What may be broken in a rule. The ways to break it are counted from 1; 0 is: not now.
enum class Part {
    gradient,  // negated, doubled, dropped, 1 added; in both readings, in the plain one, or in the recorded one
    sum,       // without its left term, without its right, with the right one's sign changed
    product,   // negated, doubled
    negation,  // left out
    choice,    // always the first, always the second
    term,      // dropped, negated
};

constexpr int no_rule = -1;
int rule_id(const char* name);

/// The rule that steps on this thread belong to, until the object dies.
class Rule {
public:
    explicit Rule(int id, bool is_recorded = false) noexcept;
    Rule(const char* name, bool is_recorded) : Rule(rule_id(name), is_recorded) {}
    ~Rule();
    Rule(const Rule&) = delete;
    Rule& operator=(const Rule&) = delete;

private:
    int outer_rule_;
    int outer_step_;
    bool outer_is_recorded_;
};

/// What happens meanwhile is no step of a rule.
struct Pause : Rule {
    Pause() : Rule(no_rule) {}
};

/// A rule of rules.hpp by one input. Both its readings take the same steps, and so are broken as one.
template <class Form>
class FormRule : Rule {
public:
    FormRule() : Rule(id()) {}

private:
    static int id() {
        static const int known = rule_id(__PRETTY_FUNCTION__);
        return known;
    }
};

/// Counts a step of the running rule, and tells how to break it.
int way_to_break(Part part) noexcept;
/// The same for a step that a loop takes many times: it is known by its place in the source.
int way_to_break(Part part, const char* file, int line) noexcept;

/// What a rule decides by other means than a select.
inline bool guard(bool condition, const char* file = __builtin_FILE(), int line = __builtin_LINE()) noexcept {
    const int way = way_to_break(Part::choice, file, line);
    return way == 0 ? condition : way == 1;
}
/// A term of a sum, in a rule that is a loop over numbers.
template <class V>
V term(const V& value, const char* file = __builtin_FILE(), int line = __builtin_LINE()) noexcept {
    const int way = way_to_break(Part::term, file, line);
    return way == 0 ? value : way == 1 ? value - value : -value;
}

/// What a rule gives for an input, broken if it is this gradient's turn.
void break_gradient(unsigned long input, Ref<Body>& given);
/// Where a rule is to write the gradient of an input if it is this gradient's turn; else null.
void* aside(const Node& input_node, unsigned long input);
/// Gives what was written aside, broken.
void give_aside(RuleContext& context);

#else

inline constexpr bool enabled = false;

struct Rule {
    constexpr Rule(const char*, bool) noexcept {}
};
struct Pause {};
template <class Form>
struct FormRule {};
constexpr bool guard(bool condition) noexcept { return condition; }
template <class V>
constexpr const V& term(const V& value) noexcept {
    return value;
}
inline void break_gradient(unsigned long, Ref<Body>&) noexcept {}
constexpr void* aside(const Node&, unsigned long) noexcept { return nullptr; }
inline void give_aside(RuleContext&) noexcept {}

#endif

}  // namespace xtape::mutation
