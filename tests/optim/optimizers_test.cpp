// What Adam, AdamW, RMSprop and Adagrad promise beyond PyTorch's trajectories, which are in optimizers_reference_test.

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd.hpp>
#include <xtape/optim.hpp>

#include "any_optimizer.hpp"
#include "expect.hpp"

using namespace xtape;
using namespace xtape::optim;
using expect::elements;
using expect::message;
using reference::Json;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

/// Every way through the kernels.
const std::vector<std::pair<std::string, Json>> ways{
    {"SGD", {{"lr", 0.1}, {"momentum", 0.9}, {"maximize", true}}},
    {"Adam", {{"lr", 0.1}}},
    {"Adam", {{"lr", 0.1}, {"weight_decay", 0.1}, {"amsgrad", true}, {"maximize", true}}},
    {"AdamW", {{"lr", 0.1}, {"amsgrad", true}}},
    {"RMSprop", {{"lr", 0.1}, {"weight_decay", 0.1}}},
    {"RMSprop", {{"lr", 0.1}, {"momentum", 0.9}}},
    {"RMSprop", {{"lr", 0.1}, {"centered", true}, {"maximize", true}}},
    {"RMSprop", {{"lr", 0.1}, {"momentum", 0.9}, {"centered", true}}},
    {"Adagrad", {{"lr", 0.1}, {"weight_decay", 0.1}, {"lr_decay", 0.1}}},
};

template <class T>
void set_gradient(const Tensor<T>& p, const Tensor<T>& gradient) {
    p.zero_grad();
    p.backward(gradient);
}

}  // namespace

TEST_CASE_TEMPLATE("every element is updated as if it were alone, in vectors of any length", T, float, double) {
    random::seed(1);
    for (const auto& [name, options] : ways) {
        for (const std::size_t n : {1U, 3U, 7U, 8U, 16U, 17U, 100U}) {
            const auto whole = parameter(random::normal<T>({n}));
            std::vector<Tensor<T>> alone;
            for (const T value : whole.value()) {
                alone.push_back(parameter(Tensor<T>(value)));
            }
            const auto of_whole = any_optimizer::make<T>(name, {{whole}}, options);
            const auto of_alone = any_optimizer::make<T>(name, {alone}, options);
            for (int step = 0; step < 4; ++step) {
                const auto gradient = random::normal<T>({n});
                set_gradient(whole, gradient);
                for (std::size_t i = 0; i < n; ++i) {
                    set_gradient(alone[i], Tensor<T>(gradient.data()[i]));
                }
                of_whole->step();
                of_alone->step();
            }
            for (std::size_t i = 0; i < n; ++i) {
                CHECK(whole.data()[i] == doctest::Approx(alone[i].item()).epsilon(sizeof(T) == 4 ? 1e-6 : 1e-14));
            }
        }
    }
}

TEST_CASE_TEMPLATE("results are the same bits on one thread and on several", T, float, double) {
    const int threads = num_threads();
    random::seed(2);
    const std::size_t n = 100'003;
    const auto start = random::normal<T>({n});
    const auto gradient = random::normal<T>({n});
    for (const auto& [name, options] : ways) {
        const auto run = [&, &name = name, &options = options](int allowed) {
            set_num_threads(allowed);
            const auto p = parameter(start);
            const auto optimizer = any_optimizer::make<T>(name, {{p}}, options);
            p.backward(gradient);
            for (int step = 0; step < 3; ++step) {
                optimizer->step();
            }
            return p;
        };
        const auto one = run(1);
        const auto several = run(3);
        CHECK(std::equal(one.data(), one.data() + n, several.data()));
        CHECK_FALSE(std::equal(one.data(), one.data() + n, start.data()));
    }
    set_num_threads(threads);
}

TEST_CASE("a step never writes to gradients, records nothing and replaces a parameter's buffer that others hold") {
    for (const auto& [name, options] : ways) {
        const auto p = parameter(xt::xarray<double>{1.0, 2.0, 3.0});
        const auto optimizer = any_optimizer::make<double>(name, {{p}}, options);
        const auto before = p.value();
        sum(p * p * p).backward({.create_graph = true});
        const auto g = p.grad();
        const std::size_t nodes = tape().nodes();
        optimizer->step();
        optimizer->step();
        CHECK(tape().nodes() == nodes);
        CHECK(p.grad().ref() == g.ref());
        CHECK(elements(g) == std::vector<double>{3, 12, 27});
        CHECK(before == xt::xarray<double>{1.0, 2.0, 3.0});
        CHECK(elements(p) != std::vector<double>{1, 2, 3});
    }
}

