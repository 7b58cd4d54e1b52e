#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <xtape/autograd/tensor.hpp>

namespace xtape {

/// How gradients are checked.
enum class CheckMode {
    jacobian,    ///< every output by every input: one evaluation pair an input element, one replay an output element
    projection,  ///< along random directions: two evaluations and one replay each, at any size
};

struct CheckOptions {
    int order = 1;  ///< derivatives up to this order are checked
    CheckMode mode = CheckMode::jacobian;
    double tolerance = 1e-6;  ///< of |analytic - numeric|, relative to 1 + the largest magnitude in the comparison
    double step = 0;          ///< of the differences; 0 chooses the cube root of the precision, scaled by each element
    int projections = 4;      ///< how many random directions `projection` tries
    std::uint64_t seed = 0;   ///< of the random directions
};

struct CheckResult {
    bool ok = true;
    double max_error = 0;  ///< the largest scaled difference met
    std::string message;   ///< where it was, the analytic and the numeric value; for `ok` a summary
    explicit operator bool() const noexcept { return ok; }
};

/// Compares the gradients of `f` by each of `xs` with central differences, and at order 2 and up the gradients of
/// randomly weighted gradients likewise. f maps tensors of the shapes of `xs` to one tensor of any shape, and must be
/// differentiable there. A derivative that is not finite where the differences are, or the other way round, fails.
[[nodiscard]] CheckResult check_gradients(const std::function<Tensor<double>(const std::vector<Tensor<double>>&)>& f,
                                          const std::vector<Tensor<double>>& xs, const CheckOptions& options = {});

}  // namespace xtape
