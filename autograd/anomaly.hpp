#pragma once

#include <unordered_map>

#include <xtape/autograd/backtrace.hpp>
#include <xtape/autograd/errors.hpp>
#include <xtape/autograd/observer.hpp>

namespace xtape {

/// The first NaN or infinity that an AnomalyGuard saw.
class AnomalyError : public Error {
public:
    using Error::Error;
};

/// While one lives, the first NaN or infinity on this thread in a value that a recorded op makes, or in a gradient that
/// a rule gives, is an AnomalyError. It names the op, forward or in the replay, the shapes, the range of what the op
/// read, how many NaNs and infinities there are and where, and where in the program the op was recorded.
///
///     const AnomalyGuard guard;
///     const auto loss = model(x);  // throws where the value is made
///     loss.backward();             // or where the gradient is
///
/// Thrown while recording, the op is not recorded; thrown in a replay, all leaves' gradients stay as they were, and the
/// graph counts as replayed unless `retain_graph` was asked for. Ops that are not recorded (constants, under a
/// NoGradGuard) are not looked at, nor what was on the tape before, except by its gradients.
///
/// Everything made is read once more and the stack is walked for each op: it is for finding a fault. Guards nest; one
/// must end on the thread that it began on.
class AnomalyGuard final : public Observer {
public:
    AnomalyGuard() = default;

    void recorded(const Node& node, const Body& output, std::span<const RecordedInput> inputs) override;
    void replay(const RuleRun& run) override;

private:
    [[nodiscard]] std::string where(const Node& node) const;

    // By node of this thread: where one lay another may come to lie, which then takes its place here.
    std::unordered_map<const Node*, backtrace::Frames> origins_;
    const char* replaying_ = nullptr;  // the op whose rule runs
};

}  // namespace xtape
