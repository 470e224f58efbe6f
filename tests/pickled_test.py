#!/usr/bin/env python3
"""Pickled estimators, folders as MLflow writes them, and the PMML of sklearn2pmml, through `athanor score`, against what the
estimators answered.

    python3 tests/pickled_test.py [--binary build/test/bin/athanor]

tests/oracles/pickled.tar.xz holds them, recorded by record_pickled.py; what it calls refused_* must end with a coded error
and without doing anything. Prints one line per failure and "N passed, N failed".
"""
import argparse
import csv
import pathlib
import re
import struct
import subprocess
import sys
import tarfile
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent


def score(binary, model, folder):
    # Estimators of scikit-learn itself were trained on a table without missing numbers.
    table = "filled.csv" if model.stem.startswith("sklearn_") else "rows.csv"
    return subprocess.run([binary, "score", model, folder / table, "-o", folder / "out.csv", "--quiet"],
                          capture_output=True, text=True, check=False, cwd=folder)


def compare(binary, model, folder, expected, atol=1e-9):
    """What is wrong, or None."""
    run = score(binary, model, folder)
    if run.returncode != 0:
        return f"exit {run.returncode}: {run.stderr.strip()[-400:]}"
    with open(folder / "out.csv", newline="", encoding="utf-8") as file:
        header, *lines = list(csv.reader(file))
    for name, want in expected.items():
        at = [i for i, column in enumerate(header) if re.fullmatch(re.escape(name) + r"(\(\w+\))?", column)]
        got = np.array([[line[i] for i in at] for line in lines])
        want = want.reshape(len(lines), -1)
        text = not np.issubdtype(want.dtype, np.floating)
        if text and [str(v) for v in want.flat] != [str(v) for v in got.flat]:
            return f"labels differ: {got[:3].tolist()}, {want[:3].tolist()} are expected"
        if not text and (got.shape != want.shape or not np.allclose(got.astype(float), want, rtol=1e-6, atol=atol)):
            return f"{name} differs: {got[:2].tolist()}, {want[:2].tolist()} are expected"
    return None


def mlflow_folder(pickle, folder):
    """A folder of the scikit-learn flavour, with the pickle in it."""
    place = folder / f"mlflow_{pickle.stem}"
    place.mkdir()
    (place / "model.pkl").write_bytes(pickle.read_bytes())
    (place / "MLmodel").write_text("artifact_path: model\nflavors:\n  python_function:\n    env:\n      conda: conda.yaml\n    loader_module: mlflow.sklearn\n"
                                   "    model_path: model.pkl\n  sklearn:\n    code: null\n    pickled_model: model.pkl\n"
                                   "    serialization_format: cloudpickle\nmlflow_version: 2.9.2\n")
    return place


def refusal(binary, model, folder):
    run = score(binary, model, folder)
    if (folder / "harm-was-done").exists():
        return "the command of the pickle was run"
    coded = re.match(r"error ATH-\d{4} ", run.stderr) and run.returncode == 2 and "fix: " in run.stderr
    return None if coded else f"exit {run.returncode}: {run.stderr.strip()[:300]}"


def own_missing(model, folder):
    """The pickle of an XGBoost estimator that takes -999 for missing."""
    data = model.read_bytes()
    place = data.index(b"missing") + len(b"missing")
    place = data.index(b"G" + struct.pack(">d", float("nan")), place, place + 16)
    changed = folder / "refused_missing.pkl"
    changed.write_bytes(data[:place + 1] + struct.pack(">d", -999.0) + data[place + 9:])
    return changed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(ROOT / "build" / "test" / "bin" / "athanor"))
    binary = str(pathlib.Path(parser.parse_args().binary).resolve())
    passed = failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        with tarfile.open(ROOT / "tests" / "oracles" / "pickled.tar.xz") as archive:
            archive.extractall(folder, filter="data") if hasattr(tarfile, "data_filter") else archive.extractall(folder)
        own_missing(folder / "xgboost_regressor.pkl", folder)
        for model in [*sorted(folder.glob("*.pkl")), *sorted(folder.glob("*.pmml"))]:
            if model.suffix == ".pmml":
                target = re.search(r'<MiningField name="([^"]*)" usageType="target"', model.read_text())[1]
                with np.load(folder / f"{model.stem}.npz") as arrays:
                    expected = {target if name in ("prediction", "label") else name: array for name, array in arrays.items()}
                # scikit-learn computes in the type of the table, f32; PMML does not.
                problems = {f"PMML {model.stem}": compare(binary, model, folder, expected, 1e-6)}
            elif model.stem.startswith("refused_"):
                problems = {model.stem: refusal(binary, model, folder)}
            else:
                with np.load(folder / f"{model.stem.removesuffix('_5').removesuffix('_joblib')}.npz") as arrays:
                    expected = dict(arrays)
                problems = {model.stem: compare(binary, model, folder, expected),
                            f"MLflow {model.stem}": compare(binary, mlflow_folder(model, folder), folder, expected)}
            for name, problem in problems.items():
                if problem:
                    print(f"FAIL {name}: {problem}", flush=True)
                passed, failed = passed + (not problem), failed + bool(problem)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
