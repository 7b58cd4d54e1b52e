#pragma once

#include "gradbench_program.hpp"

namespace xtape::bench {

/// Gradients as one would write them by hand, in straight loops and without a BLAS: what xtape's are measured against.
/// They go about it as GradBench's own tool of this kind does, and take as long. Compiled as GradBench compiles its
/// own: -O3 -march=native.
extern const GradbenchProgram handwritten_gradbench;
/// The same with -ffast-math, which GradBench leaves out: sums and exp are then vectorised.
extern const GradbenchProgram handwritten_gradbench_fast;

}  // namespace xtape::bench
