// Bad input to the ops and the engine: the type, the message, and that nothing changed. Errors that belong to hooks,
// failures midway, versions and empty tensors are in hooks_test, failure_test, ownership_test and tensor_test.

#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/autograd.hpp>

#include "expect.hpp"

using namespace xtape;
using expect::elements;
using expect::message;

static_assert(std::is_base_of_v<std::runtime_error, Error>);
static_assert(std::is_base_of_v<Error, ShapeError> && std::is_base_of_v<Error, GraphError> &&
              std::is_base_of_v<Error, ValueError> && std::is_base_of_v<Error, IoError>);

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

// Two parameters that ops are to refuse; afterwards neither values nor the tape may have changed.
struct Refused {
    Tensor<double> a = parameter(xt::xarray<double>{{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}});
    Tensor<double> b = parameter(xt::xarray<double>{{1.0, 2.0}, {3.0, 4.0}});
    std::size_t nodes = tape().nodes();

    ~Refused() {
        CHECK(tape().nodes() == nodes);
        CHECK(elements(a) == std::vector<double>{1.0, 2.0, 3.0, 4.0, 5.0, 6.0});
        CHECK(elements(b) == std::vector<double>{1.0, 2.0, 3.0, 4.0});
        CHECK_FALSE(a.has_grad());
        CHECK_FALSE(b.has_grad());
    }
};

}  // namespace

TEST_CASE("shapes that do not broadcast are named with the op and the axis") {
    const Refused r;
    CHECK(message<ShapeError>([&] { (void)(r.a + r.b); }) ==
          "add: shapes (2, 3) and (2, 2) do not broadcast: axis -1 is 3 in one and 2 in the other, and neither is 1; "
          "reshape or transpose one "
          "of them");
    CHECK(message<ShapeError>([&] {
              (void)(r.a - zeros<double>({4, 3}));
          }) == "subtract: shapes (2, 3) and (4, 3) do not broadcast: axis -2 is 2 in one and 4 in the other, and "
                "neither is 1; reshape or transpose "
                "one of them");
    CHECK(message<ShapeError>([&] { (void)(r.a * r.b); }).find("multiply: shapes (2, 3) and (2, 2)") == 0);
    CHECK(message<ShapeError>([&] { (void)(r.a / r.b); }).find("divide: shapes (2, 3) and (2, 2)") == 0);
    CHECK(message<ShapeError>([&] { (void)pow(r.a, r.b); }).find("pow: shapes (2, 3) and (2, 2)") == 0);
    CHECK(message<ShapeError>([&] { (void)maximum(r.a, r.b); }).find("maximum: shapes (2, 3) and (2, 2)") == 0);
    CHECK(message<ShapeError>([&] { (void)minimum(r.a, r.b); }).find("minimum: shapes (2, 3) and (2, 2)") == 0);
    CHECK(message<ShapeError>([&] {
              (void)where(r.a.value() > 0, r.a, r.b);
          }).find("where: shapes (2, 3) and (2, 2)") == 0);
    CHECK(message<ShapeError>([&] {
              (void)(r.a + xt::xarray<double>{1.0, 2.0});
          }).find("add: shapes (2, 3) and (2,)") == 0);
    CHECK(message<ShapeError>([&] {
              (void)(r.a + zeros<double>({0, 3}));
          }).find("axis -2 is 2 in one and 0 in the other") != std::string::npos);
    CHECK(message<ShapeError>([&] {
              (void)broadcast_to(r.a, {3, 3});
          }).find("broadcast_to: shapes (2, 3) and (3, 3)") == 0);
    CHECK(message<ShapeError>([&] { (void)broadcast_to(r.a, {3}); }) ==
          "broadcast_to: shape (2, 3) can't be broadcast to (3,)");
    CHECK(message<ShapeError>([&] {
              (void)broadcast_to(r.a, {2, 1});
          }) == "broadcast_to: shape (2, 3) can't be broadcast to (2, 1)");
}

TEST_CASE("shapes that do not multiply are named") {
    const Refused r;
    CHECK(message<ShapeError>([&] {
              (void)matmul(r.a, r.b);
          }).find("matmul: shapes (2, 3) and (2, 2) do not multiply: ") == 0);
    CHECK(message<ShapeError>([&] {
              (void)matmul(r.a, Tensor<double>(1.0));
          }).find("matmul: shapes (2, 3) and () do not multiply: ") == 0);
    CHECK(message<ShapeError>([&] {
              (void)matmul(zeros<double>({2, 3, 3}), zeros<double>({5, 3, 3}));
          }).find("(2, 3, 3) and (5, 3, 3)") != std::string::npos);
    CHECK(message<ShapeError>([&] { (void)linear(r.a, r.b); }) ==
          "linear: input (2, 3), weight (2, 2), bias none; it takes (..., in), (out, in) and (out,)");
    CHECK(message<ShapeError>([&] {
              (void)linear(r.a, zeros<double>({4, 3}), zeros<double>({3}));
          }) == "linear: input (2, 3), weight (4, 3), bias (3,); it takes (..., in), (out, in) and (out,)");
}

