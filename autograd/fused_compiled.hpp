#pragma once

#include <atomic>
#include <string>

#include <xtape/autograd/fused_plan.hpp>
#include <xtape/autograd/storage.hpp>

namespace xtape::fused {

/// What a program is run for.
enum class Purpose : char { value, value_and_partials, gradients };

/// What a plan is made for: the purpose, and how each input is used.
class Use {
public:
    Use(Purpose purpose, bool single, std::size_t inputs) : key_(1 + inputs, '\0') {
        key_[0] = single ? 1 : 0;
        set_purpose(purpose);
    }
    void set_purpose(Purpose purpose) {
        key_[0] = static_cast<char>(2 * static_cast<char>(purpose) + (single() ? 1 : 0));
    }
    /// `wanted`: it is differentiated by; `add`: to a gradient that is there.
    void set(std::size_t input, Spread spread, bool wanted, bool add = false) {
        key_[1 + input] = static_cast<char>(static_cast<int>(spread) | (wanted ? 4 : 0) | (add ? 8 : 0));
    }
    [[nodiscard]] Purpose purpose() const { return static_cast<Purpose>(key_[0] / 2); }
    [[nodiscard]] bool single() const { return key_[0] % 2 != 0; }  // the run has one element
    [[nodiscard]] std::size_t inputs() const { return key_.size() - 1; }
    [[nodiscard]] Spread spread(std::size_t input) const { return static_cast<Spread>(key_[1 + input] & 3); }
    [[nodiscard]] bool wants(std::size_t input) const { return (key_[1 + input] & 4) != 0; }
    [[nodiscard]] bool adds(std::size_t input) const { return (key_[1 + input] & 8) != 0; }
    friend bool operator==(const Use&, const Use&) = default;

private:
    std::basic_string<char, std::char_traits<char>, memory::Allocator<char>> key_;
};

/// A program, and the plans that were made for it so far. Its numbers are only those it was first read with: whoever
/// runs it brings his own. Shared between nodes, and between threads.
template <class T>
class Compiled {
public:
    RefCount refs;
    Compiled* next = nullptr;  // in its call site's list

    Compiled(Program<T> program, Index result, Index inputs);
    Compiled(const Compiled&) = delete;
    Compiled& operator=(const Compiled&) = delete;
    ~Compiled();
    friend void destroy(Compiled* compiled) noexcept {
        compiled->~Compiled();
        memory::deallocate(compiled, sizeof(Compiled));
    }

    [[nodiscard]] const Program<T>& program() const noexcept { return program_; }
    [[nodiscard]] Index result() const noexcept { return result_; }
    [[nodiscard]] Index inputs() const noexcept { return static_cast<Index>(derived_.size()); }
    /// Whether the result depends on an input, and whether it is differentiable by it.
    [[nodiscard]] bool reads(std::size_t input) const { return reads_[input] != 0; }
    [[nodiscard]] bool leads_from(std::size_t input) const { return leads_[input] != 0; }
    /// Steps that take many times as long as to read and write an element.
    [[nodiscard]] std::size_t costly_steps() const noexcept { return costly_steps_; }
    /// Whether a derivative of it selects.
    [[nodiscard]] bool chooses() const noexcept { return chooses_; }

    /// Its outputs: for a value the result, then for partials and gradients those by the wanted inputs, in order. For
    /// gradients the result's own is one more input, the last.
    [[nodiscard]] const Plan<T>& plan(const Use& use);

    /// The program of the gradient by an input, to be differentiated itself; the result's own gradient is one more
    /// input. Its numbers begin with this one's.
    [[nodiscard]] Ref<Compiled> gradient(std::size_t input);

private:
    struct CachedPlan {
        Use use;
        Plan<T> plan;
        CachedPlan* next;
    };
    [[nodiscard]] Plan<T> compile(const Use& use) const;

    Program<T> program_;
    Index result_;
    PoolVector<char> reads_;
    PoolVector<char> leads_;
    std::size_t costly_steps_ = 0;
    bool chooses_ = false;
    std::atomic<CachedPlan*> plans_{nullptr};
    PoolVector<std::atomic<Compiled*>> derived_;
};

template <class U, class... Args>
[[nodiscard]] U* make_pooled(Args&&... args) {
    void* block = memory::allocate(sizeof(U));
    try {
        return new (block) U{std::forward<Args>(args)...};
    } catch (...) {
        memory::deallocate(block, sizeof(U));
        throw;
    }
}

/// How many programs call sites keep, for as long as the process lives; they lie in the pool.
[[nodiscard]] std::size_t kept_programs() noexcept;

extern template class Compiled<float>;
extern template class Compiled<double>;

}  // namespace xtape::fused
