"""A fresh process with nothing but the model's file predicts, and tells again what training reported."""

import json
import random
import shutil
import sys
from pathlib import Path

from tool import (expect, figure, flowers, houses, main, read_csv, read_npz, read_safetensors, write_csv,
                  write_idx)

digits = Path(sys.argv[3]) / "digits.csv"


def moved_model(tool, data, *options):
    """Trains, and leaves the model alone in a folder. Gives what was printed, and the model."""
    text = tool.run(data, "--output", tool.folder / "run", *options)
    model = tool.folder / "elsewhere.safetensors"
    shutil.move(tool.folder / "run/model.safetensors", model)
    shutil.rmtree(tool.folder / "run")
    return text, model


def repeats_the_test(tool, data, headline, *options):
    trained, model = moved_model(tool, data, *options)
    told = tool.run("predict", model, data, "--test")
    line = [line for line in trained.splitlines() if line.startswith(headline)]
    expect(len(line) == 1 and line[0] in told.splitlines(), f"{line} is not in {told}")
    expect("every figure is what training reported, bit for bit" in told, told)
    return model


def predicted(tool, model, data):
    """What predict prints, and what it writes: the rows of the CSV file and the arrays of the npz file."""
    text = tool.run("predict", model, data, "--output", tool.folder / "out.csv")
    tool.run("predict", model, data, "--output", tool.folder / "out.npz")
    return text, read_csv(tool.folder / "out.csv"), read_npz(tool.folder / "out.npz")


def classes(tool):
    """the test accuracy comes out again; CSV and npz hold the same classes and probabilities, which add up to 1"""
    data = tool.folder / "flowers.csv"
    flowers(data)
    model = repeats_the_test(tool, data, "test accuracy: ", "--epochs", 10, "--layers", "16", "--lr", 0.01)
    text, table, arrays = predicted(tool, model, data)
    names = json.loads(read_safetensors(model)[0]["preprocessing"])["classes"]
    expect(table[0] == ["class"] + ["probability of " + name for name in names], table[0])
    truth = [row[-1] for row in read_csv(data)[1:]]
    right = sum(row[0] == true for row, true in zip(table[1:], truth))
    expect(len(table) - 1 == len(truth) and f"accuracy: {100 * right / len(truth):.1f}%" in text.splitlines(), text)
    expect(arrays["class"][1] == [names.index(row[0]) for row in table[1:]], "classes differ")
    expect(arrays["probabilities"][0] == (len(truth), 3), arrays["probabilities"][0])
    for i, row in enumerate(table[1:]):
        chances = [float(x) for x in row[1:]]
        expect(abs(sum(chances) - 1) < 1e-5 and names[chances.index(max(chances))] == row[0], row)
        expect(all(abs(a - b) < 1e-6 for a, b in zip(chances, arrays["probabilities"][1][3 * i:])), row)


def values(tool):
    """the test RMSE comes out again; CSV and npz hold the same values, in the target's units"""
    data = tool.folder / "houses.csv"
    houses(data)
    model = repeats_the_test(tool, data, "test RMSE: ", "--epochs", 30, "--layers", "32", "--lr", 0.01)
    text, table, arrays = predicted(tool, model, data)
    expect(table[0] == ["price"], table[0])
    guesses = [float(row[0]) for row in table[1:]]
    truth = [float(row[-1]) for row in read_csv(data)[1:]]
    rmse = (sum((a - b) ** 2 for a, b in zip(guesses, truth)) / len(truth)) ** 0.5
    expect(abs(rmse - figure(text, "RMSE")) < 1e-3 * rmse, f"{rmse}: {text}")
    shape, there = arrays["prediction"]
    expect(shape == (len(truth), 1) and all(abs(a - b) < 1e-6 * abs(b) for a, b in zip(guesses, there)), shape)


def headless(tool):
    """digits.csv, which has no header: the test comes out again, also with dropout and early stopping"""
    repeats_the_test(tool, digits, "test accuracy: ", "--epochs", 4, "--dropout", 0.3, "--early-stopping", 2)


