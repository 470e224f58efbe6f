#!/usr/bin/env python3
"""TensorFlow and Keras models through the command line, against what TensorFlow itself answered.

    python3 tests/tensorflow_test.py [--binary build/test/bin/athanor] [--device cpu] [--filter TEXT]

tests/oracles/tensorflow.tar.xz holds single operators, control flow and small networks as frozen graphs,
SavedModel folders, .keras and .h5 files, with inputs and outputs recorded by record_tensorflow.py. Of the
data set: the keyword network as a SavedModel, and the frozen wake-word graph. Prints one line per failure
and "N passed, N failed, N skipped".
"""
import json
import pathlib
import re
import sys
import tarfile
import tempfile

import numpy as np

from models_test import DATA, ROOT, Runner
from tally import Tally, options

TOLERANCE = 1e-4  # of the largest element, and at least of 1

# Read one day; until then their refusal says why.
REFUSED = {"saved/sequence": "is a list; lists that a loop fills", "saved/text": "is a list; lists that a loop fills"}


def difference(got, want):
    """How far an array is off, or a sentence."""
    if list(got.shape) != list(want.shape):
        return f"shape {got.shape}, expected {want.shape}"
    if got.size == 0:
        return None
    if want.dtype.kind in "biu":
        return None if np.array_equal(got.astype(np.int64), want.astype(np.int64)) else "integers differ"
    a, b = got.astype(np.float64), want.astype(np.float64)
    if not np.array_equal(np.isnan(a), np.isnan(b)):
        return "NaN in other places"
    same = (a == b) | np.isnan(a)
    error = np.where(same, 0, np.abs(np.where(same, 0, a) - np.where(same, 0, b))).max()
    scale = max(1, np.abs(b[np.isfinite(b)]).max(initial=0))
    return None if error <= TOLERANCE * scale else f"differs by {error:g} of {scale:g}"


def names_of(runner, model):
    described = json.loads(runner.call("inspect", model, "--json"))
    return [[entry["name"] for entry in described[side]] for side in ("inputs", "outputs")]


def in_number_order(names):
    return sorted(names, key=lambda name: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)])


def check_case(runner, folder):
    """Graphs and signatures name their ends; Keras files, and what it exports, are matched by position."""
    model = next(folder / name for name in ("model.pb", "model", "model.keras", "model.h5") if (folder / name).exists())
    with np.load(folder / "case.npz") as case:
        inputs = {key[3:]: case[key] for key in case.files if key.startswith("in:")}
        wanted = {key[4:]: case[key] for key in case.files if key.startswith("out:")}
    if "y0" in wanted:
        input_names, output_names = names_of(runner, model)
        inputs = dict(zip(input_names, inputs.values()))
        wanted = dict(zip(output_names, wanted.values()))
    got = runner.run(model, inputs)
    missing = sorted(set(wanted) - set(got))
    if missing:
        return f"no output {missing}; there are {sorted(got)}"
    return next((f"{name}: {problem}" for name in in_number_order(wanted) if (problem := difference(got[name], wanted[name]))), None)


def check_refusal(runner, folder, why):
    try:
        names_of(runner, folder / "model")
    except RuntimeError as error:
        return None if why in str(error) else f"refused otherwise: {error}"
    return "is read now: take it off the list of what is refused"


def recorded(runner, folder, wanted):
    archive = ROOT / "tests" / "oracles" / "tensorflow.tar.xz"
    with tarfile.open(archive) as files:
        files.extractall(folder)
    for case in sorted(folder.rglob("case.npz")):
        name = str(case.parent.relative_to(folder))
        if wanted in name and name in REFUSED:
            yield name, lambda case=case, name=name: check_refusal(runner, case.parent, REFUSED[name])
        elif wanted in name:
            yield name, lambda case=case: check_case(runner, case.parent)


def goldens():
    return np.load(ROOT / "tests" / "oracles" / "tensorflow_data.npz")


def keyword_network(runner):
    """The SavedModel folder on the data set's own input; its .tflite sibling has weights of 8 bits in part."""
    tiny = DATA / "mlperf-tiny"
    got = runner.run(tiny / "kws_saved_model", {"input_1": np.load(tiny / "golden" / "kws_float32.in.npy")})["dense"]
    sibling = np.load(tiny / "golden" / "kws_float32.out.npy")
    if np.abs(got - sibling).max() > 2e-2 or got.argmax() != sibling.argmax():
        return f"differs from its .tflite by {np.abs(got - sibling).max():g}"
    return difference(got, goldens()["keywords"])


def wake_word(runner):
    """The frozen graph, whose input has no known shape, on a ramp of 200 frames."""
    x = (np.arange(200 * 40, dtype=np.float32).reshape(200, 40) % 97 - 48) / 48
    return difference(runner.run(DATA / "tf" / "hey_snips_3.pb", {"inputs": x})["logits"], goldens()["wake_word"])


def main():
    settings, tally = options(__doc__), Tally()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        runner = Runner(settings, folder)
        for title, test in recorded(runner, folder / "cases", settings.filter):
            tally.test(title, test)
        for title, test in (("keyword SavedModel", keyword_network), ("wake-word graph", wake_word)):
            if settings.filter not in title:
                continue
            if DATA.is_dir():
                tally.test(title, lambda: test(runner))
            else:
                tally.skip(title, f"{DATA} is absent")
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
