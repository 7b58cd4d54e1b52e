#pragma once

#include <atomic>
#include <span>
#include <string>

#include <xtape/autograd/fused_plan.hpp>
#include <xtape/autograd/storage.hpp>
#include <xtape/autograd/tensor.hpp>

namespace xtape::fused {

/// What a program is run for.
enum class Purpose : char { value, value_and_partials, partials, gradients };

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
        key_[begin + input] = static_cast<char>(static_cast<int>(spread) | (wanted ? 8 : 0) | (add ? 16 : 0));
    }
    [[nodiscard]] Purpose purpose() const { return static_cast<Purpose>(key_[2]); }
    [[nodiscard]] Reduction reduction() const { return static_cast<Reduction>(key_[1]); }
    [[nodiscard]] bool single() const { return key_[0] != 0; }  // the run has one element
    [[nodiscard]] std::size_t inputs() const { return key_.size() - begin; }
    [[nodiscard]] Spread spread(std::size_t input) const { return static_cast<Spread>(key_[begin + input] & 7); }
    [[nodiscard]] bool wants(std::size_t input) const { return (key_[begin + input] & 8) != 0; }
    [[nodiscard]] bool adds(std::size_t input) const { return (key_[begin + input] & 16) != 0; }
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

    Compiled(Program<T> program, std::span<const Index> results, Index inputs);
    Compiled(const Compiled&) = delete;
    Compiled& operator=(const Compiled&) = delete;
    ~Compiled();
    friend void destroy(Compiled* compiled) noexcept {
        compiled->~Compiled();
        memory::deallocate(compiled, sizeof(Compiled));
    }

    [[nodiscard]] const Program<T>& program() const noexcept { return program_; }
    [[nodiscard]] std::span<const Index> results() const noexcept { return results_; }
    [[nodiscard]] Index inputs() const noexcept { return static_cast<Index>(derived_.size()); }
    /// Whether results depend on an input, and whether they, or one of them, are differentiable by it.
    [[nodiscard]] bool reads(std::size_t input) const { return reads_[input] != 0; }
    [[nodiscard]] bool leads_from(std::size_t input) const;
    [[nodiscard]] bool leads_from(std::size_t input, std::size_t result) const {
        return leads_[result * inputs() + input] != 0;
    }
    /// Steps that take many times as long as to read and write an element.
    [[nodiscard]] std::size_t costly_steps() const noexcept { return costly_steps_; }
    /// Whether a derivative of it selects.
    [[nodiscard]] bool chooses() const noexcept { return chooses_; }

    /// Its outputs: for a value the results (of a mean the sum), then for partials those of each result by each wanted
    /// input that leads to it, for gradients those by the wanted inputs, in order. More inputs, the last, are for
    /// gradients the results' own, and for the partials of a mean the share that an element has in it.
    [[nodiscard]] const Plan<T>& plan(const Use& use);

    /// The program of the gradient by an input, to be differentiated itself; the results' own gradients are more
    /// inputs. Its numbers begin with this one's.
    [[nodiscard]] Ref<Compiled> gradient(std::size_t input);

    /// Of a recurrence, whose first inputs are its results at the step before: the recurrence of their gradients, which
    /// goes from a step to the one before it. It is linear: the inputs after the gradients are the partial derivatives
    /// of each result by each state that leads to it, then what else arrives at each state.
    [[nodiscard]] Ref<Compiled> adjoint();

private:
    struct CachedPlan {
        Use use;
        Plan<T> plan;
        CachedPlan* next;
    };
    [[nodiscard]] Plan<T> compile(const Use& use) const;
    void mark_leads(std::size_t result);
    [[nodiscard]] PoolVector<Index> append_seeds(Program<T>& program, std::size_t first) const;
    template <class Make>
    [[nodiscard]] static Ref<Compiled> kept(std::atomic<Compiled*>& known, Make make);

    Program<T> program_;
    PoolVector<Index> results_;
    PoolVector<char> reads_;
    PoolVector<char> leads_;  // by result and input
    std::size_t costly_steps_ = 0;
    bool chooses_ = false;
    std::atomic<CachedPlan*> plans_{nullptr};
    PoolVector<std::atomic<Compiled*>> derived_;
    std::atomic<Compiled*> adjoint_{nullptr};
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

template <class T>
struct CallSite;

/// What is compiled of a program: it is looked for among what its call site keeps, and else made and kept.
template <class T>
[[nodiscard]] Ref<Compiled<T>> find_or_compile(const Program<T>& program, std::span<const Index> results, Index inputs,
                                               CallSite<T>& site);

/// Runs a program of one result on tensors and records it as one node.
template <class T>
[[nodiscard]] Tensor<T> apply_compiled(Ref<Compiled<T>> compiled, PoolVector<T> numbers, Reduction reduction,
                                       std::span<const Tensor<T>* const> inputs);
/// The same for the program of its gradient by an input; after the inputs come the results' own gradients.
template <class T>
[[nodiscard]] Tensor<T> apply_gradient(Compiled<T>& compiled, std::size_t input, const PoolVector<T>& numbers,
                                       std::span<const Tensor<T>> inputs);

/// How many programs call sites keep, for as long as the process lives; they lie in the pool.
[[nodiscard]] std::size_t kept_programs() noexcept;

extern template class Compiled<float>;
extern template class Compiled<double>;

}  // namespace xtape::fused
