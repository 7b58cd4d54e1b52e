"""The report is one well-formed page that needs nothing else, whatever the data's names are."""

import html.parser
import os
import re
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

from tool import expect, flowers, houses, main, write_csv


def check(path):
    """Parses a page, and gives its text."""
    page = path.read_text(encoding="utf-8")
    root = xml.etree.ElementTree.fromstring(page)  # the page is XML too, so that every tag and quote is accounted for
    html.parser.HTMLParser(convert_charrefs=True).feed(page)
    for element in root.iter():
        name = element.tag.split("}")[-1]
        expect(name not in ["script", "link", "iframe", "object", "embed"], f"<{name}> in {path}")
        for attribute, value in element.attrib.items():
            expect(attribute.split("}")[-1] not in ["src", "href"] or value.startswith("#"), f"{attribute}={value}")
            expect(not attribute.startswith("on"), f"{attribute}={value}")
    outside = re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)
    expect(not re.search(r"https?://|url\(|@import", outside), "the page refers to something outside")
    names = {element.tag.split("}")[-1] for element in root.iter()}
    return root, names, " ".join(root.itertext())


def of_classes(tool):
    """of classes: curves, confusion matrix, gradient norms, graph, configuration and versions, all names escaped"""
    data = tool.folder / 'a "<i>&\'.csv'
    flowers(data)
    tool.run(data, "--epochs", 5, "--layers", "8", "--early-stopping", 3, "--output", tool.folder / "run")
    root, names, text = check(tool.folder / "run/report.html")
    for words in ["test accuracy: ", "Loss", "Accuracy", "Gradient norms", "Learning rate", "<b>rose</b> & co",
                  'say "tulip"', 'a "<i>&\'.csv', "batch-size", "xtensor", "Every epoch in numbers"]:
        expect(words in text, f"{words} is not in the report")
    expect("b" not in names and "i" in names, "a class's name became a tag")  # i: the legend's lines
    curves = [e for e in root.iter() if e.tag == "path" and "line" in e.attrib.get("class", "")]
    expect(len(curves) == 2 + 2 + 2 + 1, f"{len(curves)} curves")
    cells = [int(e.text) for e in root.iter() if e.tag == "td" and e.attrib.get("class") in ["right", "wrong", "none"]]
    expect(len(cells) == 9 and sum(cells) == 90, cells)


def of_values(tool):
    """of values: the scatter of the test; and without Graphviz the graph's text"""
    houses(tool.folder / "houses.csv", rows=200)
    tool.run(tool.folder / "houses.csv", "--epochs", 3, "--layers", "8", "--output", tool.folder / "run")
    root, names, text = check(tool.folder / "run/report.html")
    expect("Prediction against truth" in text and "test RMSE: " in text, text)
    dots = [e for e in root.iter() if e.tag == "circle" and "dot" in e.attrib["class"]]
    expect(len(dots) == 40, f"{len(dots)} points")
    program = Path(tool.program).resolve()
    done = subprocess.run([program, tool.folder / "houses.csv", "--epochs", "1", "--output", tool.folder / "bare"],
                          env={**os.environ, "PATH": ""}, stdout=subprocess.DEVNULL)
    expect(done.returncode == 0, "it needs a program that is not there")
    _, _, text = check(tool.folder / "bare/report.html")
    expect("Graphviz is not installed" in text and "digraph" in text, "no graph's text")


def of_many_classes(tool):
    """of more classes than a table shows: the most frequent mistakes; and without test or validation neither"""
    write_csv(tool.folder / "many.csv", [["x", "y"]] + [[i % 40 + 0.1 * (i % 3), f"class {i % 40}"] for i in range(800)])
    tool.run(tool.folder / "many.csv", "--epochs", 2, "--output", tool.folder / "run")
    _, _, text = check(tool.folder / "run/report.html")
    expect("The most frequent mistakes among 40 classes" in text, text)
    tool.run(tool.folder / "many.csv", "--epochs", 2, "--test", 0, "--validation", 0, "--output", tool.folder / "all")
    _, _, text = check(tool.folder / "all/report.html")
    expect("no test" in text and "validation loss" not in text, text)


main(of_classes, of_values, of_many_classes)
