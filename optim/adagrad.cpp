#include <xtape/optim/adagrad.hpp>

#include <xtape/optim/elementwise_optimizer_impl.hpp>

namespace xtape::optim {

void AdagradOptions::check() const {
    check_not_negative("Adagrad", "lr", lr);
    check_not_negative("Adagrad", "eps", eps);
    check_not_negative("Adagrad", "weight_decay", weight_decay);
    check_not_negative("Adagrad", "lr_decay", lr_decay);
    check_not_negative("Adagrad", "initial_accumulator_value", initial_accumulator_value);
}

template <>
struct Rule<AdagradOptions> {
    static constexpr const char* name = "Adagrad";
    template <class O, class F>
    static void for_each(O& options, F visit) {
        visit("lr", options.lr);
        visit("lr_decay", options.lr_decay);
        visit("weight_decay", options.weight_decay);
        visit("initial_accumulator_value", options.initial_accumulator_value);
        visit("eps", options.eps);
        visit("maximize", options.maximize);
    }

    static constexpr std::array buffers{"sum"};
    static constexpr bool counts_steps = true;
    static bool uses(const AdagradOptions&, std::size_t) { return true; }
    static double initial_value(const AdagradOptions& options) { return options.initial_accumulator_value; }
    static kernels::AdagradStep step(const AdagradOptions& options, std::size_t t, bool) {
        return {.lr = options.lr / (1 + static_cast<double>(t - 1) * options.lr_decay),
                .eps = options.eps,
                .weight_decay = options.weight_decay,
                .maximize = options.maximize};
    }
    template <class T>
    static auto kernel() {
        return kernels::active<T>().update.adagrad;
    }
};

template <class T>
Adagrad<T>::Adagrad(std::vector<Tensor<T>> parameters, AdagradOptions options)
    : ElementwiseOptimizer<T, AdagradOptions>(std::move(parameters), options) {}

template class Optimizer<float, AdagradOptions>;
template class Optimizer<double, AdagradOptions>;
template class ElementwiseOptimizer<float, AdagradOptions>;
template class ElementwiseOptimizer<double, AdagradOptions>;
template class Adagrad<float>;
template class Adagrad<double>;

}  // namespace xtape::optim
