#pragma once

#include <span>

#include <xtape/autograd/fused_program.hpp>

namespace xtape::fused {

/// How a program's derivative is written down.
enum class Reading {
    plain,     // by pulls and sums, the kernels' own: fast, and not to be differentiated
    recorded,  // by the rules read with Values: steps that can be differentiated again
};

/// For each input of a program, by number.
using InputFlags = PoolVector<char>;

/// Appends to a program the steps of the gradients of `results` by the wanted inputs, for gradients `seeds` of the
/// results themselves (a constant, one for all, is taken for 1); tells for each input where its gradient is, `none` where no
/// result depends on it. Reverse mode, on programs instead of numbers: each step of the program is visited once,
/// newest first.
///
/// `uniform` flags inputs of which there is but one element for all of the results': their gradients, and those of
/// what was made of nothing else, are sums.
template <class T>
[[nodiscard]] PoolVector<Index> append_gradients(Program<T>& program, std::span<const Index> results,
                                                 std::span<const Index> seeds, const InputFlags& wanted,
                                                 const InputFlags& uniform, Reading reading);

}  // namespace xtape::fused
