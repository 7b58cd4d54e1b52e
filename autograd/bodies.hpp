#pragma once

#include <xtape/autograd/node.hpp>

/// What the engine does with values whose element type only their `DType` tells.
namespace xtape::bodies {

[[nodiscard]] Ref<Body> make(DType dtype, const Shape& shape, Ref<Storage> storage, Ref<Node> node = {});
/// Another handle's body on the same value, in the graph if asked: so that no leaf's body becomes its own gradient.
[[nodiscard]] Ref<Body> alias(const Ref<Body>& body, bool in_graph);
/// Of this shape, elements uninitialised.
[[nodiscard]] Ref<Body> allocate(DType dtype, const Shape& shape);
[[nodiscard]] Ref<Body> copy(const Body& body);
/// True if nobody else holds the body or its buffer: then it may be written in place.
[[nodiscard]] bool is_sole_owner(const Ref<Body>& body) noexcept;
/// Adds `term` to `sum`: in place where `sum` has a sole owner, recorded where asked.
void add_to(Ref<Body>& sum, const Ref<Body>& term, bool recorded);
/// The adjoint of broadcasting: sums over the axes along which `shape` was repeated.
[[nodiscard]] Ref<Body> reduce_to(Ref<Body> gradient, const Shape& shape);

}  // namespace xtape::bodies
