"""The report in a browser that reaches no network, light and dark. Exit code 77 (skipped) without Chromium."""

import shutil
import struct
import subprocess
import sys

from tool import expect, flowers, main

chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if chromium is None:
    print("skipped: there is no Chromium (on Debian: apt install chromium)")
    sys.exit(77)


def in_a_browser(tool):
    """a browser without a network draws the report, and otherwise when the reader prefers the dark"""
    flowers(tool.folder / "flowers.csv")
    tool.run(tool.folder / "flowers.csv", "--epochs", 15, "--layers", "8", "--output", tool.folder / "run")
    pictures = []
    for name, scheme in [("light", "1"), ("dark", "0")]:
        picture = tool.folder / f"{name}.png"
        done = subprocess.run(
            [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1180,2600",
             f"--user-data-dir={tool.folder.resolve() / 'profile'}", "--host-resolver-rules=MAP * ~NOTFOUND",
             f"--blink-settings=preferredColorScheme={scheme}", f"--screenshot={picture.resolve()}",
             (tool.folder / "run/report.html").resolve().as_uri()],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        expect(picture.exists(), done.stdout)
        pictures.append(picture.read_bytes())
        expect(struct.unpack_from(">II", pictures[-1], 16) == (1180, 2600), "not the size that was asked for")
        expect(len(pictures[-1]) > 60_000, f"{len(pictures[-1])} bytes: an empty page?")
    expect(pictures[0] != pictures[1], "the dark page is the light one")


main(in_a_browser)
