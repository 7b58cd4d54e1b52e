"""xtape-train learns what can be learned, from each kind of file."""

import json
import subprocess
import sys
from pathlib import Path

from tool import expect, figure, flowers, houses, main, read_safetensors, write_npz

digits = Path(sys.argv[3]) / "digits.csv"


def learns_digits(tool):
    """1,797 digits are learned to 97% and more, and the metrics file has a line an epoch"""
    run = tool.folder / "digits"
    text = tool.run(digits, "--epochs", 25, "--layers", "128,64", "--schedule", "onecycle", "--lr", 0.005, "--batch-size",
                    32, "--require", 97, "--output", run)
    expect(figure(text, "test accuracy") >= 97, text)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    expect([line["epoch"] for line in lines] == list(range(1, 26)), lines)
    expect(lines[-1]["train_loss"] < 0.1 * lines[0]["train_loss"], lines)
    for line in lines:
        expect(set(line) == {"epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "lr",
                             "seconds", "gradient_norms"}, line)
        expect(set(line["gradient_norms"]) == {"0", "2", "4"}, line)
        expect(all(norm > 0 for norm in line["gradient_norms"].values()), line)
    expect(lines[-1]["lr"] < 1e-5 < 4e-3 < max(line["lr"] for line in lines), "the rate's course is no cycle")
    _, weights = read_safetensors(run / "model.safetensors")
    expect({name: len(data) for name, data in weights.items()} ==
           {"0.weight": 4 * 64 * 128, "0.bias": 4 * 128, "2.weight": 4 * 128 * 64, "2.bias": 4 * 64,
            "4.weight": 4 * 64 * 10, "4.bias": 4 * 10}, "these are not PyTorch's names and shapes")


def learns_houses(tool):
    """a regression with a category and missing values comes close to the noise, which is 2"""
    houses(tool.folder / "houses.csv")
    text = tool.run(tool.folder / "houses.csv", "--epochs", 60, "--layers", "32", "--lr", 0.01, "--early-stopping", 15,
                    "--output", tool.folder / "run")
    expect("regression" in text and "test RMSE: " in text, text)
    rmse = figure(text, "test RMSE")
    expect(1.6 < rmse < 2.8, f"RMSE {rmse}: better than the noise allows, or much worse")


def learns_flowers(tool):
    """classes by name from texts and missing values; and from another column than the last, without one that tells"""
    flowers(tool.folder / "flowers.csv")
    text = tool.run(tool.folder / "flowers.csv", "--epochs", 40, "--layers", "16", "--lr", 0.01, "--class-weights",
                    "balanced", "--require", 95, "--output", tool.folder / "run")
    expect("<b>rose</b> & co" in text, "the confusion matrix has no class names: " + text)
    text = tool.run(tool.folder / "flowers.csv", "--target", "colour", "--ignore", "kind", "--epochs", 5, "--output",
                    tool.folder / "colour")
    expect("classification, 3 classes" in text, text)
    text = tool.run(tool.folder / "flowers.csv", "--text-columns", "height", "--epochs", 1, "--output",
                    tool.folder / "height")
    (network,) = [line for line in text.splitlines() if line.startswith("network ")]
    expect(int(network.split()[1].split("-")[0]) > 200, "each height is a category of its own: " + network)


def learns_arrays(tool):
    """two values a sample from an npz file; every optimiser and every schedule lowers the loss"""
    samples = [(i / 50 - 1, (i * 7 % 100) / 50 - 1) for i in range(100)]
    write_npz(tool.folder / "data.npz",
              {"x": ((100, 2), [v for s in samples for v in s]),
               "y": ((100, 2), [v for a, b in samples for v in (3 * a - b, 100 * a * b)])})
    options = ["--layers", "16", "--batch-size", 10, "--validation", 0.1, "--epochs", 12, "--activation", "tanh"]
    for optimizer in ["sgd", "adam", "adamw", "rmsprop", "adagrad"]:
        for schedule in ["none", "step", "multistep", "exponential", "cosine", "warmup", "onecycle", "plateau"]:
            if optimizer != "adam" and schedule not in ["none", "onecycle"]:
                continue
            run = tool.folder / f"{optimizer}-{schedule}"
            more = ["--milestones", "4,8"] if schedule == "multistep" else []
            text = tool.run(tool.folder / "data.npz", "--optimizer", optimizer, "--schedule", schedule, "--lr", 0.02,
                            "--output", run, "--dropout", 0.05, "--clip-norm", 5, *options, *more)
            expect("2 values a sample" in text, text)
            lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
            expect(lines[-1]["train_loss"] < 0.8 * lines[0]["train_loss"], f"{optimizer}, {schedule}: {lines}")
            changed = len({line["lr"] for line in lines}) > 1
            expect(changed == (schedule not in ["none", "plateau"]), f"{schedule}: {[l['lr'] for l in lines]}")


def stops_early(tool):
    """early stopping ends a run that no longer improves, and keeps the weights of the best epoch"""
    houses(tool.folder / "houses.csv", rows=60)
    text = tool.run(tool.folder / "houses.csv", "--epochs", 3000, "--layers", "256,256", "--lr", 0.01,
                    "--early-stopping", 5, "--output", tool.folder / "run")
    expect("stopped early after " in text and "weights of epoch " in text, text)
    lines = [json.loads(line) for line in (tool.folder / "run/metrics.jsonl").read_text().splitlines()]
    losses = [line["validation_loss"] for line in lines]
    best = losses.index(min(losses)) + 1
    expect(len(lines) == best + 5 and f"weights of epoch {best}," in text, f"{best} of {len(lines)}: {text}")


def exports(tool):
    """--export writes an ONNX file, or says before training what to install"""
    houses(tool.folder / "houses.csv", rows=100)
    file = tool.folder / "houses.onnx"
    arguments = [tool.folder / "houses.csv", "--epochs", 2, "--export", file, "--output", tool.folder / "run"]
    done = subprocess.run(tool.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode == 0:
        expect(b"0.weight" in file.read_bytes() and not Path(f"{file}.trial").exists(), "no network in it")
    else:
        expect("install" in done.stdout and "epoch" not in done.stdout, done.stdout)
        print("(this xtape was built without ONNX)")
    tool.refused(1, ["nowhere"] if done.returncode == 0 else ["install"], tool.folder / "houses.csv", "--export",
                 tool.folder / "nowhere/a.onnx", "--output", tool.folder / "run")


main(exports, learns_digits, learns_houses, learns_flowers, learns_arrays, stops_early)
