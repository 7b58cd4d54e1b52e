#pragma once

#include <cmath>

#include <fmt/format.h>

#include <xtape/autograd/errors.hpp>

/// What optimisers and schedules ask of their options. All throw ValueError naming the option, its value, and what is
/// allowed.
namespace xtape::optim {

inline void check_option(bool allowed, const char* owner, const char* option, double value, const char* what) {
    if (!allowed) {
        throw ValueError(fmt::format("{}: {} is {}; it must be {}", owner, option, value, what));
    }
}

inline void check_not_negative(const char* owner, const char* option, double value) {
    check_option(value >= 0 && std::isfinite(value), owner, option, value, "finite and not negative");
}

inline void check_positive(const char* owner, const char* option, double value) {
    check_option(value > 0 && std::isfinite(value), owner, option, value, "finite and above 0");
}

/// For momenta and what else a value is multiplied by to fade.
inline void check_fraction(const char* owner, const char* option, double value) {
    check_option(value >= 0 && value < 1, owner, option, value, "at least 0 and below 1");
}

}  // namespace xtape::optim
