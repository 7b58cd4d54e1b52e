#include <xtape/autograd/bodies.hpp>

#include <cstring>

#include <xtape/autograd/elementwise.hpp>
#include <xtape/autograd/kernels/kernels.hpp>
#include <xtape/autograd/movement.hpp>
#include <xtape/autograd/reduction.hpp>

namespace xtape::bodies {
namespace {

constexpr std::size_t size_of(DType dtype) noexcept { return dtype == DType::f32 ? sizeof(float) : sizeof(double); }

template <class F>
decltype(auto) with_type(DType dtype, F&& f) {
    return dtype == DType::f32 ? f(float{}) : f(double{});
}

}  // namespace

Ref<Body> make(DType dtype, const Shape& shape, Ref<Storage> storage, Ref<Node> node) {
    auto* body = new (memory::allocate(sizeof(Body))) Body{.refs = {},
                                                           .dtype = dtype,
                                                           .is_parameter = false,
                                                           .shape = shape,
                                                           .storage = std::move(storage),
                                                           .node = std::move(node)};
    return Ref<Body>::adopt(body);
}

Ref<Body> alias(const Ref<Body>& body, bool in_graph) {
    return make(body->dtype, body->shape, body->storage, in_graph ? body->node : Ref<Node>());
}

Ref<Body> allocate(DType dtype, const Shape& shape) {
    const std::size_t count = element_count(shape);
    if (count > static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max()) / sizeof(double) - 1024) {
        throw std::bad_alloc();
    }
    return make(dtype, shape, Storage::allocate(count * size_of(dtype)));
}

Ref<Body> copy(const Body& body) {
    Ref<Body> copied = allocate(body.dtype, body.shape);
    std::memcpy(copied->storage->data(), body.storage->data(), element_count(body.shape) * size_of(body.dtype));
    return copied;
}

bool is_sole_owner(const Ref<Body>& body) noexcept {
    return body->refs.unique() && body->storage->refs.unique() && !body->node;
}

void add_to(Ref<Body>& sum, const Ref<Body>& term, bool recorded) {
    with_type(sum->dtype, [&]<class T>(T) {
        if (recorded) {
            sum = (Tensor<T>(sum) + Tensor<T>(term)).ref();
            return;
        }
        Ref<Body> target = is_sole_owner(sum) ? sum : allocate(sum->dtype, sum->shape);
        const auto elements = [](const Ref<Body>& body) { return static_cast<T*>(body->storage->data()); };
        if (const std::size_t count = element_count(sum->shape); count == 1) {
            *elements(target) = *elements(sum) + *elements(term);
        } else {
            kernels::binary<Add, T>().forward(elements(sum), elements(term), elements(target), count, {1, 1});
        }
        sum = std::move(target);
    });
}

Ref<Body> reduce_to(Ref<Body> gradient, const Shape& shape) {
    return with_type(gradient->dtype,
                     [&]<class T>(T) { return xtape::reduce_to(Tensor<T>(std::move(gradient)), shape).ref(); });
}

}  // namespace xtape::bodies
