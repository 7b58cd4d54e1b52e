// Modules: names, modes, clones, state dicts.

#include <cstdint>
#include <memory>
#include <string>
#include <typeinfo>
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
using Names = std::vector<std::string>;

template <class T>
Names names_of(nn::Module<T>& module) {
    Names names;
    for (const auto& [name, tensor] : module.named_parameters()) {
        names.push_back(name);
    }
    return names;
}

template <class T>
std::vector<std::vector<T>> values_of(nn::Module<T>& module) {
    std::vector<std::vector<T>> values;
    for (const auto& tensor : module.parameters()) {
        values.push_back(elements(tensor));
    }
    return values;
}

/// Two layers that share their weight, a parameter of its own, and a child that has none.
class Tied : public nn::Module<double> {
public:
    Tensor<double> forward(const Tensor<double>& x) override {
        return relu_(scale_ * matmul(matmul(x, first_), second_));
    }
    std::vector<nn::Member<double>> members() override {
        return {{"first", first_}, {"second", second_}, {"relu", relu_}, {"absent", absent_}, {"scale", scale_}};
    }

private:
    Tensor<double> first_ = parameter(eye<double>(2));
    Tensor<double> second_ = first_;
    Tensor<double> absent_;
    Tensor<double> scale_ = parameter(3.0);
    nn::ReLU<double> relu_;
};

/// A module with buffers, one absent, and two names for the same child.
class Counting : public nn::Module<double> {
public:
    Tensor<double> forward(const Tensor<double>& x) override { return child_(x) + running_; }
    std::vector<nn::Member<double>> members() override {
        return {{"first", child_},
                {"second", child_},
                nn::Member<double>::buffer("running", running_),
                nn::Member<double>::buffer("absent", absent_),
                nn::Member<double>::buffer("count", count_)};
    }

    Tensor<double> running_ = ones<double>({2});
    Tensor<double> absent_;
    std::int64_t count_ = 3;

private:
    nn::BatchNorm1d<double> child_{2};
};

nn::Sequential<double> nested() {
    return nn::Sequential<double>(nn::Linear<double>(2, 3), nn::Tanh<double>(),
                                  nn::MLP<double>({3, 4, 2}, nn::Activation::sigmoid),
                                  nn::Linear<double>(2, 1, {.bias = false}));
}

}  // namespace

TEST_CASE("parameters are named by their paths, as in PyTorch") {
    nn::Linear<double> linear(2, 3);
    CHECK(names_of(linear) == Names{"weight", "bias"});
    nn::MLP<double> mlp({4, 8, 8, 3});
    CHECK(names_of(mlp) == Names{"0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"});
    nn::MLP<double> without_bias({4, 8, 3}, nn::Activation::tanh, {.bias = false});
    CHECK(names_of(without_bias) == Names{"0.weight", "2.weight"});
    auto net = nested();
    CHECK(names_of(net) == Names{"0.weight", "0.bias", "2.0.weight", "2.0.bias", "2.2.weight", "2.2.bias", "3.weight"});
    nn::ReLU<double> relu;
    CHECK(names_of(relu).empty());
}

TEST_CASE("parameters() are handles to the module's own tensors") {
    nn::Linear<double> linear(2, 3);
    const auto parameters = linear.parameters();
    REQUIRE(parameters.size() == 2);
    CHECK(parameters[0].ref() == linear.weight().ref());
    CHECK(parameters[1].ref() == linear.bias().ref());
    CHECK(parameters[0].shape() == Shape{3, 2});
    CHECK(parameters[1].shape() == Shape{3});
}

TEST_CASE("a parameter that a module shares is listed once, an absent one not at all") {
    Tied tied;
    CHECK(names_of(tied) == Names{"first", "scale"});
    const auto x = ones<double>({1, 2});
    sum(tied(x)).backward();
    CHECK(elements(tied.parameters()[0].grad()) == Values(4, 6.0));  // both places: 3 (x Wᵀ + x W)
    CHECK(tied.state_dict().size() == 2);
}

