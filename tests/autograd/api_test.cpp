// The public names as the design writes them down: each snippet compiles, and does what it says.

#include <sstream>
#include <type_traits>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xtape/xtape.hpp>

#include "expect.hpp"

using namespace xtape;
using expect::elements;

namespace {

using Values = std::vector<double>;

}  // namespace

TEST_CASE("Tensor") {
    Tensor<double> c{xt::xarray<double>{{1., 2.}, {3., 4.}}};
    Tensor<double> s = 2.0;
    auto w = parameter(xt::xarray<double>{1., 2.});
    static_assert(std::is_same_v<decltype(w), Tensor<double>>);
    static_assert(std::is_same_v<Tensor<>, Tensor<float>>);

    const xt::xarray<double> copy = c.value();
    CHECK(copy(1, 0) == 3.0);
    CHECK(s.item() == 2.0);
    CHECK(c.shape() == Shape{2, 2});
    CHECK(c.dimension() == 2);
    CHECK(c.size() == 4);
    CHECK(w.requires_grad());
    CHECK(w.is_leaf());

    auto x = sum(w * w);
    x.backward({.retain_graph = true});
    x.backward(ones_like(x), {.retain_graph = true, .create_graph = true});
    x.backward();
    CHECK(w.has_grad());
    CHECK(elements(w.grad()) == Values{6.0, 12.0});
    w.zero_grad();
    CHECK_FALSE(w.has_grad());
    CHECK_FALSE(w.detach().requires_grad());
    w.assign(xt::xarray<double>{5., 6.});
    w.assign(2.0 * w.value());
    CHECK(elements(w) == Values{10.0, 12.0});
    auto hook = w.register_hook([](const Tensor<double>& g) { return g; });
    hook.remove();
    CHECK(elements(w.cast<float>()) == std::vector<float>{10.0F, 12.0F});
    CHECK(elements(cast<double>(xt::xarray<int>{1, 2})) == Values{1.0, 2.0});
    w.zero_grad();
    sum(w.cast<float>() * 3.0).backward(BackwardOptions{.create_graph = true});
    CHECK(elements(w.grad()) == Values{3.0, 3.0});
    w.zero_grad();
    sum(square(w).cast<float>()).backward();
    CHECK(elements(w.grad()) == Values{20.0, 24.0});
}

TEST_CASE("handles are const in all they do") {
    const auto w = parameter(xt::xarray<float>{1.F, 2.F});
    const auto loss = sum(w);
    const auto hook = w.register_hook([](const Tensor<float>& g) { return g; });
    loss.backward();
    w.zero_grad();
    w.assign(xt::xarray<float>{3.F, 4.F});
    (void)hook;
    CHECK(w.value()(1) == 4.F);
}

TEST_CASE("creation and printing") {
    CHECK(elements(ones<double>({2, 3})) == Values(6, 1.0));
    CHECK(zeros<float>({2}).size() == 2);
    CHECK(full<double>({}, 7.0).item() == 7.0);
    CHECK(elements(eye<double>(2)) == Values{1.0, 0.0, 0.0, 1.0});
    CHECK(elements(arange<double>(3.0)) == Values{0.0, 1.0, 2.0});
    CHECK(elements(arange<double>(1.0, 2.0, 0.5)) == Values{1.0, 1.5});
    CHECK(elements(linspace<double>(0.0, 1.0, 3)) == Values{0.0, 0.5, 1.0});
    CHECK(zeros_like(ones<double>({4})).size() == 4);
    static_assert(std::is_same_v<decltype(ones({2})), Tensor<float>>);
    random::seed(1);
    CHECK(random::normal<double>({2, 2}).size() == 4);
    CHECK(random::uniform<double>({2}, -1.0, 1.0).size() == 2);
    CHECK(random::bernoulli<float>({3}, 0.5).size() == 3);
    std::ostringstream stream;
    stream << ones<float>({2});
    CHECK(stream.str() == fmt::format("{}", ones<float>({2})));
    // Shapes of any integer type, from any container.
    const std::vector<int> as_vector{2, 3};
    const xt::xarray<double> array = xt::ones<double>({2, 3});
    CHECK(zeros<double>(as_vector).shape() == Shape{2, 3});
    CHECK(zeros<double>(array.shape()).shape() == Shape{2L, 3L});
    CHECK(zeros<double>({2U, 3U}).shape() == zeros<double>({std::size_t{2}, std::size_t{3}}).shape());
}

