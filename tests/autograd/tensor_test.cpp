// Handles and values: what a tensor is made of, what it gives out, how it prints.

#include <concepts>
#include <cstdint>
#include <optional>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <xtensor/xview.hpp>

#include <xtape/autograd.hpp>

#include "expect.hpp"

using namespace xtape;
using expect::elements;
using expect::message;

namespace {

using Values = std::vector<double>;

}  // namespace

static_assert(std::is_nothrow_move_constructible_v<Tensor<float>> && std::is_nothrow_move_assignable_v<Tensor<float>>);
static_assert(std::is_nothrow_copy_constructible_v<Tensor<double>>);
static_assert(sizeof(Tensor<float>) == sizeof(void*));
static_assert(std::same_as<Tensor<>, Tensor<float>>);
static_assert(std::convertible_to<double, Tensor<float>> && std::convertible_to<int, Tensor<double>>);
static_assert(!std::convertible_to<bool, Tensor<double>>);
static_assert(!std::convertible_to<Tensor<float>, Tensor<double>> &&
              !std::constructible_from<Tensor<double>, Tensor<float>>);
static_assert(std::same_as<decltype(std::declval<Tensor<float>>() * 0.1), Tensor<float>>);
static_assert(std::same_as<decltype(2 - std::declval<Tensor<float>>()), Tensor<float>>);
static_assert(std::same_as<decltype(std::declval<Tensor<float>>() + std::declval<xt::xarray<float>>()), Tensor<float>>);
static_assert(std::same_as<decltype(std::declval<Tensor<double>>() < 0.5), xt::xarray<bool>>);
static_assert(std::same_as<decltype(Tensor(std::declval<xt::xarray<double>>())), Tensor<double>>);
static_assert(std::same_as<decltype(parameter(std::declval<xt::xarray<float>>())), Tensor<float>>);
static_assert(std::same_as<decltype(parameter(1.0F)), Tensor<float>>);

TEST_CASE("a constant takes the value of any xtensor expression, evaluated at once and row-major") {
    xt::xarray<double> a{{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}};
    const Tensor<double> from_array(a);
    const Tensor<double> from_lazy(2.0 * a + 1.0);
    const Tensor<double> from_transposed(xt::transpose(a));
    const Tensor<double> from_view(xt::view(a, xt::all(), 1));
    const Tensor<double> from_column_major(xt::xarray<double, xt::layout_type::column_major>{{1.0, 2.0}, {3.0, 4.0}});
    const Tensor<float> from_other_type(a);
    a.fill(0.0);
    CHECK(elements(from_array) == Values{1.0, 2.0, 3.0, 4.0, 5.0, 6.0});
    CHECK(elements(from_lazy) == Values{3.0, 5.0, 7.0, 9.0, 11.0, 13.0});
    CHECK(from_transposed.shape() == Shape{3, 2});
    CHECK(elements(from_transposed) == Values{1.0, 4.0, 2.0, 5.0, 3.0, 6.0});
    CHECK(from_view.shape() == Shape{2});
    CHECK(elements(from_view) == Values{2.0, 5.0});
    CHECK(elements(from_column_major) == Values{1.0, 2.0, 3.0, 4.0});
    CHECK(elements(from_other_type) == std::vector<float>{1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F});
}

TEST_CASE("a scalar makes a 0-d constant; an array may have no elements") {
    const Tensor<double> s = 2.5;
    CHECK(s.dimension() == 0);
    CHECK(s.size() == 1);
    CHECK(s.item() == 2.5);
    const Tensor<float> from_int = 7;
    CHECK(from_int.item() == 7.0F);
    const Tensor<double> none(xt::xarray<double>::from_shape({2, 0}));
    CHECK(none.size() == 0);
    CHECK(none.shape() == Shape{2, 0});
    CHECK(none.value().size() == 0);
}

