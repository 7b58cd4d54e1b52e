#pragma once

#include <limits>
#include <new>

#include <xtape/autograd/node.hpp>

/// What the engine does with values whose element type only their `DType` tells.
namespace xtape::bodies {

[[nodiscard]] constexpr std::size_t size_of(DType dtype) noexcept {
    return dtype == DType::f32 ? sizeof(float) : sizeof(double);
}

[[nodiscard]] inline Ref<Body> make(DType dtype, const Shape& shape, Ref<Storage> storage, Ref<Node> node = {}) {
    return Ref<Body>::adopt(new (memory::cached::allocate(sizeof(Body))) Body{.refs = {},
                                                                              .dtype = dtype,
                                                                              .is_parameter = false,
                                                                              .shape = shape,
                                                                              .storage = std::move(storage),
                                                                              .node = std::move(node)});
}
/// Of this shape, elements uninitialised. Throws std::bad_alloc.
[[nodiscard]] inline Ref<Body> allocate(DType dtype, const Shape& shape) {
    const std::size_t count = element_count(shape);
    if (count > static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max()) / sizeof(double) - 1024) {
        throw std::bad_alloc();
    }
    return make(dtype, shape, Storage::allocate(count * size_of(dtype)));
}
/// Another handle's body on the same value, in the graph if asked: so that no leaf's body becomes its own gradient.
[[nodiscard]] Ref<Body> alias(const Ref<Body>& body, bool in_graph);
[[nodiscard]] Ref<Body> copy(const Body& body);
/// True if nobody else holds the body or its buffer: then it may be written in place.
[[nodiscard]] inline bool is_sole_owner(const Ref<Body>& body) noexcept {
    return body->refs.unique() && body->storage->refs.unique() && !body->node;
}
/// Adds `term` to `sum`: in place where `sum` has a sole owner, recorded where asked.
void add_to(Ref<Body>& sum, const Ref<Body>& term, bool recorded);
/// The adjoint of broadcasting: sums over the axes along which `shape` was repeated.
[[nodiscard]] Ref<Body> reduce_to(Ref<Body> gradient, const Shape& shape);

}  // namespace xtape::bodies
