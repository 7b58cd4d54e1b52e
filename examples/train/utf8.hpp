#pragma once

#include <cstddef>
#include <string_view>

namespace train {

/// The length of the UTF-8 sequence that `text`, which is not empty, starts with; 0 if it starts with none.
std::size_t utf8_length(std::string_view text);

/// Whether all of it is UTF-8.
bool is_utf8(std::string_view text);

}  // namespace train