TEST_CASE("elementwise ops, with scalars and xtensor expressions on either side") {
    const auto x = parameter(xt::xarray<float>{-1.F, 4.F});
    const xt::xarray<float> a{2.F, 3.F};
    const std::vector<Tensor<float>> results{-x,
                                             abs(x),
                                             square(x),
                                             sqrt(x),
                                             exp(x),
                                             log(x),
                                             sin(x),
                                             cos(x),
                                             tanh(x),
                                             sigmoid(x),
                                             relu(x),
                                             x * 0.1,
                                             1 / x,
                                             x - 2,
                                             2.0 + x,
                                             x * a,
                                             a - x,
                                             x / (2.0F * a),
                                             pow(x, 2.0),
                                             pow(2.0, x),
                                             pow(x, x),
                                             maximum(x, 0),
                                             minimum(a, x),
                                             where(x.value() > 0, x, 0.0),
                                             where(true, x, x),
                                             where(x > 0.5, 0.0, x)};
    for (const auto& result : results) {
        CHECK(result.shape() == x.shape());
        CHECK(result.requires_grad());
    }
    const xt::xarray<bool> larger = x > 0.5;
    CHECK(larger == xt::xarray<bool>{false, true});
    CHECK((0.5 < x) == larger);
    CHECK((x >= a) == larger);
    CHECK((x <= a) == !larger);
    CHECK(equal(x, 4.F) == larger);
    CHECK(not_equal(x, -1) == larger);
}

TEST_CASE("reductions, movement and products") {
    const auto x = parameter(xt::xarray<double>{{1., 2., 3.}, {4., 5., 6.}});
    CHECK(sum(x).item() == 21.0);
    CHECK(elements(sum(x, 1)) == Values{6.0, 15.0});
    CHECK(sum(x, {0, -1}).item() == 21.0);
    CHECK(sum(x, {0}, keep_dims).shape() == Shape{1, 3});
    CHECK(mean(x, keep_dims).shape() == Shape{1, 1});
    CHECK(elements(amax(x, 0)) == Values{4.0, 5.0, 6.0});
    CHECK(logsumexp(x, {1}).shape() == Shape{2});
    CHECK(softmax(x, 1).shape() == log_softmax(x, 0).shape());

    CHECK(reshape(x, {2, -1}).shape() == Shape{2, 3});
    CHECK(transpose(x).shape() == Shape{3, 2});
    CHECK(transpose(reshape(x, {1, 2, 3}), {1, 0, 2}).shape() == Shape{2, 1, 3});
    CHECK(squeeze(expand_dims(x, 0)).shape() == x.shape());
    CHECK(broadcast_to(x, {2, 2, 3}).shape() == Shape{2, 2, 3});
    CHECK(concatenate({x, x}, 1).shape() == Shape{2, 6});
    CHECK(elements(view(x, xt::range(0, 2), 2)) == Values{3.0, 6.0});
    CHECK(view(reshape(x, {2, 3, 1}), xt::range(0, 2), xt::all(), 0).shape() == Shape{2, 3});
    CHECK(view(x, xt::ellipsis(), xt::newaxis()).shape() == Shape{2, 3, 1});

    CHECK(matmul(x, transpose(x)).shape() == Shape{2, 2});
    CHECK(matmul(x, xt::xarray<double>{1., 1., 1.}).shape() == Shape{2});
    CHECK(matmul(xt::xarray<double>{1., 1.}, x).shape() == Shape{3});
    const auto w = ones<double>({4, 3});
    CHECK(linear(x, w).shape() == Shape{2, 4});
    CHECK(linear(x, w, ones<double>({4})).shape() == Shape{2, 4});
}

