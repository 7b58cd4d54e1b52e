#pragma once

#include <fmt/core.h>

#include <cmath>
#include <string_view>

namespace support {

/// Compares what a program computed with what it should have; an example ends with `return check.exit_code();`.
class Check {
public:
    /// Prints the value beside the expected one, and remembers if they differ by more than the tolerance (or are NaN).
    void close(std::string_view name, double value, double expected, double tolerance = 1e-12) {
        const bool ok = std::abs(value - expected) <= tolerance;
        fmt::print("{:<24} = {:<12.6g} expected {:.6g}{}\n", name, value, expected, ok ? "" : "   <-- WRONG");
        failed_ = failed_ || !ok;
    }

    /// Prints a claim that does not hold, and remembers it.
    void holds(std::string_view claim, bool ok) {
        fmt::print("{}: {}\n", claim, ok ? "yes" : "NO   <-- WRONG");
        failed_ = failed_ || !ok;
    }

    int exit_code() const { return failed_ ? 1 : 0; }

private:
    bool failed_ = false;
};

}  // namespace support