def other_columns(tool):
    """columns are found by name in any order, more of them are ignored, the target may be absent; unseen categories and
    missing values are let pass"""
    houses(tool.folder / "houses.csv", rows=200)
    _, model = moved_model(tool, tool.folder / "houses.csv", "--epochs", 5)
    table = read_csv(tool.folder / "houses.csv")
    tool.run("predict", model, tool.folder / "houses.csv", "--output", tool.folder / "a.csv")
    write_csv(tool.folder / "shuffled.csv", [["extra", *row[3::-1]] if i == 0 else ["7", *row[3::-1]]
                                             for i, row in enumerate(table)])
    text = tool.run("predict", model, tool.folder / "shuffled.csv", "--output", tool.folder / "b.csv")
    expect("RMSE" not in text, "there is no target to compare with: " + text)
    expect(read_csv(tool.folder / "a.csv") == read_csv(tool.folder / "b.csv"), "predictions differ")
    write_csv(tool.folder / "new.csv", [table[0], ["", "", "the moon", "", ""]])
    tool.run("predict", model, tool.folder / "new.csv", "--output", tool.folder / "c.csv")
    expect(len(read_csv(tool.folder / "c.csv")) == 2, "one sample, one prediction")
    write_csv(tool.folder / "less.csv", [row[1:] for row in table])
    tool.refused(1, ["columns of the training are missing: area"], "predict", model, tool.folder / "less.csv")
    # Without a header, a file may lack the target's column, wherever that was.
    write_csv(tool.folder / "plain.csv", [row[4:] + row[:2] for row in table[1:]])
    write_csv(tool.folder / "untold.csv", [row[:2] for row in table[1:]])
    tool.run(tool.folder / "plain.csv", "--target", 1, "--epochs", 3, "--output", tool.folder / "plain")
    for name in ["plain", "untold"]:
        tool.run("predict", tool.folder / "plain/model.safetensors", tool.folder / f"{name}.csv", "--output",
                 tool.folder / f"{name}-out.csv")
    expect(read_csv(tool.folder / "plain-out.csv") == read_csv(tool.folder / "untold-out.csv"), "predictions differ")


def images(tool):
    """IDX files, the test in one of its own: labels are found beside the images or by option, and classes may be any bytes"""
    draw = random.Random(3)
    for part, count in [("train", 300), ("t10k", 60)]:
        labels = [draw.choice([3, 7, 200]) for _ in range(count)]
        pixels = [min(255, max(0, int(draw.gauss(60 if (label == 3) == (i < 8) else 180, 50) + (label == 7) * 40)))
                  for label in labels for i in range(16)]
        write_idx(tool.folder / f"{part}-images-idx3-ubyte", (count, 4, 4), pixels)
        write_idx(tool.folder / f"{part}-labels-idx1-ubyte", (count,), labels)
    train, test = (tool.folder / f"{part}-images-idx3-ubyte" for part in ["train", "t10k"])
    text, model = moved_model(tool, train, "--test-file", test, "--epochs", 15, "--layers", "16", "--lr", 0.01)
    expect("classification, 3 classes" in text and "60 to test" in text and figure(text, "test accuracy") > 60, text)
    told = tool.run("predict", model, test, "--test")
    expect("every figure is what training reported" in told, told)
    tool.refused(1, ["is not what", "was tested on"], "predict", model, train, "--test")
    named = tool.folder / "named"
    named.mkdir()
    for old, new in [("t10k-images-idx3-ubyte", "a"), ("t10k-labels-idx1-ubyte", "b")]:
        shutil.copy(tool.folder / old, named / new)
    told = tool.run("predict", model, named / "a", "--labels", named / "b", "--output", tool.folder / "out.csv")
    expect([line for line in text.splitlines() if line.startswith("test ")][0].removeprefix("test ") in told, told)
    expect({row[0] for row in read_csv(tool.folder / "out.csv")[1:]} <= {"3", "7", "200"}, "these are no labels")
    expect("accuracy" not in tool.run("predict", model, named / "a"), "there are no labels to compare with")


main(classes, values, headless, other_columns, images)
