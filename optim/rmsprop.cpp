#include <xtape/optim/rmsprop.hpp>

#include <xtape/optim/elementwise_optimizer_impl.hpp>

namespace xtape::optim {

void RMSpropOptions::check() const {
    check_not_negative("RMSprop", "lr", lr);
    check_not_negative("RMSprop", "eps", eps);
    check_not_negative("RMSprop", "weight_decay", weight_decay);
    check_not_negative("RMSprop", "alpha", alpha);
    check_not_negative("RMSprop", "momentum", momentum);
}

template <>
struct Rule<RMSpropOptions> {
    static constexpr const char* name = "RMSprop";
    template <class O, class F>
    static void for_each(O& options, F visit) {
        visit("lr", options.lr);
        visit("alpha", options.alpha);
        visit("eps", options.eps);
        visit("weight_decay", options.weight_decay);
        visit("momentum", options.momentum);
        visit("centered", options.centered);
        visit("maximize", options.maximize);
    }

    static constexpr std::array buffers{"square_avg", "momentum_buffer", "grad_avg"};
    static constexpr bool counts_steps = true;
    static bool uses(const RMSpropOptions& options, std::size_t buffer) {
        return buffer == 0 || (buffer == 1 ? options.momentum != 0 : options.centered);
    }
    static double initial_value(const RMSpropOptions&) { return 0; }
    static kernels::RmspropStep step(const RMSpropOptions& options, std::size_t, bool) {
        return {.lr = options.lr,
                .alpha = options.alpha,
                .eps = options.eps,
                .weight_decay = options.weight_decay,
                .momentum = options.momentum,
                .maximize = options.maximize};
    }
    template <class T>
    static auto kernel() {
        return kernels::active<T>().update.rmsprop;
    }
};

template <class T>
RMSprop<T>::RMSprop(std::vector<Tensor<T>> parameters, RMSpropOptions options)
    : ElementwiseOptimizer<T, RMSpropOptions>(std::move(parameters), options) {}

template class Optimizer<float, RMSpropOptions>;
template class Optimizer<double, RMSpropOptions>;
template class ElementwiseOptimizer<float, RMSpropOptions>;
template class ElementwiseOptimizer<double, RMSpropOptions>;
template class RMSprop<float>;
template class RMSprop<double>;

}  // namespace xtape::optim