TEST_CASE("parameters and constants are leaves, results are not") {
    const auto p = parameter(2.0);
    const Tensor<double> c = 2.0;
    CHECK(p.requires_grad());
    CHECK(p.is_leaf());
    CHECK_FALSE(c.requires_grad());
    CHECK(c.is_leaf());
    const auto y = p * c;
    CHECK(y.requires_grad());
    CHECK_FALSE(y.is_leaf());
    const auto z = c * c;  // nothing recorded made it
    CHECK_FALSE(z.requires_grad());
    CHECK(z.is_leaf());
    CHECK(y.detach().is_leaf());
    CHECK_FALSE(y.detach().requires_grad());
}

TEST_CASE("copying a handle copies no numbers, and both mean the same tensor") {
    const auto x = parameter(xt::xarray<double>{1.0, 2.0});
    const Tensor<double> same = x;
    CHECK(same.data() == x.data());
    sum(same * same).backward();
    CHECK(elements(x.grad()) == Values{2.0, 4.0});
    same.zero_grad();
    CHECK_FALSE(x.has_grad());
    same.assign(xt::xarray<double>{3.0, 4.0});
    CHECK(elements(x) == Values{3.0, 4.0});
}

TEST_CASE("value() is safe to hold: it outlives its tensor, lazily or not") {
    std::optional<Tensor<double>::Value> value;
    auto make = [&] {
        const Tensor<double> x(xt::xarray<double>{{1.0, 2.0}, {3.0, 4.0}});
        value.emplace(x.value());
        return 2.0 * x.value() + 1.0;
    };
    const auto lazy = make();
    const auto noise = full<double>({2, 2}, -1.0);  // would take the place of freed memory
    CHECK(*value == xt::xarray<double>{{1.0, 2.0}, {3.0, 4.0}});
    CHECK(xt::xarray<double>(lazy) == xt::xarray<double>{{3.0, 5.0}, {7.0, 9.0}});
    CHECK((*value)(1, 0) == 3.0);
    CHECK(noise.size() == 4);
}

TEST_CASE("value() is an xtensor expression like any other") {
    const Tensor<double> x(xt::xarray<double>{{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}});
    CHECK(xt::xarray<double>(xt::view(x.value(), xt::all(), xt::range(1, 3))) ==
          xt::xarray<double>{{2.0, 3.0}, {5.0, 6.0}});
    CHECK(xt::xarray<double>(xt::transpose(x.value()))(2, 1) == 6.0);
    double total = 0;
    for (const double v : x.value()) {
        total += v;
    }
    CHECK(total == 21.0);
    const Tensor<double> scalar = 4.0;
    CHECK(scalar.value()() == 4.0);
    CHECK(scalar.value().dimension() == 0);
}

TEST_CASE("auto y = tanh(x) * x is as safe as it looks") {
    const auto make = [] {
        const auto x = parameter(xt::xarray<double>{0.0, 1.0});
        auto y = tanh(x) * x;
        return y;
    };
    const auto y = make();
    CHECK(y.data()[1] == doctest::Approx(0.7615941559557649));
    CHECK_NOTHROW(sum(y).backward());  // the leaf itself is gone
}

TEST_CASE("detach shares the buffer and leaves the graph") {
    const auto x = parameter(xt::xarray<double>{1.0, 2.0});
    const auto y = exp(x);
    const auto d = y.detach();
    CHECK(d.data() == y.data());
    CHECK_FALSE(d.requires_grad());
    CHECK(x.detach().data() == x.data());
    CHECK_FALSE(x.detach().has_grad());
}

TEST_CASE("reshape shares the buffer") {
    const Tensor<double> x(xt::xarray<double>{{1.0, 2.0}, {3.0, 4.0}});
    CHECK(reshape(x, {4}).data() == x.data());
    CHECK(reshape(x, {-1, 1}).shape() == Shape{4, 1});
    CHECK(expand_dims(x, 0).data() == x.data());
}

