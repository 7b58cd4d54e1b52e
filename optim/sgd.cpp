#include <xtape/optim/sgd.hpp>

#include <xtape/optim/elementwise_optimizer_impl.hpp>

namespace xtape::optim {

void SGDOptions::check() const {
    check_not_negative("SGD", "lr", lr);
    check_not_negative("SGD", "momentum", momentum);
    check_not_negative("SGD", "weight_decay", weight_decay);
    check_option(std::isfinite(dampening), "SGD", "dampening", dampening, "finite");
    if (nesterov && (momentum == 0 || dampening != 0)) {
        throw ValueError(fmt::format("SGD: nesterov needs momentum above 0 and dampening 0; they are {} and {}",
                                     momentum, dampening));
    }
}

template <>
struct Rule<SGDOptions> {
    static constexpr const char* name = "SGD";
    template <class O, class F>
    static void for_each(O& options, F visit) {
        visit("lr", options.lr);
        visit("momentum", options.momentum);
        visit("dampening", options.dampening);
        visit("weight_decay", options.weight_decay);
        visit("nesterov", options.nesterov);
        visit("maximize", options.maximize);
    }

    static constexpr std::array buffers{"momentum_buffer"};
    static constexpr bool counts_steps = false;
    static bool uses(const SGDOptions& options, std::size_t) { return options.momentum != 0; }
    static double initial_value(const SGDOptions&) { return 0; }
    static kernels::SgdStep step(const SGDOptions& options, std::size_t, bool fresh) {
        return {.lr = options.lr,
                .momentum = options.momentum,
                .dampening = options.dampening,
                .weight_decay = options.weight_decay,
                .nesterov = options.nesterov,
                .first = fresh,
                .maximize = options.maximize};
    }
    template <class T>
    static auto kernel() {
        return kernels::active<T>().update.sgd;
    }
};

template <class T>
SGD<T>::SGD(std::vector<Tensor<T>> parameters, SGDOptions options)
    : ElementwiseOptimizer<T, SGDOptions>(std::move(parameters), options) {}

template class Optimizer<float, SGDOptions>;
template class Optimizer<double, SGDOptions>;
template class ElementwiseOptimizer<float, SGDOptions>;
template class ElementwiseOptimizer<double, SGDOptions>;
template class SGD<float>;
template class SGD<double>;

}  // namespace xtape::optim
