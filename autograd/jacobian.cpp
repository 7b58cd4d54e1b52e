#include <xtape/autograd/jacobian.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

#include <xtape/autograd/bodies.hpp>
#include <xtape/autograd/creation.hpp>
#include <xtape/autograd/indexing.hpp>
#include <xtape/autograd/movement.hpp>
#include <xtape/autograd/recording.hpp>

namespace xtape::detail {
namespace {

// A column takes about as long as a row, and making the transposed map that columns are taken from as long as these
// many.
constexpr std::size_t transposing_cost = 3;

// The unit vectors of a shape, one after the other, in one buffer unless somebody kept the last.
template <class T>
class UnitVectors {
public:
    explicit UnitVectors(const Shape& shape) : vector_(zeros<T>(shape)) {}

    std::span<const Tensor<T>> operator()(std::size_t i) {
        if (!bodies::is_sole_owner(vector_.ref())) {
            vector_ = zeros<T>(vector_.shape());
        }
        raw(vector_)[last_] = T(0);
        raw(vector_)[i] = T(1);
        last_ = i;
        return as_span(std::as_const(vector_));
    }

private:
    Tensor<T> vector_;
    std::size_t last_ = 0;
};

// A Jacobian of shape y.shape + x.shape that comes row by row (of x's shape) or column by column (of y's).
template <class T>
class Assembly {
public:
    Assembly(const Shape& y, const Shape& x, bool recorded)
        : rows_(element_count(y)), columns_(element_count(x)), shape_(y), recorded_(recorded) {
        for (const std::size_t extent : x) {
            shape_.push_back(extent);
        }
        if (!recorded_) {
            values_ = Tensor<T>::uninitialized(shape_);
        }
    }
    void add_row(std::size_t i, const Tensor<T>& row) {
        if (recorded_) {
            slices_.push_back(row);
        } else {
            std::copy_n(row.data(), columns_, raw(values_) + i * columns_);
        }
    }
    void add_column(std::size_t j, const Tensor<T>& column) {
        if (recorded_) {
            slices_.push_back(column);
            axis_ = -1;
        } else {
            for (std::size_t i = 0; i < rows_; ++i) {
                raw(values_)[i * columns_ + j] = column.data()[i];
            }
        }
    }
    [[nodiscard]] Tensor<T> finished() const {
        if (!recorded_) {
            return values_;
        }
        return slices_.empty() ? zeros<T>(shape_) : reshape(stack(slices_, axis_), Axes(shape_));
    }

private:
    std::size_t rows_;
    std::size_t columns_;
    Shape shape_;
    bool recorded_;
    Tensor<T> values_;
    Tensors<T> slices_;
    std::ptrdiff_t axis_ = 0;
};

template <class T>
Tensors<T> by_rows(const Trace<T>& trace, const Tensor<T>& y) {
    const Tensors<T>& xs = trace.inputs();
    std::vector<Assembly<T>> parts;
    for (const Tensor<T>& x : xs) {
        parts.emplace_back(y.shape(), x.shape(), trace.is_recorded());
    }
    UnitVectors<T> unit(y.shape());
    for (std::size_t i = 0; i < y.size(); ++i) {
        const Tensors<T> row =
            pull_back<T>(as_span(y), unit(i), xs, {.retain_graph = true, .create_graph = trace.is_recorded()});
        for (std::size_t k = 0; k < xs.size(); ++k) {
            parts[k].add_row(i, row[k]);
        }
    }
    Tensors<T> blocks;
    std::ranges::transform(parts, std::back_inserter(blocks), &Assembly<T>::finished);
    return blocks;
}

template <class T>
Tensors<T> by_columns(const Trace<T>& trace, const Tensor<T>& y) {
    const Transposed<T> map = transpose_map<T>(as_span(y), trace.inputs());
    Tensors<T> blocks;
    for (const Tensor<T>& along : map.gradients) {
        Assembly<T> part(y.shape(), along.shape(), trace.is_recorded());
        UnitVectors<T> unit(along.shape());
        for (std::size_t j = 0; j < along.size(); ++j) {
            const Tensors<T> column = pull_back<T>(as_span(along), unit(j), map.vs,
                                                   {.retain_graph = true, .create_graph = trace.is_recorded()});
            part.add_column(j, column.front());
        }
        blocks.push_back(part.finished());
    }
    return blocks;
}

// The gradient of y, to be differentiated again.
template <class T>
Tensors<T> recorded_gradient(const Trace<T>& trace, const Tensor<T>& y) {
    const Tensor<T> seed = ones<T>(y.shape());
    return pull_back<T>(as_span(y), as_span(seed), trace.inputs(), {.create_graph = true});
}

}  // namespace

template <class T>
Tensors<T> jacobian(Trace<T>& trace, const Tensor<T>& y) {
    trace.close(as_span(y));
    std::size_t columns = 0;
    for (const Tensor<T>& x : trace.inputs()) {
        columns += x.size();
    }
    return columns + transposing_cost < y.size() ? by_columns(trace, y) : by_rows(trace, y);
}

template <class T>
std::vector<Tensors<T>> hessian(Trace<T>& trace, const Tensor<T>& y) {
    trace.check_one_element(y);
    trace.close(as_span(y));
    std::vector<Tensors<T>> blocks;
    for (const Tensor<T>& gradient : recorded_gradient(trace, y)) {
        blocks.push_back(by_rows(trace, gradient));
    }
    return blocks;
}

template <class T>
Tensors<T> hvp(Trace<T>& trace, const Tensor<T>& y, std::span<const Tensor<T>> vs) {
    trace.check_one_element(y);
    trace.check_like(vs, trace.inputs(), "x");
    trace.close(as_span(y), vs);
    const Tensors<T> gradient = recorded_gradient(trace, y);
    return pull_back<T>(gradient, vs, trace.inputs(), {.create_graph = trace.is_recorded()});
}

#define XTAPE_INSTANTIATE(T)                                               \
    template Tensors<T> jacobian(Trace<T>&, const Tensor<T>&);             \
    template std::vector<Tensors<T>> hessian(Trace<T>&, const Tensor<T>&); \
    template Tensors<T> hvp(Trace<T>&, const Tensor<T>&, std::span<const Tensor<T>>);
XTAPE_INSTANTIATE(float)
XTAPE_INSTANTIATE(double)
#undef XTAPE_INSTANTIATE

}  // namespace xtape::detail
