// GradBench's hello: x² and its derivative.

#include "harness.hpp"

namespace {

using namespace xtape;

struct Input {
    Tensor<double> x;
    explicit Input(const gradbench::Json& json) : x(json.get<double>()) {}
};

}  // namespace

int main(int argc, char** argv) {
    return gradbench::run_eval<Input>(argc, argv,
                                      gradbench::Function{"square", [](const Input& input) { return square(input.x); }},
                                      gradbench::Function{"double", [](const Input& input) {
                                                              return value_and_grad(square<double>, input.x).second;
                                                          }});
}
