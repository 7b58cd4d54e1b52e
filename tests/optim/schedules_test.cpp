// What schedules promise beyond PyTorch's rates, which are in schedules_reference_test.

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd.hpp>
#include <xtape/optim.hpp>

#include "expect.hpp"

using namespace xtape;
using namespace xtape::optim;
using expect::message;

namespace {

using Values = std::vector<double>;

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

SGD<double> sgd(double lr = 1) { return SGD<double>({parameter(1.0)}, {.lr = lr, .momentum = 0.5}); }

}  // namespace

TEST_CASE("a schedule takes any optimiser and changes the rate that the next step uses") {
    const auto p = parameter(1.0F);
    Adam<float> opt({p}, {.lr = 1});
    StepLR schedule(opt, {.step_size = 2, .gamma = 0.5});
    Values rates;
    for (int epoch = 0; epoch < 5; ++epoch) {
        rates.push_back(opt.groups()[0].options.lr);
        schedule.step();
    }
    CHECK(rates == Values{1, 1, 0.5, 0.5, 0.25});
    CHECK(schedule.last_lr() == Values{0.25});

    LBFGS<double> lbfgs({parameter(1.0)});
    ExponentialLR(lbfgs, {.gamma = 0.5}).step();
    CHECK(lbfgs.groups()[0].options.lr == 0.5);
}

TEST_CASE("each group goes by its own rate, and one that comes later is left alone") {
    auto opt = sgd();
    opt.add_group({parameter(1.0)}, {.lr = 8});
    ExponentialLR schedule(opt, {.gamma = 0.5});
    opt.add_group({parameter(1.0)}, {.lr = 3});
    schedule.step();
    CHECK(schedule.last_lr() == Values{0.5, 4});
    CHECK(opt.lr(2) == 3);
}

TEST_CASE("what a program does to a rate is kept by schedules that multiply") {
    auto opt = sgd();
    MultiStepLR schedule(opt, {.milestones = {2}, .gamma = 0.5});
    schedule.step();
    opt.groups()[0].options.lr = 6;
    schedule.step();
    CHECK(opt.lr(0) == 3);
}

TEST_CASE(
    "stepped past its end StepLR and ExponentialLR go on, MultiStepLR and LinearWarmup stay, a cosine rises again") {
    auto opt = sgd();
    LinearWarmup warmup(opt, {.start_factor = 0.25, .total_iters = 3});
    CHECK(opt.lr(0) == 0.25);
    for (int step = 0; step < 3; ++step) {
        warmup.step();
    }
    CHECK(opt.lr(0) == 1);
    warmup.step();
    CHECK(opt.lr(0) == 1);

    CosineAnnealingLR cosine(opt, {.t_max = 4});
    for (int step = 0; step < 4; ++step) {
        cosine.step();
    }
    CHECK(opt.lr(0) == doctest::Approx(0));
    for (int step = 0; step < 4; ++step) {
        cosine.step();
    }
    CHECK(opt.lr(0) == doctest::Approx(1));
}

TEST_CASE("OneCycleLR takes as many steps as it has, and refuses one more, which then changes nothing") {
    auto opt = sgd();
    OneCycleLR schedule(opt, {.max_lr = 0.5, .total_steps = 10});
    for (int step = 0; step < 10; ++step) {
        schedule.step();
    }
    const double rate = opt.lr(0);
    const double momentum = opt.groups()[0].options.momentum;
    CHECK(message<ValueError>([&] { schedule.step(); }) ==
          "OneCycleLR: step 11 of a schedule of 10 steps; make it longer, or stop stepping it");
    CHECK(opt.lr(0) == rate);
    CHECK(opt.groups()[0].options.momentum == momentum);
    CHECK(schedule.last_lr() == Values{rate});
}

