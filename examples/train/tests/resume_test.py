"""A run that is killed, at whatever moment, and resumed ends with the weights of one that was not: SCRIPT PROGRAM FOLDER
DATA [KILLS]."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tool import expect, houses, main, read_safetensors

digits = Path(sys.argv[3]) / "digits.csv"
kills_wanted = int(sys.argv[4]) if len(sys.argv) > 4 else 5
# A long test has time for checkpoints every second; a short one needs them as much more often as its runs are shorter.
epochs, every = (1500, 1) if kills_wanted > 10 else (40, 0.02)

# Everything that has a state: dropout, momenta, a schedule by steps, early stopping, clipping, a position within an epoch.
options = ["--layers", "64,32", "--dropout", 0.2, "--optimizer", "adam", "--schedule", "warmup,cosine", "--warmup-epochs", 2,
           "--epochs", epochs, "--batch-size", 16, "--early-stopping", epochs, "--clip-norm", 2, "--quiet"]


def metrics(run):
    """The metrics file without the times."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def survives_kills(tool):
    """killed at random moments and resumed, weights and metrics become the same, bit for bit"""
    whole = tool.folder / "whole"
    begin = time.monotonic()
    tool.run(digits, *options, "--output", whole)
    seconds = time.monotonic() - begin
    draw = random.Random(7)
    kills = 0
    rounds = 0
    while kills < kills_wanted:
        rounds += 1
        expect(rounds < 200, "the runs end before they can be killed")
        run = tool.folder / f"killed-{rounds}"
        while kills < kills_wanted:
            process = subprocess.Popen(tool.command(digits, *options, "--output", run, "--resume", "--checkpoint-every",
                                                    every), stdout=subprocess.DEVNULL)
            try:
                process.wait(draw.uniform(0, 0.4 * seconds))
                expect(process.returncode == 0, f"exit code {process.returncode}")
                break  # it has ended in time
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                kills += 1
        tool.run(digits, *options, "--output", run, "--resume")
        same = (run / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
        expect(same, f"after {kills} kills, in round {rounds}, the model is another one")
        expect(metrics(run) == metrics(whole), f"after {kills} kills, in round {rounds}, the metrics are others")
        shutil.rmtree(run)
    print(f"{kills} kills in {rounds} runs of {seconds:.1f} s")


def changes_with_the_seed(tool):
    """what the test above compares can differ: another seed gives other weights, the same seed the same"""
    models = []
    for run, seed in [("a", 1), ("b", 1), ("c", 2)]:
        tool.run(digits, "--epochs", 1, "--seed", seed, "--quiet", "--output", tool.folder / run)
        models.append(read_safetensors(tool.folder / run / "model.safetensors")[1])
    expect(models[0] == models[1] and models[0] != models[2], "weights don't follow the seed")


def refuses_changes(tool):
    """other options, other data and an unfinished run in the way are refused, and nothing is lost"""
    houses(tool.folder / "a.csv", rows=100)
    houses(tool.folder / "b.csv", rows=100, seed=9)
    run = tool.folder / "run"
    data = tool.folder / "a.csv"
    tool.run(data, "--epochs", 3, "--schedule", "cosine", "--output", run, "--quiet")
    before = (run / "checkpoint.safetensors").read_bytes()
    tool.refused(2, ["--lr is 0.5 now and was 0.001", "--layers is [9] now and was [128,64]", "--epochs is 4 now"],
                 data, "--output", run, "--resume", "--lr", 0.5, "--layers", 9, "--epochs", 4)
    tool.refused(1, ["DATA is not what the run was trained on"], tool.folder / "b.csv", "--output", run, "--resume")
    expect((run / "checkpoint.safetensors").read_bytes() == before, "a refused run has touched the checkpoint")
    # What does not change the course may be said, and what agrees too.
    tool.run(data, "--output", run, "--resume", "--lr", 0.001, "--prefetch", 2, "--checkpoint-every", 5, "--quiet")


def goes_on_longer(tool):
    """where no schedule stretches with them, epochs may be added; the result is that of a run that was long at once"""
    houses(tool.folder / "a.csv", rows=200)
    for run, steps in [("at-once", [6]), ("in-two", [2, 6])]:
        for epochs in steps:
            tool.run(tool.folder / "a.csv", "--epochs", epochs, "--resume", "--quiet", "--output", tool.folder / run)
    one, two = (read_safetensors(tool.folder / run / "model.safetensors")[1] for run in ["at-once", "in-two"])
    expect(one == two, "weights differ")


def saves_when_interrupted(tool):
    """Ctrl-C ends a run in good order: checkpoint, model, report and the test's result; --resume completes it"""
    whole, run = tool.folder / "whole", tool.folder / "run"
    longer = [*options[:-1], "--epochs", 4 * epochs, "--early-stopping", 4 * epochs]  # time to interrupt it
    tool.run(digits, *longer, "--output", whole)
    process = subprocess.Popen(tool.command(digits, *longer, "--output", run), stdout=subprocess.PIPE, text=True)
    while not (run / "metrics.jsonl").exists() or not (run / "metrics.jsonl").read_text():
        time.sleep(0.01)
        expect(process.poll() is None, "the run has ended before it was interrupted")
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=60)
    expect(process.returncode == 0, f"exit code {process.returncode}: {text}")
    expect("stopped by Ctrl-C after " in text and "test accuracy: " in text, text)
    for name in ["checkpoint.safetensors", "model.safetensors", "report.html"]:
        expect((run / name).stat().st_size > 0, name)
    expect("stopped by Ctrl-C" in (run / "report.html").read_text(), "the report does not say so")
    expect((run / "model.safetensors").read_bytes() != (whole / "model.safetensors").read_bytes(), "it had ended")
    tool.refused(1, ["holds a run that has not ended", "--resume", "--overwrite"], digits, "--output", run)
    tool.run(digits, "--output", run, "--resume", "--quiet")
    expect((run / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes(),
           "completed, the model is another one")


main(survives_kills, changes_with_the_seed, refuses_changes, goes_on_longer, saves_when_interrupted)
