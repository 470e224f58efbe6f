#!/usr/bin/env python3
"""CatBoost models through `athanor score`, against what CatBoost itself answered.

    python3 tests/catboost_test.py [--binary build/test/bin/athanor] [--filter TEXT]

tests/oracles/catboost.tar.xz holds small models over a grid of parameters, each as .cbm and as JSON, with rows and answers
recorded by record_catboost.py. The formula's value must be the same bit by bit, labels equal, and what goes through an
exponential within 1e-12. Prints one line per failure and "N passed, N failed".
"""
import argparse
import csv
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent


def scored(binary, model, rows, out):
    run = subprocess.run([binary, "score", model, rows, "-o", out, "--quiet"], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise RuntimeError(f"exit {run.returncode}: {run.stderr.strip()[-400:]}")
    with open(out, newline="", encoding="utf-8") as file:
        table = list(csv.reader(file))
    return {name: [row[i] for row in table[1:]] for i, name in enumerate(table[0])}


def columns(answer, name):
    """NAME, or NAME(0), NAME(1), ... side by side."""
    if name in answer:
        return np.array(answer[name])[:, None]
    found = [key for key in answer if re.fullmatch(re.escape(name) + r"\(\d+\)", key)]
    return np.array([answer[key] for key in found]).T


def raw_values(binary, model, rows, folder):
    """The formula's value here: the graph as text, with its outputs replaced by the sum that has scale and bias."""
    text = folder / "model.txt"
    subprocess.run([binary, "convert", model, "-o", text, "--no-check"], check=True, capture_output=True)
    head, body = text.read_text().split("\n", 1)
    values = re.findall(r"^\s*%(\S+): (\S+\[.*?\]) = (.*)$", body, re.M)
    value, its_type = next(((v, t) for v, t, made in reversed(values) if made.endswith("@score")), None) or \
        next((v, t) for v, t, made in values if made.startswith("TreeEnsemble"))
    text.write_text(re.sub(r"-> \(.*\) \{", f"-> (raw = %{value}: {its_type}) {{", head) + "\n" + body)
    return columns(scored(binary, text, rows, folder / "raw.csv"), "raw").astype(float)


def compare(binary, model, rows, case, folder):
    """What is wrong, or None."""
    raw = raw_values(binary, model, rows, folder)
    expected = case["raw"].reshape(len(raw), -1)
    if raw.shape != expected.shape or not np.array_equal(raw, expected):
        wrong = np.flatnonzero((raw != expected).any(1)) if raw.shape == expected.shape else []
        return f"the formula differs in {len(wrong)} rows, {raw.shape} for {expected.shape}, by {np.abs(raw - expected).max()}" if len(wrong) else \
            f"shape {raw.shape}, {expected.shape} is expected"
    answer = scored(binary, model, rows, folder / "out.csv")
    for name in set(case) - {"raw"}:
        got = columns(answer, name)
        want = case[name].reshape(len(got), -1)
        if name == "label":
            if [str(v) for v in want.flat] != [str(v) for v in got.flat]:
                return f"labels differ: {got[:3].tolist()}, {want[:3].tolist()} are expected"
            continue
        if got.shape != want.shape or not np.allclose(got.astype(float), want, rtol=1e-12, atol=1e-15):
            return f"{name} differs: {got[:2].tolist()}, {want[:2].tolist()} is expected"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(ROOT / "build" / "test" / "bin" / "athanor"))
    parser.add_argument("--filter", default="")
    options = parser.parse_args()
    passed = failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        with tarfile.open(ROOT / "tests" / "oracles" / "catboost.tar.xz") as archive:
            archive.extractall(folder, filter="data") if hasattr(tarfile, "data_filter") else archive.extractall(folder)
        for name in sorted(path.parent.name for path in folder.glob("*/case.npz")):
            with np.load(folder / name / "case.npz") as arrays:
                case = dict(arrays)
            for form in ["cbm", "json"]:
                if options.filter not in f"{name} {form}":
                    continue
                try:
                    problem = compare(options.binary, folder / name / f"model.{form}", folder / "rows.csv", case, folder)
                except (RuntimeError, subprocess.CalledProcessError) as fault:
                    problem = str(fault)
                if problem:
                    print(f"FAIL {name} {form}: {problem}", flush=True)
                passed, failed = passed + (not problem), failed + bool(problem)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
