#!/usr/bin/env python3
"""Makes a page and a picture of the benchmarks' figures.

usage: report.py FIGURES BUILD_DIR RESULTS_MD

FIGURES holds a line of JSON for each figure, as the benchmarks' --json writes them. The page tells every figure that has a
target beside it, then the others, and where they were measured; RESULTS_MD's neighbour of the same name in .svg shows how
far each is from its target, drawn by gnuplot (without it the page has no picture).
"""

import ctypes
import datetime
import json
import os
import pathlib
import shutil
import subprocess
import sys

PACKAGES = ["libxtensor-dev", "libxtensor-blas-dev", "libxsimd-dev", "libopenblas0-pthread", "libfmt-dev", "libc6",
            "libbenchmark-dev", "libtorch-dev", "libadolc-dev", "libtrilinos-sacado-dev"]
MANY = 20  # rows with one and the same target, of which only the narrowest are listed
LISTED = 5


def read_figures(path):
    """The figures in order; of one that was measured again, the last."""
    figures = {}
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                figure = json.loads(line)
                figures[figure["benchmark"], figure["name"]] = figure
            except (ValueError, KeyError) as error:
                sys.exit(f"{path}:{number}: no figure ({error!r})")
    return list(figures.values())


def of_target(figure):
    """Up to 1 the target is met, whichever way it is meant."""
    measured, target = figure["measured"], figure["target"]
    if figure["wanted"] == "at most":
        # A target of 0 is met by 0 alone.
        return measured / target if target else (0.0 if measured == 0 else float("inf"))
    return target / measured if measured else float("inf")


def number(value, unit):
    if 0 < abs(value) < 1:
        text = f"{value:.3g}"
    else:
        digits = 0 if value == int(value) else max(0, 3 - len(str(int(abs(value)))))
        text = f"{value:,.{digits}f}"
    return f"{text} {unit}".rstrip()


def narrowed(figures):
    """The figures to list, each with how many others, of the same target and all met, it stands for as well."""
    groups = {}
    for figure in figures:
        groups.setdefault((figure["benchmark"], figure["wanted"], figure["target"], figure["unit"]), []).append(figure)
    listed = []
    for figure in figures:
        group = groups[figure["benchmark"], figure["wanted"], figure["target"], figure["unit"]]
        if len(group) <= MANY:
            listed.append((figure, 0))
        elif figure is group[0]:
            narrowest = sorted(group, key=of_target, reverse=True)
            shown = narrowest[:max(LISTED, sum(of_target(other) > 1 for other in group))]
            listed += [(other, 0) for other in shown[:-1]] + [(shown[-1], len(group) - len(shown))]
    return listed


