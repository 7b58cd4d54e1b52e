#pragma once

#include <mutex>

namespace xtape {

/// Guards the gradients that leaves hold, and the way from a leaf's node to its body. One for all: it is taken a few
/// times a training step, and never while a rule or a hook runs.
[[nodiscard]] std::mutex& leaf_mutex() noexcept;

}  // namespace xtape
