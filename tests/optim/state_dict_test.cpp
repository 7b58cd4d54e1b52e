// Saving and loading optimisers: nothing is lost, and nothing is changed by what doesn't fit.

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xtape/autograd.hpp>
#include <xtape/optim.hpp>

#include "any_optimizer.hpp"
#include "expect.hpp"

using namespace xtape;
using namespace xtape::optim;
using any_optimizer::Problem;
using expect::elements;
using expect::message;
using io::StateDict;
using reference::Json;

namespace {

bool same(const StateDict& a, const StateDict& b) {
    return std::ranges::equal(a, b, [](const auto& x, const auto& y) {
        return x.first == y.first && x.second.dtype() == y.second.dtype() && x.second.shape() == y.second.shape() &&
               std::ranges::equal(x.second.bytes(), y.second.bytes());
    });
}

template <class T>
bool same_bits(const Tensor<T>& a, const Tensor<T>& b) {
    return a.shape() == b.shape() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

std::vector<std::string> names(const StateDict& state, const std::string& prefix) {
    std::vector<std::string> found;
    for (const auto& [name, array] : state) {
        if (name.starts_with(prefix)) {
            found.push_back(name.substr(prefix.size()));
        }
    }
    return found;
}

/// x² + y⁴ and so on, for LBFGS.
template <class T>
auto closure_of(const Tensor<T>& x, const Tensor<T>& y) {
    return [x, y] {
        x.zero_grad();
        y.zero_grad();
        auto loss = sum(square(x * 3.0 - 1.0)) + sum(square(square(y))) + sum(x) * sum(y) * 0.1;
        loss.backward();
        return loss;
    };
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE_TEMPLATE(
    "a resumed run goes on as the uninterrupted one, bit for bit, whatever the optimiser and its options", T, float,
    double) {
    for (const Json& run : Problem<T>::file().at("runs")) {
        const auto name = run.at("optimiser").template get<std::string>();
        const bool maximize = run.at("options").contains("maximize");
        for (const int saved_after : {0, 3, 17}) {  // `late` has its first step in the fifth
            const Problem<T> whole;
            const Problem<T> resumed;
            const auto optimizer = any_optimizer::make<T>(name, whole.groups(), run.at("options"));
            optimizer->lr(1) = 0.125;
            for (int step = 1; step <= saved_after; ++step) {
                whole.step(*optimizer, step, maximize);
            }
            const StateDict state = optimizer->state_dict();
            const auto loaded = any_optimizer::make<T>(name, resumed.groups(), Json::object());
            loaded->load_state_dict(state);
            CHECK(same(loaded->state_dict(), state));
            resumed.w.assign(whole.w.detach());
            resumed.b.assign(whole.b.detach());
            resumed.late.assign(whole.late.detach());
            for (int step = saved_after + 1; step <= saved_after + 20; ++step) {
                whole.step(*optimizer, step, maximize);
                resumed.step(*loaded, step, maximize);
            }
            CHECK_MESSAGE(same_bits(whole.w, resumed.w), run.at("options").dump());
            CHECK_MESSAGE(same_bits(whole.b, resumed.b), run.at("options").dump());
            CHECK_MESSAGE(same_bits(whole.late, resumed.late), run.at("options").dump());
            CHECK(same(loaded->state_dict(), optimizer->state_dict()));
        }
    }
}

TEST_CASE_TEMPLATE("a resumed LBFGS goes on as the uninterrupted one, bit for bit, with and without a line search", T,
                   float, double) {
    for (const auto search : {LineSearch::none, LineSearch::strong_wolfe}) {
        for (const int saved_after : {0, 1, 3}) {
            random::seed(3);
            const auto x = parameter(random::normal<T>({3, 2}));
            const auto y = parameter(random::normal<T>({2}));
            LBFGS<T> optimizer({x, y}, {.lr = 0.1, .max_iter = 2, .history_size = 4, .line_search_fn = search});
            for (int step = 0; step < saved_after; ++step) {
                optimizer.step(closure_of(x, y));
            }
            const StateDict state = optimizer.state_dict();
            const auto x2 = parameter(Tensor<T>(x.value()));
            const auto y2 = parameter(Tensor<T>(y.value()));
            LBFGS<T> loaded({x2, y2});
            loaded.load_state_dict(state);
            CHECK(same(loaded.state_dict(), state));
            for (int step = 0; step < 5; ++step) {
                optimizer.step(closure_of(x, y));
                loaded.step(closure_of(x2, y2));
            }
            CHECK(same_bits(x, x2));
            CHECK(same_bits(y, y2));
            CHECK(same(loaded.state_dict(), optimizer.state_dict()));
        }
    }
}

TEST_CASE("names are PyTorch's, parameters are numbered through all groups, and those without a step have no state") {
    const auto state_of = [](const std::string& name, const Json& options) {
        const Problem<double> problem;
        const auto optimizer = any_optimizer::make<double>(name, problem.groups(), options);
        problem.step(*optimizer, 1, false);
        const StateDict state = optimizer->state_dict();
        CHECK(names(state, "state.1.").empty());
        CHECK(names(state, "state.3.").empty());
        CHECK(names(state, "state.0.") == names(state, "state.2."));
        CHECK(state.at("param_groups.0.params").as<std::int64_t>() == xt::xarray<std::int64_t>{0, 1});
        CHECK(state.at("param_groups.1.params").as<std::int64_t>() == xt::xarray<std::int64_t>{2, 3});
        return state;
    };
    CHECK(names(state_of("SGD", Json::object()), "state.").empty());
    CHECK(names(state_of("SGD", {{"momentum", 0.5}}), "state.0.") == Names{"momentum_buffer"});
    CHECK(names(state_of("Adam", Json::object()), "state.0.") == Names{"exp_avg", "exp_avg_sq", "step"});
    CHECK(names(state_of("AdamW", {{"amsgrad", true}}), "state.0.") ==
          Names{"exp_avg", "exp_avg_sq", "max_exp_avg_sq", "step"});
    CHECK(names(state_of("RMSprop", {{"momentum", 0.5}, {"centered", true}}), "state.0.") ==
          Names{"grad_avg", "momentum_buffer", "square_avg", "step"});
    CHECK(names(state_of("Adagrad", Json::object()), "state.0.") == Names{"step", "sum"});
    const StateDict adam = state_of("Adam", Json::object());
    CHECK(names(adam, "param_groups.0.") ==
          Names{"amsgrad", "betas", "eps", "lr", "maximize", "params", "weight_decay"});
    CHECK(adam.at("param_groups.0.betas").as<double>() == xt::xarray<double>{0.9, 0.999});
    CHECK(adam.at("state.2.exp_avg").shape() == std::vector<std::size_t>{2});
    CHECK(adam.at("state.2.step").as<std::int64_t>()() == 1);
    CHECK(names(state_of("SGD", Json::object()), "param_groups.1.") ==
          Names{"dampening", "lr", "maximize", "momentum", "nesterov", "params", "weight_decay"});
    CHECK(names(state_of("RMSprop", Json::object()), "param_groups.1.") ==
          Names{"alpha", "centered", "eps", "lr", "maximize", "momentum", "params", "weight_decay"});
    CHECK(names(state_of("Adagrad", Json::object()), "param_groups.1.") ==
          Names{"eps", "initial_accumulator_value", "lr", "lr_decay", "maximize", "params", "weight_decay"});

    const auto x = parameter(xt::xarray<double>{1, 2});
    const auto y = parameter(3.0);
    LBFGS<double> lbfgs({x, y}, {.max_iter = 3});
    CHECK(names(lbfgs.state_dict(), "state.").empty());
    lbfgs.step(closure_of(x, y));
    const StateDict state = lbfgs.state_dict();
    CHECK(names(state, "state.0.") == Names{"H_diag", "d", "old_dirs", "old_stps", "prev_flat_grad", "ro", "t"});
    CHECK(state.at("state.0.old_dirs").shape() == std::vector<std::size_t>{1, 3});
    CHECK(names(state, "param_groups.0.") ==
          Names{"history_size", "line_search_fn", "lr", "max_iter", "params", "tolerance_change", "tolerance_grad"});
}

TEST_CASE("a state is a copy: it stays when the optimiser goes on, and what was loaded when the state is changed") {
    const auto p = parameter(1.0);
    Adam<double> opt({p});
    p.backward(Tensor<double>(2.0));
    opt.step();
    StateDict state = opt.state_dict();
    const auto before = state.at("state.0.exp_avg").as<double>()();
    opt.step();
    CHECK(state.at("state.0.exp_avg").as<double>()() == before);
    opt.load_state_dict(state);
    state.clear();
    CHECK(opt.state_dict().at("state.0.exp_avg").as<double>()() == before);
}

TEST_CASE("a step that was saved as a float, and memory of the other precision, are taken") {
    const auto p = parameter(1.0F);
    Adam<float> opt({p});
    p.backward(Tensor<float>(2.0F));
    opt.step();
    StateDict state = opt.state_dict();
    state.at("state.0.step") = io::Array(7.0F);
    state.at("state.0.exp_avg") = io::Array(0.25);
    opt.load_state_dict(state);
    CHECK(opt.state_dict().at("state.0.step").as<std::int64_t>()() == 7);
    CHECK(opt.state_dict().at("state.0.exp_avg").as<float>()() == 0.25F);
}

TEST_CASE("an option that was set after the last step is saved with the memory that it begins with") {
    const auto run = [](bool interrupted) {
        const auto p = parameter(1.0);
        Adam<double> opt({p}, {.lr = 0.1});
        p.backward(Tensor<double>(2.0));
        opt.step();
        opt.groups()[0].options.amsgrad = true;
        if (interrupted) {
            const auto state = opt.state_dict();
            CHECK(state.at("state.0.max_exp_avg_sq").as<double>()() == 0);
            Adam<double> loaded({p});
            loaded.load_state_dict(state);
            loaded.step();
        } else {
            opt.step();
        }
        return p.item();
    };
    CHECK(run(true) == run(false));
}

TEST_CASE("a state that doesn't fit is refused with all that is wrong with it, and changes nothing") {
    const auto p = parameter(xt::xarray<double>{1, 2});
    const auto q = parameter(1.0);
    Adam<double> opt({p}, {.lr = 0.1});
    opt.add_group({q}, {.lr = 0.2});
    sum(p * q).backward();
    opt.step();
    const StateDict good = opt.state_dict();
    const auto refused = [&](const StateDict& state) {
        auto text = message<ValueError>([&] { opt.load_state_dict(state); });
        CHECK(same(opt.state_dict(), good));
        const std::string head = "load_state_dict: the entries don't fit this Adam; load what the same one saved\n  ";
        CHECK(text.starts_with(head));
        return text.substr(std::min(head.size(), text.size()));
    };
    const auto with = [&](const std::string& name, io::Array value) {
        StateDict state = good;
        state.insert_or_assign(name, std::move(value));
        return state;
    };

    StateDict bad = good;
    bad.erase("state.0.exp_avg");
    bad.erase("param_groups.1.lr");
    bad.insert_or_assign("state.1.exp_avg_sq", xt::xarray<double>{1, 2, 3});
    bad.insert_or_assign("state.2.step", 1.0);
    bad.insert_or_assign("param_groups.2.lr", 1.0);
    CHECK(refused(bad) == "missing: param_groups.1.lr ()\n  missing: state.0.exp_avg (2,)\n"
                          "  mis-shaped: state.1.exp_avg_sq is () here and (3,) there\n"
                          "  unexpected: param_groups.2.lr ()\n  unexpected: state.2.step ()");
    CHECK(refused(with("param_groups.0.lr", -1.0)) ==
          "not allowed: param_groups.0: Adam: lr is -1; it must be finite and not negative");
    CHECK(refused(with("param_groups.0.amsgrad", 2.0)) ==
          "not allowed: param_groups.0.amsgrad is 2; it must be 0 or 1");
    CHECK(refused(with("state.0.step", 1.5)) == "not allowed: state.0.step is 1.5; it must be a count");
    CHECK(refused(with("state.0.step", -1.0)) == "not allowed: state.0.step is -1; it must be a count");
    CHECK(refused(with("param_groups.1.params", xt::xarray<double>{0})) ==
          "not allowed: param_groups.1.params: parameters are numbered one after the other, through all groups");
    CHECK(refused(with("param_groups.1.params", xt::xarray<double>{1, 2})) ==
          "mis-shaped: param_groups.1.params is (1,) here and (2,) there");
    CHECK(refused(with("param_groups.0.amsgrad", 1.0)) == "missing: state.0.max_exp_avg_sq (2,)");

    // Another optimiser's.
    SGD<double> sgd({p}, {.momentum = 0.5});
    sgd.add_group({q}, {});
    sgd.step();
    CHECK_THROWS_AS(opt.load_state_dict(sgd.state_dict()), ValueError);
    CHECK_THROWS_AS(sgd.load_state_dict(good), ValueError);
    CHECK_THROWS_AS(opt.load_state_dict({}), ValueError);
    CHECK_NOTHROW(opt.load_state_dict(good));
}

TEST_CASE("an LBFGS refuses a history that doesn't fit, however large it says it is") {
    const auto x = parameter(xt::xarray<double>{1, 2});
    const auto y = parameter(3.0);
    LBFGS<double> opt({x, y}, {.max_iter = 3});
    opt.step(closure_of(x, y));
    const StateDict good = opt.state_dict();
    StateDict bad = good;
    bad.erase("state.0.d");
    bad.insert_or_assign("state.0.ro", xt::xarray<double>{1, 2, 3});
    CHECK(message<ValueError>([&] { opt.load_state_dict(bad); }) ==
          "load_state_dict: the entries don't fit this LBFGS; load what the same one saved\n"
          "  missing: state.0.d (3,)\n"
          "  mis-shaped: state.0.old_stps is (3, 3) here and (1, 3) there\n"
          "  mis-shaped: state.0.old_dirs is (3, 3) here and (1, 3) there");
    CHECK(same(opt.state_dict(), good));
}
