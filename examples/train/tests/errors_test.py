"""Files and options that can't be meant: one clear message, exit code 2 for the command line and 1 for files."""

import struct
import sys
from pathlib import Path

from tool import expect, houses, main, write_csv, write_npz

digits = Path(sys.argv[3]) / "digits.csv"


def options(tool):
    """options: what is allowed is said"""
    out = ["--output", tool.folder / "run"]
    for words, arguments in [
        (["DATA is required"], []),
        (["--optimizer: adamm is not one of sgd, adam, adamw, rmsprop, adagrad"], [digits, "--optimizer", "adamm"]),
        (["--layers: 0 is not a positive whole number"], [digits, "--layers", "64,0"]),
        (["--lr: -1 is not a positive number"], [digits, "--lr", "-1"]),
        (["--lr: nan is not a positive number"], [digits, "--lr", "nan"]),
        (["--epochs: 1.5 is not a positive whole number"], [digits, "--epochs", "1.5"]),
        (["--epochs: -3 is not a positive whole number"], [digits, "--epochs", "-3"]),
        (["--test: 1 is not a number from 0 to below 1"], [digits, "--test", "1"]),
        (["--momentum has no use with --optimizer adam: it is for sgd, rmsprop"], [digits, "--momentum", "0.9"]),
        (["--pct-start has no use with --schedule none: it is for onecycle"], [digits, "--pct-start", "0.5"]),
        (["multistep needs --milestones"], [digits, "--schedule", "multistep"]),
        (["none and onecycle stand alone"], [digits, "--schedule", "onecycle,cosine"]),
        (["needs --validation above 0"], [digits, "--validation", "0", "--early-stopping", "3"]),
        (["--betas"], [digits, "--betas", "0.9"]),
        (["no column 99", "1 to 65"], [digits, "--target", "99"]),
        (["no column colour"], [digits, "--target", "colour"]),
        (["only one of them"], [digits, "--resume", "--overwrite"]),
        (["--test and --test-file"], [digits, "--test", "0.1", "--test-file", digits]),
        (["--frobnicate"], [digits, "--frobnicate"]),
        (["MODEL is required"], ["predict"]),
        (["ends neither in .csv nor in .npz"], ["predict", "model", digits, "--output", "a.txt"]),
        (["leave 0 to learn from"], [tool.folder / "two.csv", "--test", "0.9"]),
    ]:
        write_csv(tool.folder / "two.csv", [[1, 0], [2, 1]])
        tool.refused(2, words, *arguments, *(out if arguments and arguments[0] != "predict" else []))
    expect("Examples" in tool.run("--help") and "--output" in tool.run("predict", "--help"), "--help is no manual")