TEST_CASE("tensors that do not concatenate are named, and none is an error") {
    const Refused r;
    CHECK(message<ShapeError>([&] {
              (void)concatenate({r.a, r.b});
          }) == "concatenate: shapes (2, 3) and (2, 2) differ elsewhere than along axis 0");
    CHECK(message<ShapeError>([&] {
              (void)concatenate({r.a, zeros<double>({3})}, 1);
          }) == "concatenate: shapes (2, 3) and (3,) differ elsewhere than along axis 1");
    CHECK(message<ShapeError>([&] {
              (void)concatenate({r.a, r.b}, 2);
          }).find("concatenate: axis 2 is out of range") == 0);
    CHECK(message<ValueError>([&] { (void)concatenate(std::vector<Tensor<double>>{}); }) ==
          "concatenate: no tensors given; at least one is needed");
}

TEST_CASE("axes out of range, or given twice, are named with op and shape") {
    const Refused r;
    CHECK(message<ShapeError>([&] { (void)sum(r.a, 2); }) ==
          "sum: axis 2 is out of range for shape (2, 3), which has 2 axes");
    CHECK(message<ShapeError>([&] { (void)sum(r.a, -3); }) ==
          "sum: axis -3 is out of range for shape (2, 3), which has 2 axes");
    CHECK(message<ShapeError>([&] {
              (void)sum(r.a, {0, -2});
          }) == "sum: axis -2 is given twice in (0, -2) for shape (2, 3)");
    CHECK(message<ShapeError>([&] {
              (void)mean(r.a, {1, 1}, keep_dims);
          }) == "mean: axis 1 is given twice in (1, 1) for shape (2, 3)");
    CHECK(message<ShapeError>([&] { (void)amax(r.a, 5); }).find("amax: axis 5 is out of range for shape (2, 3)") == 0);
    CHECK(message<ShapeError>([&] {
              (void)logsumexp(r.a, 5);
          }).find("logsumexp: axis 5 is out of range for shape (2, 3)") == 0);
    CHECK(message<ShapeError>([&] {
              (void)softmax(r.a, 2);
          }).find("softmax: axis 2 is out of range for shape (2, 3)") == 0);
    CHECK(message<ShapeError>([&] {
              (void)log_softmax(r.a, -3);
          }).find("log_softmax: axis -3 is out of range for shape (2, 3)") == 0);
    CHECK(message<ShapeError>([&] { (void)sum(Tensor<double>(1.0), 0); }) ==
          "sum: axis 0 is out of range for shape (), which has 0 axes");
    CHECK(message<ShapeError>([&] {
              (void)softmax(Tensor<double>(1.0));
          }).find("softmax: axis -1 is out of range for shape ()") == 0);
    CHECK(message<ShapeError>([&] {
              (void)transpose(r.a, {0, 0});
          }) == "transpose: axis 0 is given twice in (0, 0) for shape (2, 3)");
    CHECK(message<ShapeError>([&] { (void)transpose(r.a, {0}); }) ==
          "transpose: (0,) is no permutation of the 2 axes of shape (2, 3)");
    CHECK(message<ShapeError>([&] { (void)transpose(r.a, {0, 2}); }).find("transpose: axis 2 is out of range") == 0);
    CHECK(message<ShapeError>([&] { (void)expand_dims(r.a, 3); }).find("expand_dims: axis 3 is out of range") == 0);
    CHECK(message<ShapeError>([&] { (void)squeeze(r.a, {1}); }) == "squeeze: axis 1 of shape (2, 3) is 3, not 1");
}

TEST_CASE("reshape refuses another size, two -1, and what is less than -1") {
    const Refused r;
    CHECK(message<ShapeError>([&] { (void)reshape(r.a, {4}); }) ==
          "reshape: (2, 3) has 6 elements and can't become (4,)");
    CHECK(message<ShapeError>([&] {
              (void)reshape(r.a, {-1, 4});
          }) == "reshape: (2, 3) has 6 elements and can't become (-1, 4)");
    CHECK(message<ShapeError>([&] {
              (void)reshape(r.a, {-1, -1});
          }) == "reshape: (2, 3) to (-1, -1): one extent at most may be -1, and none less");
    CHECK(message<ShapeError>([&] { (void)reshape(r.a, {-2, 3}); }).find("reshape: (2, 3) to (-2, 3)") == 0);
    CHECK(message<ShapeError>([&] {
              (void)reshape(zeros<double>({0}), {0, -1});
          }) == "reshape: (0,) has 0 elements and can't become (0, -1)");
    CHECK(message<ShapeError>([&] {
              (void)reshape(r.a, {0, -1});
          }) == "reshape: (2, 3) has 6 elements and can't become (0, -1)");
}

