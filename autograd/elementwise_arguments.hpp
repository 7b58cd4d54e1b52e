#pragma once

// What the elementwise ops ask of the numbers that parametrise them, on tensors and inside `fuse` alike.

#include <cmath>

#include <fmt/format.h>

#include <xtape/autograd/errors.hpp>

namespace xtape::elementwise {

inline void check_order(int n) {
    if (n < 0) {
        throw ValueError(fmt::format("polygamma: its order is {}; it is 0 (digamma) or more", n));
    }
}

inline void check_finite(const char* op, const char* name, double value) {
    if (!std::isfinite(value)) {
        throw ValueError(fmt::format("{}: its {} is {}; it is a finite number", op, name, value));
    }
}

inline void check_bounds(double lo, double hi) {
    if (!(lo <= hi)) {
        throw ValueError(fmt::format("clip: the bounds are {} and {}; the lower one comes first", lo, hi));
    }
}

}  // namespace xtape::elementwise
