#include "model_file.hpp"

#include <fmt/format.h>

#include <xtape/autograd/errors.hpp>

namespace train {
namespace {

constexpr const char* program = "xtape-train";

}  // namespace

void write_model(const std::string& path, Network& network, const RunFacts& facts, const Json& test) {
    xtape::io::Checkpoint file{network.state_dict(), texts_of(facts)};
    file.text.emplace("format", "pt");  // some of PyTorch's readers ask for this
    file.text.emplace("program", program);
    file.text.emplace("test", test.dump());
    xtape::io::write_checkpoint(path, file);
}

Model read_model(const std::string& path) {
    const xtape::io::Checkpoint file = xtape::io::read_checkpoint(path);
    const auto found = file.text.find("program");
    if (found == file.text.end() || found->second != program) {
        throw xtape::IoError(fmt::format("{}: this is no model of xtape-train's{}", path,
                                         file.text.contains("course") ? ", but the checkpoint of a run: the model is "
                                                                        "model.safetensors in the same folder"
                                                                      : ""));
    }
    try {
        Options options = resumed({}, {}, text_of(file, "configuration"));
        Preprocessing preprocessing(text_of(file, "preprocessing"));
        Network network = make_network(preprocessing.inputs(), preprocessing.outputs(), options);
        network.load_state_dict(file.arrays);
        return {std::move(options),
                std::move(preprocessing),
                std::move(network),
                text_of(file, "fingerprint").get<std::string>(),
                text_of(file, "test_fingerprint").get<std::string>(),
                text_of(file, "test")};
    } catch (const std::exception& error) {
        throw xtape::IoError(
            fmt::format("{}: another version of xtape-train has written this model: {}", path, error.what()));
    }
}

}  // namespace train
