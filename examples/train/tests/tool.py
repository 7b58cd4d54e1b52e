"""What the tests of xtape-train share: running it, files for it, and reading what it writes. Nothing but Python itself."""

import csv
import json
import math
import random
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path


class Tool:
    """xtape-train, and a fresh folder to work in. Scripts are called as: SCRIPT PROGRAM FOLDER [N]."""

    def __init__(self):
        self.program = sys.argv[1]
        self.folder = Path(sys.argv[2])
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def command(self, *arguments):
        return [self.program, *map(str, arguments)]

    def run(self, *arguments, code=0):
        """Runs it, checks the exit code, and returns what it printed, errors included."""
        done = subprocess.run(self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != code:
            raise AssertionError(f"{arguments}: exit code {done.returncode}, not {code}\n{done.stdout}")
        return done.stdout

    def refused(self, code, words, *arguments):
        """Checks that it refuses, in few lines, with these words among what it says."""
        text = self.run(*arguments, code=code)
        expect(all(word in text for word in words), f"{arguments}: no {words} in: {text}")
        expect(text.startswith("xtape-train: ") and len(text.splitlines()) <= 8, f"{arguments}: not one message: {text}")


def expect(condition, message):
    if not condition:
        raise AssertionError(message)


def figure(text, name):
    """The number after "name: " in a line of the output."""
    for line in text.splitlines():
        if line.startswith(name + ": "):
            return float(line[len(name) + 2:].split(",")[0].rstrip("%"))
    raise AssertionError(f'no "{name}: " in: {text}')


def read_safetensors(path):
    """The texts of a .safetensors file, and the arrays' bytes by name."""
    contents = Path(path).read_bytes()
    (length,) = struct.unpack_from("<Q", contents)
    header = json.loads(contents[8:8 + length])
    data = contents[8 + length:]
    texts = header.pop("__metadata__", {})
    return texts, {name: data[slice(*entry["data_offsets"])] for name, entry in header.items()}


def read_npz(path):
    """Arrays of an .npz file as (shape, flat list)."""
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            contents = archive.read(name)
            (length,) = struct.unpack_from("<H", contents, 8)
            header = eval(contents[10:10 + length], {})  # a dict's text, as NumPy writes it
            kind = {"<f4": "f", "<f8": "d", "<i8": "q"}[header["descr"]]
            count = math.prod(header["shape"])
            arrays[name.removesuffix(".npy")] = (header["shape"],
                                                 list(struct.unpack_from(f"<{count}{kind}", contents, 10 + length)))
    return arrays


def write_npz(path, arrays):
    """Arrays given as (shape, flat list of floats)."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, (shape, values) in arrays.items():
            header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
            header += " " * (-(len(header) + 11) % 64) + "\n"
            archive.writestr(name + ".npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() +
                             struct.pack(f"<{len(values)}d", *values))


def write_idx(path, shape, values):
    """Bytes, in the format of MNIST's files."""
    path.write_bytes(struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + bytes(values))


def read_csv(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


def write_csv(path, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(rows)


def houses(path, rows=600, seed=1):
    """A table whose last column follows from the others but for noise of standard deviation 2: numbers on very
    different scales, a category, missing values in a column that does not matter, and an awkward name."""
    draw = random.Random(seed)
    surcharge = {"north": 0.0, "south": 15.0, "east, upper": -10.0}
    table = [["area", "year", "district", "noise", "price"]]
    for _ in range(rows):
        area, year, district = draw.uniform(40, 200), draw.randint(1900, 2020), draw.choice(sorted(surcharge))
        price = 0.5 * area + 0.2 * (year - 1960) + surcharge[district] + draw.gauss(0, 2)
        noise = "" if draw.random() < 0.1 else f"{draw.gauss(1e6, 1e4):.1f}"
        table.append([f"{area:.3f}", year, district, noise, f"{price:.4f}"])
    write_csv(path, table)


def flowers(path, rows=450, seed=2, names=("iris", "<b>rose</b> & co", 'say "tulip"')):
    """Three classes with names that HTML and CSV must quote, told apart by a category and two numbers."""
    draw = random.Random(seed)
    table = [["colour", "width", "height", "kind"]]
    for i in range(rows):
        k = i % 3
        width = "NA" if draw.random() < 0.05 else f"{draw.gauss(2 * k, 0.5):.4f}"
        colour = draw.choice(["red", "white"]) if k != 1 else draw.choice(["blue", "white"])
        table.append([colour, width, f"{draw.gauss(5 - 3 * k, 0.6):.4f}", names[k]])
    write_csv(path, table)


def main(*cases):
    """Runs the cases, each with a tool of its own folder's."""
    for case in cases:
        case(Tool())
        print("ok:", case.__doc__)
