#!/usr/bin/env python3
"""Compares what others make of xtape's ONNX files with what xtape computed.

    check_onnx.py FOLDER               holds each FOLDER/<name>.onnx to ONNX's own checker and shape inference, and runs
                                       it with FOLDER/<name>.npz: over NumPy all, by OpenCV what OpenCV 4.6 can run,
                                       and by npm's onnxruntime-web if node finds that (NODE_PATH)
    check_onnx.py --self-test FOLDER   checks that each of these sees what is wrong with damaged files

FOLDER is filled by onnx_models. Needs Debian's python3-onnx and python3-opencv.
"""
import json
import pathlib
import shutil
import subprocess
import sys

import cv2
import numpy as np
import onnx

import numpy_onnx

TOLERANCE = 1e-5
OPENCV_LACKS = {"LayerNormalization", "ReduceMean", "Gather"}
ORT_LACKS = ("Could not find an implementation", "Failed to find kernel")  # of some operators for double


class Model:
    def __init__(self, path):
        self.path = path
        self.proto = onnx.load(path)
        self.input, self.output = self.proto.graph.input[0], self.proto.graph.output[0]
        with np.load(path.with_suffix(".npz")) as arrays:
            self.x = arrays["input"].astype(onnx.mapping.TENSOR_TYPE_TO_NP_TYPE[self.input.type.tensor_type.elem_type])
            self.y = arrays["output"]


def dimensions(value):
    return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]


def fits(declared, shape):
    return len(declared) == len(shape) and all(d in ("batch", extent) for d, extent in zip(declared, shape))


def form_problems(model):
    """What ONNX's checker and shape inference find wrong."""
    try:
        onnx.checker.check_model(model.proto, full_check=True)
        bare = onnx.ModelProto()
        bare.CopyFrom(model.proto)
        bare.graph.output[0].type.tensor_type.ClearField("shape")
        inferred = onnx.shape_inference.infer_shapes(bare, strict_mode=True, data_prop=True).graph.output[0]
    except Exception as error:  # each of them has exceptions of its own
        return [f"ONNX's checker: {error}"]
    if inferred.type != model.output.type:
        return [f"the output is declared {dimensions(model.output)} and inferred to be {dimensions(inferred)}"]
    if not fits(dimensions(model.input), model.x.shape) or not fits(dimensions(model.output), model.y.shape):
        return ["the declared shapes are not those of xtape's arrays"]
    return []


# Each runtime takes models and gives for each its output, the error, or None where it is known to lack what it takes.


def attempt(run, model):
    try:
        return run(model)
    except Exception as error:
        return error


def run_numpy(models):
    return [attempt(lambda m: numpy_onnx.run(m.proto, m.x), model) for model in models]


def run_opencv(models):
    def run(model):
        ops = {node.op_type for node in model.proto.graph.node}
        if model.x.ndim != 2 or model.y.ndim != 2 or ops & OPENCV_LACKS:
            return None
        net = cv2.dnn.readNetFromONNX(str(model.path))
        net.setInput(model.x.astype(np.float32))
        return net.forward("output")

    return [attempt(run, model) for model in models]


def run_onnxruntime(models):
    """None if there is no onnxruntime-web."""
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None:
        return None
    jobs = [{"path": str(m.path), "shape": m.x.shape, "type": m.x.dtype.name, "data": m.x.ravel().tolist()}
            for m in models]
    script = pathlib.Path(__file__).with_name("run_onnx.cjs")
    done = subprocess.run([node, script], input=json.dumps(jobs), stdout=subprocess.PIPE, text=True)
    if done.returncode == 77:
        return None
    done.check_returncode()

    def result(model, found):
        if "error" not in found:
            return np.array(found["data"]).reshape(found["shape"])
        is_lacking = model.y.dtype == np.float64 and any(lack in found["error"] for lack in ORT_LACKS)
        return None if is_lacking else RuntimeError(found["error"])

    return [result(model, found) for model, found in zip(models, json.loads(done.stdout))]


RUNTIMES = {"NumPy": run_numpy, "OpenCV": run_opencv, "onnxruntime-web": run_onnxruntime}


def value_problems(model, y):
    """What is wrong with a runtime's output."""
    if isinstance(y, Exception):
        return [f"{type(y).__name__}: {y}"]
    if y.shape != model.y.shape:
        return [f"shape {y.shape} and not {model.y.shape}"]
    error = np.max(np.abs(y - model.y) / np.maximum(1, np.abs(model.y)), initial=0)
    return [] if error <= TOLERANCE else [f"off by {error:.3g}"]


def check(models):
    """What is wrong with each model, by who found it."""
    problems = [{"form": form_problems(model)} for model in models]
    for name, run in RUNTIMES.items():
        outputs = run(models)
        if outputs is None:
            print(f"{name}: not here; npm install {name}, and NODE_PATH set to its node_modules, would run all float models")
            continue
        count = 0
        for model, output, found in zip(models, outputs, problems):
            if output is not None:
                found[name] = value_problems(model, output)
                count += 1
        print(f"{name}: ran {count} of {len(models)} models")
        if count == 0:
            sys.exit(f"{name} ran nothing")
    return problems


def read_models(folder):
    models = [Model(path) for path in sorted(folder.glob("*.onnx"))]
    if not models:
        sys.exit(f"no models in {folder}")
    return models


def check_all(folder):
    models = read_models(folder)
    bad = False
    for model, found in zip(models, check(models)):
        for who, problems in found.items():
            for problem in problems:
                print(f"{model.path.stem}: {who}: {problem}")
                bad = True
    return 1 if bad else 0


def forget_transposition(graph):
    del graph.node[0].attribute[:]


def change_weight(graph):
    graph.initializer[0].float_data[0] += 0.1


def change_shape(graph):
    graph.output[0].type.tensor_type.shape.dim[1].dim_value += 1


def change_epsilon(graph):
    next(a for node in graph.node for a in node.attribute if a.name == "epsilon").f = 0.5


def change_op(graph):
    graph.node[0].op_type = "Gemmm"


# A model, how it is damaged, and who must see that.
DAMAGES = [
    ("mlp_tanh_float", change_weight, ["NumPy", "OpenCV", "onnxruntime-web"]),
    ("batch_norm_float", change_epsilon, ["NumPy", "OpenCV", "onnxruntime-web"]),
    ("layer_norm_float", change_epsilon, ["NumPy", "onnxruntime-web"]),
    ("mlp_relu_float", forget_transposition, ["NumPy", "onnxruntime-web"]),
    ("mlp_relu_float", change_shape, ["form"]),
    ("mlp_relu_float", change_op, ["form", "NumPy", "OpenCV", "onnxruntime-web"]),
]


def self_test(folder):
    damaged = []
    for name, damage, _ in DAMAGES:
        model = Model(folder / f"{name}.onnx")
        damage(model.proto.graph)
        model.path = folder / "damaged" / f"{len(damaged)}.onnx"
        model.path.parent.mkdir(exist_ok=True)
        onnx.save(model.proto, model.path)
        damaged.append(model)
    blind = False
    for (name, damage, witnesses), found in zip(DAMAGES, check(damaged)):
        for who in witnesses:
            if who in found and not found[who]:
                print(f"{name}, damaged by {damage.__name__}: {who} sees nothing wrong")
                blind = True
    return 1 if blind else 0


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "--self-test":
        return self_test(pathlib.Path(arguments[1]))
    if len(arguments) == 1:
        return check_all(pathlib.Path(arguments[0]))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
