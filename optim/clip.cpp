#include <xtape/optim/clip.hpp>

#include <algorithm>
#include <cmath>
#include <mutex>

#include <fmt/format.h>

#include <xtape/autograd/bodies.hpp>
#include <xtape/autograd/elementwise.hpp>
#include <xtape/autograd/errors.hpp>
#include <xtape/autograd/kernels/kernels.hpp>
#include <xtape/autograd/leaf_lock.hpp>
#include <xtape/autograd/parallel.hpp>
#include <xtape/autograd/reduction.hpp>
#include <xtape/autograd/tape.hpp>
#include <xtape/optim/options.hpp>

namespace xtape::optim {

namespace {

/// Calls `pass(elements, n)` to overwrite the gradient, if there is one, in a buffer that nobody else holds.
template <class T, class F>
void overwrite_gradient(const Tensor<T>& parameter, F pass) {
    if (!parameter.has_grad()) {
        return;
    }
    Ref<Body> given_out;  // destroyed after the lock
    const std::scoped_lock lock(leaf_mutex());
    Ref<Body>& gradient = static_cast<ParameterBody&>(parameter.body()).gradient;
    if (!gradient) {
        return;
    }
    if (!bodies::is_sole_owner(gradient)) {
        given_out = bodies::copy(*gradient);
        given_out.swap(gradient);
    }
    pass(static_cast<T*>(gradient->storage->data()), parameter.size());
}

/// The same for all, each element by itself. Memory is taken before the first is written.
template <class T, class F>
void overwrite_gradients(const std::vector<Tensor<T>>& parameters, F pass) {
    for (const Tensor<T>& parameter : parameters) {
        overwrite_gradient(parameter, [](T*, std::size_t) {});
    }
    for (const Tensor<T>& parameter : parameters) {
        overwrite_gradient(parameter, [&](T* elements, std::size_t n) {
            parallel::for_ranges(n, 1, [=](std::size_t from, std::size_t to) { pass(elements + from, to - from); });
        });
    }
}

template <class T>
double norm_of(const Tensor<T>& x, double p) {
    if (x.size() == 0) {
        return 0;
    }
    if (p == 2) {
        return norm_l2(x).item();
    }
    if (std::isinf(p)) {
        return amax(abs(x)).item();
    }
    return p == 1 ? norm_l1(x).item() : std::pow(static_cast<double>(sum(pow(abs(x), p)).item()), 1 / p);
}

/// The p-norm of a vector of two parts.
double joined(double norm, double other, double p) {
    if (p == 2) {
        return std::isnan(norm) || std::isnan(other) ? norm + other : std::hypot(norm, other);
    }
    if (std::isinf(p)) {
        return std::isnan(norm) || std::isnan(other) ? norm + other : std::max(norm, other);
    }
    return norm == 0 ? other : std::pow(std::pow(norm, p) + std::pow(other, p), 1 / p);
}

}  // namespace

template <class T>
double clip_grad_norm(const std::vector<Tensor<T>>& parameters, double max_norm, ClipGradNormOptions options) {
    check_option(max_norm >= 0, "clip_grad_norm", "max_norm", max_norm, "at least 0");
    check_option(options.norm_type > 0, "clip_grad_norm", "norm_type", options.norm_type, "above 0, or infinity");
    double norm = 0;
    {
        const NoGradGuard nothing_recorded;
        for (const Tensor<T>& parameter : parameters) {
            if (parameter.has_grad()) {
                norm = joined(norm, norm_of(parameter.grad(), options.norm_type), options.norm_type);
            }
        }
    }
    if (options.error_if_nonfinite && !std::isfinite(norm)) {
        throw ValueError(fmt::format(
            "clip_grad_norm: the gradients' norm is {}, and error_if_nonfinite is set; look for the op that made it so "
            "with AnomalyGuard, or skip this step",
            norm));
    }
    const double scale = max_norm / (norm + 1e-6);
    if (!(scale >= 1)) {
        const T factor = static_cast<T>(scale);
        const auto multiply = kernels::binary<Multiply, T>().forward;
        overwrite_gradients(parameters, [=](T* elements, std::size_t n) {
            multiply(elements, &factor, elements, n, {.a = 1, .b = 0});
        });
    }
    return norm;
}

template <class T>
void clip_grad_value(const std::vector<Tensor<T>>& parameters, double value) {
    check_option(value >= 0, "clip_grad_value", "value", value, "at least 0");
    const T bound = static_cast<T>(value);
    const auto clip = kernels::active<T>().elementwise.clip;
    overwrite_gradients(parameters, [=](T* elements, std::size_t n) { clip(elements, elements, n, -bound, bound); });
}

template double clip_grad_norm(const std::vector<Tensor<float>>&, double, ClipGradNormOptions);
template double clip_grad_norm(const std::vector<Tensor<double>>&, double, ClipGradNormOptions);
template void clip_grad_value(const std::vector<Tensor<float>>&, double);
template void clip_grad_value(const std::vector<Tensor<double>>&, double);

}  // namespace xtape::optim
