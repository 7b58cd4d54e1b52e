#pragma once

#include <string>
#include <vector>

namespace xtape::backtrace {

/// The return addresses on this thread's stack, innermost first.
using Frames = std::vector<void*>;

[[nodiscard]] Frames capture();

/// A line for each frame from xtape's caller to `main`: function, program or library, and address in it; at the end the
/// addr2line command that tells files and lines. A function without a symbol goes by its address.
[[nodiscard]] std::string describe(const Frames& frames);

}  // namespace xtape::backtrace
