#!/usr/bin/env python3
"""Bad input of `athanor score`: tables that are wrong, too large, or have nowhere to go.

    python3 tests/score_input_test.py [--binary build/test/bin/athanor] [--gigabytes 0.4]

A refusal has a code, says where, and leaves neither a file nor a mark of success. A table of --gigabytes (10 is the promise) is read
from a pipe in less than 200 MB of memory; a binary with sanitizers, which take memory of their own, is not held to limits of memory.
Prints "N passed, N failed, N skipped".
"""
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import threading

import tally

MODEL = tally.ROOT / "examples" / "tabular" / "fraud.json"
ROWS = tally.ROOT / "examples" / "tabular" / "rows.csv"
MEMORY = 200 << 20
BLOCK = 1 << 20


class Scorer:
    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        code = binary.read_bytes()
        self.sanitized = any(start in code for start in (b"__asan_init", b"__tsan_init"))
        self.memory = float("inf") if self.sanitized else MEMORY
        self.header, *self.rows = ROWS.read_text().splitlines()
        self.columns = self.header.split(",")

    def table(self, text):
        path = self.folder / "in.csv"
        path.write_text(text)
        return path

    def score(self, *arguments, model=MODEL, **how):
        return subprocess.run([str(word) for word in (self.binary, "score", model, *arguments)], capture_output=True, check=False, **how)

    def refusal(self, text, *said, code=None, arguments=(), model=MODEL, **how):
        """What is wrong when a table is not refused as it should be."""
        out = self.folder / "out" / "dt=1" / "part-00000.csv"
        run = self.score(self.table(text), "-o", self.folder / "out", "--partition", "dt=1", "--quiet", *arguments, model=model, **how)
        message = run.stderr.decode()
        if run.returncode == 0 or (code is not None and run.returncode != code):
            return f"exit {run.returncode}: {message[:300]}"
        if not re.match(r"error ATH-\d{4} ", message):
            return f"no coded error: {message[:300]}"
        for word in said:
            if word not in message:
                return f"{word!r} is not said: {message[:300]}"
        if out.exists() or (out.parent / "_SUCCESS").exists():
            return "a file or a _SUCCESS is left"
        return None


