#!/usr/bin/env python3
"""PyTorch's files through the command line: modules and networks in every form, against what torch gave.

    python3 tests/pytorch_test.py [--binary build/test/bin/athanor] [--device cpu] [--filter TEXT]

tests/oracles/pytorch.tar.xz holds the files, how their inputs are made (index.json) and the outputs (goldens.npz), all
made by tests/oracles/record_pytorch.py. Prints one line per failure and "N passed, N failed, N skipped".
"""
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
ARCHIVE = ROOT / "tests" / "oracles" / "pytorch.tar.xz"
TOLERANCE = 1e-4  # relative to the largest value, at least 1

sys.path.insert(0, str(ROOT / "tests"))
from models_test import random_tensor  # noqa: E402
from tally import Tally, options  # noqa: E402


def run(binary, device, model, inputs, folder):
    paths = []
    for index, value in enumerate(inputs):
        paths.append(folder / f"input{index}.npy")
        np.save(paths[-1], value)
    saved = folder / "out.npz"
    result = subprocess.run([binary, "run", model, *paths, "--device", device, "--save", saved], capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(f"exit {result.returncode}: {result.stderr.strip()[-400:]}")
    with np.load(saved) as archive:
        return [archive[name] for name in archive.files]


def check(outputs, goldens):
    if len(outputs) != len(goldens):
        return f"{len(outputs)} outputs, expected {len(goldens)}"
    for index, (got, want) in enumerate(zip(outputs, goldens)):
        if got.shape != want.shape or got.dtype != want.dtype:
            return f"output {index}: {got.dtype}{list(got.shape)}, expected {want.dtype}{list(want.shape)}"
        difference = np.abs(got.astype(np.float64) - want.astype(np.float64)).max(initial=0)
        if not difference <= TOLERANCE * max(1.0, np.abs(want.astype(np.float64)).max(initial=0)):
            return f"output {index}: differs by {difference:g}"
    return None


def check_weights(binary, folder):
    """A file of weights alone: shown, and refused when it should run."""
    model = folder / "weights.pth"
    shown = subprocess.run([binary, "inspect", model, "--json"], capture_output=True, text=True)
    names = [tensor["name"] for tensor in json.loads(shown.stdout or "{}").get("tensors", [])]
    refused = subprocess.run([binary, "run", model, "random"], capture_output=True, text=True)
    if "fc.weight" not in names:
        return f"inspect shows {names} {shown.stderr.strip()[-300:]}"
    if refused.returncode != 2 or "torch.export" not in refused.stderr:
        return f"run: exit {refused.returncode}: {refused.stderr.strip()[-300:]}"
    return None


def main():
    settings, tally = options(__doc__), Tally()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(folder, filter="data") if hasattr(tarfile, "data_filter") else archive.extractall(folder)
        goldens = np.load(folder / "goldens.npz")
        for entry in json.loads((folder / "index.json").read_text()):
            inputs = [random_tensor(spec["seed"], spec["dtype"], spec["shape"], spec["low"], spec["high"]) for spec in entry["inputs"]]
            wanted = [goldens[f"{entry['name']}|{i}"] for i in range(entry["outputs"])]
            for form in entry["forms"]:
                file = f"{entry['name']}.{form}"
                if settings.filter in file:
                    tally.test(file, lambda: check(run(settings.binary, settings.device, folder / file, inputs, folder), wanted))
        if settings.filter in "weights.pth":
            tally.test("weights.pth", lambda: check_weights(settings.binary, folder))
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
