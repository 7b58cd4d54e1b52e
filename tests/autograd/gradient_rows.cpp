#include "gradient_rows.hpp"

#include <algorithm>
#include <cstdint>

namespace gradients {

using namespace xtape;

namespace {

constexpr double grid = 1024.0;

double between(random::Stream& stream, double low, double high) {
    const auto steps = static_cast<std::uint64_t>((high - low) * grid);
    return low + static_cast<double>(stream.below(steps + 1)) / grid;
}

double draw(random::Stream& stream, Domain domain) {
    switch (domain) {
    case Domain::positive: return between(stream, 0.25, 2.5);
    case Domain::nonzero: return (stream.below(2) == 0 ? -1.0 : 1.0) * between(stream, 0.5, 2.0);
    case Domain::any:
    case Domain::distinct: break;
    }
    return between(stream, -2.0, 2.0);
}

// `count` numbers around 0, 1/32 apart and 1/64 away from it, in random order. Each input's share is its own.
std::vector<double> distinct_numbers(random::Stream& stream, std::size_t count) {
    std::vector<double> numbers;
    for (std::size_t i = 0; i < count; ++i) {
        numbers.push_back((static_cast<double>(i) - static_cast<double>(count / 2)) / 32.0 + 1.0 / 64.0);
    }
    for (std::size_t i = count; i > 1; --i) {
        std::swap(numbers[i - 1], numbers[stream.below(i)]);
    }
    return numbers;
}

}  // namespace

const std::vector<Row>& all_rows() {
    static const std::vector<Row> rows = [] {
        std::vector<Row> table;
        add_unary(table);
        add_binary(table);
        add_functions(table);
        add_reductions(table);
        add_products(table);
        add_movement(table);
        add_softmax(table);
        add_losses(table);
        add_indexing(table);
        add_linalg(table);
        return table;
    }();
    return rows;
}

template <typename T>
std::vector<Tensor<T>> sample(const Row& row) {
    random::Stream stream(0, random::stream_id(row.name));
    std::size_t count = 0;
    for (const Input& input : row.inputs) {
        count += element_count(input.shape);
    }
    const std::vector<double> distinct = distinct_numbers(stream, count);
    auto next_distinct = distinct.begin();
    std::vector<Tensor<T>> xs;
    for (const Input& input : row.inputs) {
        auto x = xt::xarray<T>::from_shape(std::vector<std::size_t>(input.shape.begin(), input.shape.end()));
        for (T& element : x) {
            element = static_cast<T>(input.domain == Domain::distinct ? *next_distinct++ : draw(stream, input.domain));
        }
        xs.emplace_back(x);
    }
    return xs;
}

template std::vector<Tensor<float>> sample(const Row&);
template std::vector<Tensor<double>> sample(const Row&);

}  // namespace gradients