TEST_CASE("buffers of more than 48 bytes are 64-byte aligned") {
    for (const std::size_t n : {7U, 8U, 9U, 63U, 64U, 65U, 1000U, 100000U}) {
        const auto x = zeros<double>({n});
        CHECK(reinterpret_cast<std::uintptr_t>(x.data()) % 64 == 0);
    }
}

TEST_CASE("assign takes any expression of the shape, also of the other floating type") {
    const auto x = parameter(xt::xarray<double>{{1.0, 2.0}, {3.0, 4.0}});
    x.assign(xt::transpose(x.value()));
    CHECK(elements(x) == Values{1.0, 3.0, 2.0, 4.0});
    x.assign(xt::xarray<float>{{0.5F, 1.5F}, {2.5F, 3.5F}});
    CHECK(elements(x) == Values{0.5, 1.5, 2.5, 3.5});
    x.assign(x.value() * 2.0);
    CHECK(elements(x) == Values{1.0, 3.0, 5.0, 7.0});
    CHECK(x.is_leaf());
    CHECK(x.requires_grad());
    const Tensor<double> c = 1.0;
    c.assign(Tensor<double>(2.0));
    CHECK(c.item() == 2.0);
}

TEST_CASE("assign to a result, or of another shape, is refused and changes nothing") {
    const auto x = parameter(xt::xarray<double>{1.0, 2.0});
    const auto y = x * x;
    CHECK(message<GraphError>([&] {
              y.assign(xt::xarray<double>{0.0, 0.0});
          }) == "assign: this tensor of shape (2,) is the result of 'multiply', and what was recorded can't be "
                "overwritten; assign to a parameter "
                "or a constant");
    CHECK(message<ShapeError>([&] {
              x.assign(xt::xarray<double>{0.0, 0.0, 0.0});
          }) == "assign: a value of shape (3,) to a tensor of shape (2,); the shape can't change");
    CHECK_THROWS_AS(x.assign(xt::xarray<double>{{0.0, 0.0}}), ShapeError);
    CHECK_THROWS_AS(x.assign(Tensor<double>(0.0)), ShapeError);
    CHECK(elements(x) == Values{1.0, 2.0});
    CHECK(elements(y) == Values{1.0, 4.0});
    sum(y).backward();  // and the refused writes made no new version
    CHECK(elements(x.grad()) == Values{2.0, 4.0});
}

TEST_CASE("fresh_data is for tensors that nobody else has seen") {
    auto x = Tensor<double>::uninitialized({2});
    x.fresh_data()[0] = 1.0;
    x.fresh_data()[1] = 2.0;
    CHECK(elements(x) == Values{1.0, 2.0});
    const Tensor<double> other = x;
    CHECK_THROWS_AS((void)x.fresh_data(), GraphError);
    x = Tensor<double>();
    CHECK(other.fresh_data() == other.data());
    const auto view = other.value();
    CHECK_THROWS_AS((void)other.fresh_data(), GraphError);
    CHECK_THROWS_AS((void)parameter(1.0).fresh_data(), GraphError);
}

TEST_CASE("cast converts, also from integer and boolean expressions; to the same type it is the same tensor") {
    const Tensor<double> x(xt::xarray<double>{1.5, -2.25});
    CHECK(elements(x.cast<float>()) == std::vector<float>{1.5F, -2.25F});
    CHECK(x.cast<double>().ref() == x.ref());
    CHECK(elements(cast<double>(xt::xarray<int>{3, -4})) == Values{3.0, -4.0});
    CHECK(elements(cast<float>(xt::xarray<bool>{true, false})) == std::vector<float>{1.0F, 0.0F});
}