def files(tool):
    """files: what is wrong with them is said, and where"""
    def file(name, contents):
        (tool.folder / name).write_bytes(contents if isinstance(contents, bytes) else contents.encode())
        return tool.folder / name

    missing = tool.folder / "missing.csv"
    idx = struct.pack(">HBBIII", 0, 8, 3, 2, 2, 2) + bytes(range(8))
    for words, arguments in [
        (["missing.csv", "no such file"], [missing]),
        (["no such file"], [tool.folder]),
        (["holds no rows"], [file("empty.csv", "")]),
        (["line 3", "2 fields"], [file("ragged.csv", "a,b,c\n1,2,3\n4,5\n")]),
        (["line 2", "quote"], [file("quote.csv", 'a,b\n1,"2\n')]),
        (["two columns are called \"a\""], [file("twice.csv", "a,a,y\n1,2,3\n4,5,6\n")]),
        (["one field", "--delimiter"], [file("semicolons.csv", "a;b\n1;2\n3;4\n")]),
        (["target is missing", "sample 2"], [file("target.csv", "a,y\n1,1.5\n2,\n3,2.5\n")]),
        (["feature \"a\" has no value"], [file("nothing.csv", "a,b,y\n" + ",1,1.5\n,2,2.5\n" * 20)]),
        (["feature \"a\" is infinite"], [file("inf.csv", "a,y\n" + "inf,1.5\n1,2.5\n" * 20)]),
        (["nothing to tell apart"], [file("same.csv", "a,y\n" + "1,yes\n2,yes\n" * 20)]),
        (["texts such as \"yes\""], [file("texts.csv", "a,y\n" + "1,yes\n2,no\n" * 20), "--task", "regression"]),
        (["no target", "--labels"], [file("a-images-idx3-ubyte", idx)]),
        (["truncated or damaged"], [file("b-images-idx3-ubyte", idx[:-1])]),
        (["not a label for each"], [file("c-images-idx3-ubyte", idx), "--labels",
                                    file("c-labels-idx1-ubyte", struct.pack(">HBBI", 0, 8, 1, 1) + b"\0")]),
        (["there is no array x", "--inputs", "one of a"], [_npz(tool, "a", "y")]),
        (["no target", "--target"], [_npz(tool, "x", "z")]),
        (["not UTF-8", "iconv"], [file("latin.csv", b"town,y\nK\xf6ln,1\nBonn,0\n")]),
        (["column id holds", "--ignore"],
         [file("names.csv", "id,a,y\n" + "".join(f"n{i},{i},{i % 2}\n" for i in range(2000)))]),
        (["sample 1", "no value", "--standardize on"],
         [file("gaps.csv", "a,b,y\n" + ",1,1.5\n2,2,2.5\n" * 20), "--standardize", "off"]),
    ]:
        tool.refused(1, words, *arguments, "--output", tool.folder / "run")
    tool.refused(1, ["--output", "can't be made"], digits, "--output", file("file", "x"))


def _npz(tool, inputs, target):
    write_npz(tool.folder / f"{inputs}{target}.npz", {inputs: ((4, 1), [1, 2, 3, 4]), target: ((4,), [1.5, 2, 3, 4])})
    return tool.folder / f"{inputs}{target}.npz"


def models(tool):
    """models: damaged ones, checkpoints and foreign files are told apart, and data must fit"""
    houses(tool.folder / "houses.csv", rows=100)
    run = tool.folder / "run"
    tool.run(tool.folder / "houses.csv", "--epochs", 2, "--output", run, "--quiet")
    model = run / "model.safetensors"
    whole = model.read_bytes()
    damaged = tool.folder / "damaged.safetensors"
    for cut in [0, 7, len(whole) // 2, len(whole) - 1]:
        damaged.write_bytes(whole[:cut])
        tool.refused(1, ["damaged.safetensors"], "predict", damaged, tool.folder / "houses.csv")
    damaged.write_bytes(whole[:-9] + bytes([whole[-9] ^ 4]) + whole[-8:])
    tool.refused(1, ["checksum"], "predict", damaged, tool.folder / "houses.csv")
    tool.refused(1, ["the checkpoint of a run", "model.safetensors"], "predict", run / "checkpoint.safetensors",
                 tool.folder / "houses.csv")
    tool.refused(1, ["missing"], "predict", model, digits)
    tool.refused(1, ["is not what", "was tested on"], "predict", model, _other(tool), "--test")
    (run / "checkpoint.safetensors").write_bytes(whole[:100])
    tool.refused(1, ["checkpoint.safetensors"], tool.folder / "houses.csv", "--output", run, "--resume")


def _other(tool):
    houses(tool.folder / "other.csv", rows=100, seed=5)
    return tool.folder / "other.csv"


def explodes(tool):
    """a loss that is no longer finite ends the run with advice"""
    houses(tool.folder / "houses.csv", rows=100)
    tool.refused(1, ["no longer finite", "--lr"], tool.folder / "houses.csv", "--optimizer", "sgd", "--lr", 1e20,
                 "--output", tool.folder / "run", "--quiet")


main(options, files, models, explodes)
