#pragma once

#include <exception>
#include <string>
#include <typeinfo>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <xtape/autograd.hpp>

/// What several tests ask of exceptions and tensors.
namespace expect {

/// The message of the E, and of nothing derived from it, that `f` throws. Fails the test if it throws another or none.
template <class E, class F>
std::string message(F&& f) {
    try {
        f();
    } catch (const std::exception& error) {
        if (typeid(error) == typeid(E)) {
            return error.what();
        }
        FAIL_CHECK("an exception of another type: ", error.what());
        return {};
    }
    FAIL_CHECK("nothing was thrown");
    return {};
}

/// The elements, row-major.
template <class T>
std::vector<T> elements(const xtape::Tensor<T>& x) {
    return {x.data(), x.data() + x.size()};
}

}  // namespace expect

namespace doctest {
template <class T>
struct StringMaker<std::vector<T>> {
    static String convert(const std::vector<T>& values) { return fmt::format("{}", values).c_str(); }
};
}  // namespace doctest