TEST_CASE("transforms") {
    const auto x1 = parameter(2.0);
    const auto x2 = parameter(3.0);
    const auto y = x1 * x2;
    std::vector<Tensor<double>> g =
        grad(y, {x1, x2}, {.seed = 2.0, .retain_graph = true, .create_graph = true, .allow_unused = false});
    CHECK(g[0].item() == 6.0);
    g = grad(y, std::vector<Tensor<double>>{x1});
    CHECK(g.size() == 1);
    const auto [value, slope] = value_and_grad([](const Tensor<double>& x) { return x * x; }, Tensor<double>(5.0));
    CHECK(value.item() == 25.0);
    CHECK(slope.item() == 10.0);
    const auto cubes = [](const Tensor<double>& x) { return cube(x); };
    const Tensor<double> at{xt::xarray<double>{1.0, 2.0}};
    const Tensor<double> v{xt::xarray<double>{1.0, 10.0}};
    CHECK(elements(vjp(cubes, at, v).second) == Values{3.0, 120.0});
    CHECK(elements(jvp(cubes, at, v).second) == Values{3.0, 120.0});
    CHECK(elements(jacobian(cubes, at)) == Values{3.0, 0.0, 0.0, 12.0});
    const auto total = [](const Tensor<double>& x) { return sum(cube(x)); };
    CHECK(elements(hessian(total, at)) == Values{6.0, 0.0, 0.0, 12.0});
    CHECK(elements(hvp(total, at, v)) == Values{6.0, 120.0});
    const auto product = [](const std::vector<Tensor<double>>& x) { return sum(x[0] * x[1]); };
    CHECK(elements(value_and_grad(product, {at, v}).second[1]) == Values{1.0, 2.0});
    CHECK(elements(vjp(product, {at, v}, 2.0).second[0]) == Values{2.0, 20.0});
    CHECK(jvp(product, {at, v}, {v, at}).second.item() == 106.0);
    CHECK(jacobian(product, {at, v}).size() == 2);
    CHECK(hessian(product, {at, v})[0][1].shape() == Shape{2, 2});
    CHECK(elements(hvp(product, {at, v}, {v, at})[0]) == Values{1.0, 2.0});
    CHECK(checkpoint([](const Tensor<double>& x, const Tensor<double>& z) { return x * z; }, x1, x2).item() == 6.0);
    const auto made = custom("doubled", x1.value() * 2.0, {x1},
                             [=](const Tensor<double>& u) { return std::vector<Tensor<double>>{u * 2.0}; });
    CHECK(grad(made, {x1}, {.create_graph = true})[0].item() == 2.0);
    CHECK(grad(made, {x1})[0].item() == 2.0);
    const auto root = custom("root", xt::sqrt(at.value()), {x1 * at},
                             [](const auto& u, const auto& out) { return std::vector{u / (2.0 * out)}; });
    CHECK(root.shape() == Shape{2});
    const auto check =
        check_gradients([](const std::vector<Tensor<double>>& x) { return x[0] * exp(x[1]); }, {x1, x2}, {.order = 2});
    CHECK_MESSAGE(check.ok, check.message);
    CHECK(check.max_error < 1e-6);
    {
        NoGradGuard guard;
        CHECK_FALSE((x1 * x2).requires_grad());
    }
    CHECK(tape().nodes() >= 1);
    CHECK(tape().bytes() > 0);
    release_cached_memory();
}

namespace {

// A module of one's own: y = scale · inner(x).
class Scaled : public nn::Module<double> {
public:
    explicit Scaled(std::unique_ptr<nn::Module<double>> inner) : inner_(std::move(inner)) {}
    Tensor<double> forward(const Tensor<double>& x) override { return scale_ * (*inner_)(x); }
    std::vector<nn::Member<double>> members() override { return {{"inner", *inner_}, {"scale", scale_}}; }
    std::unique_ptr<nn::Module<double>> clone() override { return std::make_unique<Scaled>(inner_->clone()); }

private:
    std::unique_ptr<nn::Module<double>> inner_;
    Tensor<double> scale_ = parameter(2.0);
};

}  // namespace

