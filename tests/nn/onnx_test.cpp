// ONNX files, parsed again. That others read and run them is tests/onnx's to test.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <xtape/nn.hpp>

#include "expect.hpp"
#include "io/scratch.hpp"

#if XTAPE_ONNX
#define ONNX_ML 1
#include <onnx/onnx_pb.h>
#endif

using namespace xtape;
using expect::elements;
using expect::message;

#if XTAPE_ONNX

namespace {

using Names = std::vector<std::string>;
using Integers = std::vector<std::int64_t>;

onnx::ModelProto parsed(const std::string& path) {
    onnx::ModelProto model;
    REQUIRE(model.ParseFromString(read_bytes(path)));
    return model;
}

template <class M>
onnx::GraphProto exported(M&& module, const Shape& input_shape) {
    const Scratch scratch;
    nn::export_onnx(module, scratch / "model.onnx", input_shape);
    return parsed(scratch / "model.onnx").graph();
}

template <class M>
std::string refusal(M&& module, const Shape& input_shape) {
    return message<ShapeError>([&] { static_cast<void>(exported(module, input_shape)); });
}

/// "Gemm(input, 0.weight, 0.bias) -> /0/Gemm_output_0", and so on.
Names lines(const onnx::GraphProto& graph) {
    Names all;
    for (const auto& node : graph.node()) {
        all.push_back(fmt::format("{}({}) -> {}", node.op_type(), fmt::join(node.input(), ", "), node.output(0)));
    }
    return all;
}

Names ops(const onnx::GraphProto& graph) {
    Names all;
    for (const auto& node : graph.node()) {
        all.push_back(node.op_type());
    }
    return all;
}

Names initializers(const onnx::GraphProto& graph) {
    Names all;
    for (const auto& tensor : graph.initializer()) {
        all.push_back(tensor.name());
    }
    return all;
}

/// "input: 1[batch, 4]", with the number of the element type.
std::string described(const onnx::ValueInfoProto& value) {
    Names extents;
    for (const auto& dimension : value.type().tensor_type().shape().dim()) {
        extents.push_back(dimension.has_dim_param() ? dimension.dim_param() : std::to_string(dimension.dim_value()));
    }
    return fmt::format("{}: {}[{}]", value.name(), value.type().tensor_type().elem_type(), fmt::join(extents, ", "));
}

/// block(x) + x, where the block is listed or not.
template <class Block>
class Residual : public nn::Module<float>, public nn::OnnxExport<float> {
public:
    explicit Residual(Block block = Block(), bool listed = true) : block_(std::move(block)), listed_(listed) {}
    Tensor<float> forward(const Tensor<float>& x) override { return block_(x) + x; }
    nn::OnnxValue to_onnx(nn::OnnxGraph<float>& graph, const nn::OnnxValue& x) override {
        return graph.node("Add", {graph.apply(block_, x), x});
    }
    std::vector<nn::Member<float>> members() override {
        return listed_ ? std::vector<nn::Member<float>>{{"block", block_}} : std::vector<nn::Member<float>>{};
    }

private:
    Block block_;
    bool listed_;
};

/// A module that says nothing of ONNX.
class Silent : public nn::Module<float> {
public:
    Tensor<float> forward(const Tensor<float>& x) override { return x; }
};

/// A ReLU that another forward has made something else of.
class Derived : public nn::ReLU<float> {
public:
    Tensor<float> forward(const Tensor<float>& x) override { return -relu(x); }
};

/// x W Wᵀ + input + output: one parameter with two names, two with the names of the graph's ends.
class Tied : public nn::Module<double>, public nn::OnnxExport<double> {
public:
    Tensor<double> forward(const Tensor<double>& x) override {
        return matmul(matmul(x, first_), transpose(second_)) + input_ + output_;
    }
    nn::OnnxValue to_onnx(nn::OnnxGraph<double>& graph, const nn::OnnxValue& x) override {
        const nn::OnnxValue y = graph.node("MatMul", {x, graph.tensor(first_)});
        const nn::OnnxValue z = graph.node("Gemm", {y, graph.tensor(second_), graph.tensor(input_)}, {{"transB", 1}});
        return graph.node("Add", {z, graph.tensor(output_)});
    }
    std::vector<nn::Member<double>> members() override {
        return {{"first", first_}, {"second", second_}, {"input", input_}, {"output", output_}};
    }

private:
    Tensor<double> first_ = parameter(eye<double>(2));
    Tensor<double> second_ = first_;
    Tensor<double> input_ = parameter(ones<double>({2}));
    Tensor<double> output_ = parameter(ones<double>({2}));
};

/// Just more numbers than a file holds, in tensors that share their memory.
class Huge : public nn::Module<float>, public nn::OnnxExport<float> {
public:
    Tensor<float> forward(const Tensor<float>& x) override { return x; }
    nn::OnnxValue to_onnx(nn::OnnxGraph<float>& graph, const nn::OnnxValue& x) override {
        const Tensor<float> mebibyte = zeros<float>({1 << 18});
        for (int i = 0; i < 2048; ++i) {
            static_cast<void>(graph.tensor(mebibyte.detach()));
        }
        return x;
    }
};

}  // namespace

