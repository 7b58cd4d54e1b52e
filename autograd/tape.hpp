#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace xtape {

struct Node;
class Observer;

/// What one thread has recorded and what of it is still alive. A node is alive while a handle can reach it; nothing
/// needs to be cleared between iterations.
class Tape {
public:
    /// How many of the operations that this thread recorded are alive, leaves not counted.
    [[nodiscard]] std::size_t nodes() const noexcept { return nodes_.alive(); }
    /// The memory they hold: the nodes, and the buffers they saved for the replay, each counted once (those of up to 48
    /// bytes once a node that saved them; those of up to 8 are copied into the node).
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_.alive(); }

private:
    friend struct TapeAccess;  // tape.cpp

    // Only its own thread records, so it counts without a read-modify-write; any thread may free.
    struct Tally {
        std::atomic<std::size_t> added{0};
        std::atomic<std::size_t> gone_here{0};
        std::atomic<std::size_t> gone_elsewhere{0};
        [[nodiscard]] std::size_t alive() const noexcept {
            const std::size_t gone =
                gone_here.load(std::memory_order_relaxed) + gone_elsewhere.load(std::memory_order_relaxed);
            const std::size_t all = added.load(std::memory_order_relaxed);
            return gone < all ? all - gone : 0;
        }
    };
    Tally nodes_;
    Tally bytes_;
    std::uint64_t sequence_ = 0;
    bool recording_ = true;
    bool destroying_ = false;
    Node* pending_ = nullptr;       // nodes that wait for destruction
    Observer* observer_ = nullptr;  // the innermost one; null: nobody watches
};

/// This thread's tape.
[[nodiscard]] Tape& tape() noexcept;

/// True while this thread records.
[[nodiscard]] bool is_recording() noexcept;
/// Switches recording on or off on this thread; returns what it was.
bool set_recording(bool recording) noexcept;

/// The sequence number of what this thread recorded last: whatever it records from now on has a higher one.
[[nodiscard]] std::uint64_t latest_sequence() noexcept;

/// While one lives, this thread records nothing: results require no gradient.
class NoGradGuard {
public:
    NoGradGuard() : before_(set_recording(false)) {}
    NoGradGuard(const NoGradGuard&) = delete;
    NoGradGuard& operator=(const NoGradGuard&) = delete;
    ~NoGradGuard() { set_recording(before_); }

private:
    bool before_;
};

/// Runs `f()` and returns what it returns, recording nothing.
template <class F>
decltype(auto) no_grad(F&& f) {
    const NoGradGuard guard;
    return static_cast<F&&>(f)();
}

}  // namespace xtape
