#!/usr/bin/env python3
"""Makes the files of NumPy's that tests/io reads, beside itself, and checks that NumPy reads what xtape wrote.

Run with Debian's python3-numpy (1.24.2): /usr/bin/python3 make_npz.py
xtape.npz is written by the test "write_npz writes the file that NumPy was seen to read" (tests/io/npz_test.cpp says how).
"""
import pathlib

import numpy as np

here = pathlib.Path(__file__).parent
integers = np.array([[0, 1, 2], [100, 50, 127]])


def every_type():
    for code in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"):
        yield np.dtype(code).name, integers.astype(code)
    for code in ("f4", "f8"):
        yield np.dtype(code).name, (integers / 8 - 1).astype(code)


def save_npy(name, array, version=None):
    with open(here / name, "wb") as file:
        np.lib.format.write_array(file, array, version=version)


cube = np.arange(24.0).reshape(2, 3, 4)
np.savez(
    here / "numpy.npz",
    scalar=np.float32(2.5),
    empty=np.zeros((0, 4)),
    fortran=np.asfortranarray(cube),
    big_endian=np.array([1.5, -2.25], ">f8"),
    **{"größe": np.arange(3)},
    **dict(every_type()),
)
np.savez_compressed(here / "numpy_compressed.npz", zeros=np.zeros((300, 200)), cube=cube)
np.savez(here / "numpy_small.npz", w=np.array([1.0, -2.0], "f4"), n=np.array(7))
save_npy("numpy.npy", cube)
save_npy("numpy_v2.npy", np.arange(3), version=(2, 0))
save_npy("numpy_v3.npy", np.arange(3), version=(3, 0))
save_npy("numpy_bool.npy", np.array([True, False]))
save_npy("numpy_records.npy", np.zeros(2, "f4, i4"))

written = here / "xtape.npz"
if written.exists():
    with np.load(written, allow_pickle=False) as arrays:
        assert sorted(arrays) == sorted(["0.weight", "empty", "größe", "step", *(name for name, _ in every_type())])
        for name, wanted in every_type():
            assert arrays[name].dtype == wanted.dtype and (arrays[name] == wanted).all(), name
        assert arrays["0.weight"].dtype == np.float32
        assert (arrays["0.weight"] == np.array([[1, 2, 3], [4, 5, 6]])).all()
        assert arrays["empty"].shape == (0, 4) and arrays["empty"].dtype == np.float64
        assert arrays["step"].shape == () and arrays["step"] == 12 and arrays["step"].dtype == np.int64
        assert (arrays["größe"] == [0.5]).all()
    print("NumPy reads xtape.npz")