TEST_CASE("a tensor prints its values, its shape and the op that made it") {
    const Tensor<double> c(xt::xarray<double>{{1.0, 2.5}, {-3.0, 4.0}});
    CHECK(fmt::format("{}", c) == "[[  1, 2.5],\n [ -3,   4]]\nshape (2, 2), double, constant");
    std::ostringstream stream;
    stream << parameter(xt::xarray<float>{1.0F, 2.0F});
    CHECK(stream.str() == "[1, 2]\nshape (2,), float, parameter");
    CHECK(fmt::format("{}", exp(parameter(0.0))) == "1\nshape (), double, exp");
    CHECK(fmt::format("{}", Tensor<double>()) == "an empty tensor");
    CHECK(fmt::format("{}", zeros<double>({0, 3})).find("shape (0, 3), double, constant") != std::string::npos);
    const auto large = fmt::format("{}", arange<double>(1000.0));
    CHECK(large.find("[  0,   1,   2, ..., 997, 998, 999]") == 0);
}

TEST_CASE("any use of an empty tensor throws, and says what emptied it") {
    const Tensor<double> empty;
    CHECK_FALSE(static_cast<bool>(empty));
    const auto expected = "this tensor is empty: it was default-constructed or moved from; assign a tensor to it first";
    const Tensor<double> x = 1.0;
    CHECK(message<ValueError>([&] { (void)empty.value(); }) == expected);
    CHECK(message<ValueError>([&] { (void)empty.item(); }) == expected);
    CHECK(message<ValueError>([&] { (void)empty.shape(); }) == expected);
    CHECK(message<ValueError>([&] { (void)empty.size(); }) == expected);
    CHECK(message<ValueError>([&] { (void)empty.dimension(); }) == expected);
    CHECK(message<ValueError>([&] { (void)empty.data(); }) == expected);
    CHECK(message<ValueError>([&] { (void)empty.fresh_data(); }) == expected);
    CHECK(message<ValueError>([&] { (void)empty.requires_grad(); }) == expected);
    CHECK(message<ValueError>([&] { (void)empty.is_leaf(); }) == expected);
    CHECK(message<ValueError>([&] { (void)empty.has_grad(); }) == expected);
    CHECK(message<ValueError>([&] { (void)empty.grad(); }) == expected);
    CHECK(message<ValueError>([&] { empty.zero_grad(); }) == expected);
    CHECK(message<ValueError>([&] { (void)empty.detach(); }) == expected);
    CHECK(message<ValueError>([&] { (void)empty.cast<float>(); }) == expected);
    CHECK(message<ValueError>([&] { empty.backward(); }) == expected);
    CHECK(message<ValueError>([&] { empty.backward(x); }) == expected);
    CHECK(message<ValueError>([&] { parameter(1.0).backward(empty); }) == expected);
    CHECK(message<ValueError>([&] { empty.assign(x); }) == expected);
    CHECK(message<ValueError>([&] { x.assign(empty); }) == expected);
    CHECK(message<ValueError>([&] { (void)empty.register_hook([](const Tensor<double>& g) { return g; }); }) ==
          expected);
    CHECK(message<ValueError>([&] { (void)parameter(empty); }) == expected);
    CHECK(message<ValueError>([&] { (void)(empty + x); }) == expected);
    CHECK(message<ValueError>([&] { (void)(x * empty); }) == expected);
    CHECK(message<ValueError>([&] { (void)exp(empty); }) == expected);
    CHECK(message<ValueError>([&] { (void)sum(empty); }) == expected);
    CHECK(message<ValueError>([&] { (void)matmul(empty, x); }) == expected);
    CHECK(message<ValueError>([&] { (void)concatenate({ones<double>({2}), empty}); }) == expected);
    CHECK(message<ValueError>([&] { (void)reshape(empty, {1}); }) == expected);
    CHECK(message<ValueError>([&] { (void)grad(empty, {x}); }) == expected);
    CHECK(message<ValueError>([&] { (void)grad(parameter(1.0), {empty}); }) == expected);
    Tensor<double> rebound;
    CHECK(message<ValueError>([&] { rebound += 1.0; }) == expected);

    Tensor<double> moved = 2.0;
    const Tensor<double> target = std::move(moved);
    CHECK(message<ValueError>([&] { (void)moved.item(); }) == expected);  // NOLINT(bugprone-use-after-move)
    CHECK(target.item() == 2.0);
}