TEST_CASE("a cycle's phase that has no steps is over at once") {
    for (const bool three_phase : {false, true}) {
        for (const double pct_start : {0.0, 0.1, 0.5, 0.55, 1.0}) {
            for (const std::size_t total_steps : {1U, 2U, 10U}) {
                auto opt = sgd();
                OneCycleLR schedule(
                    opt,
                    {.max_lr = 0.5, .total_steps = total_steps, .pct_start = pct_start, .three_phase = three_phase});
                for (std::size_t step = 0; step < total_steps; ++step) {
                    CHECK(std::isfinite(opt.lr(0)));
                    CHECK(std::isfinite(opt.groups()[0].options.momentum));
                    schedule.step();
                }
            }
        }
    }
}

TEST_CASE("ReduceLROnPlateau waits, reduces, cools down and stops at the least rate") {
    auto opt = sgd();
    ReduceLROnPlateau schedule(opt, {.factor = 0.5, .patience = 1, .cooldown = 2, .min_lr = 0.3});
    CHECK(schedule.last_lr() == Values{1});
    Values rates;
    for (int epoch = 0; epoch < 10; ++epoch) {
        schedule.step(1.0);  // the first is the best so far
        rates.push_back(schedule.last_lr()[0]);
    }
    CHECK(rates == Values{1, 1, 0.5, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3, 0.3});
    CHECK(opt.lr(0) == 0.3);
}

TEST_CASE("a schedule's state that doesn't fit is refused with all that is wrong with it, and changes nothing") {
    auto opt = sgd();
    OneCycleLR schedule(opt, {.max_lr = 0.5, .total_steps = 10});
    schedule.step();
    const auto good = schedule.state_dict();
    auto bad = good;
    bad.erase("base_lrs");
    bad.insert_or_assign("last_lr", xt::xarray<double>{1, 2});
    bad.insert_or_assign("last_epoch", 11.0);
    bad.insert_or_assign("best", 1.0);
    CHECK(message<ValueError>([&] { schedule.load_state_dict(bad); }) ==
          "load_state_dict: the entries don't fit this OneCycleLR; load what the same one saved\n"
          "  mis-shaped: last_lr is (1,) here and (2,) there\n"
          "  missing: base_lrs (1,)\n"
          "  not allowed: last_epoch is 11; there are 10 steps here\n"
          "  unexpected: best ()");
    CHECK(schedule.last_lr() == Values{good.at("last_lr").as<double>()(0)});
    CHECK(schedule.state_dict().at("last_epoch").as<std::int64_t>()() == 1);

    ReduceLROnPlateau plateau(opt);
    CHECK_THROWS_AS(plateau.load_state_dict(good), ValueError);
    auto state = plateau.state_dict();
    state.insert_or_assign("num_bad_epochs", -1.0);
    CHECK(message<ValueError>([&] { plateau.load_state_dict(state); }) ==
          "load_state_dict: the entries don't fit this ReduceLROnPlateau; load what the same one saved\n"
          "  not allowed: num_bad_epochs is -1; it must be a count");
}

TEST_CASE("loading a schedule's state leaves the rate to the optimiser's") {
    auto opt = sgd();
    StepLR schedule(opt, {.step_size = 1, .gamma = 0.5});
    schedule.step();
    const auto state = schedule.state_dict();
    const auto opt_state = opt.state_dict();
    schedule.step();
    schedule.load_state_dict(state);
    CHECK(opt.lr(0) == 0.25);
    CHECK(schedule.last_lr() == Values{0.5});
    opt.load_state_dict(opt_state);
    CHECK(opt.lr(0) == 0.5);
    schedule.step();
    CHECK(opt.lr(0) == 0.25);
}

