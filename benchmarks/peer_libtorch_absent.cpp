// In the place of peer_libtorch.cpp where libtorch is not installed.

#include "peer_libtorch.hpp"

namespace xtape::bench {

std::string libtorch_version() { return {}; }
void set_libtorch_threads(int) {}
std::unique_ptr<LibtorchMlp> make_libtorch_mlp(const MlpTask&) { return nullptr; }
std::unique_ptr<LibtorchTraining> make_libtorch_training(const TrainingTask&) { return nullptr; }
std::unique_ptr<LibtorchExpression> make_libtorch_expression(std::span<const float>) { return nullptr; }
std::unique_ptr<LibtorchChain> make_libtorch_chain(Link, float) { return nullptr; }

}  // namespace xtape::bench
