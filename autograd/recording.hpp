#pragma once

#include <initializer_list>
#include <span>
#include <type_traits>
#include <utility>

#include <xtape/autograd/engine.hpp>
#include <xtape/autograd/tensor.hpp>

namespace xtape {

/// An input of an op that is being recorded, and whether the op's rule will need its value.
struct RecordedInput {
    const Ref<Body>* body;
    bool save = false;

    template <class T>
    RecordedInput(const Tensor<T>& tensor, bool save_value = false) : body(&tensor.ref()), save(save_value) {}
    explicit RecordedInput(const Ref<Body>& ref, bool save_value = false) : body(&ref), save(save_value) {}
};

/// Where the elements of a tensor lie that an op is just making.
template <class T>
[[nodiscard]] T* raw(const Tensor<T>& fresh) {
    return static_cast<T*>(fresh.body().storage->data());
}

/// True if an op on these inputs is to be recorded.
template <class... Ts>
[[nodiscard]] bool records(const Tensor<Ts>&... inputs) {
    return (inputs.requires_grad() || ...) && is_recording();
}

/// Makes the node behind `output`; its rule's parameters are still to be constructed at `node.rule()`.
Node& record_node(const Op& op, Body& output, std::span<const RecordedInput> inputs, bool save_output,
                  std::size_t rule_bytes);

template <class Rule>
inline constexpr Op op_of = {
    Rule::name,
    [](RuleContext& context) { (*static_cast<const Rule*>(context.rule()))(context); },
    std::is_trivially_destructible_v<Rule> ? nullptr : +[](void* rule) noexcept { static_cast<Rule*>(rule)->~Rule(); },
};

/// Records that an op made `output` from `inputs`. `rule` is a small struct with a static `name` and
/// `void operator()(RuleContext&) const`, the derivative; it may carry what the derivative needs beside saved values.
template <class Rule>
void record(Rule rule, Body& output, std::span<const RecordedInput> inputs, bool save_output = false) {
    static_assert(alignof(Rule) <= alignof(Saved) && std::is_nothrow_move_constructible_v<Rule>);
    Node& node = record_node(op_of<Rule>, output, inputs, save_output, std::is_empty_v<Rule> ? 0 : sizeof(Rule));
    if constexpr (!std::is_empty_v<Rule>) {
        new (node.rule()) Rule(std::move(rule));
    }
}

template <class Rule>
void record(Rule rule, Body& output, std::initializer_list<RecordedInput> inputs, bool save_output = false) {
    record(std::move(rule), output, std::span(inputs.begin(), inputs.size()), save_output);
}

}  // namespace xtape
