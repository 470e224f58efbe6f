#!/usr/bin/env python3
"""Runs every test of the project and prints one closing line: N passed, N failed, N skipped.

Unit tests come from ctest; the ONNX suites from the data set ($ATHANOR_DATA or ../shared/data). A
suite whose data are absent is counted as skipped, never as passed.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "test"
DATA = pathlib.Path(os.environ.get("ATHANOR_DATA", ROOT.parent / "shared" / "data"))


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, passed=0, failed=0, skipped=0):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped


def unit_tests(count):
    """Every gtest program, through ctest's list so that none is forgotten."""
    listing = subprocess.run(["ctest", "--test-dir", BUILD, "--show-only=json-v1"],
                             capture_output=True, text=True, check=True)
    for test in json.loads(listing.stdout)["tests"]:
        run = subprocess.run(test["command"], cwd=ROOT, capture_output=True, text=True)
        passed = sum(int(n) for n in re.findall(r"\[  PASSED  \] (\d+) test", run.stdout))
        failed = len(set(re.findall(r"\[  FAILED  \] (\S+\.\S+)", run.stdout)))
        skipped = len(set(re.findall(r"\[  SKIPPED \] (\S+\.\S+)", run.stdout)))
        if run.returncode != 0 and failed == 0:
            failed = 1
        print(f"{test['name']}: {passed} passed, {failed} failed, {skipped} skipped", flush=True)
        if run.returncode != 0:
            print(run.stdout[-8000:], run.stderr[-4000:])
        count.add(passed, failed, skipped)


def script_tests(count, names):
    """Tests of the command line from the outside, with Python's own unittest."""
    for name in names:
        run = subprocess.run([sys.executable, ROOT / "tests" / name], capture_output=True, text=True,
                             env={**os.environ, "ATHANOR_BIN": str(BUILD / "bin" / "athanor")})
        ran = sum(int(n) for n in re.findall(r"^Ran (\d+) test", run.stderr, re.M))
        bad = sum(int(n) for n in re.findall(r"(?:failures|errors)=(\d+)", run.stderr))
        skipped = sum(int(n) for n in re.findall(r"skipped=(\d+)", run.stderr))
        if run.returncode != 0:
            bad = max(bad, 1)
            print(run.stderr[-8000:])
        passed = max(0, ran - bad - skipped)
        print(f"{name}: {passed} passed, {bad} failed, {skipped} skipped", flush=True)
        count.add(passed, bad, skipped)


def conformance(count, suites, required):
    archive = DATA / "onnx-backend-tests.tar.zst"
    if not archive.exists():
        print(f"SKIPPED onnx suites: {archive} is absent")
        count.add(skipped=1)
        return
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(f"zstd -dc '{archive}' | tar -x -C '{folder}'", shell=True, check=True)
        for suite in suites:
            run = subprocess.run([BUILD / "bin" / "athanor", "conformance", f"{folder}/data/{suite}",
                                  "--device", "reference", "--json"], capture_output=True, text=True)
            result = json.loads(run.stdout)
            print(f"{suite}: {result['passed']} passed, {result['failed']} failed", flush=True)
            enough = result["passed"] >= required[suite]
            count.add(passed=int(enough), failed=int(not enough))
            through_formats(count, f"{folder}/data/{suite}", result["passed"])


def through_formats(count, folder, passed):
    """What passes must pass again after it was written in each format and read back."""
    for form in ["txt", "ath", "onnx:28"]:
        run = subprocess.run([BUILD / "bin" / "athanor", "conformance", folder, "--device",
                              "reference", "--through", form, "--json"], capture_output=True, text=True)
        again = json.loads(run.stdout)["passed"]
        print(f"  through {form}: {again} passed", flush=True)
        count.add(passed=int(again == passed), failed=int(again != passed))


def recorded(count):
    """Single operators with recorded answers of a peer: all must pass."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["tar", "-x", "-C", folder, "-f", ROOT / "tests/oracles/contrib.tar.gz"], check=True)
        run = subprocess.run([BUILD / "bin" / "athanor", "conformance", f"{folder}/contrib",
                              "--device", "reference", "--json"], capture_output=True, text=True)
        result = json.loads(run.stdout)
        print(f"contrib: {result['passed']} passed, {result['failed']} failed", flush=True)
        count.add(passed=result["passed"], failed=result["failed"])


def main():
    count = Count()
    unit_tests(count)
    script_tests(count, ["cli_test.py"])
    recorded(count)
    conformance(count, ["node"], {"node": 53})
    print(f"{count.passed} passed, {count.failed} failed, {count.skipped} skipped")
    return 1 if count.failed else 0


if __name__ == "__main__":
    sys.exit(main())