TEST_CASE("an exported MLP is a chain of Gemm and activations, and holds its parameters under PyTorch's names") {
    const Scratch scratch;
    nn::MLP<float> mlp({4, 8, 3}, nn::Activation::tanh);
    nn::export_onnx(mlp, scratch / "mlp.onnx", {5, 4});
    const onnx::ModelProto model = parsed(scratch / "mlp.onnx");
    CHECK(model.ir_version() == 8);
    REQUIRE(model.opset_import_size() == 1);
    CHECK(model.opset_import(0).domain() == "");
    CHECK(model.opset_import(0).version() == 17);
    CHECK(model.producer_name() == "xtape");
    CHECK(!model.producer_version().empty());
    const onnx::GraphProto& graph = model.graph();
    CHECK(described(graph.input(0)) == "input: 1[5, 4]");
    CHECK(described(graph.output(0)) == "output: 1[5, 3]");
    CHECK(lines(graph) == Names{"Gemm(input, 0.weight, 0.bias) -> /0/Gemm_output_0",
                                "Tanh(/0/Gemm_output_0) -> /1/Tanh_output_0",
                                "Gemm(/1/Tanh_output_0, 2.weight, 2.bias) -> output"});
    CHECK(graph.node(0).name() == "/0/Gemm");
    REQUIRE(graph.node(0).attribute_size() == 1);
    CHECK(graph.node(0).attribute(0).name() == "transB");
    CHECK(graph.node(0).attribute(0).i() == 1);
    const auto parameters = mlp.named_parameters();
    REQUIRE(graph.initializer_size() == 4);
    for (int i = 0; i < 4; ++i) {
        const onnx::TensorProto& tensor = graph.initializer(i);
        const auto& [name, parameter] = parameters[static_cast<std::size_t>(i)];
        CHECK(tensor.name() == name);
        CHECK(Shape(tensor.dims()) == parameter.shape());
        CHECK(std::vector<float>(tensor.float_data().begin(), tensor.float_data().end()) == elements(parameter));
    }
}

TEST_CASE("a first extent of 0 leaves the batch open, in the output too; double modules make double files") {
    const auto graph = exported(nn::MLP<double>({4, 3}), {0, 4});
    CHECK(described(graph.input(0)) == "input: 11[batch, 4]");
    CHECK(described(graph.output(0)) == "output: 11[batch, 3]");
    CHECK(graph.initializer(0).double_data_size() == 12);
    CHECK(described(exported(nn::Flatten<float>(), {0, 4, 5}).output(0)) == "output: 1[batch, 20]");
}