TEST_CASE("a module's own buffers are saved and loaded, each once, but are no parameters") {
    Counting module;
    CHECK(names_of(module) == Names{"first.weight", "first.bias"});
    auto state = module.state_dict();
    Names names;
    for (const auto& [name, array] : state) {
        names.push_back(name);
    }
    CHECK(names == Names{"count", "first.bias", "first.num_batches_tracked", "first.running_mean", "first.running_var",
                         "first.weight", "running"});
    state.insert_or_assign("count", std::int64_t{1} << 60);
    state.insert_or_assign("running", xt::xarray<float>{5.0F, 6.0F});
    const auto handle = module.running_;
    module.load_state_dict(state);
    CHECK(module.count_ == std::int64_t{1} << 60);
    CHECK(elements(module.running_) == Values{5, 6});
    CHECK(module.running_.ref() == handle.ref());
    state.erase("count");
    CHECK(message<ValueError>([&] { module.load_state_dict(state); }).find("\n  missing: count ()") !=
          std::string::npos);
}

TEST_CASE("train and eval reach every child") {
    auto net = nested();
    const auto modes = [&] {
        auto& inner = dynamic_cast<nn::Sequential<double>&>(net[2]);
        return std::vector<bool>{net.is_training(), net[0].is_training(), net[1].is_training(), inner.is_training(),
                                 inner[1].is_training()};
    };
    CHECK(modes() == std::vector<bool>(5, true));
    net.eval();
    CHECK(modes() == std::vector<bool>(5, false));
    net.train();
    CHECK(modes() == std::vector<bool>(5, true));
    net.train(false);
    net[2].train();
    CHECK(modes() == std::vector<bool>{false, false, false, true, true});
}

TEST_CASE("zero_grad drops every gradient") {
    auto net = nested();
    sum(net(ones<double>({2, 2}))).backward();
    for (const auto& p : net.parameters()) {
        CHECK(p.has_grad());
    }
    net.zero_grad();
    for (const auto& p : net.parameters()) {
        CHECK_FALSE(p.has_grad());
    }
}

TEST_CASE("a clone computes the same and shares nothing") {
    auto net = nested();
    net.eval();
    net[1].train();
    sum(net(ones<double>({2, 2}))).backward();
    const auto copy = net.clone();
    const auto x = random::normal<double>({3, 2});
    CHECK(elements((*copy)(x)) == elements(net(x)));
    CHECK(names_of(*copy) == names_of(net));
    const auto before = values_of(net);
    for (const auto& p : copy->parameters()) {
        CHECK(p.requires_grad());
        CHECK_FALSE(p.has_grad());
        p.assign(zeros_like(p));
    }
    CHECK(values_of(net) == before);
    CHECK(elements((*copy)(x)) != elements(net(x)));
}

TEST_CASE("a clone is of the same kind and in the same mode, module by module") {
    auto net = nested();
    net.eval();
    net[1].train();
    const auto copied = net.clone();
    auto& copy = dynamic_cast<nn::Sequential<double>&>(*copied);
    REQUIRE(copy.size() == net.size());
    CHECK_FALSE(copy.is_training());
    for (std::size_t i = 0; i < net.size(); ++i) {
        CHECK(copy[i].is_training() == net[i].is_training());
        CHECK(typeid(copy[i]) == typeid(net[i]));
    }
    nn::Softmax<double> softmax(0);
    softmax.eval();
    CHECK_FALSE(softmax.clone()->is_training());
    CHECK(elements((*softmax.clone())(zeros<double>({2, 1}))) == Values{0.5, 0.5});
    nn::MLP<double> mlp({2, 2});
    CHECK(dynamic_cast<nn::MLP<double>*>(mlp.clone().get()) != nullptr);
    CHECK_FALSE([] {
        nn::Flatten<double> flatten;
        flatten.eval();
        return flatten.clone();
    }()
                    ->is_training());
}

TEST_CASE("a module that does not say how it is copied refuses, alone or inside another") {
    Tied tied;
    CHECK(message<Error>([&] { (void)tied.clone(); }) ==
          "clone: this module does not say how it is copied; override clone() in its class");
    nn::Sequential<double> net;
    net.append(std::make_unique<Tied>());
    CHECK_THROWS_AS((void)net.clone(), Error);
}

