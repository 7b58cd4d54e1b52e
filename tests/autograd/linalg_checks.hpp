#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xtape/autograd.hpp>
#include <xtape/autograd/linalg.hpp>

#include "expect.hpp"

/// What linalg's tests share.
namespace linalg_checks {

using namespace xtape;

template <typename T>
inline constexpr double tolerance = sizeof(T) == sizeof(float) ? 2e-5 : 1e-13;

/// Fails unless the tensors agree, relative to the largest magnitude expected, or to `size` if that is larger.
template <typename T>
void check_close(const std::string& what, const Tensor<T>& got, const Tensor<T>& expected,
                 double allowed = tolerance<T>, double size = 0) {
    REQUIRE_MESSAGE(got.shape() == expected.shape(), what);
    double largest = size;
    for (std::size_t i = 0; i < got.size(); ++i) {
        largest = std::max(largest, std::abs(static_cast<double>(expected.data()[i])));
    }
    for (std::size_t i = 0; i < got.size(); ++i) {
        const auto mine = static_cast<double>(got.data()[i]);
        const auto theirs = static_cast<double>(expected.data()[i]);
        if (!(std::abs(mine - theirs) <= allowed * (largest == 0 ? 1.0 : largest))) {
            FAIL_CHECK(fmt::format("{}: element {} is {}, not {}", what, i, mine, theirs));
        }
    }
}

template <typename T>
bool all_nan(const Tensor<T>& x) {
    return x.size() != 0 && std::all_of(x.data(), x.data() + x.size(), [](T e) { return std::isnan(e); });
}
template <typename T>
bool all_finite(const Tensor<T>& x) {
    return std::all_of(x.data(), x.data() + x.size(), [](T e) { return std::isfinite(e); });
}

/// The gradient of f at x, of all its elements summed; plain and recorded, which must be the same.
template <typename T, typename F>
Tensor<T> gradient(F f, const Tensor<T>& at) {
    const Tensor<T> x = parameter(at);
    const Tensor<T> y = sum(f(x));
    const Tensor<T> recorded = grad(y, {x}, {.create_graph = true}).front();
    const Tensor<T> plain = grad(y, {x}).front();
    for (std::size_t i = 0; i < plain.size(); ++i) {
        const T mine = recorded.data()[i];
        if (!(mine == plain.data()[i] || (std::isnan(mine) && std::isnan(plain.data()[i])))) {
            FAIL_CHECK(fmt::format("recorded: element {} is {}, plain: {}", i, mine, plain.data()[i]));
        }
    }
    return plain;
}

/// Fixed numbers without pattern.
template <typename T>
Tensor<T> noise(const Shape& shape, std::uint64_t seed = 1) {
    random::Stream stream(seed, 0);
    Tensor<T> x = Tensor<T>::uninitialized(shape);
    T* element = x.fresh_data();
    for (std::size_t i = 0; i < x.size(); ++i) {
        element[i] = static_cast<T>(static_cast<double>(stream.below(2001)) / 1000.0 - 1.0);
    }
    return x;
}

template <typename T>
Tensor<T> times(const Tensor<T>& a, const Tensor<T>& b, const Tensor<T>& c) {
    return matmul(matmul(a, b), c);
}
template <typename T>
Tensor<T> of_batch(const Tensor<T>& x, std::size_t i) {
    return view(x, i);
}

}  // namespace linalg_checks