TEST_CASE("each module is written in the operators that ONNX has for it") {
    CHECK(ops(exported(nn::Linear<float>(4, 3, {.bias = false}), {2, 4})) == Names{"Gemm"});
    CHECK(ops(exported(nn::Linear<float>(4, 3), {2, 5, 4})) == Names{"Transpose", "MatMul", "Add"});
    CHECK(ops(exported(nn::Linear<float>(4, 3), {4})) == Names{"Transpose", "MatMul", "Add"});
    CHECK(ops(exported(nn::ReLU<float>(), {2, 4})) == Names{"Relu"});
    CHECK(ops(exported(nn::LeakyReLU<float>(), {2, 4})) == Names{"LeakyRelu"});
    CHECK(ops(exported(nn::ELU<float>(), {2, 4})) == Names{"Elu"});
    CHECK(ops(exported(nn::GELU<float>(), {2, 4})) == Names{"Div", "Erf", "Add", "Mul", "Mul"});
    CHECK(ops(exported(nn::SiLU<float>(), {2, 4})) == Names{"Sigmoid", "Mul"});
    CHECK(ops(exported(nn::Tanh<float>(), {2, 4})) == Names{"Tanh"});
    CHECK(ops(exported(nn::Sigmoid<float>(), {2, 4})) == Names{"Sigmoid"});
    CHECK(ops(exported(nn::Softplus<float>(), {2, 4})) == Names{"Softplus"});
    CHECK(ops(exported(nn::LogSigmoid<float>(), {2, 4})) == Names{"Neg", "Softplus", "Neg"});
    CHECK(ops(exported(nn::Softmax<float>(), {2, 4})) == Names{"Softmax"});
    CHECK(ops(exported(nn::Identity<float>(), {2, 4})) == Names{"Identity"});
    CHECK(ops(exported(nn::Dropout<float>(), {2, 4})) == Names{"Identity"});
    CHECK(ops(exported(nn::Sequential<float>(), {2, 4})) == Names{"Identity"});
    CHECK(ops(exported(nn::LayerNorm<float>(4), {2, 4})) == Names{"LayerNormalization"});
    CHECK(ops(exported(nn::BatchNorm1d<float>(4), {2, 4})) == Names{"BatchNormalization"});
    CHECK(ops(exported(nn::Flatten<float>(), {2, 4, 5})) == Names{"Flatten"});
    CHECK(ops(exported(nn::Flatten<float>(2), {2, 4, 5})) == Names{"Reshape"});
    CHECK(ops(exported(nn::ActivationModule<float, nn::Activation::elu>(), {2, 4})) == Names{"Elu"});
    CHECK(ops(exported(nn::ActivationModule<float, nn::Activation::leaky_relu>(), {2, 4})) == Names{"LeakyRelu"});
}

TEST_CASE("buffers have the names of the state dict; what is not there takes constants") {
    nn::Sequential<float> net{nn::BatchNorm1d<float>(4), nn::BatchNorm1d<float>(4, {.affine = false})};
    CHECK(initializers(exported(net, {2, 4})) == Names{"0.weight", "0.bias", "0.running_mean", "0.running_var",
                                                       "constant", "constant_1", "1.running_mean", "1.running_var"});
}

TEST_CASE("an input that nothing but Embeddings reads takes int64; another is cast") {
    const auto words = exported(nn::Sequential<float>(nn::Embedding<float>(7, 3), nn::Flatten<float>()), {0, 2});
    CHECK(described(words.input(0)) == "input: 7[batch, 2]");
    CHECK(lines(words) ==
          Names{"Gather(0.weight, input) -> /0/Gather_output_0", "Flatten(/0/Gather_output_0) -> output"});
    CHECK(described(words.output(0)) == "output: 1[batch, 6]");
    const auto numbers = exported(nn::Sequential<float>(nn::ReLU<float>(), nn::Embedding<float>(7, 3)), {0, 2});
    CHECK(described(numbers.input(0)) == "input: 1[batch, 2]");
    CHECK(ops(numbers) == Names{"Relu", "Cast", "Gather"});
    // As an input of both, indices stay numbers of the module's type.
    const auto both = exported(Residual<nn::Embedding<float>>(nn::Embedding<float>(7, 2)), {2, 2});
    CHECK(described(both.input(0)) == "input: 1[2, 2]");
    CHECK(ops(both) == Names{"Cast", "Gather", "Add"});
}

