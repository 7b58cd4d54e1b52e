#pragma once

#include <chrono>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <xtape/autograd.hpp>

/// What the programs of GradBench's evals share: reading inputs, running, timing, printing. README.md tells the
/// protocol.
namespace xtape::gradbench {

using Json = nlohmann::json;

/// A number, a list, or lists of lists of the same lengths, as an array.
inline xt::xarray<double> array_of(const Json& json) {
    std::vector<std::size_t> shape;
    for (const Json* inner = &json; inner->is_array(); inner = &inner->front()) {
        shape.push_back(inner->size());
        if (inner->empty()) {
            break;
        }
    }
    xt::xarray<double> array = xt::xarray<double>::from_shape(shape);
    auto to = array.begin();
    const auto copy = [&](const auto& self, const Json& part, std::size_t axis) -> void {
        if (axis == shape.size()) {
            *to++ = part.get<double>();
            return;
        }
        if (!part.is_array() || part.size() != shape[axis]) {
            throw ValueError("the input's lists differ in length");
        }
        for (const Json& element : part) {
            self(self, element, axis + 1);
        }
    };
    copy(copy, json, 0);
    return array;
}

inline Tensor<double> tensor_of(const Json& json) { return Tensor<double>(array_of(json)); }

/// The reverse: lists nested as deep as the tensor has axes.
inline Json json_of(const Tensor<double>& tensor) {
    const double* from = tensor.data();
    const auto nest = [&](const auto& self, std::size_t axis) -> Json {
        if (axis == tensor.dimension()) {
            return *from++;
        }
        Json list = Json::array();
        for (std::size_t i = 0; i < tensor.shape()[axis]; ++i) {
            list.push_back(self(self, axis + 1));
        }
        return list;
    };
    return nest(nest, 0);
}

/// A function of an eval: `compute` takes the eval's input and returns what json_of takes.
template <class Compute>
struct Function {
    std::string_view name;
    Compute compute;
};
template <class Compute>
Function(std::string_view, Compute) -> Function<Compute>;

namespace detail {

template <class F>
long long nanoseconds(F&& f) {
    const auto start = std::chrono::steady_clock::now();
    f();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start).count();
}

template <class Input, class Compute>
void run(const Json& json, const Compute& compute) {
    const auto option = [&](const char* name, auto otherwise) {
        return json.is_object() ? json.value(name, otherwise) : otherwise;
    };
    const long long min_runs = option("min_runs", 1LL);
    const double min_seconds = option("min_seconds", 0.0);

    std::optional<Input> input;
    const long long preparing = nanoseconds([&] { input.emplace(json); });
    decltype(compute(*input)) output;
    std::vector<long long> runs;
    long long total = 0;
    do {
        runs.push_back(nanoseconds([&] { output = compute(*input); }));
        total += runs.back();
    } while (static_cast<long long>(runs.size()) < min_runs || static_cast<double>(total) * 1e-9 < min_seconds);

    fmt::print("{}\n{{\"name\": \"prepare\", \"nanoseconds\": {}}}\n", json_of(output).dump(), preparing);
    for (const long long taken : runs) {
        fmt::print("{{\"name\": \"evaluate\", \"nanoseconds\": {}}}\n", taken);
    }
}

}  // namespace detail

/// The main function of an eval's program. `Input` is constructed from the input file's JSON.
template <class Input, class... Computes>
int run_eval(int argc, char** argv, const Function<Computes>&... functions) {
    if (argc != 3) {
        fmt::print(stderr, "usage: {} FILE FUNCTION\nFILE holds the input as JSON; functions:", argv[0]);
        (fmt::print(stderr, " {}", functions.name), ...);
        fmt::print(stderr, "\n");
        return 2;
    }
    try {
        const std::string_view wanted = argv[2];
        if (((functions.name != wanted) && ...)) {
            throw ValueError(fmt::format("unknown function {}", wanted));
        }
        std::ifstream file(argv[1]);
        if (!file) {
            throw IoError(fmt::format("{}: can't be read", argv[1]));
        }
        const Json json = Json::parse(file);
        ((functions.name == wanted ? detail::run<Input>(json, functions.compute) : void()), ...);
        return EXIT_SUCCESS;
    } catch (const std::exception& error) {
        fmt::print(stderr, "{}: {}\n", argv[0], error.what());
        return EXIT_FAILURE;
    }
}

}  // namespace xtape::gradbench
