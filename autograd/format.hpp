#pragma once

#include <algorithm>
#include <string>

#include <fmt/core.h>

#include <xtape/autograd/tensor.hpp>

namespace xtape {

/// Values (long axes shortened), shape, and the op that made the tensor.
template <class T>
[[nodiscard]] std::string to_string(const Tensor<T>& x);

}  // namespace xtape

/// `fmt::print("{}", x)`
template <class T>
struct fmt::formatter<xtape::Tensor<T>> {
    constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
    template <class Context>
    auto format(const xtape::Tensor<T>& x, Context& context) const {
        const std::string text = xtape::to_string(x);
        return std::copy(text.begin(), text.end(), context.out());
    }
};
