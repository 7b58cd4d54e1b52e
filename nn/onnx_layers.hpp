#pragma once

#include <cstdint>
#include <optional>

#include <xtape/nn/onnx.hpp>

namespace xtape::nn {

/// The type int64 in a Cast's attribute `to`: TensorProto::INT64.
inline constexpr std::int64_t onnx_int64 = 7;

/// The result of one of xtape's own modules in terms of ONNX's operators; nothing for a module of another class, or of
/// one derived from these. For OnnxGraph::apply.
template <class T>
[[nodiscard]] std::optional<OnnxValue> layer_to_onnx(OnnxGraph<T>& graph, Module<T>& module, const OnnxValue& x);

}  // namespace xtape::nn
