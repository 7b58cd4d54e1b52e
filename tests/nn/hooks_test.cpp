// Hooks on modules.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/nn.hpp>

#include "expect.hpp"

using namespace xtape;
using expect::elements;
using expect::message;

namespace {

using Values = std::vector<double>;
using Module = nn::Module<double>;

const Tensor<double> input{xt::xarray<double>{{-1, 2, 0.5}}};

nn::Sequential<double> two_layers() {
    random::seed(3);
    return nn::Sequential<double>(nn::Linear<double>(3, 4), nn::Tanh<double>(), nn::Linear<double>(4, 2));
}

}  // namespace

TEST_CASE("hooks see a module's input and output, in the order they were registered, and may replace both") {
    nn::Identity<double> module;
    std::vector<std::string> calls;
    module.register_forward_hook([&](Module& called, const Tensor<double>& x, const Tensor<double>& y) {
        CHECK(&called == &module);
        CHECK(elements(x) == Values{-2, 4, 1});
        CHECK(elements(y) == Values{-2, 4, 1});
        calls.push_back("first");
        return y + 1.0;
    });
    module.register_forward_pre_hook([&](Module& called, const Tensor<double>& x) {
        CHECK(&called == &module);
        CHECK(elements(x) == Values{-1, 2, 0.5});
        calls.push_back("before");
        return 2.0 * x;
    });
    module.register_forward_hook([&](Module&, const Tensor<double>&, const Tensor<double>& y) {
        calls.push_back("second");
        return 10.0 * y;
    });
    CHECK(elements(module(input)) == Values{-10, 50, 20});
    CHECK(calls == std::vector<std::string>{"before", "first", "second"});
    CHECK(elements(module.forward(input)) == Values{-1, 2, 0.5});  // by itself it calls none
    CHECK(calls.size() == 3);
}

TEST_CASE("inside a Sequential every module's hooks are called, also where two modules are one op otherwise") {
    auto net = two_layers();
    const Values expected = elements(net(input));
    std::vector<Shape> shapes;
    std::vector<nn::ModuleHook> hooks;
    for (std::size_t i = 0; i < net.size(); ++i) {
        hooks.push_back(net[i].register_forward_hook([&](Module&, const Tensor<double>&, const Tensor<double>& y) {
            shapes.push_back(y.shape());
            return y;
        }));
    }
    const Values hooked = elements(net(input));
    for (std::size_t i = 0; i < expected.size(); ++i) {
        CHECK(hooked[i] == doctest::Approx(expected[i]).epsilon(1e-14));
    }
    CHECK(shapes == std::vector<Shape>{{1, 4}, {1, 4}, {1, 2}});
    for (nn::ModuleHook& hook : hooks) {
        hook.remove();
        hook.remove();  // the second time nothing happens
    }
    CHECK(elements(net(input)).size() == 2);
    CHECK(shapes.size() == 3);

    (void)net(input);  // which drops what was removed
    const std::size_t nodes = tape().nodes();
    const Tensor<double> y = net(input);
    CHECK(tape().nodes() == nodes + 2);  // Linear and Tanh are one op again
}

TEST_CASE("a hook on the output sees the gradient that arrives there, and may change it") {
    auto net = two_layers();
    Values seen;
    net[1].register_forward_hook([&](Module&, const Tensor<double>&, const Tensor<double>& y) {
        y.register_hook([&](const Tensor<double>& g) {
            seen = elements(g);
            return 0.0 * g;
        });
        return y;
    });
    sum(net(input)).backward();
    const auto& last = dynamic_cast<nn::Linear<double>&>(net[2]);
    CHECK(seen == elements(sum(last.weight(), {0})));
    for (const Tensor<double>& parameter : dynamic_cast<nn::Linear<double>&>(net[0]).parameters()) {
        CHECK(elements(parameter.grad()) == Values(parameter.size(), 0.0));
    }
}

TEST_CASE("a hook may remove itself and add others") {
    nn::Identity<double> module;
    int calls = 0;
    auto hook = std::make_shared<std::unique_ptr<nn::ModuleHook>>();
    *hook = std::make_unique<nn::ModuleHook>(
        module.register_forward_hook([&, hook](Module& called, const Tensor<double>&, const Tensor<double>& y) {
            (*hook)->remove();
            called.register_forward_hook([&](Module&, const Tensor<double>&, const Tensor<double>& z) {
                ++calls;
                return z + 1.0;
            });
            return y;
        }));
    CHECK(elements(module(input)) == Values{-1, 2, 0.5});
    CHECK(calls == 0);
    CHECK(elements(module(input)) == Values{0, 3, 1.5});
    CHECK(calls == 1);
    hook->reset();
}

TEST_CASE("hooks move with a module, and are not cloned") {
    nn::ReLU<double> module;
    module.register_forward_hook([](Module&, const Tensor<double>&, const Tensor<double>& y) { return y + 100.0; });
    const std::unique_ptr<Module> clone = module.clone();
    nn::ReLU<double> moved = std::move(module);
    CHECK(elements(moved(input)) == Values{100, 102, 100.5});
    CHECK(elements((*clone)(input)) == Values{0, 2, 0.5});
}

TEST_CASE("an empty hook, and one that returns an empty tensor, are refused") {
    nn::Identity<double> module;
    CHECK(message<ValueError>([&] { module.register_forward_hook({}); }) == "module: the hook is an empty function");
    CHECK(message<ValueError>([&] { module.register_forward_pre_hook({}); }) ==
          "module: the hook is an empty function");
    CHECK(elements(module(input)) == Values{-1, 2, 0.5});
    module.register_forward_pre_hook([](Module&, const Tensor<double>&) { return Tensor<double>(); });
    CHECK(message<ValueError>([&] { (void)module(input); }) ==
          "module: a hook returned an empty tensor; return its argument to leave that as it is");
}