TEST_CASE("a module of one's own says by OnnxExport what it is; nodes are named by its path") {
    nn::Sequential<float> net{nn::Tanh<float>(), Residual<nn::Sequential<float>>()};
    CHECK(lines(exported(net, {0, 4})) ==
          Names{"Tanh(input) -> /0/Tanh_output_0", "Add(/0/Tanh_output_0, /0/Tanh_output_0) -> output"});
    nn::Sequential<float> deeper{Residual<Residual<nn::ReLU<float>>>()};
    CHECK(lines(exported(deeper, {0, 4})) == Names{"Relu(input) -> /0/block/block/Relu_output_0",
                                                   "Add(/0/block/block/Relu_output_0, input) -> /0/block/Add_output_0",
                                                   "Add(/0/block/Add_output_0, input) -> output"});
}

TEST_CASE("a parameter is held once however many names it has, and none clashes with the input or the output") {
    const auto graph = exported(Tied(), {0, 2});
    CHECK(initializers(graph) == Names{"first", "input_1", "output_1"});
    CHECK(lines(graph) == Names{"MatMul(input, first) -> /MatMul_output_0",
                                "Gemm(/MatMul_output_0, first, input_1) -> /Gemm_output_0",
                                "Add(/Gemm_output_0, output_1) -> output"});
}

TEST_CASE("a module that cannot be expressed is named by its path, with what to do") {
    const auto error = [](nn::Module<float>& module) {
        return message<ValueError>([&] { static_cast<void>(exported(module, {2, 4})); });
    };
    nn::Sequential<float> net{nn::ReLU<float>(), nn::Identity<float>(), Residual<Silent>()};
    const std::string text = error(net);
    CHECK_MESSAGE(text.find("module '2.block' is of a class") != std::string::npos, text);
    CHECK_MESSAGE(text.find("nn::OnnxExport<T>") != std::string::npos, text);
    Silent silent;
    CHECK(error(silent).find("export_onnx: the module is of a class") == 0);
    nn::Sequential<float> with_derived{nn::ReLU<float>(), Derived()};
    CHECK(error(with_derived).find("module '1' is of a class") != std::string::npos);
    nn::Sequential<float> unlisted{Residual<nn::ReLU<float>>({}, false)};
    CHECK(error(unlisted).find("to_onnx of module '0' applies a module that its members() does not list") !=
          std::string::npos);
}

TEST_CASE("shapes that do not fit are refused with the module's path") {
    nn::Sequential<float> net{nn::ReLU<float>(),
                              nn::Sequential<float>(nn::Linear<float>(4, 3), nn::Linear<float>(4, 2))};
    CHECK(refusal(net, {2, 4}) == "export_onnx: module '1.1': Linear: input (2, 3); it takes (..., 4)");
    CHECK(refusal(nn::Linear<float>(4, 3), {}) == "export_onnx: the module: Linear: input (); it takes (..., 4)");
    CHECK(refusal(nn::LayerNorm<float>({4, 5}, {}), {2, 4, 6}).find("LayerNorm: input (2, 4, 6)") != std::string::npos);
    CHECK(refusal(nn::LayerNorm<float>({4, 5}, {}), {5}).find("LayerNorm: input (5,)") != std::string::npos);
    for (const Shape& shape : {Shape{2, 3}, Shape{4}, Shape{2, 4, 5, 6}}) {
        CHECK(refusal(nn::BatchNorm1d<float>(4), shape).find("it takes (n, 4) or (n, 4, length)") != std::string::npos);
    }
    CHECK(refusal(nn::Softmax<float>(2), {2, 4}).find("Softmax: input (2, 4) has no axis 2") != std::string::npos);
    CHECK(refusal(nn::Softmax<float>(-3), {2, 4}).find("no axis -3") != std::string::npos);
    CHECK(refusal(nn::Flatten<float>(3), {2, 4}).find("there is none to start at 3") != std::string::npos);
    CHECK(refusal(nn::Flatten<float>(0), {0, 4}).find("give input_shape that extent") != std::string::npos);
}

