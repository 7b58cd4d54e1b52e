#pragma once

#include <string>
#include <type_traits>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace support {

/// A check of a number on the command line, whose own words appear in messages but not in --help.
template <class Number, class Allowed>
CLI::Validator number(const char* is, Allowed allowed) {
    return CLI::Validator(
        [is, allowed](std::string& text) {
            Number value{};
            const bool wraps = std::is_unsigned_v<Number> && text.starts_with('-');  // to a large number
            const bool good = !wraps && CLI::detail::lexical_cast(text, value) && allowed(value);
            return good ? std::string() : fmt::format("{} is not {}", text, is);
        },
        "");
}

}  // namespace support