TEST_CASE("view refuses indices out of range and more slices than axes") {
    const Refused r;
    CHECK(message<ShapeError>([&] { (void)view(r.a, 2); }) ==
          "view: index 2 is out of range for axis 0 of shape (2, 3)");
    CHECK(message<ShapeError>([&] { (void)view(r.a, 0, -4); }) ==
          "view: index -4 is out of range for axis 1 of shape (2, 3)");
    CHECK(message<ShapeError>([&] { (void)view(r.a, 0, 0, 0); }).find("for shape (2, 3)") != std::string::npos);
    CHECK(message<ValueError>([&] { (void)view(r.a, xt::range(0, 2, 0)); }).find("step is 0") != std::string::npos);
}

TEST_CASE("amax of nothing is an error; sum, mean and logsumexp of nothing are not") {
    CHECK(message<ValueError>([] {
              (void)amax(zeros<double>({0, 3}), 0);
          }) == "amax: shape (0, 3) has no elements along the reduced axes, and nothing has no largest");
    CHECK_NOTHROW((void)amax(zeros<double>({0, 3}), 1));
    CHECK(sum(zeros<double>({0})).item() == 0.0);
    CHECK(std::isnan(mean(zeros<double>({0})).item()));
    CHECK(logsumexp(zeros<double>({0})).item() == -infinity);
}

TEST_CASE("shapes can't be negative, nor larger than memory") {
    CHECK(message<ValueError>([] { (void)zeros<double>({-1, 2}); }).find("negative") != std::string::npos);
    const std::size_t half = std::size_t{1} << 40;
    CHECK(message<ValueError>([&] {
              (void)zeros<float>({half, half});
          }) == "shape (1099511627776, 1099511627776) has more elements than memory has addresses");
    CHECK_THROWS_AS((void)broadcast_to(Tensor<double>(1.0), {half, half}), ValueError);
    CHECK_THROWS_AS((void)reshape(Tensor<double>(1.0), {std::int64_t{1} << 40, std::int64_t{1} << 40}), Error);
    CHECK_NOTHROW((void)zeros<double>({half, half, 0}));
}

TEST_CASE("creation refuses what it can't make") {
    CHECK(message<ValueError>([] { (void)arange<double>(0.0, 1.0, 0.0); }).find("step must not be 0") !=
          std::string::npos);
    CHECK_THROWS_AS((void)arange<double>(0.0, infinity), ValueError);
    CHECK_THROWS_AS((void)arange<double>(not_a_number), ValueError);
    CHECK(message<ValueError>([] { (void)random::bernoulli<double>({2}, 1.5); }) ==
          "bernoulli: p is 1.5; a probability lies in [0, 1]");
    CHECK_THROWS_AS((void)random::bernoulli<double>({2}, not_a_number), ValueError);
    CHECK(message<ValueError>([] { (void)random::uniform<double>({2}, 1.0, 0.0); }) ==
          "uniform: from 1 to 0; both must be finite, and the first no larger than the second");
    CHECK_THROWS_AS((void)random::uniform<double>({2}, not_a_number, 1.0), ValueError);
    CHECK_THROWS_AS((void)random::uniform<double>({2}, 0.0, infinity), ValueError);
    CHECK(message<ValueError>([] { (void)random::normal<double>({2}, 0.0, -1.0); }) ==
          "normal: mean 0, standard deviation -1; both must be finite, and the second not negative");
    CHECK_THROWS_AS((void)random::normal<double>({2}, not_a_number, 1.0), ValueError);
}

TEST_CASE("item() of several elements, or of none, is an error") {
    CHECK(message<ValueError>([] {
              (void)zeros<double>({2, 3}).item();
          }) == "item: a tensor of shape (2, 3) has 6 elements, not one");
    CHECK(message<ValueError>([] { (void)zeros<double>({0}).item(); }) ==
          "item: a tensor of shape (0,) has 0 elements, not one");
    CHECK(full<double>({1, 1}, 5.0).item() == 5.0);
}

