#!/usr/bin/env python3
"""Safetensors files by other hands than xtape's: over struct and json alone, and through NumPy.

    safetensors_files.py make              writes python.safetensors beside itself
    safetensors_files.py copy FROM TO      reads a .safetensors file number by number and writes it again
    safetensors_files.py numpy FROM TO     reads a .safetensors or .npz file into NumPy's arrays and writes them again,
                                           in the format of either ending; status 77 where there is no NumPy

tests/io/safetensors_python_test.cpp runs copy and numpy. What is read is held to the format's description
(https://github.com/huggingface/safetensors); what is written is laid out as the reference implementation does it, but
for python.safetensors, which takes the liberties that the format leaves.
"""
import json
import math
import pathlib
import struct
import sys

CODES = {"I8": "b", "U8": "B", "I16": "h", "U16": "H", "I32": "i", "U32": "I", "I64": "q", "U64": "Q",
         "F16": "e", "F32": "f", "F64": "d", "BOOL": "?"}
WIDTHS = {**{dtype: struct.calcsize(code) for dtype, code in CODES.items()}, "BF16": 2}


def no_key_twice(pairs):
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), keys
    return dict(pairs)


def read(path):
    """(name -> (dtype, shape, bytes), metadata)"""
    contents = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack_from("<Q", contents)
    assert length <= 100_000_000 and 8 + length <= len(contents)
    text, data = contents[8 : 8 + length], contents[8 + length :]
    assert text.startswith(b"{") and length % 8 == 0
    header = json.loads(text.decode("utf-8"), object_pairs_hook=no_key_twice)
    metadata = header.pop("__metadata__", {})
    assert all(isinstance(value, str) for value in metadata.values())
    tensors, at = {}, 0
    for name, tensor in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        assert sorted(tensor) == ["data_offsets", "dtype", "shape"]
        begin, end = tensor["data_offsets"]
        width = WIDTHS[tensor["dtype"]]
        assert begin == at and end - begin == math.prod(tensor["shape"]) * width, name
        assert (8 + length + begin) % width == 0, f"{name} is not aligned"
        tensors[name] = (tensor["dtype"], tensor["shape"], data[begin:end])
        at = end
    assert at == len(data)
    return tensors, metadata


def write(path, tensors, metadata):
    """As the reference implementation: the largest elements first, by name among equals, padded to 8 bytes."""
    header = {"__metadata__": metadata} if metadata else {}
    data = b""
    for name, (dtype, shape, contents) in sorted(tensors.items(), key=lambda i: (-WIDTHS[i[1][0]], i[0].encode())):
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(contents)]}
        data += contents
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


def copy(source, target):
    tensors, metadata = read(source)
    for name, (dtype, shape, contents) in tensors.items():
        numbers = struct.unpack(f"<{math.prod(shape)}{CODES[dtype]}", contents)
        tensors[name] = (dtype, shape, struct.pack(f"<{len(numbers)}{CODES[dtype]}", *numbers))
    write(target, tensors, metadata)


def numpy_copy(source, target):
    try:
        import numpy as np
    except ImportError:
        sys.exit(77)
    types = {dtype: np.dtype("<" + ("b1" if dtype == "BOOL" else dtype[0].lower() + str(WIDTHS[dtype])))
             for dtype in CODES}
    metadata = {}
    if source.endswith(".npz"):
        with np.load(source, allow_pickle=False) as archive:
            arrays = dict(archive)
    else:
        tensors, metadata = read(source)
        arrays = {name: np.frombuffer(contents, types[dtype]).reshape(shape)
                  for name, (dtype, shape, contents) in tensors.items()}
    arrays = {name: array.copy() for name, array in arrays.items()}
    if target.endswith(".npz"):
        np.savez(target, **arrays)
    else:
        dtypes = {dtype: code for code, dtype in types.items()}
        write(target, {name: (dtypes[array.dtype], list(array.shape), array.tobytes())
                       for name, array in arrays.items()}, metadata)


def make(path):
    integers, floats = [0, 1, 2, 100, 50, 127], [-1.0, -0.875, -0.75, 11.5, 5.25, 14.875]

    def packed(dtype, shape, numbers):
        return dtype, shape, struct.pack(f"<{len(numbers)}{CODES[dtype]}", *numbers)

    tensors = {
        "int8": packed("I8", [2, 3], integers),
        "flags": packed("BOOL", [3], [True, False, True]),
        "uint8": packed("U8", [2, 3], integers),
        "int64": packed("I64", [2, 3], integers),
        "größe 😀": packed("I16", [1], [-3]),
        "int16": packed("I16", [2, 3], integers),
        "uint16": packed("U16", [2, 3], integers),
        "half": packed("F16", [2, 4], [1.0, -2.5, 65504.0, 2.0**-24, -(2.0**-15), -0.0, math.inf, math.nan]),
        # Of bfloat16, the upper halves of: 1, -2.5, the largest, the smallest subnormal, -0, inf, NaN.
        "bfloat": ("BF16", [7], struct.pack("<7H", 0x3F80, 0xC020, 0x7F7F, 0x0001, 0x8000, 0x7F80, 0x7FC0)),
        "float32": packed("F32", [2, 3], floats),
        "empty": packed("F64", [0, 4], []),
        "int32": packed("I32", [2, 3], integers),
        "uint32": packed("U32", [2, 3], integers),
        "scalar": packed("F32", [], [2.5]),
        'a/"b"\\c\n': packed("U8", [1], [7]),
        "0.weight": packed("F32", [1, 2], [1.5, -2.5]),
        "uint64": packed("U64", [2, 3], integers),
        "float64": packed("F64", [2, 3], floats),
    }
    # Liberties: escapes, spaces and newlines, keys in another order than the data, the text last, nothing aligned.
    header, data = {}, b""
    for name, (dtype, shape, contents) in tensors.items():
        header[name] = {"data_offsets": [len(data), len(data) + len(contents)], "shape": shape, "dtype": dtype}
        data += contents
    header = dict(sorted(header.items()))
    header["__metadata__"] = {"format": "pt", "größe": "α\n\"β\""}
    text = json.dumps(header, indent=1).encode("ascii")
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


if __name__ == "__main__":
    if sys.argv[1:] == ["make"]:
        make(pathlib.Path(__file__).parent / "python.safetensors")
    elif len(sys.argv) == 4 and sys.argv[1] in ("copy", "numpy"):
        {"copy": copy, "numpy": numpy_copy}[sys.argv[1]](sys.argv[2], sys.argv[3])
    else:
        sys.exit(__doc__)
