#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <xtape/autograd/recording.hpp>

namespace xtape {

/// While one lives, what a user's function does is recorded, whatever was asked for outside; afterwards it tells what
/// was recorded meanwhile from what was there before.
class InnerRecording {
public:
    InnerRecording();
    InnerRecording(const InnerRecording&) = delete;
    InnerRecording& operator=(const InnerRecording&) = delete;
    ~InnerRecording() { set_recording(was_recording_); }

    /// Whether this thread was recording before.
    [[nodiscard]] bool was_recording() const noexcept { return was_recording_; }
    /// True for a node that this thread has recorded since. Leaves are never among them.
    [[nodiscard]] bool holds(const Node& node) const noexcept { return node.tape == &tape() && node.sequence > start_; }
    /// True if a gradient of one of these would go on to what was there before.
    [[nodiscard]] bool leads_out(std::span<const Ref<Body>> roots) const;
    /// The edges by which what was recorded behind `root` refers to what was there before. They may be redirected as
    /// long as nobody else replays that graph.
    [[nodiscard]] std::vector<Ref<Node>*> edges_out(const Ref<Body>& root) const;

private:
    template <class Visit>
    void walk(Node* root, Visit visit) const;

    bool was_recording_;
    std::uint64_t start_;
};

/// The same value behind a node of its own, so that what is differentiated by it is not mixed up with other uses of
/// x; a gradient that arrives there goes on to x if that is `connected` and has a node.
[[nodiscard]] Ref<Body> stand_in(const Ref<Body>& x, bool connected);

}  // namespace xtape
