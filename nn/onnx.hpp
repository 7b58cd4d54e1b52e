#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include <xtape/nn/module.hpp>

namespace xtape::nn {

/// Writes what a module does in evaluation as an ONNX file (opset 17), which other runtimes run: one input "input" of
/// T, one output "output". A first extent of 0 in `input_shape` leaves the batch open: the file names it "batch". An
/// input that nothing but an Embedding reads takes int64 indices, as PyTorch's does.
///
/// Parameters and buffers have the names of state_dict. Dropout is written as Identity, GELU by Erf, a BatchNorm1d with
/// its running statistics; nothing is fused, and hooks are left out. A module of one's own says by OnnxExport what it
/// is. The module stays as it is, its mode included; the file is replaced at once or not at all.
///
/// Throws ValueError for another extent of 0, for a module that cannot be expressed (it names its path), and for more
/// than 2 GiB; ShapeError where the shapes do not fit; IoError if the file cannot be written; Error, which says what to
/// install, if xtape was configured without the packages it takes.
template <class T>
void export_onnx(Module<T>& module, const std::string& path, const Shape& input_shape);

/// A value in the graph of an ONNX file: the input, a node's result, or numbers that the file holds.
struct OnnxValue {
    std::string name;
    Shape shape;  ///< with 0 for the batch's extent where that is left open
};

/// A node's attribute, as the operator's specification has it.
struct OnnxAttribute {
    std::string name;
    std::variant<std::int64_t, double, std::vector<std::int64_t>> value;
};

template <class T>
class OnnxGraph;

/// What a module of one's own derives from, beside Module<T>, to be exported.
template <class T>
class OnnxExport {
public:
    /// Adds to the graph what forward does to x in evaluation, and returns the result:
    /// `return graph.node("Add", {x, graph.apply(block_, x)});`
    [[nodiscard]] virtual OnnxValue to_onnx(OnnxGraph<T>& graph, const OnnxValue& x) = 0;

protected:
    ~OnnxExport() = default;
};

/// The graph that export_onnx makes of a module, open for its parts to add to.
template <class T>
class OnnxGraph {
public:
    /// The result of a module that the one at work lists in `members`. Throws what export_onnx throws.
    [[nodiscard]] OnnxValue apply(Module<T>& module, const OnnxValue& x);
    /// The first output of a new node. Its shape is that of the first input unless given.
    [[nodiscard]] OnnxValue node(const std::string& op, const std::vector<OnnxValue>& inputs,
                                 std::vector<OnnxAttribute> attributes = {}, std::optional<Shape> shape = {});
    /// A tensor that the file holds: a parameter or a buffer, under its name in the module's state dict, or a constant.
    [[nodiscard]] OnnxValue tensor(const Tensor<T>& values);
    /// Integers that the file holds, as Reshape takes them.
    [[nodiscard]] OnnxValue integers(std::vector<std::int64_t> values);
    /// Throws the ShapeError for an input that the module at work does not take; it names the module's path.
    [[noreturn]] void refuse(const std::string& problem) const;

private:
    struct Node {
        std::string op;
        std::string name;
        std::vector<std::string> inputs;
        std::string output;
        std::vector<OnnxAttribute> attributes;
    };

    OnnxGraph(Module<T>& module, const Shape& input_shape);
    void name_members(Module<T>& module, const std::string& path);
    [[nodiscard]] std::string unique(std::string name);
    [[nodiscard]] std::string at_work() const;
    void name_output(OnnxValue result);
    void take_integers_as_input();
    template <class U>
    friend void export_onnx(Module<U>& module, const std::string& path, const Shape& input_shape);

    std::unordered_map<const Module<T>*, std::string> paths_;  // of all modules there are
    std::unordered_map<const Body*, std::string> members_;     // names of parameters and buffers
    std::string path_;                                         // of the module at work
    std::unordered_set<std::string> names_;                    // all that are taken

    OnnxValue input_;
    bool integer_input_ = false;
    OnnxValue output_;
    std::vector<Node> nodes_;
    std::vector<std::pair<std::string, Tensor<T>>> tensors_;
    std::vector<std::pair<std::string, std::vector<std::int64_t>>> integers_;
};

extern template class OnnxGraph<float>;
extern template class OnnxGraph<double>;
extern template void export_onnx(Module<float>&, const std::string&, const Shape&);
extern template void export_onnx(Module<double>&, const std::string&, const Shape&);

}  // namespace xtape::nn