TEST_CASE("nn") {
    nn::Linear<double> layer(3, 2, {.bias = false});
    nn::Sequential<double> net(nn::Linear<double>(4, 8), nn::ReLU<double>(), nn::Linear<double>(8, 3),
                               nn::Tanh<double>(), nn::Sigmoid<double>(), nn::Identity<double>(), nn::Softmax<double>(),
                               nn::Flatten<double>());
    nn::MLP<double> mlp({4, 16, 3}, nn::Activation::relu);
    nn::MLP<> in_float({4, 3});
    Scaled scaled(std::make_unique<nn::Linear<double>>(4, 3));
    const auto x = ones<double>({5, 4});
    CHECK(net(x).shape() == Shape{5, 3});
    CHECK(mlp.forward(x).shape() == Shape{5, 3});
    CHECK(scaled(x).shape() == Shape{5, 3});
    CHECK(scaled.named_parameters()[1].first == "inner.bias");
    CHECK(mlp.parameters().size() == 4);
    mlp.train();
    mlp.eval();
    mlp.zero_grad();
    const auto state = mlp.state_dict();
    mlp.load_state_dict(state);
    mlp.load_state_dict(state, {.strict = false});
    const auto copy = mlp.clone();
    CHECK(elements((*copy)(x)) == elements(mlp(x)));

    const auto w = parameter(zeros<double>({3, 4}));
    nn::init::kaiming_uniform(w);
    nn::init::kaiming_normal(w);
    nn::init::xavier_uniform(w);
    nn::init::xavier_normal(w);
    nn::init::uniform(w, -1.0, 1.0);
    nn::init::normal(w, 0.0, 0.1);
    nn::init::orthogonal(w);
    nn::init::zeros(w);

    const xt::xarray<int> labels{0, 1, 2, 0, 1};
    const auto logits = mlp(x);
    CHECK(nn::cross_entropy(logits, labels).dimension() == 0);
    CHECK(nn::cross_entropy(logits, nn::one_hot<double>(labels, 3), {.reduction = nn::Reduction::sum}).dimension() ==
          0);
    CHECK(nn::cross_entropy(logits, xt::xarray<double>(xt::ones<double>({5, 3}) / 3.0)).dimension() == 0);
    CHECK(nn::mse_loss(logits, zeros<double>({5, 3}), {.reduction = nn::Reduction::none}).shape() == Shape{5, 3});
    CHECK(nn::accuracy(logits, labels) <= 1.0);
}

TEST_CASE("optim") {
    nn::Linear<double> layer(2, 1);
    optim::SGD<double> opt(layer.parameters(),
                           {.lr = 0.1, .momentum = 0.9, .dampening = 0, .weight_decay = 0, .nesterov = false});
    const auto other = parameter(1.0);
    opt.add_group({other}, {.lr = 0.01});
    CHECK(opt.groups().size() == 2);
    opt.groups()[0].options.lr *= 0.5;
    opt.zero_grad();
    (sum(layer(ones<double>({1, 2}))) + other).backward();
    opt.step();
    CHECK(other.item() == doctest::Approx(0.99));
}

TEST_CASE("an op with its element type named can be handed on as a function") {
    const auto [y, slope] = value_and_grad(square<double>, Tensor<double>(3.0));
    CHECK(y.item() == 9.0);
    CHECK(slope.item() == 6.0);
    Tensor<float> (*op)(const Tensor<float>&) = xtape::tanh<float>;
    CHECK(op(Tensor<float>(0.0f)).item() == 0.0f);
}

TEST_CASE("data") {
    const xt::xarray<float> inputs = xt::ones<float>({10, 4});
    const xt::xarray<int> labels = xt::zeros<int>({10});
    data::Dataset dataset{inputs, labels};
    data::DataLoader loader(dataset, {.batch_size = 4, .shuffle = true, .seed = 0, .drop_last = false});
    std::size_t seen = 0;
    for (auto& [x, y] : loader) {
        static_assert(std::is_same_v<std::remove_reference_t<decltype(x)>, Tensor<float>>);
        static_assert(std::is_same_v<std::remove_reference_t<decltype(y)>, xt::xarray<int>>);
        CHECK(x.shape()[0] == y.size());
        seen += y.size();
    }
    CHECK(seen == 10);
}
