#pragma once

#include <span>

#include <xtape/autograd/engine.hpp>
#include <xtape/autograd/recording.hpp>

namespace xtape {

/// One run of a node's derivative rule, as an observer sees it: called, it runs the rule.
class RuleRun {
public:
    /// `entries` and `inputs` as those of `context`.
    RuleRun(Node& run_node, RuleContext& context, const ReplayEntry* entries, const std::uint32_t* inputs) noexcept
        : node(run_node), context_(context), entries_(entries), inputs_(inputs) {}

    void operator()() const { node.op->rule(context_); }

    /// The gradient of the node's output. A rule may write over it: look before the run, and keep nothing of it.
    [[nodiscard]] Ref<Body> gradient() const { return context_.gradient<float>().take(); }
    [[nodiscard]] bool wants(std::size_t input) const noexcept { return context_.wants(input); }
    /// The gradient that has gathered for an input; null where none is wanted or none has arrived.
    [[nodiscard]] const Body* gathered(std::size_t input) const noexcept {
        return wants(input) ? entries_[inputs_[input]].gradient.get() : nullptr;
    }

    Node& node;

private:
    RuleContext& context_;
    const ReplayEntry* entries_;
    const std::uint32_t* inputs_;
};

/// What watches one thread's tape, from its construction to its destruction, both on that thread. The innermost one is
/// told, and passes on to the one around it by calling the base's function. A replay that began before is
/// not watched. Where nobody watches, recording an op pays nothing for it, and replaying one the test of a byte.
class Observer {
public:
    Observer(const Observer&) = delete;
    Observer& operator=(const Observer&) = delete;

    /// An op has made `output` from `inputs`; `node` is complete but for its rule's parameters. What this throws leaves
    /// the op unrecorded.
    virtual void recorded(const Node& node, const Body& output, std::span<const RecordedInput> inputs);
    /// A replay has come to a node: this runs its rule. What it throws ends the replay before any leaf has a gradient
    /// of it.
    virtual void replay(const RuleRun& run);

protected:
    Observer();
    ~Observer();

private:
    Observer* outer_;
};

/// The innermost observer of this thread; null if nobody watches.
[[nodiscard]] Observer* current_observer() noexcept;

}  // namespace xtape
