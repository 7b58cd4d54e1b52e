#pragma once

#include <atomic>
#include <string>

#include <xtape/autograd/fused_plan.hpp>
#include <xtape/autograd/storage.hpp>

namespace xtape::fused {

/// What a program is run for.
enum class Purpose : char { value, value_and_partials, gradients };

/// What a plan is made for: the purpose, what becomes of the results, and how each input is used.
class Use {
public:
    Use(Purpose purpose, Reduction reduction, bool single, std::size_t inputs) : key_(begin + inputs, '\0') {
        key_[0] = single ? 1 : 0;
        key_[1] = static_cast<char>(reduction);
        set_purpose(purpose);
    }
    void set_purpose(Purpose purpose) { key_[2] = static_cast<char>(purpose); }
    /// `wanted`: it is differentiated by; `add`: to a gradient that is there.
    void set(std::size_t input, Spread spread, bool wanted, bool add = false) {
        key_[begin + input] = static_cast<char>(static_cast<int>(spread) | (wanted ? 4 : 0) | (add ? 8 : 0));
    }
    [[nodiscard]] Purpose purpose() const { return static_cast<Purpose>(key_[2]); }
    [[nodiscard]] Reduction reduction() const { return static_cast<Reduction>(key_[1]); }
    [[nodiscard]] bool single() const { return key_[0] != 0; }  // the run has one element
    [[nodiscard]] std::size_t inputs() const { return key_.size() - begin; }
    [[nodiscard]] Spread spread(std::size_t input) const { return static_cast<Spread>(key_[begin + input] & 3); }
    [[nodiscard]] bool wants(std::size_t input) const { return (key_[begin + input] & 4) != 0; }
    [[nodiscard]] bool adds(std::size_t input) const { return (key_[begin + input] & 8) != 0; }
    friend bool operator==(const Use&, const Use&) = default;

private:
    static constexpr std::size_t begin = 3;
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

    /// Its outputs: for a value the result (of a mean the sum), then for partials and gradients those by the wanted
    /// inputs, in order. One more input, the last, is for gradients the result's own, and for the partials of a mean
    /// the share that an element has in it.
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
