#pragma once

#include <string>
#include <string_view>

namespace train {

/// Text as it can stand in HTML, also in an attribute: what comes from data and options must pass through here. Bytes
/// that are not UTF-8, and control characters, become U+FFFD.
std::string escaped(std::string_view text);

}  // namespace train
