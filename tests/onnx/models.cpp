// onnx_models FOLDER: exports modules as FOLDER/<name>.onnx, each beside an archive with an input and the output that
// xtape computes from it in evaluation. tests/onnx/check_onnx.py compares them with what others make of the files.

#include <cstdio>
#include <exception>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include <fmt/format.h>

#include <xtape/io/npz.hpp>
#include <xtape/xtape.hpp>

using namespace xtape;

namespace {

/// A module of one's own: x + block(x), then block once more.
template <class T>
class Residual : public nn::Module<T>, public nn::OnnxExport<T> {
public:
    Tensor<T> forward(const Tensor<T>& x) override { return block_(scale_ * (x + block_(x))); }
    nn::OnnxValue to_onnx(nn::OnnxGraph<T>& graph, const nn::OnnxValue& x) override {
        const nn::OnnxValue sum = graph.node("Add", {x, graph.apply(block_, x)});
        return graph.apply(block_, graph.node("Mul", {sum, graph.tensor(scale_)}));
    }
    std::vector<nn::Member<T>> members() override { return {{"block", block_}, {"scale", scale_}}; }

private:
    nn::Sequential<T> block_{nn::Linear<T>(4, 4), nn::Tanh<T>()};
    Tensor<T> scale_ = parameter(ones<T>({4}));
};

template <class T>
class Writer {
public:
    explicit Writer(std::string folder) : folder_(std::move(folder)) {}

    /// `shape` is the export's input_shape; an open batch is run with 3. The module is exported in training, after two
    /// batches of it.
    template <class M>
    void write(const std::string& name, M module, const Shape& shape) {
        write(name, module, shape, random::normal<T>(batch_of(3, shape)) * 2.0);
    }
    template <class M>
    void write(const std::string& name, M& module, const Shape& shape, const Tensor<T>& x) {
        for (const Tensor<T>& parameter : module.parameters()) {
            parameter.assign(parameter.detach() + 0.3 * random::normal<T>(parameter.shape()));
        }
        module.train();
        for (int batch = 0; batch < 2; ++batch) {
            static_cast<void>(module(x));
        }
        const std::string path = fmt::format("{}/{}_{}", folder_, name, std::is_same_v<T, float> ? "float" : "double");
        nn::export_onnx(module, path + ".onnx", shape);
        module.eval();
        io::write_npz(path + ".npz", {{"input", io::Array(x.value())}, {"output", io::Array(module(x).value())}});
    }

    void write_all();

private:
    static Shape batch_of(std::size_t n, Shape shape) {
        if (!shape.empty() && shape[0] == 0) {
            shape[0] = n;
        }
        return shape;
    }

    std::string folder_;
};

template <class T>
void Writer<T>::write_all() {
    using nn::Activation;
    using nn::BatchNorm1d;
    using nn::Flatten;
    using nn::LayerNorm;
    using nn::Linear;
    using nn::Sequential;
    for (const auto& [name, activation] : {std::pair{"identity", Activation::identity},
                                           {"relu", Activation::relu},
                                           {"tanh", Activation::tanh},
                                           {"sigmoid", Activation::sigmoid},
                                           {"gelu", Activation::gelu},
                                           {"silu", Activation::silu},
                                           {"leaky_relu", Activation::leaky_relu},
                                           {"elu", Activation::elu},
                                           {"softplus", Activation::softplus},
                                           {"log_sigmoid", Activation::log_sigmoid}}) {
        write(fmt::format("mlp_{}", name), nn::MLP<T>({4, 8, 6, 3}, activation), {0, 4});
    }
    write("leaky_relu", nn::LeakyReLU<T>(0.3), {0, 4});
    write("elu", nn::ELU<T>(0.7), {0, 4});
    write("nothing", Sequential<T>(), {0, 4});
    write("linear_without_bias", Linear<T>(4, 3, {.bias = false}), {2, 4});
    write("linear_of_vector", Linear<T>(4, 3), {4});
    write("linear_of_sequences", Sequential<T>(Linear<T>(4, 3), nn::ReLU<T>()), {0, 5, 4});
    write("softmax", Sequential<T>(Linear<T>(4, 3), nn::Softmax<T>()), {0, 4});
    write("softmax_of_columns", nn::Softmax<T>(0), {3, 4});
    write("softmax_in_the_middle", nn::Softmax<T>(1), {0, 4, 5});
    write("dropout", Sequential<T>(Linear<T>(4, 6), nn::Dropout<T>(0.5), Linear<T>(6, 2)), {0, 4});
    write("flatten", Sequential<T>(Flatten<T>(), Linear<T>(20, 3)), {0, 4, 5});
    write("flatten_all", Flatten<T>(0), {3, 4});
    write("flatten_from_2", Flatten<T>(2), {0, 3, 4, 5});
    write("flatten_last_two", Flatten<T>(-2), {3, 4, 2, 5});
    write("batch_norm", Sequential<T>(Linear<T>(4, 6), BatchNorm1d<T>(6), nn::ReLU<T>(), Linear<T>(6, 2)), {0, 4});
    write("batch_norm_of_sequences", BatchNorm1d<T>(4), {0, 4, 5});
    write("batch_norm_plain", BatchNorm1d<T>(4, {.eps = 1e-3, .affine = false}), {0, 4});
    write("batch_norm_untracked", BatchNorm1d<T>(4, {.track_running_stats = false}), {0, 4});
    write("batch_norm_untracked_of_sequences", BatchNorm1d<T>(4, {.track_running_stats = false}), {0, 4, 5});
    write("layer_norm", Sequential<T>(Linear<T>(4, 6), LayerNorm<T>(6), nn::GELU<T>(), Linear<T>(6, 2)), {0, 4});
    write("layer_norm_of_two_axes", LayerNorm<T>({4, 5}), {0, 4, 5});
    write("layer_norm_plain", LayerNorm<T>(4, {.eps = 1e-2, .elementwise_affine = false}), {0, 4});
    write("residual", Residual<T>(), {0, 4});
    write("nested",
          Sequential<T>(Flatten<T>(), Linear<T>(20, 8), LayerNorm<T>(8), nn::SiLU<T>(),
                        Sequential<T>(nn::Dropout<T>(0.1), Linear<T>(8, 4), BatchNorm1d<T>(4), nn::ELU<T>()),
                        Residual<T>(), nn::Softmax<T>()),
          {0, 4, 5});
    Sequential<T> words(nn::Embedding<T>(7, 3), Flatten<T>(), Linear<T>(6, 2));
    write("embedding", words, {0, 2}, Tensor<T>(xt::xarray<T>{{0, 6}, {3, 1}, {2, 2}}));
    Sequential<T> numbers(nn::ReLU<T>(), nn::Embedding<T>(7, 3));
    write("embedding_of_floats", numbers, {0, 2}, Tensor<T>(xt::xarray<T>{{0, 6}, {-3, 1}, {2, 2}}));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        fmt::print(stderr, "usage: onnx_models FOLDER\n");
        return 2;
    }
    try {
        random::seed(1);
        Writer<float>(argv[1]).write_all();
        Writer<double>(argv[1]).write_all();
    } catch (const std::exception& error) {
        if (typeid(error) == typeid(Error)) {  // without the packages there is nothing to test
            fmt::print("skipped: {}\n", error.what());
            return 77;
        }
        fmt::print(stderr, "onnx_models: {}\n", error.what());
        return 1;
    }
}