def output_of(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def openblas_kernels():
    """For which processor OpenBLAS takes this one: on one that it does not know it is slow, unless told."""
    try:
        name = ctypes.CDLL("libopenblas.so.0").openblas_get_corename
    except (OSError, AttributeError):
        return "unknown"
    name.restype = ctypes.c_char_p
    return name().decode()


def environment(build_dir):
    cpu, threads = "unknown", os.cpu_count()
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    cache = {}
    for line in (pathlib.Path(build_dir) / "CMakeCache.txt").read_text(encoding="utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith(("#", "//")):
            cache[key.split(":")[0]] = value
    compiler = output_of(cache.get("CMAKE_CXX_COMPILER", "c++"), "--version").splitlines()
    installed = output_of("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package} ${Version}\n", *PACKAGES)
    versions = [line.split(" ", 1)[1] for line in installed.splitlines() if line.startswith("installed ")]
    system = next((line.split("=", 1)[1].strip('"') for line in
                   pathlib.Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
                   if line.startswith("PRETTY_NAME=")), "unknown")
    variables = [f"{name}={os.environ[name]}" for name in
                 ("XTAPE_SIMD", "OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS") if name in os.environ]
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{cpu}, {threads} threads",
        "system": f"{system}, Linux {os.uname().release}",
        "compiler": (compiler or ["unknown"])[0] + f", {cache.get('CMAKE_BUILD_TYPE', '?')}",
        "libraries and peers": ", ".join(versions) or "unknown",
        "OpenBLAS's kernels": openblas_kernels(),
        "environment": ", ".join(variables) or "nothing set",
        "load when it ended": "{:.2f} in the last minute, {:.2f} in fifteen".format(*os.getloadavg()[::2]),
    }


def cell(text):
    return str(text).replace("|", "\\|")


def page(figures, where, picture):
    targets = [figure for figure in figures if "target" in figure]
    others = [figure for figure in figures if "target" not in figure]
    met = sum(of_target(figure) <= 1 for figure in targets)
    lines = ["# Results of the benchmarks",
             "Written by `scripts/bench.sh`; what the figures mean, `docs/measured.md` tells.", "",
             "| | |", "| --- | --- |"]
    lines += [f"| {key} | {cell(value)} |" for key, value in where.items()]
    lines += ["", "## Targets", f"{met} of {len(targets)} are met. Of target: up to 1 it is met.", ""]
    if picture:
        lines += [f"![how far each figure is from its target]({picture})", ""]
    lines += ["| benchmark | figure | measured | target | of target | |", "| --- | --- | --- | --- | --- | --- |"]
    for figure, more in narrowed(targets):
        sign = "≤" if figure["wanted"] == "at most" else "≥"
        ratio = of_target(figure)
        lines.append(f"| {figure['benchmark']} | {cell(figure['name'])} | {number(figure['measured'], figure['unit'])} "
                     f"| {sign} {number(figure['target'], figure['unit'])} | {ratio:.3f} "
                     f"| {'met' if ratio <= 1 else '**not met**'} |")
        if more:
            lines.append(f"| {figure['benchmark']} | and {more} others, further from it | | | | met |")
    lines += ["", "## Beside them", "| benchmark | figure | measured |", "| --- | --- | --- |"]
    lines += [f"| {figure['benchmark']} | {cell(figure['name'])} | {number(figure['measured'], figure['unit'])} |"
              for figure in others]
    return "\n".join(lines) + "\n"


def draw(figures, path):
    """Bars from each figure's name to its share of the target, on a logarithmic axis; false without gnuplot."""
    rows = [(figure, of_target(figure)) for figure, _ in narrowed([f for f in figures if "target" in f])]
    # Of a target of 0 there is no share to draw, met or not.
    rows = [(figure, ratio) for figure, ratio in reversed(rows) if 0 < ratio < float("inf")]
    if not rows or not shutil.which("gnuplot"):
        return False
    lowest = min(0.1, min(ratio for _, ratio in rows))
    highest = max(2.0, 1.2 * max(ratio for _, ratio in rows))
    data, labels = [], []
    for place, (figure, ratio) in enumerate(rows):
        data.append(f"{place} {ratio} {1 if ratio > 1 else 0}")
        name = f"{figure['benchmark']}: {figure['name']}".replace('"', "'").replace("\\", "")
        labels.append(f'"{name}" {place}')
    newline = "\n"
    script = f"""
set terminal svg size 1000,{90 + 17 * len(rows)} font "sans-serif,11" background "white" noenhanced
set output "{path}"
$rows << END
{newline.join(data)}
END
set title "Measured over target (below 1: met)"
set logscale x
set xrange [{lowest}:{highest}]
set yrange [-1:{len(rows)}]
set ytics ({", ".join(labels)}) nomirror
set grid xtics
unset key
set arrow from 1, graph 0 to 1, graph 1 nohead lw 2 lc rgb "#404040" front
set style fill solid 0.8 noborder
plot $rows using ({lowest}):1:({lowest}):2:($1-0.35):($1+0.35):($3 > 0 ? 0xd55e00 : 0x0072b2) with boxxyerror lc rgb variable
"""
    done = subprocess.run(["gnuplot"], input=script, text=True, check=False)
    if done.returncode != 0:
        sys.exit("gnuplot failed")
    return True


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    figures = read_figures(sys.argv[1])
    results = pathlib.Path(sys.argv[3])
    picture = results.with_suffix(".svg")
    has_picture = draw(figures, picture)
    results.write_text(page(figures, environment(sys.argv[2]), picture.name if has_picture else None), encoding="utf-8")
    print(f"{results}{f' and {picture}' if has_picture else ''}: {len(figures)} figures")


if __name__ == "__main__":
    main()
