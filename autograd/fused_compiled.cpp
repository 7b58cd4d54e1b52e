#include <xtape/autograd/fused_compiled.hpp>

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include <xtape/autograd/fuse.hpp>
#include <xtape/autograd/fused_gradient.hpp>
#include <xtape/autograd/fused_rules.hpp>

namespace xtape::fused {

template <class T>
Compiled<T>::Compiled(Program<T> program, std::span<const Index> results, Index inputs)
    : program_(std::move(program)), results_(results.begin(), results.end()), reads_(inputs),
      leads_(results.size() * inputs), derived_(inputs) {
    const Steps& steps = program_.steps;
    const PoolVector<char> needed = needed_for(steps, results_);
    for (Index i = 0; i < needed.size(); ++i) {
        if (needed[i] == 0 || steps[i].code == Code::constant) {
            continue;
        }
        if (steps[i].code == Code::input) {
            reads_[steps[i].a] = 1;
            continue;
        }
        const Traits& rule = traits(steps[i].code);
        costly_steps_ += rule.is_costly ? 1 : 0;
        chooses_ = chooses_ || rule.chooses;
    }
    for (std::size_t k = 0; k < results_.size(); ++k) {
        mark_leads(k);
    }
}

template <class T>
void Compiled<T>::mark_leads(std::size_t result) {
    const Steps& steps = program_.steps;
    PoolVector<char> leads(results_[result] + 1);
    leads[results_[result]] = 1;
    for (auto i = static_cast<Index>(leads.size()); i-- > 0;) {
        const Step& step = steps[i];
        if (leads[i] == 0 || step.code == Code::constant) {
            continue;
        }
        if (step.code == Code::input) {
            leads_[result * inputs() + step.a] = 1;
            continue;
        }
        const Traits& rule = traits(step.code);
        if (rule.left.exists) {
            leads[step.a] = 1;
        }
        if (rule.right.exists) {
            leads[step.b] = 1;
        }
    }
}

template <class T>
bool Compiled<T>::leads_from(std::size_t input) const {
    for (std::size_t k = 0; k < results_.size(); ++k) {
        if (leads_from(input, k)) {
            return true;
        }
    }
    return false;
}

template <class T>
Compiled<T>::~Compiled() {
    for (CachedPlan* cached = plans_.load(std::memory_order_acquire); cached != nullptr;) {
        CachedPlan* following = cached->next;
        cached->~CachedPlan();
        memory::deallocate(cached, sizeof(CachedPlan));
        cached = following;
    }
    for (const auto& derived : derived_) {
        const auto last = Ref<Compiled>::adopt(derived.load(std::memory_order_acquire));
    }
    const auto last = Ref<Compiled>::adopt(adjoint_.load(std::memory_order_acquire));
}

// Two threads may make the same plan at the same time: then one of them is never found, and does no harm.
template <class T>
const Plan<T>& Compiled<T>::plan(const Use& use) {
    CachedPlan* first = plans_.load(std::memory_order_acquire);
    for (const CachedPlan* cached = first; cached != nullptr; cached = cached->next) {
        if (cached->use == use) {
            return cached->plan;
        }
    }
    auto* made = make_pooled<CachedPlan>(use, compile(use), first);
    while (!plans_.compare_exchange_weak(made->next, made, std::memory_order_acq_rel)) {
    }
    return made->plan;
}

template <class T>
Plan<T> Compiled<T>::compile(const Use& use) const {
    Program<T> program = program_;
    const std::size_t count = inputs();
    PoolVector<Spread> spreads;
    InputFlags wanted(count);
    InputFlags summed(count);  // one element, for many of the run
    for (std::size_t i = 0; i < count; ++i) {
        spreads.push_back(use.spread(i));
        wanted[i] = use.wants(i) ? 1 : 0;
        summed[i] = use.spread(i) == Spread::one && !use.single() ? 1 : 0;
    }
    const bool reduces = use.reduction() != Reduction::each;
    PoolVector<Target> targets;
    if (use.purpose() == Purpose::value || use.purpose() == Purpose::value_and_partials) {
        for (const Index result : results_) {
            const Index value = reduces ? program.append({.code = Code::sum, .a = result}) : result;
            targets.push_back({value, false, reduces || use.single()});
        }
    }
    if (use.purpose() == Purpose::value_and_partials || use.purpose() == Purpose::partials) {
        const Index one = program.constant(T(1));
        Index share = none;
        if (use.reduction() == Reduction::mean) {
            share = program.append({.code = Code::input, .a = static_cast<Index>(count)});
            spreads.push_back(Spread::one);
        }
        for (const Index result : results_) {
            for (const Index partial :
                 append_gradients<T>(program, {&result, 1}, {&one, 1}, wanted, summed, Reading::plain)) {
                if (partial != none) {
                    const Index scaled =
                        share == none ? partial : program.append({.code = Code::Multiply, .a = partial, .b = share});
                    targets.push_back({scaled, false, use.single()});
                }
            }
        }
    }
    if (use.purpose() == Purpose::gradients) {
        const PoolVector<Index> seeds = append_seeds(program, count);
        spreads.resize(count + seeds.size(), use.single() || reduces ? Spread::one : Spread::whole);
        const auto gradients = append_gradients<T>(program, results_, seeds, wanted, summed, Reading::plain);
        for (std::size_t i = 0; i < count; ++i) {
            if (use.wants(i)) {
                targets.push_back({gradients[i], use.adds(i), use.spread(i) == Spread::one});
            }
        }
    }
    return Plan<T>(std::move(program), spreads, targets);
}

template <class T>
PoolVector<Index> Compiled<T>::append_seeds(Program<T>& program, std::size_t first) const {
    PoolVector<Index> seeds;
    for (std::size_t k = 0; k < results_.size(); ++k) {
        seeds.push_back(program.append({.code = Code::input, .a = static_cast<Index>(first + k)}));
    }
    return seeds;
}

// What another thread has made in the meantime is as good.
template <class T>
template <class Make>
Ref<Compiled<T>> Compiled<T>::kept(std::atomic<Compiled*>& known, Make make) {
    if (Compiled* compiled = known.load(std::memory_order_acquire)) {
        return Ref<Compiled>::share(compiled);
    }
    Ref<Compiled> made = make();
    Compiled* expected = nullptr;
    if (known.compare_exchange_strong(expected, made.get(), std::memory_order_acq_rel)) {
        made->refs.retain();  // for `known`
        return made;
    }
    return Ref<Compiled>::share(expected);
}

template <class T>
Ref<Compiled<T>> Compiled<T>::gradient(std::size_t input) {
    return kept(derived_[input], [&] {
        Program<T> program = program_;
        const PoolVector<Index> seeds = append_seeds(program, inputs());
        InputFlags wanted(inputs());
        wanted[input] = 1;
        const Index gradient =
            append_gradients<T>(program, results_, seeds, wanted, InputFlags(inputs()), Reading::recorded)[input];
        Program<T> one = pruned(program, gradient);
        const auto last = static_cast<Index>(one.steps.size() - 1);
        const auto count = static_cast<Index>(inputs() + seeds.size());
        return Ref<Compiled>::adopt(make_pooled<Compiled>(std::move(one), std::span(&last, 1), count));
    });
}

template <class T>
Ref<Compiled<T>> Compiled<T>::adjoint() {
    return kept(adjoint_, [&] {
        const auto states = static_cast<Index>(results_.size());
        PoolVector<std::pair<Index, Index>> partials;  // of which result, by which state
        for (Index k = 0; k < states; ++k) {
            for (Index i = 0; i < states; ++i) {
                if (leads_from(i, k)) {
                    partials.emplace_back(k, i);
                }
            }
        }
        const auto others = static_cast<Index>(states + partials.size());
        Program<T> program(others + states);
        PoolVector<Index> sums;
        for (Index i = 0; i < states; ++i) {
            sums.push_back(others + i);
        }
        // Where a rule chooses, a partial derivative is 0 for what was not taken, and stays so if the gradient is
        // infinite.
        const Code product = chooses_ ? Code::Strong2 : Code::Strong;
        for (Index p = 0; p < partials.size(); ++p) {
            const auto [k, i] = partials[p];
            const Index term = program.append({.code = product, .a = k, .b = states + p});
            sums[i] = program.append({.code = Code::Add, .a = sums[i], .b = term});
        }
        return Ref<Compiled>::adopt(make_pooled<Compiled>(std::move(program), sums, others + states));
    });
}

namespace {

constexpr std::size_t most_variants = 16;  // of a lambda's program that are kept
constinit std::atomic<std::size_t> kept_count{0};

template <class T>
bool is_of(const Compiled<T>& compiled, const Steps& steps, std::span<const Index> results) {
    static_assert(std::has_unique_object_representations_v<Step>);
    const Steps& known = compiled.program().steps;
    return std::ranges::equal(compiled.results(), results) && known.size() == steps.size() &&
           std::memcmp(known.data(), steps.data(), steps.size() * sizeof(Step)) == 0;
}

}  // namespace

template <class T>
Ref<Compiled<T>> find_or_compile(const Program<T>& program, std::span<const Index> results, Index inputs,
                                 CallSite<T>& site) {
    std::size_t variants = 0;
    Compiled<T>* first = site.first.load(std::memory_order_acquire);
    for (Compiled<T>* known = first; known != nullptr; known = known->next) {
        if (is_of(*known, program.steps, results)) {
            return Ref<Compiled<T>>::share(known);
        }
        ++variants;
    }
    auto made = Ref<Compiled<T>>::adopt(make_pooled<Compiled<T>>(program, results, inputs));
    if (variants < most_variants) {
        made->refs.retain();  // for the list
        kept_count.fetch_add(1, std::memory_order_relaxed);
        made->next = first;
        while (!site.first.compare_exchange_weak(made->next, made.get(), std::memory_order_acq_rel)) {
        }
    }
    return made;
}

std::size_t kept_programs() noexcept { return kept_count.load(std::memory_order_relaxed); }

template class Compiled<float>;
template class Compiled<double>;
template Ref<Compiled<float>> find_or_compile(const Program<float>&, std::span<const Index>, Index, CallSite<float>&);
template Ref<Compiled<double>> find_or_compile(const Program<double>&, std::span<const Index>, Index,
                                               CallSite<double>&);

}  // namespace xtape::fused
