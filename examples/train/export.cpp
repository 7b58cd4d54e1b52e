#include "export.hpp"

#include <filesystem>

#include <xtape/nn/onnx.hpp>

namespace train {

void check_export(const std::string& path) {
    const std::string trial = path + ".trial";
    Network network{xtape::nn::Linear<float>(1, 1)};
    export_network(network, 1, trial);
    std::filesystem::remove(trial);
}

void export_network(Network& network, std::size_t inputs, const std::string& path) {
    xtape::nn::export_onnx(network, path, {0, inputs});
}

}  // namespace train
