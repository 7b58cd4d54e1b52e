#include <xtape/optim/adam.hpp>

#include <cmath>
#include <concepts>

#include <xtape/optim/elementwise_optimizer_impl.hpp>

namespace xtape::optim {

namespace {

/// What Adam and AdamW have in common.
template <class Options>
struct AdamRule {
    template <class O, class F>
    static void for_each(O& options, F visit) {
        visit("lr", options.lr);
        visit("betas", options.betas);
        visit("eps", options.eps);
        visit("weight_decay", options.weight_decay);
        visit("amsgrad", options.amsgrad);
        visit("maximize", options.maximize);
    }
    static void check(const char* name, const Options& options) {
        check_not_negative(name, "lr", options.lr);
        check_fraction(name, "betas[0]", options.betas[0]);
        check_fraction(name, "betas[1]", options.betas[1]);
        check_not_negative(name, "eps", options.eps);
        check_not_negative(name, "weight_decay", options.weight_decay);
    }

    static constexpr std::array buffers{"exp_avg", "exp_avg_sq", "max_exp_avg_sq"};
    static constexpr bool counts_steps = true;
    static bool uses(const Options& options, std::size_t buffer) { return buffer < 2 || options.amsgrad; }
    static double initial_value(const Options&) { return 0; }
    static kernels::AdamStep step(const Options& options, std::size_t t, bool) {
        const auto [beta1, beta2] = options.betas;
        const auto steps = static_cast<double>(t);
        const bool decoupled = std::same_as<Options, AdamWOptions>;
        return {.step_size = options.lr / (1 - std::pow(beta1, steps)),
                .root_scale = 1 / std::sqrt(1 - std::pow(beta2, steps)),
                .beta1 = beta1,
                .beta2 = beta2,
                .eps = options.eps,
                .weight_decay = decoupled ? 0 : options.weight_decay,
                .shrink = decoupled ? 1 - options.lr * options.weight_decay : 1,
                .maximize = options.maximize};
    }
    template <class T>
    static auto kernel() {
        return kernels::active<T>().update.adam;
    }
};

}  // namespace

template <>
struct Rule<AdamOptions> : AdamRule<AdamOptions> {
    static constexpr const char* name = "Adam";
};
template <>
struct Rule<AdamWOptions> : AdamRule<AdamWOptions> {
    static constexpr const char* name = "AdamW";
};

void AdamOptions::check() const { Rule<AdamOptions>::check("Adam", *this); }
void AdamWOptions::check() const { Rule<AdamWOptions>::check("AdamW", *this); }

template <class T>
Adam<T>::Adam(std::vector<Tensor<T>> parameters, AdamOptions options)
    : ElementwiseOptimizer<T, AdamOptions>(std::move(parameters), options) {}

template <class T>
AdamW<T>::AdamW(std::vector<Tensor<T>> parameters, AdamWOptions options)
    : ElementwiseOptimizer<T, AdamWOptions>(std::move(parameters), options) {}

template class Optimizer<float, AdamOptions>;
template class Optimizer<double, AdamOptions>;
template class ElementwiseOptimizer<float, AdamOptions>;
template class ElementwiseOptimizer<double, AdamOptions>;
template class Adam<float>;
template class Adam<double>;
template class Optimizer<float, AdamWOptions>;
template class Optimizer<double, AdamWOptions>;
template class ElementwiseOptimizer<float, AdamWOptions>;
template class ElementwiseOptimizer<double, AdamWOptions>;
template class AdamW<float>;
template class AdamW<double>;

}  // namespace xtape::optim
