#include <xtape/nn/onnx.hpp>

#include <climits>
#include <span>
#include <type_traits>

#include <fmt/format.h>

#include <xtape/autograd/errors.hpp>
#include <xtape/io/atomic_file.hpp>

#if XTAPE_ONNX
#define ONNX_ML 1
#include <onnx/onnx_pb.h>
#endif

namespace xtape::nn {

#if XTAPE_ONNX

namespace {

constexpr std::int64_t ir_version = 8;  // of ONNX 1.10 and later
constexpr std::int64_t opset = 17;      // the first with LayerNormalization

void describe(onnx::ValueInfoProto& info, const OnnxValue& value, onnx::TensorProto::DataType type) {
    info.set_name(value.name);
    onnx::TypeProto::Tensor& tensor = *info.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(type);
    tensor.mutable_shape();  // there is one, also without axes
    for (const std::size_t extent : value.shape) {
        onnx::TensorShapeProto::Dimension& dimension = *tensor.mutable_shape()->add_dim();
        if (extent == 0) {
            dimension.set_dim_param("batch");
        } else {
            dimension.set_dim_value(static_cast<std::int64_t>(extent));
        }
    }
}

void describe(onnx::AttributeProto& attribute, const OnnxAttribute& from) {
    attribute.set_name(from.name);
    if (const auto* integer = std::get_if<std::int64_t>(&from.value)) {
        attribute.set_type(onnx::AttributeProto::INT);
        attribute.set_i(*integer);
    } else if (const auto* number = std::get_if<double>(&from.value)) {
        attribute.set_type(onnx::AttributeProto::FLOAT);
        attribute.set_f(static_cast<float>(*number));
    } else {
        const auto& integers = std::get<std::vector<std::int64_t>>(from.value);
        attribute.set_type(onnx::AttributeProto::INTS);
        attribute.mutable_ints()->Add(integers.begin(), integers.end());
    }
}

template <class T>
void describe(onnx::TensorProto& tensor, const std::string& name, const Tensor<T>& from) {
    tensor.set_name(name);
    for (const std::size_t extent : from.shape()) {
        tensor.add_dims(static_cast<std::int64_t>(extent));
    }
    if constexpr (std::is_same_v<T, float>) {
        tensor.set_data_type(onnx::TensorProto::FLOAT);
        tensor.mutable_float_data()->Add(from.data(), from.data() + from.size());
    } else {
        tensor.set_data_type(onnx::TensorProto::DOUBLE);
        tensor.mutable_double_data()->Add(from.data(), from.data() + from.size());
    }
}

void describe(onnx::TensorProto& tensor, const std::string& name, const std::vector<std::int64_t>& from) {
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::INT64);
    tensor.add_dims(static_cast<std::int64_t>(from.size()));
    tensor.mutable_int64_data()->Add(from.begin(), from.end());
}

[[noreturn]] void refuse_size() {
    throw ValueError("export_onnx: the module's numbers take more than the 2 GiB that one ONNX file holds");
}

}  // namespace

template <class T>
void export_onnx(Module<T>& module, const std::string& path, const Shape& input_shape) {
    const OnnxGraph<T> from(module, input_shape);
    std::size_t bytes = 0;
    for (const auto& [name, tensor] : from.tensors_) {
        bytes += tensor.size() * sizeof(T);
    }
    if (bytes > INT_MAX) {
        refuse_size();
    }

    onnx::ModelProto model;
    model.set_ir_version(ir_version);
    model.set_producer_name("xtape");
    model.set_producer_version(XTAPE_VERSION);
    model.add_opset_import()->set_version(opset);
    onnx::GraphProto& graph = *model.mutable_graph();
    graph.set_name("xtape");
    const auto type = std::is_same_v<T, float> ? onnx::TensorProto::FLOAT : onnx::TensorProto::DOUBLE;
    describe(*graph.add_input(), from.input_, from.integer_input_ ? onnx::TensorProto::INT64 : type);
    describe(*graph.add_output(), from.output_, type);
    for (const auto& node : from.nodes_) {
        onnx::NodeProto& to = *graph.add_node();
        to.set_name(node.name);
        to.set_op_type(node.op);
        to.mutable_input()->Add(node.inputs.begin(), node.inputs.end());
        to.add_output(node.output);
        for (const OnnxAttribute& attribute : node.attributes) {
            describe(*to.add_attribute(), attribute);
        }
    }
    for (const auto& [name, tensor] : from.tensors_) {
        describe(*graph.add_initializer(), name, tensor);
    }
    for (const auto& [name, integers] : from.integers_) {
        describe(*graph.add_initializer(), name, integers);
    }
    std::string contents;
    if (!model.SerializeToString(&contents)) {
        refuse_size();
    }
    io::write_file(path, std::as_bytes(std::span(contents)));
}

#else

template <class T>
void export_onnx(Module<T>&, const std::string& path, const Shape&) {
    throw Error(fmt::format("export_onnx: cannot write '{}': xtape was configured without ONNX; install libonnx and "
                            "protobuf (Debian: apt-get install libonnx-dev libprotobuf-dev), then configure and build "
                            "xtape again",
                            path));
}

#endif

template void export_onnx(Module<float>&, const std::string&, const Shape&);
template void export_onnx(Module<double>&, const std::string&, const Shape&);

}  // namespace xtape::nn
