#include <xtape/autograd/bodies.hpp>

#include <cstring>

#include <xtape/autograd/elementwise.hpp>
#include <xtape/autograd/kernels/kernels.hpp>
#include <xtape/autograd/movement.hpp>
#include <xtape/autograd/reduction.hpp>

namespace xtape::bodies {
namespace {

template <class F>
decltype(auto) with_type(DType dtype, F&& f) {
    return dtype == DType::f32 ? f(float{}) : f(double{});
}

}  // namespace

Ref<Body> alias(const Ref<Body>& body, bool in_graph) {
    return make(body->dtype, body->shape, body->storage, in_graph ? body->node : Ref<Node>());
}

Ref<Body> copy(const Body& body) {
    Ref<Body> copied = allocate(body.dtype, body.shape);
    std::memcpy(copied->storage->data(), body.storage->data(), element_count(body.shape) * size_of(body.dtype));
    return copied;
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
