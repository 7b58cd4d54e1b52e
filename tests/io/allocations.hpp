#pragma once

#include <cstddef>

/// The largest piece of memory that `operator new` was asked for on this thread since `reset`.
namespace largest_allocation {
void reset();
std::size_t get();
}  // namespace largest_allocation