TEST_CASE("a module may be moved, and its parameters stay the same tensors") {
    nn::Linear<double> from(2, 3);
    const auto weight = from.weight();
    from.eval();
    nn::Linear<double> to = std::move(from);
    CHECK(to.weight().ref() == weight.ref());
    CHECK_FALSE(to.is_training());
}

TEST_CASE("a state dict is a copy that a fresh module of the same form can load") {
    random::seed(1);
    auto net = nested();
    auto other = nested();
    CHECK(values_of(net) != values_of(other));
    const auto state = net.state_dict();
    CHECK(state.size() == 7);
    CHECK(state.at("2.0.weight").shape() == std::vector<std::size_t>{4, 3});
    const auto values = values_of(net);
    const auto handles = other.parameters();
    other.load_state_dict(state);
    CHECK(values_of(other) == values);
    for (std::size_t i = 0; i < handles.size(); ++i) {
        CHECK(handles[i].ref() == other.parameters()[i].ref());  // an optimiser that holds them goes on
    }
    for (const auto& p : net.parameters()) {
        p.assign(zeros_like(p));
    }
    other.load_state_dict(state);
    CHECK(values_of(other) == values);  // the dict did not follow
}

TEST_CASE("a state dict of another element type is converted") {
    nn::Linear<float> narrow(2, 1);
    nn::Linear<double> wide(2, 1);
    wide.load_state_dict(narrow.state_dict());
    CHECK(elements(wide.weight())[0] == static_cast<double>(elements(narrow.weight())[0]));
    narrow.load_state_dict(wide.state_dict());
    narrow.load_state_dict({{"weight", xt::xarray<std::int64_t>{{3, -4}}}, {"bias", xt::xarray<double>{0.5}}});
    CHECK(elements(narrow.weight()) == std::vector<float>{3.0F, -4.0F});
}

TEST_CASE("loading lists every missing, unexpected and mis-shaped entry, and then changes nothing") {
    nn::MLP<double> net({2, 3, 1});
    const auto before = values_of(net);
    auto state = net.state_dict();
    state.erase("0.bias");
    state.erase("2.bias");
    state.insert_or_assign("0.weight", xt::xarray<double>(xt::zeros<double>({2, 3})));
    state.insert_or_assign("2.weight", xt::xarray<double>(xt::zeros<double>({1, 3})));
    state.insert_or_assign("4.weight", xt::xarray<double>(xt::zeros<double>({5})));
    CHECK(message<ValueError>([&] { net.load_state_dict(state); }) ==
          "load_state_dict: the entries don't fit this module; load with {.strict = false} to leave out what is "
          "missing or unexpected\n"
          "  mis-shaped: 0.weight is (3, 2) here and (2, 3) there\n"
          "  missing: 0.bias (3,)\n"
          "  missing: 2.bias (1,)\n"
          "  unexpected: 4.weight (5,)");
    CHECK(values_of(net) == before);
    CHECK(message<ValueError>([&] { net.load_state_dict(state, {.strict = false}); }) ==
          "load_state_dict: the entries don't fit this module; leave out those that differ\n"
          "  mis-shaped: 0.weight is (3, 2) here and (2, 3) there");
    CHECK(values_of(net) == before);
    state.erase("0.weight");
    net.load_state_dict(state, {.strict = false});
    CHECK(values_of(net)[0] == before[0]);
    CHECK(values_of(net)[1] == before[1]);
    CHECK(values_of(net)[2] == Values(3, 0.0));
    CHECK(values_of(net)[3] == before[3]);
    CHECK(message<ValueError>([&] { net.load_state_dict({}); }).find("missing: 0.weight (3, 2)") != std::string::npos);
}

TEST_CASE("loading leaves what was given out as it was") {
    nn::Linear<double> linear(2, 1);
    const auto value = linear.weight().value();
    const auto before = elements(linear.weight());
    auto state = linear.state_dict();
    state.insert_or_assign("weight", xt::xarray<double>{{7.0, 8.0}});
    linear.load_state_dict(state);
    CHECK(elements(linear.weight()) == Values{7.0, 8.0});
    CHECK(Values(value.begin(), value.end()) == before);
}
