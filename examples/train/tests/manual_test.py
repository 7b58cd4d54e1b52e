"""The commands of docs/train.md work as they stand there, and its options exist."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tool import expect, main

data = Path(sys.argv[3]).resolve()
page = (data.parents[1] / "docs/train.md").read_text(encoding="utf-8")


def commands(tool):
    """every command of the manual runs, one after the other"""
    (tool.folder / "examples").mkdir()
    (tool.folder / "examples/data").symlink_to(data)
    (tool.folder / "xtape-train").symlink_to(Path(tool.program).resolve())
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    expect(len(blocks) >= 4, "where have the commands gone?")
    for block in blocks:
        done = subprocess.run(["bash", "-euc", block], cwd=tool.folder, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env={**os.environ, "PATH": f".:{os.environ['PATH']}"})
        expect(done.returncode == 0, f"{block}: {done.stdout}")
    expect("every figure is what training reported" in done.stdout, done.stdout)


def options(tool):
    """every option that the manual names is one"""
    known = set(re.findall(r"--[a-z][a-z-]*", tool.run("--help") + tool.run("predict", "--help")))
    named = set(re.findall(r"--[a-z][a-z-]*", page))
    expect(named and named <= known, f"unknown: {named - known}")


main(commands, options)
