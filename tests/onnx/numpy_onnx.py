"""ONNX's operators, as xtape writes them, over NumPy: each as the operator's specification (opset 17) words it."""
import math

import numpy as np
from onnx import helper, mapping, numpy_helper

erf = np.vectorize(math.erf)


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def gemm(a, b, c=0, transA=0, transB=0, alpha=1.0, beta=1.0):
    return alpha * (a.T if transA else a) @ (b.T if transB else b) + beta * c


def batch_normalization(x, scale, bias, mean, var, epsilon=1e-5):
    scale, bias, mean, var = (a.reshape([-1] + [1] * (x.ndim - 2)) for a in (scale, bias, mean, var))
    return (x - mean) / np.sqrt(var + epsilon) * scale + bias


def layer_normalization(x, scale, bias=0, axis=-1, epsilon=1e-5):
    axes = tuple(range(axis % x.ndim, x.ndim))
    x32 = x.astype(np.float32)  # stash_type
    centred = x32 - x32.mean(axes, keepdims=True)
    return (centred / np.sqrt((centred**2).mean(axes, keepdims=True) + epsilon)).astype(x.dtype) * scale + bias


def reshape(x, shape):
    return x.reshape([x.shape[i] if extent == 0 else extent for i, extent in enumerate(shape)])


def flatten(x, axis=1):
    return x.reshape(math.prod(x.shape[:axis]), -1)


OPERATORS = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "MatMul": np.matmul,
    "Neg": np.negative, "Sqrt": np.sqrt, "Tanh": np.tanh, "Identity": lambda x: x,
    "Relu": lambda x: np.maximum(x, 0),
    "LeakyRelu": lambda x, alpha=0.01: np.where(x < 0, alpha * x, x),
    "Elu": lambda x, alpha=1.0: np.where(x < 0, alpha * np.expm1(x), x),
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Softplus": lambda x: np.logaddexp(x, 0),
    "Erf": erf,
    "Softmax": lambda x, axis=-1: softmax(x, axis),
    "Gemm": gemm,
    "Transpose": lambda x, perm: x.transpose(perm),
    "Reshape": reshape,
    "Flatten": flatten,
    "Unsqueeze": lambda x, axes: np.expand_dims(x, tuple(axes)),
    "ReduceMean": lambda x, axes, keepdims=1: x.mean(tuple(axes), keepdims=bool(keepdims)),
    "BatchNormalization": batch_normalization,
    "LayerNormalization": layer_normalization,
    "Cast": lambda x, to: x.astype(mapping.TENSOR_TYPE_TO_NP_TYPE[to]),
    "Gather": lambda x, indices, axis=0: x.take(indices, axis),
}


def run(model, x):
    """The output of a model for an input."""
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    values[model.graph.input[0].name] = x
    for node in model.graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        inputs = [values[name] for name in node.input]
        result = OPERATORS[node.op_type](*inputs, **attributes)
        is_cast = node.op_type == "Cast"
        values[node.output[0]] = result if is_cast else result.astype(inputs[0].dtype)
    return values[model.graph.output[0].name]
