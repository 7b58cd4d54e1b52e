#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include <xtape/optim/optimizer.hpp>

namespace xtape::optim {

/// An optimiser that updates each number by its own gradient and by what it remembers of that number: all but LBFGS.
/// One fused pass over each parameter that has a gradient; gradients are only read, and the results don't depend on
/// the number of threads. In steady state a step calls no allocator.
template <class T, class Options>
class ElementwiseOptimizer : public Optimizer<T, Options> {
public:
    /// Options are checked first: a ValueError leaves every parameter as it was.
    void step() override;
    [[nodiscard]] io::StateDict state_dict() const override;
    void load_state_dict(const io::StateDict& state) override;

protected:
    ElementwiseOptimizer(std::vector<Tensor<T>> parameters, Options options);

private:
    /// What is remembered of a parameter. A buffer is empty until a step needs it.
    struct Memory {
        std::size_t steps = 0;
        std::array<Tensor<T>, 3> buffers;
    };

    std::vector<std::vector<Memory>> memories_;  // like the groups' parameters; shorter where there was no step yet
};

}  // namespace xtape::optim
