#!/usr/bin/env python3
"""Batch scoring under a scheduler: killed at random moments and resumed, partitions, the mark of success, signals.

    python3 tests/score_kill_test.py [--binary build/test/bin/athanor] [--kills 6] [--rows 500000]

A run that is killed (SIGKILL) and resumed until it ends must give the same bytes as one that was left alone, and there is
no _SUCCESS before that. The plain kernels score, which are slow enough to be killed half-way. Prints "N passed, N failed, N skipped".
"""
import argparse
import json
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODEL = ROOT / "examples" / "tabular" / "fraud.json"


def make_table(path, rows):
    """The example's rows again and again, with a number each, and a bad one now and then."""
    header, *lines = (ROOT / "examples" / "tabular" / "rows.csv").read_text().splitlines()
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"row,{header}\n")
        for i in range(rows):
            file.write(f"{i},{lines[i % len(lines)]}\n" if i % 997 else f"{i},oops\n")


class Run:
    def __init__(self, binary, table, folder):
        self.folder = folder
        self.partition = folder / "dt=2026-11-27"
        self.command = [binary, "score", MODEL, table, "-o", folder, "--partition", "dt={date}", "--date", "2026-11-27", "--keep", "row",
                        "--on-error", "skip", "--errors", folder / "bad.csv", "--resume", "--device", "reference", "--quiet"]
        folder.mkdir()

    def start(self):
        return subprocess.Popen([str(word) for word in self.command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def answers(self):
        return (self.partition / "part-00000.csv").read_bytes(), (self.folder / "bad.csv").read_bytes()


def kills(binary, scratch, count, rows, problems):
    table = scratch / "table.csv"
    make_table(table, rows)
    whole = Run(binary, table, scratch / "whole")
    begin = time.monotonic()
    if whole.start().wait() != 0:
        problems.append("the run that is left alone fails")
        return
    seconds = time.monotonic() - begin
    killed = Run(binary, table, scratch / "killed")
    tried, resumable = 0, 0
    while True:
        process = killed.start()
        # At least one of the kills must leave a record to go on from, or nothing was resumed.
        kill = tried < count or (resumable == 0 and tried < count + 50)
        if kill:
            time.sleep(random.uniform(0, seconds))
            process.send_signal(signal.SIGKILL)
        code = process.wait()
        if code not in (0, -signal.SIGKILL):
            problems.append(f"a resumed run ends with {code}: {process.stderr.read().decode()[:300]}")
            return
        if not kill:
            break
        tried += 1
        resumable += any(killed.partition.glob("*.progress"))  # a run killed early has not made the folder yet
        if (killed.partition / "_SUCCESS").exists():  # it was faster than the kill: once more from the begin
            if killed.answers() != whole.answers():
                problems.append("a killed run left _SUCCESS over other bytes")
            for path in [*killed.partition.iterdir(), killed.folder / "bad.csv"]:
                path.unlink()
    if resumable == 0:
        problems.append("no kill left a record to go on from")
    print(f"{tried} kills, {resumable} of them behind a record to go on from")
    if killed.answers() != whole.answers():
        problems.append("the resumed run gives other bytes")
    success = json.loads((killed.partition / "_SUCCESS").read_text())
    if success["bytes"] != len(killed.answers()[0]) or success["rows"] != rows - (rows + 996) // 997:
        problems.append(f"_SUCCESS says {success}")
    if success != json.loads((whole.partition / "_SUCCESS").read_text()):
        problems.append("two equal files have two digests")
    if any(path.suffix in (".part", ".progress") for path in killed.partition.iterdir()):
        problems.append("the resumed run left its records")


def signals(binary, scratch, problems):
    table, flag = scratch / "small.csv", scratch / "ready"
    make_table(table, 50)
    command = [binary, "score", MODEL, table, "-o", scratch / "small_out.csv", "--wait", flag, "--on-error", "skip", "--quiet"]
    late = subprocess.run([*command, "--wait-seconds", "0.2"], capture_output=True, check=False)
    if late.returncode != 4:
        problems.append(f"a signal that does not come ends with {late.returncode}")
    waiting = subprocess.Popen([str(word) for word in command])
    time.sleep(0.3)
    flag.write_text("")
    if waiting.wait() != 0:
        problems.append("a run does not go on when its signal comes")
    failed = subprocess.run([binary, "score", MODEL, table, "-o", scratch / "failed.csv", "--success", "--quiet"], capture_output=True, check=False)
    if failed.returncode != 1 or (scratch / "_SUCCESS").exists() or (scratch / "failed.csv").exists():
        problems.append(f"a run over a bad row ends with {failed.returncode} or leaves a file")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(ROOT / "build" / "test" / "bin" / "athanor"))
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    random.seed(options.seed)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, test in [("kills", lambda p: kills(options.binary, pathlib.Path(folder), options.kills, options.rows, p)),
                           ("signals", lambda p: signals(options.binary, pathlib.Path(folder), p))]:
            problems = []
            test(problems)
            failed += bool(problems)
            for problem in problems:
                print(f"FAIL {name} (--seed {options.seed}): {problem}")
    print(f"{2 - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
