#pragma once

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <xtape/autograd/tensor.hpp>

namespace xtape {

/// Names for tensors on the tape, such as nn::Module::named_parameters(): "0.weight" is `weight` of the module `0`.
template <class T>
using TensorNames = std::vector<std::pair<std::string, Tensor<T>>>;

/// The tape behind y as Graphviz text: `dot -Tsvg` draws it. Boxes are ops with their shape and how many bytes they
/// keep for their rule; ellipses are leaves; what has a name shows it. Modules are frames around their parameters, one
/// within the other, and around ops whose named inputs are all theirs. Arrows go the way values went; constants are
/// drawn only where they are kept. Throws ValueError if y or a named tensor is empty.
///
///     std::ofstream("tape.dot") << to_dot(loss, model.named_parameters());
template <class T>
[[nodiscard]] std::string to_dot(const Tensor<T>& y, const TensorNames<std::type_identity_t<T>>& names = {});

/// The same as a table, oldest first: each leaf and op with a number, its name, shape, the bytes it keeps, and the
/// numbers of its inputs ("-" for a constant). The last line sums up: what is kept counts once however many ops keep
/// it.
template <class T>
[[nodiscard]] std::string describe_tape(const Tensor<T>& y, const TensorNames<std::type_identity_t<T>>& names = {});

}  // namespace xtape
