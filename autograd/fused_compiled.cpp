#include <xtape/autograd/fused_compiled.hpp>

#include <xtape/autograd/fused_gradient.hpp>
#include <xtape/autograd/fused_rules.hpp>

namespace xtape::fused {

template <class T>
Compiled<T>::Compiled(Program<T> program, Index result, Index inputs)
    : program_(std::move(program)), result_(result), reads_(inputs), leads_(inputs), derived_(inputs) {
    const Steps& steps = program_.steps;
    const PoolVector<char> needed = needed_for(steps, result);
    PoolVector<char> leads(needed.size());
    leads[result] = 1;
    for (Index i = result + 1; i-- > 0;) {
        const Step& step = steps[i];
        if (step.code == Code::constant || needed[i] == 0) {
            continue;
        }
        if (step.code == Code::input) {
            reads_[step.a] = 1;
            leads_[step.a] = leads[i];
            continue;
        }
        const Traits& rule = traits(step.code);
        costly_steps_ += rule.is_costly ? 1 : 0;
        chooses_ = chooses_ || rule.chooses;
        if (leads[i] != 0 && rule.left.exists) {
            leads[step.a] = 1;
        }
        if (leads[i] != 0 && rule.right.exists) {
            leads[step.b] = 1;
        }
    }
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
    if (use.purpose() != Purpose::gradients) {
        const Index value = reduces ? program.append({.code = Code::sum, .a = result_}) : result_;
        targets.push_back({value, false, reduces || use.single()});
    }
    if (use.purpose() == Purpose::value_and_partials) {
        const Index one = program.constant(T(1));
        auto partials = append_gradients(program, result_, one, wanted, summed, Reading::plain);
        if (use.reduction() == Reduction::mean) {
            const Index share = program.append({.code = Code::input, .a = static_cast<Index>(count)});
            spreads.push_back(Spread::one);
            for (Index& partial : partials) {
                partial = partial == none ? none : program.append({.code = Code::Multiply, .a = partial, .b = share});
            }
        }
        for (std::size_t i = 0; i < count; ++i) {
            if (use.wants(i)) {
                targets.push_back({partials[i], false, use.single()});
            }
        }
    }
    if (use.purpose() == Purpose::gradients) {
        const Index seed = program.append({.code = Code::input, .a = static_cast<Index>(count)});
        spreads.push_back(use.single() || reduces ? Spread::one : Spread::whole);
        const auto gradients = append_gradients(program, result_, seed, wanted, summed, Reading::plain);
        for (std::size_t i = 0; i < count; ++i) {
            if (use.wants(i)) {
                targets.push_back({gradients[i], use.adds(i), use.spread(i) == Spread::one});
            }
        }
    }
    return Plan<T>(std::move(program), spreads, targets);
}

template <class T>
Ref<Compiled<T>> Compiled<T>::gradient(std::size_t input) {
    std::atomic<Compiled*>& known = derived_[input];
    if (Compiled* derived = known.load(std::memory_order_acquire)) {
        return Ref<Compiled>::share(derived);
    }
    Program<T> program = program_;
    const Index seed = program.append({.code = Code::input, .a = inputs()});
    InputFlags wanted(inputs());
    wanted[input] = 1;
    const Index gradient =
        append_gradients(program, result_, seed, wanted, InputFlags(inputs()), Reading::recorded)[input];
    Program<T> one = pruned(program, gradient);
    const auto last = static_cast<Index>(one.steps.size() - 1);
    auto made = Ref<Compiled>::adopt(make_pooled<Compiled>(std::move(one), last, inputs() + 1));
    Compiled* expected = nullptr;
    if (known.compare_exchange_strong(expected, made.get(), std::memory_order_acq_rel)) {
        made->refs.retain();  // for the list
        return made;
    }
    return Ref<Compiled>::share(expected);
}

template class Compiled<float>;
template class Compiled<double>;

}  // namespace xtape::fused
