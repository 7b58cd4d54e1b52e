#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <xtape/autograd.hpp>
#include <xtape/optim.hpp>

#include "reference.hpp"

/// Optimisers by their names, for tests that hold something of all of them.
namespace any_optimizer {

using reference::Json;

/// Options with the values that are given, by PyTorch's names; the others as they are.
template <class Options>
Options options_of(const Json& given, Options options = {}) {
    std::size_t known = 0;
    const auto read = [&](const char* name, auto& value) {
        if (given.contains(name)) {
            given.at(name).get_to(value);
            ++known;
        }
    };
    read("lr", options.lr);
    read("weight_decay", options.weight_decay);
    read("maximize", options.maximize);
    if constexpr (requires { options.eps; }) {
        read("eps", options.eps);
    }
    if constexpr (requires { options.betas; }) {
        read("betas", options.betas);
        read("amsgrad", options.amsgrad);
    }
    if constexpr (requires { options.momentum; }) {
        read("momentum", options.momentum);
    }
    if constexpr (requires { options.dampening; }) {
        read("dampening", options.dampening);
        read("nesterov", options.nesterov);
    }
    if constexpr (requires { options.alpha; }) {
        read("alpha", options.alpha);
        read("centered", options.centered);
    }
    if constexpr (requires { options.lr_decay; }) {
        read("lr_decay", options.lr_decay);
        read("initial_accumulator_value", options.initial_accumulator_value);
    }
    if (known != given.size()) {
        throw xtape::IoError("reference data: an option that the tests don't know in " + given.dump());
    }
    return options;
}

template <class T>
using Groups = std::vector<std::vector<xtape::Tensor<T>>>;

/// An optimiser of these groups, all with these options.
template <class T>
std::unique_ptr<xtape::optim::OptimizerBase> make(const std::string& name, const Groups<T>& groups,
                                                  const Json& options) {
    const auto made = [&]<class O, class Options>(std::type_identity<O>, Options given) {
        auto optimizer = std::make_unique<O>(groups[0], given);
        for (std::size_t g = 1; g < groups.size(); ++g) {
            optimizer->add_group(groups[g], given);
        }
        return std::unique_ptr<xtape::optim::OptimizerBase>(std::move(optimizer));
    };
    using namespace xtape::optim;
    if (name == "SGD") {
        return made(std::type_identity<SGD<T>>(), options_of<SGDOptions>(options));
    }
    if (name == "Adam") {
        return made(std::type_identity<Adam<T>>(), options_of<AdamOptions>(options));
    }
    if (name == "AdamW") {
        return made(std::type_identity<AdamW<T>>(), options_of<AdamWOptions>(options));
    }
    if (name == "RMSprop") {
        return made(std::type_identity<RMSprop<T>>(), options_of<RMSpropOptions>(options));
    }
    if (name == "Adagrad") {
        return made(std::type_identity<Adagrad<T>>(), options_of<AdagradOptions>(options));
    }
    throw xtape::IoError("reference data: the tests know no optimiser " + name);
}

/// The problem of optimizers.json. `late` has no gradient in the first steps, and then in two steps out of three;
/// `unused` never has one.
template <class T>
struct Problem {
    xtape::Tensor<T> a, c, w, b, late, unused;

    Problem() {
        const Json& problem = file().at("problem");
        const auto read = [&](const char* name) { return xtape::Tensor<T>(reference::array<T>(problem.at(name))); };
        a = read("a");
        c = read("c");
        w = xtape::parameter(read("w"));
        b = xtape::parameter(read("b"));
        late = xtape::parameter(read("late"));
        unused = xtape::parameter(read("unused"));
    }

    static const Json& file() {
        static const Json read = reference::read_json("optim/optimizers.json");
        return read;
    }

    [[nodiscard]] Groups<T> groups() const { return {{w, late}, {b, unused}}; }

    /// sgd_loss of make_reference.py.
    [[nodiscard]] xtape::Tensor<T> loss(int step) const {
        const auto residual = matmul(a, w) + b - c;
        const auto loss = mean(square(residual)) + 0.1 * sum(sin(3.0 * w)) + 0.05 * sum(square(tanh(w * b)));
        if (step < 5 || step % 3 == 0) {
            return loss;
        }
        return loss + sum(square(late - 0.5)) + 0.3 * sum(cos(late * b));
    }

    /// One step of an optimiser of the groups, which is to maximise the negative loss where it maximises.
    void step(xtape::optim::OptimizerBase& optimizer, int number, bool maximize) const {
        optimizer.zero_grad();
        (maximize ? -loss(number) : loss(number)).backward();
        optimizer.step();
    }
};

}  // namespace any_optimizer
