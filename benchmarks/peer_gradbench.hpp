#pragma once

#include "gradbench_program.hpp"

namespace xtape::bench {

/// The same gradients by other libraries of automatic differentiation, which overload operators of a scalar; null where
/// the library is not installed (peer_adolc_absent.cpp, peer_sacado_absent.cpp).
[[nodiscard]] const GradbenchProgram* adolc_gradbench();
[[nodiscard]] const GradbenchProgram* sacado_gradbench();

}  // namespace xtape::bench