TEST_CASE("a parameter without a gradient is left alone, and its steps are its own") {
    for (const auto& [name, options] : ways) {
        const auto early = parameter(1.0);
        const auto late = parameter(1.0);
        const auto optimizer = any_optimizer::make<double>(name, {{early, late}}, options);
        for (int step = 0; step < 3; ++step) {
            set_gradient(early, Tensor<double>(0.5));
            optimizer->step();
        }
        CHECK(late.item() == 1.0);
        const double after_three = early.item();
        early.zero_grad();
        for (int step = 0; step < 3; ++step) {
            set_gradient(late, Tensor<double>(0.5));
            optimizer->step();
        }
        CHECK(late.item() == after_three);
        CHECK(early.item() == after_three);
    }
}

TEST_CASE("what an option needs begins when the option does") {
    const auto p = parameter(1.0);
    RMSprop<double> opt({p}, {.lr = 0.5, .eps = 0, .alpha = 0.75});
    const auto step = [&](double g) {
        set_gradient(p, Tensor<double>(g));
        opt.step();
        return p.item();
    };
    CHECK(step(2) == 1 - 0.5 * 2 / 1);        // s = 4 / 4
    opt.groups()[0].options.momentum = 0.5;   // v = 0
    CHECK(step(0) == 0);                      // s = 3 / 4
    opt.groups()[0].options.centered = true;  // m = 0
    const double s = 0.75 * 0.75 + 0.25 * 4;  // m = 1 / 2
    const double v = 2 / std::sqrt(s - 0.25);
    CHECK(step(2) == doctest::Approx(-0.5 * v).epsilon(1e-15));
}

TEST_CASE("two steps by hand: Adam's from β = (1/2, 3/4), AdamW's decay, Adagrad's from an accumulator") {
    const auto two = [](OptimizerBase& optimizer, const Tensor<double>& p) {
        std::vector<double> path;
        for (const double g : {2.0, -1.0}) {
            set_gradient(p, Tensor<double>(g));
            optimizer.step();
            path.push_back(p.item());
        }
        return path;
    };
    const auto p = parameter(1.0);
    Adam<double> adam({p}, {.lr = 0.5, .betas = {0.5, 0.75}, .eps = 0});
    // m = 1, v = 1, t = 1: m̂ = 2, v̂ = 4; then m = 0
    CHECK(two(adam, p) == std::vector<double>{0.5, 0.5});
    const auto q = parameter(1.0);
    AdamW<double> adamw({q}, {.lr = 0.5, .betas = {0.5, 0.75}, .eps = 0, .weight_decay = 0.5});
    CHECK(two(adamw, q) == std::vector<double>{0.75 - 0.5, 0.75 * 0.25});
    const auto r = parameter(1.0);
    Adagrad<double> adagrad({r}, {.lr = 0.5, .eps = 1, .lr_decay = 1, .initial_accumulator_value = 5});
    // s = 9, then 10; η halves
    CHECK(two(adagrad, r) == std::vector<double>{1 - 0.5 * 2 / 4, 0.75 + 0.25 / (std::sqrt(10.0) + 1)});
}

TEST_CASE_TEMPLATE("centred RMSprop stays finite where gradients don't change, though rounding may leave no variance",
                   T, float, double) {
    const auto p = parameter(random::normal<T>({64}));
    RMSprop<T> opt({p}, {.lr = 1e-3, .alpha = 0.9, .centered = true});
    p.backward(random::normal<T>({64}));
    for (int step = 0; step < 2000; ++step) {
        opt.step();
    }
    for (const T value : p.value()) {
        CHECK(std::isfinite(value));
    }
}