def fed(scorer, head, block, blocks, *arguments):
    """Scores `head` and `blocks` times `block` from a pipe: exit code, message, peak memory in bytes."""
    process = subprocess.Popen([str(word) for word in (scorer.binary, "score", MODEL, "-", "-o", "-", "--quiet", *arguments)],
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def feed():
        try:
            process.stdin.write(head)
            for _ in range(blocks):
                process.stdin.write(block)
            process.stdin.close()
        except BrokenPipeError:
            pass

    feeder = threading.Thread(target=feed)
    feeder.start()
    message = process.stderr.read().decode()
    feeder.join()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, message, usage.ru_maxrss << 10


def large_table(scorer, gigabytes):
    rows = "\n".join(scorer.rows) + "\n"
    block = (rows * (BLOCK // len(rows) + 1)).encode()
    code, message, memory = fed(scorer, scorer.header.encode() + b"\n", block, max(1, int(gigabytes * 1e9 / len(block))))
    print(f"{gigabytes} GB: {memory >> 20} MB")
    return None if code == 0 and memory < scorer.memory else f"exit {code}, {memory >> 20} MB: {message[:300]}"


def endless_row(scorer, start):
    code, message, memory = fed(scorer, scorer.header.encode() + b"\n" + start, b"x" * BLOCK, 300)
    if code == 0 or memory >= scorer.memory or "row is too long" not in message:
        return f"exit {code}, {memory >> 20} MB: {message[:300]}"
    return None


def other_endings(scorer):
    """Answers are csv: they do not come under the name of another format."""
    for name in ["o.jsonl", "o.npy", "o.XLSX", "o.csv.gz", "o.PARQUET"]:
        run = scorer.score(ROWS, "-o", scorer.folder / name, "--quiet")
        message = run.stderr.decode()
        if run.returncode != 1 or "answers are written as csv" not in message or ".csv, or .parquet" not in message:
            return f"{name}: exit {run.returncode}: {message[:300]}"
        if (scorer.folder / name).exists():
            return f"{name} is left"
    for name in ["o", "o.txt", "o.tsv", "o.answers"]:
        if scorer.score(ROWS, "-o", scorer.folder / name, "--quiet").returncode != 0:
            return f"{name} is refused"
    return None


def too_many_rows(scorer):
    """With null every bad line is a row: a block of short lines would take 31 GB of a process that may have 4."""
    model = scorer.folder / "wide.txt"
    model.write_text("graph g(x: f32[N, M]) -> (y) { %y = Relu(%x) }")
    table = ",".join(f"c{i}" for i in range(60_000)) + "\n" + "x\n" * 131_072
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))  # noqa: E731
    return scorer.refusal(table, "ATH-4001", "more memory", "--on-error skip", code=4, arguments=["--on-error", "null", "--threads", "2"],
                          model=model, preexec_fn=limit)


def full_device(scorer):
    """The standard output is a device that is full."""
    with open("/dev/full", "wb") as full:
        run = subprocess.run([str(scorer.binary), "score", str(MODEL), str(ROWS), "-o", "-", "--quiet"], stdout=full, stderr=subprocess.PIPE,
                             check=False)
    message = run.stderr.decode()
    if run.returncode == 0 or not re.match(r"error ATH-\d{4} ", message) or "No space left" not in message:
        return f"exit {run.returncode}: {message[:300]}"
    return None


def full_disk(scorer, resume):
    """A file may not grow beyond 100 kB: as on a disk that is full. Where there is room again a run goes on."""
    table = scorer.table(scorer.header + "\n" + ("\n".join(scorer.rows) + "\n") * (40_000 // len(scorer.rows)))
    whole = scorer.folder / "whole.csv"
    if scorer.score(table, "-o", whole, "--quiet").returncode != 0:
        return "the run that has room fails"
    target = scorer.folder / ("resumed" if resume else "full")
    arguments = [table, "-o", target, "--partition", "dt=1", "--quiet"] + (["--resume"] if resume else [])
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # noqa: E731
    run = scorer.score(*arguments, preexec_fn=limit, restore_signals=False)  # SIGXFSZ stays ignored
    message, folder = run.stderr.decode(), target / "dt=1"
    if run.returncode == 0 or not re.match(r"error ATH-\d{4} ", message) or "too large" not in message:
        return f"exit {run.returncode}: {message[:300]}"
    left = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    if "_SUCCESS" in left or "part-00000.csv" in left or (left and not resume):
        return f"{left} are left"
    run = scorer.score(*arguments)
    if run.returncode != 0 or (folder / "part-00000.csv").read_bytes() != whole.read_bytes() or not (folder / "_SUCCESS").exists():
        return f"with room again: exit {run.returncode}: {run.stderr.decode()[:300]}"
    return None


def odd_numbers(scorer):
    """Infinite, missing and very large numbers are numbers: the trees take them as the comparisons say."""
    cells = ["inf", "-inf", "nan", "", "1e400", "-1e400", "1e-400", "NA"]
    first = scorer.rows[0].split(",")
    lines = [",".join([cell, *first[1:]]) for cell in cells]
    run = scorer.score(scorer.table("\n".join([scorer.header, *lines]) + "\n"), "-o", "-", "--quiet", "--on-error", "null")
    answers = run.stdout.decode().splitlines()[1:]
    if run.returncode != 0 or len(answers) != len(cells):
        return f"exit {run.returncode}, {len(answers)} answers: {run.stderr.decode()[:300]}"
    if answers[2] != answers[3] or answers[3] != answers[7]:
        return f"missing numbers answer {answers[2:4]} and {answers[7]}"
    if any("nan" in answer or "inf" in answer for answer in answers):
        return f"{answers}"
    return None


def main():
    parser = tally.argparse.ArgumentParser(description=__doc__, formatter_class=tally.argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(tally.ROOT / "build" / "test" / "bin" / "athanor"))
    parser.add_argument("--gigabytes", type=float, default=0.4)
    options = parser.parse_args()
    count = tally.Tally()
    with tempfile.TemporaryDirectory() as folder:
        scorer = Scorer(pathlib.Path(options.binary), pathlib.Path(folder))
        header, first = scorer.header, scorer.rows[0]
        name = scorer.columns[0]
        short = ",".join(first.split(",")[1:])
        table = f"{header}\n{first}\n"
        count.test("a column is missing", lambda: scorer.refusal(table.replace(name, name[:-1] + "x", 1), f'"{name}"', "did you mean"))
        count.test("every column is missing", lambda: scorer.refusal("1,2\n3,4\n", f'"{name}"'))
        count.test("a row is short", lambda: scorer.refusal(f"{table}{short}\n", "line 3", "cells, the header has", "--on-error"))
        count.test("a row is long", lambda: scorer.refusal(f"{table}{first},7\n", "line 3", "cells, the header has"))
        count.test("a word for a number", lambda: scorer.refusal(f"{table}oops,{short}\n", "line 3", name, '"oops" is not a number'))
        count.test("a kept column is missing", lambda: scorer.refusal(table, "did you mean", arguments=["--keep", name + "s"]))
        count.test("the table is empty", lambda: scorer.refusal("", "is empty"))
        count.test("an open quote", lambda: scorer.refusal(f'{table}"1,{short}\n' * 2))
        count.test("the table is no text", lambda: scorer.refusal("\0\1\2\n\3\n"))
        count.test("odd numbers", lambda: odd_numbers(scorer))
        count.test("a row without end", lambda: endless_row(scorer, b""))
        count.test("a quote without end", lambda: endless_row(scorer, b'"'))
        count.test("names of other formats", lambda: other_endings(scorer))
        if scorer.sanitized:
            count.skip("more rows than memory", "sanitizers reserve more address space than the limit")
        else:
            count.test("more rows than memory", lambda: too_many_rows(scorer))
        count.test("a full device", lambda: full_device(scorer))
        count.test("a full disk", lambda: full_disk(scorer, False))
        count.test("a full disk, resumed", lambda: full_disk(scorer, True))
        count.test("a large table", lambda: large_table(scorer, options.gigabytes))
    return count.end()


if __name__ == "__main__":
    sys.exit(main())