TEST_CASE(
    "options that are not allowed are refused by name, value and what is allowed, and the optimiser stays as it was") {
    auto opt = sgd();
    opt.add_group({parameter(1.0)}, {.lr = 2, .momentum = 0.25});
    const auto refused = [&](auto make) {
        auto text = message<ValueError>(make);
        CHECK(opt.lr(0) == 1);
        CHECK(opt.groups()[0].options.momentum == 0.5);
        CHECK_FALSE(opt.groups()[0].initial_lr.has_value());
        return text;
    };
    CHECK(refused([&] { StepLR(opt, {}); }) == "StepLR: step_size is 0; it must be at least 1");
    CHECK(refused([&] { StepLR(opt, {.step_size = 1, .gamma = -1}); }) ==
          "StepLR: gamma is -1; it must be finite and not negative");
    CHECK(refused([&] { MultiStepLR(opt, {.milestones = {1}, .gamma = not_a_number}); }) ==
          "MultiStepLR: gamma is nan; it must be finite and not negative");
    CHECK(refused([&] { ExponentialLR(opt, {}); }) == "ExponentialLR: gamma is 0; it must be finite and above 0");
    CHECK(refused([&] { CosineAnnealingLR(opt, {}); }) == "CosineAnnealingLR: t_max is 0; it must be at least 1");
    CHECK(refused([&] { CosineAnnealingLR(opt, {.t_max = 1, .eta_min = -1}); }) ==
          "CosineAnnealingLR: eta_min is -1; it must be finite and not negative");
    CHECK(refused([&] { LinearWarmup(opt, {.start_factor = 0}); }) ==
          "LinearWarmup: start_factor is 0; it must be above 0 and at most 1");
    CHECK(refused([&] { LinearWarmup(opt, {.end_factor = 1.5}); }) ==
          "LinearWarmup: end_factor is 1.5; it must be from 0 to 1");
    CHECK(refused([&] { LinearWarmup(opt, {.total_iters = 0}); }) ==
          "LinearWarmup: total_iters is 0; it must be at least 1");

    const auto cycle = [&](OneCycleLROptions options) { return refused([&] { OneCycleLR(opt, options); }); };
    CHECK(cycle({.total_steps = 9}) == "OneCycleLR: max_lr is 0; it must be finite and above 0");
    CHECK(cycle({.max_lr = 1}) == "OneCycleLR: total_steps is 0; it must be at least 1");
    CHECK(cycle({.max_lr = {1, 2, 3}, .total_steps = 9}) ==
          "OneCycleLR: max_lr has 3 values for 2 groups; give one for all or one for each");
    CHECK(cycle({.max_lr = 1, .total_steps = 9, .pct_start = 2}) ==
          "OneCycleLR: pct_start is 2; it must be from 0 to 1");
    CHECK(cycle({.max_lr = 1, .total_steps = 9, .base_momentum = 1}) ==
          "OneCycleLR: base_momentum is 1; it must be at least 0 and below 1");
    CHECK(cycle({.max_lr = 1, .total_steps = 9, .max_momentum = {0.5, -1}}) ==
          "OneCycleLR: max_momentum is -1; it must be at least 0 and below 1");
    CHECK(cycle({.max_lr = 1, .total_steps = 9, .div_factor = 0}) ==
          "OneCycleLR: div_factor is 0; it must be finite and above 0");
    CHECK(cycle({.max_lr = 1, .total_steps = 9, .final_div_factor = 0}) ==
          "OneCycleLR: final_div_factor is 0; it must be finite and above 0");
    Adagrad<double> adagrad({parameter(1.0)});
    CHECK(message<ValueError>([&] { OneCycleLR(adagrad, {.max_lr = 1, .total_steps = 9}); }) ==
          "OneCycleLR: cycle_momentum is true, but this optimizer has neither momentum nor betas; set it to false");
    CHECK_FALSE(adagrad.groups()[0].initial_lr.has_value());

    const auto plateau = [&](ReduceLROnPlateauOptions options) {
        return refused([&] { ReduceLROnPlateau(opt, options); });
    };
    CHECK(plateau({.factor = 1}) == "ReduceLROnPlateau: factor is 1; it must be at least 0 and below 1");
    CHECK(plateau({.threshold = -1}) == "ReduceLROnPlateau: threshold is -1; it must be finite and not negative");
    CHECK(plateau({.min_lr = -1}) == "ReduceLROnPlateau: min_lr is -1; it must be finite and not negative");
    CHECK(plateau({.min_lr = {}}) ==
          "ReduceLROnPlateau: min_lr has 0 values for 2 groups; give one for all or one for each");
    CHECK(plateau({.eps = -1}) == "ReduceLROnPlateau: eps is -1; it must be finite and not negative");
}