TEST_CASE("backward on more than one element says the shape, and to reduce it or pass a seed") {
    const auto x = parameter(ones<double>({2, 3}));
    const auto y = 2.0 * x;
    CHECK(message<ShapeError>([&] { y.backward(); }) ==
          "backward: this tensor has shape (2, 3), not one element; reduce it (sum, mean) or pass a seed of its shape: "
          "y.backward(seed)");
    CHECK(message<ShapeError>([&] {
              y.backward(ones<double>({3, 2}));
          }) == "backward: the seed has shape (3, 2) and the tensor (2, 3); they must be the same");
    CHECK(message<ShapeError>([&] { y.backward(Tensor<double>(1.0)); }).find("the seed has shape ()") !=
          std::string::npos);
    CHECK(message<ShapeError>([&] { (void)grad(y, {x}); }) ==
          "grad: y has shape (2, 3), not one element; reduce it (sum, mean) or give a seed of its shape: grad(y, xs, "
          "{.seed = v})");
    CHECK(message<ShapeError>([&] { (void)grad(y, {x}, {.seed = ones<double>({6})}); }) ==
          "grad: the seed has shape (6,) and y (2, 3); they must be the same");
    CHECK_FALSE(x.has_grad());
    sum(y).backward();
    CHECK(elements(x.grad()) == std::vector<double>(6, 2.0));
}

TEST_CASE("backward of what requires no gradient is an error that says how to make it") {
    CHECK(message<GraphError>([] { (Tensor<double>(1.0) * 2.0).backward(); }) ==
          "backward: nothing behind this tensor of shape () requires a gradient; make what you differentiate by with "
          "xtape::parameter, and "
          "record outside of NoGradGuard");
    const auto x = parameter(1.0);
    CHECK_THROWS_AS(no_grad([&] { return x * x; }).backward(), GraphError);
    CHECK_THROWS_AS(x.detach().backward(), GraphError);
    CHECK_THROWS_AS(ones<double>({2}).backward(ones<double>({2})), GraphError);
    CHECK(message<GraphError>([&] { (void)grad(x * x, {Tensor<double>(1.0)}); }) ==
          "grad: input 0 of shape () requires no gradient; make it with xtape::parameter");
}

TEST_CASE("a second backward on a released graph says to retain it") {
    const auto x = parameter(2.0);
    const auto y = exp(x) * x;
    y.backward();
    CHECK(message<GraphError>([&] { y.backward(); }) ==
          "backward: the graph behind this tensor was replayed before, and what 'multiply' of shape () saved is gone; "
          "to replay a graph twice, "
          "ask for it the first time: backward({.retain_graph = true})");
    CHECK_THROWS_AS((void)grad(y, {x}), GraphError);
    CHECK(x.grad().item() == doctest::Approx(3 * std::exp(2.0)));
}

TEST_CASE("grad() of what keeps none says what it is") {
    const auto x = parameter(2.0);
    CHECK(message<GraphError>([&] { (void)(x * x).grad(); }) ==
          "grad: this tensor of shape () is the result of an op; only parameters, made by xtape::parameter, keep a "
          "gradient (for an interior "
          "tensor use xtape::grad)");
    CHECK(message<GraphError>([&] {
              (void)ones<double>({2}).grad();
          }).find("this tensor of shape (2,) is a constant") != std::string::npos);
    CHECK_FALSE((x * x).has_grad());
    CHECK_FALSE(ones<double>({2}).has_grad());
    CHECK_NOTHROW(ones<double>({2}).zero_grad());
}

TEST_CASE("a parameter can't be made from part of a graph") {
    const auto x = parameter(ones<double>({2}));
    CHECK(message<GraphError>([&] { (void)parameter(2.0 * x); }) ==
          "parameter: this tensor of shape (2,) is part of a graph; detach() it first");
    CHECK_THROWS_AS((void)parameter(x), GraphError);
    CHECK_NOTHROW((void)parameter((2.0 * x).detach()));
}

TEST_CASE("labels outside [0, classes) name the sample and what is allowed") {
    const auto logits = parameter(ones<double>({3, 4}));
    CHECK(message<ValueError>([&] {
              (void)softmax_cross_entropy(logits, Labels(xt::xarray<int>{0, 4, 1}));
          }) == "cross_entropy: label 4 of sample 1 is outside [0, 4): there are 4 classes");
    CHECK(message<ValueError>([&] {
              (void)softmax_cross_entropy(logits, Labels(xt::xarray<int>{0, 1, -1}));
          }) == "cross_entropy: label -1 of sample 2 is outside [0, 4): there are 4 classes");
    CHECK(message<ValueError>([&] { (void)one_hot<double>(Labels(xt::xarray<int>{7}), 5); }) ==
          "one_hot: label 7 of sample 0 is outside [0, 5): there are 5 classes");
    CHECK(message<ShapeError>([&] {
              (void)softmax_cross_entropy(logits, Labels(xt::xarray<int>{0, 1}));
          }) == "cross_entropy: logits of shape (3, 4) and labels of shape (2,); it takes logits (samples, classes) "
                "with labels (samples,) or "
                "probabilities (samples, classes)");
    CHECK(message<ShapeError>([&] {
              (void)softmax_cross_entropy(logits, ones<double>({3, 3}));
          }).find("probabilities of shape (3, 3)") != std::string::npos);
}