TEST_CASE("options that are not allowed are refused by name, value and what is allowed") {
    const auto p = parameter(1.0);
    const auto refused = [&](auto options) { return message<ValueError>([&] { options.check(); }); };
    CHECK(refused(AdamOptions{.lr = -1}) == "Adam: lr is -1; it must be finite and not negative");
    CHECK(refused(AdamOptions{.betas = {1, 0.5}}) == "Adam: betas[0] is 1; it must be at least 0 and below 1");
    CHECK(refused(AdamOptions{.betas = {0.5, -0.5}}) == "Adam: betas[1] is -0.5; it must be at least 0 and below 1");
    CHECK(refused(AdamOptions{.betas = {not_a_number, 0}}) ==
          "Adam: betas[0] is nan; it must be at least 0 and below 1");
    CHECK(refused(AdamOptions{.eps = -1e-8}) == "Adam: eps is -1e-08; it must be finite and not negative");
    CHECK(refused(AdamOptions{.weight_decay = infinity}) ==
          "Adam: weight_decay is inf; it must be finite and not negative");
    CHECK(refused(AdamWOptions{.lr = not_a_number}) == "AdamW: lr is nan; it must be finite and not negative");
    CHECK(refused(AdamWOptions{.betas = {0.5, 1}}) == "AdamW: betas[1] is 1; it must be at least 0 and below 1");
    CHECK(refused(RMSpropOptions{.lr = -1}) == "RMSprop: lr is -1; it must be finite and not negative");
    CHECK(refused(RMSpropOptions{.eps = -1}) == "RMSprop: eps is -1; it must be finite and not negative");
    CHECK(refused(RMSpropOptions{.weight_decay = -1}) ==
          "RMSprop: weight_decay is -1; it must be finite and not negative");
    CHECK(refused(RMSpropOptions{.alpha = -1}) == "RMSprop: alpha is -1; it must be finite and not negative");
    CHECK(refused(RMSpropOptions{.momentum = -1}) == "RMSprop: momentum is -1; it must be finite and not negative");
    CHECK(refused(AdagradOptions{.lr = -1}) == "Adagrad: lr is -1; it must be finite and not negative");
    CHECK(refused(AdagradOptions{.eps = -1}) == "Adagrad: eps is -1; it must be finite and not negative");
    CHECK(refused(AdagradOptions{.weight_decay = -1}) ==
          "Adagrad: weight_decay is -1; it must be finite and not negative");
    CHECK(refused(AdagradOptions{.lr_decay = -1}) == "Adagrad: lr_decay is -1; it must be finite and not negative");
    CHECK(refused(AdagradOptions{.initial_accumulator_value = -1}) ==
          "Adagrad: initial_accumulator_value is -1; it must be finite and not negative");
    CHECK_THROWS_AS((Adam<double>({p}, {.lr = -1})), ValueError);
    CHECK_THROWS_AS((AdamW<double>({p}, {.lr = -1})), ValueError);
    CHECK_THROWS_AS((RMSprop<double>({p}, {.lr = -1})), ValueError);
    CHECK_THROWS_AS((Adagrad<double>({p}, {.lr = -1})), ValueError);
}

TEST_CASE("options that were made bad between steps are refused at the next, which then changes nothing") {
    for (const auto& [name, options] : ways) {
        const auto p = parameter(1.0);
        const auto q = parameter(1.0);
        const auto optimizer = any_optimizer::make<double>(name, {{p}, {q}}, options);
        set_gradient(p, Tensor<double>(1.0));
        set_gradient(q, Tensor<double>(1.0));
        const auto state = optimizer->state_dict();
        optimizer->lr(1) = not_a_number;
        CHECK_THROWS_AS(optimizer->step(), ValueError);
        CHECK(p.item() == 1.0);
        CHECK(q.item() == 1.0);
        CHECK(optimizer->state_dict().size() == state.size());
    }
}

TEST_CASE("an optimiser of any kind and element type is held by its base") {
    const auto p = parameter(1.0F);
    const auto q = parameter(1.0);
    Adam<float> adam({p});
    SGD<double> sgd({q}, {.lr = 0.25, .momentum = 0.5});
    LBFGS<double> lbfgs({q});
    Adagrad<double> adagrad({q});
    OptimizerBase* const all[] = {&adam, &sgd, &lbfgs, &adagrad};
    for (OptimizerBase* optimizer : all) {
        CHECK(optimizer->group_count() == 1);
        optimizer->lr(0) = 0.125;
        CHECK(message<ValueError>([&] { (void)optimizer->lr(1); }) == "optimizer: group 1 of 1");
        CHECK_FALSE(optimizer->scheduled(0).initial_lr.has_value());
    }
    CHECK(adam.groups()[0].options.lr == 0.125);
    CHECK(lbfgs.groups()[0].options.lr == 0.125);
    *all[0]->scheduled(0).momentum = 0.75;
    CHECK(adam.groups()[0].options.betas[0] == 0.75);
    *all[1]->scheduled(0).momentum = 0.75;
    CHECK(sgd.groups()[0].options.momentum == 0.75);
    CHECK(all[2]->scheduled(0).momentum == nullptr);
    CHECK(all[3]->scheduled(0).momentum == nullptr);

    set_gradient(q, Tensor<double>(2.0));
    all[1]->step();
    CHECK(q.item() == 0.75);
    all[1]->zero_grad();
    CHECK_FALSE(q.has_grad());
    CHECK(message<ValueError>([&] { all[2]->step(); }) ==
          "LBFGS: step() without a closure; it evaluates the loss several times: call step(closure)");
}