TEST_CASE("only the first extent of the input may be open") {
    const auto error = [](const Shape& shape) {
        return message<ValueError>([&] { static_cast<void>(exported(nn::ReLU<float>(), shape)); });
    };
    CHECK(error({2, 0}) ==
          "export_onnx: input_shape (2, 0); only the first extent may be 0, which leaves the batch open");
    CHECK(error({0, 4, 0}).find("input_shape (0, 4, 0)") != std::string::npos);
}

TEST_CASE("to export changes nothing on the module, its mode included, and the same module gives the same bytes") {
    const Scratch scratch;
    nn::Sequential<float> net{nn::Linear<float>(4, 6), nn::Dropout<float>(0.5, {.seed = 3}), nn::BatchNorm1d<float>(6)};
    net[1].eval();
    const auto x = random::normal<float>({5, 4});
    static_cast<void>(net(x));
    const auto before = net.state_dict({.training = true});
    nn::export_onnx(net, scratch / "a.onnx", {0, 4});
    CHECK(net.is_training());
    CHECK(!net[1].is_training());
    CHECK(net[2].is_training());
    const auto after = net.state_dict({.training = true});
    REQUIRE(after.size() == before.size());
    for (const auto& entry : before) {
        CHECK_MESSAGE(after.at(entry.first).cast<double>() == entry.second.cast<double>(), entry.first);
    }
    net.eval();
    nn::export_onnx(net, scratch / "b.onnx", {0, 4});
    CHECK(read_bytes(scratch / "a.onnx") == read_bytes(scratch / "b.onnx"));
}

TEST_CASE("an export that fails leaves the file that was there") {
    const Scratch scratch;
    const std::string path = scratch / "model.onnx";
    write_bytes(path, "the old one");
    nn::Sequential<float> net{nn::Linear<float>(4, 3), Silent()};
    CHECK_THROWS_AS(nn::export_onnx(net, path, {2, 4}), ValueError);
    nn::MLP<float> mlp({4, 3});
    CHECK_THROWS_AS(nn::export_onnx(mlp, path, {2, 5}), ShapeError);
    CHECK_THROWS_AS(nn::export_onnx(mlp, scratch / "no such folder/model.onnx", {2, 4}), IoError);
    CHECK(read_bytes(path) == "the old one");
    CHECK(scratch.file_count() == 1);
    nn::export_onnx(mlp, path, {2, 4});
    CHECK(parsed(path).graph().node_size() == 1);
    CHECK(scratch.file_count() == 1);
}

TEST_CASE("more than the 2 GiB of a protobuf file are refused before they are copied") {
    const std::string text = message<ValueError>([] { static_cast<void>(exported(Huge(), {0, 4})); });
    CHECK(text.find("2 GiB") != std::string::npos);
}

#else

TEST_CASE("without the packages that it takes, export_onnx says what to install, and writes nothing") {
    const Scratch scratch;
    nn::MLP<float> mlp({4, 3});
    const std::string text = message<Error>([&] { nn::export_onnx(mlp, scratch / "mlp.onnx", {0, 4}); });
    CHECK(text.find("apt-get install libonnx-dev libprotobuf-dev") != std::string::npos);
    CHECK(text.find("configure and build xtape again") != std::string::npos);
    CHECK(scratch.file_count() == 0);
}

#endif
