#!/usr/bin/env python3
"""Runs every command that the documentation shows, and compares what it prints with what the page says.

A block fenced as ```console holds lines "$ command" and below each the output a reader will see. Commands
run in order in a scratch folder that has `examples/` in it and `athanor` on the path. Decimals and numbers
before a unit may differ (they are measured); everything else must be the same. A line
"..." stands for any lines. A block fenced as ```sh is shown, not run: it needs another machine or minutes. A line
"<!-- needs: TOOL python3:MODULE -->" before a block skips it where one of these is absent.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = ["README.md", "CONTRIBUTING.md", "docs/**/*.md", "examples/**/README.md"]
# Figures that are measured or rounded: decimals, numbers in scientific form, numbers before a unit.
NUMBER = re.compile(r"[-+]?(\d+\.\d+(e[-+]?\d+)?|\d+e[-+]?\d+|\d+(?= ?(ns|us|ms|s|KiB|MiB|GiB|%)\b))")


def absent(needs, env):
    """The first of the tools and modules that is not there."""
    def is_there(name):
        tool, _, module = name.partition(":")
        return shutil.which(tool, path=env["PATH"]) and (
            not module or subprocess.run([tool, "-c", f"import {module}"], env=env, capture_output=True, check=False).returncode == 0)
    return next((name for name in needs.split() if not is_there(name)), None)


def blocks(text, env):
    """The (command, expected output lines) pairs of each console block, or None and what it lacks."""
    for needs, block in re.findall(r"^(?:<!-- needs: (.*?) -->\n)?```console\n(.*?)^```", text, re.M | re.S):
        lacking = absent(needs, env)
        if lacking:
            yield [(None, lacking)]
            continue
        steps = []
        for line in block.rstrip("\n").split("\n"):
            if line.startswith("$ "):
                steps.append((line[2:], []))
            elif steps:
                steps[-1][1].append(line)
        yield steps


def normal(line):
    """What may differ from run to run and machine to machine becomes one mark: figures, spaces, bars, instruction sets."""
    # Which kernel is the fastest differs from machine to machine.
    line = re.sub(r"\b([A-Z]\w+\.\w+)(\.\w+)*\.(avx512|avx2|base|vnni)\b", r"\1.kernel", line)
    line = re.sub(r"\b(avx512|avx2|base|vnni)\b", "isa", line)
    line = re.sub(r", weights [\d.]+ MB larger$", "", line)  # of that kernel
    return re.sub(r"[\s#=.|-]+", " ", NUMBER.sub("0", line)).strip()


def matches(expected, actual):
    pattern = "".join(r"(?:.*\n)*?" if line.strip() == "..." else re.escape(normal(line)) + r"\n" for line in expected)
    return re.fullmatch(pattern, "".join(normal(line) + "\n" for line in actual)) is not None


def update(page, env):
    """Writes what each command prints below it."""
    with tempfile.TemporaryDirectory() as scratch:
        prepare(scratch)

        def fresh(block):
            lines = []
            for command in re.findall(r"^\$ (.*)$", block[1], re.M):
                _, actual = execute(command, scratch, env)
                lines += [f"$ {command}", *actual]
            return "```console\n" + "\n".join(lines) + "\n```"

        page.write_text(re.sub(r"^```console\n(.*?)^```", fresh, page.read_text(), flags=re.M | re.S))


def prepare(scratch):
    for name in ["examples", "include"]:
        (pathlib.Path(scratch) / name).symlink_to(ROOT / name)


def execute(command, scratch, env):
    run = subprocess.run(command, shell=True, cwd=scratch, env=env, capture_output=True, text=True, check=False)
    return run.returncode, [line.rstrip() for line in (run.stdout + run.stderr).rstrip("\n").split("\n")]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", default=str(ROOT / "build" / "test" / "bin"))
    parser.add_argument("--update", metavar="PAGE", help="write the page's outputs anew instead")
    parser.add_argument("--page", metavar="PAGE", help="only this page")
    options = parser.parse_args()
    # Python with the public clients, where tests/run.py has made it.
    env = {**os.environ, "PATH": f"{options.bin}:{ROOT / 'build' / 'venv' / 'bin'}:{os.environ['PATH']}"}
    if options.update:
        return update(ROOT / options.update, env)
    passed = failed = skipped = 0
    for page in sorted(path for pattern in ([options.page] if options.page else PAGES) for path in ROOT.glob(pattern)):
        with tempfile.TemporaryDirectory() as scratch:
            prepare(scratch)
            for command, expected in (step for block in blocks(page.read_text(), env) for step in block):
                if command is None:
                    print(f"SKIPPED a block of {page.relative_to(ROOT)}: {expected} is absent")
                    skipped += 1
                    continue
                code, actual = execute(command, scratch, env)
                # A command that shows an error is meant to fail.
                wanted_ok = not any(line.startswith("error ATH-") for line in expected)
                right = (code == 0) == wanted_ok and (not expected or matches(expected, actual))
                passed += right
                failed += not right
                if not right:
                    print(f"FAIL {page.relative_to(ROOT)}: $ {command}\n  exit {code}; it printed:")
                    print("\n".join(f"    {line}" for line in actual[:40]), flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
