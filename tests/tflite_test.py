#!/usr/bin/env python3
"""TensorFlow Lite networks through the command line: quantised ones bit by bit, the others within a tolerance.

    python3 tests/tflite_test.py [--binary build/test/bin/athanor] [--device cpu] [--filter TEXT]

tests/oracles/tflite/index.json says how inputs are made and holds the answers (goldens.npz) that the
reference kernels of TFLite gave, recorded by tests/oracles/record_tflite.py; networks that are refused
are listed with a part of the reason. Prints one line per failure and "N passed, N failed, N skipped".
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = pathlib.Path(os.environ.get("ATHANOR_DATA", ROOT.parent / "shared" / "data")) / "models"
ORACLES = ROOT / "tests" / "oracles" / "tflite"

sys.path.insert(0, str(ROOT / "tests"))
from models_test import random_tensor  # noqa: E402
from tally import Tally, options  # noqa: E402


def read_bmp(path):
    """Pixels of an uncompressed bottom-up bitmap: rows x columns x (1 grey or 3 R,G,B)."""
    data = path.read_bytes()
    offset, width, height = (int.from_bytes(data[at:at + 4], "little") for at in (10, 18, 22))
    channels = int.from_bytes(data[28:30], "little") // 8
    stride = (width * channels + 3) // 4 * 4
    rows = np.frombuffer(data, np.uint8, stride * height, offset).reshape(height, stride)
    pixels = rows[::-1, :width * channels].reshape(height, width, channels)
    return pixels[:, :, ::-1] if channels == 3 else pixels


def make_input(spec):
    """One input as index.json describes it."""
    if spec["rule"] == "random":
        return random_tensor(spec["seed"], spec["dtype"], spec["shape"], spec["low"], spec["high"])
    if spec["rule"] == "range":
        return np.arange(spec["first"], spec["first"] + np.prod(spec["shape"])).astype(spec["dtype"]).reshape(spec["shape"])
    if spec["rule"] == "wav":
        samples = np.frombuffer((DATA / spec["file"]).read_bytes()[44:], "<i2")
        return samples[spec["first"]:][:np.prod(spec["shape"])].reshape(spec["shape"])
    pixels = read_bmp(DATA / spec["file"])
    rows, columns = spec["shape"][1:3]
    top, left = (pixels.shape[0] - rows) // 2, (pixels.shape[1] - columns) // 2
    crop = pixels[top:top + rows, left:left + columns]
    if crop.shape[2] != spec["shape"][3]:
        crop = np.repeat(crop.mean(axis=2, keepdims=True), spec["shape"][3], axis=2)
    return (np.floor(crop).astype(np.int32) + spec["add"]).astype(spec["dtype"])[None]


def run(binary, device, model, inputs, folder, *flags):
    arguments = []
    for index, (name, value) in enumerate(inputs.items()):
        path = pathlib.Path(folder) / f"input{index}.npy"
        np.save(path, np.asarray(value, order="C"))
        arguments += ["--input", f"{name}={path}"]
    saved = pathlib.Path(folder) / "out.npz"
    result = subprocess.run([binary, "run", str(model), *arguments, *flags, "--device", device, "--save", str(saved)],
                            capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(f"exit {result.returncode}: {result.stderr.strip()[-300:]}")
    with np.load(saved) as archive:
        return {name: archive[name] for name in archive.files}


def check(case, outputs, goldens):
    for spec in case["outputs"]:
        got, want = outputs[spec["name"]], goldens[spec["key"]]
        if list(got.shape) != list(want.shape):
            return f"{spec['name']}: shape {got.shape}, expected {want.shape}"
        difference = np.abs(got.astype(np.float64) - want.astype(np.float64))
        if spec["atol"] == 0 and difference.any():
            return f"{spec['name']}: {np.count_nonzero(difference)} of {difference.size} differ, by up to {difference.max():g}"
        if not difference.max() <= spec["atol"] + spec["rtol"] * np.abs(want).max():
            return f"{spec['name']}: differs by {difference.max():g}"
    return None


def check_stream(settings, entry, folder, goldens):
    """Frame by frame, what is kept between frames handed on by the test: states are 0 (their zero point) at the start, and a
    run without --states begins like that as well."""
    model = (ORACLES if entry["made"] else DATA) / entry["model"]
    states = {}
    for index, (frame, want) in enumerate(zip(entry["frames"], goldens[entry["key"]])):
        if index == 0:
            inspected = subprocess.run([settings.binary, "inspect", str(model), "--json"], capture_output=True, text=True)
            if inspected.returncode != 0:
                return inspected.stderr.strip()[-300:]
            told = json.loads(inspected.stdout)
            inputs = {told["inputs"][0]["name"]: make_input(frame)}
            (got,) = run(settings.binary, settings.device, model, inputs, folder).values()
            kept = ["--states"] if entry["states"] else []
        else:
            outputs = run(settings.binary, settings.device, model, {told["inputs"][0]["name"]: make_input(frame), **states}, folder, *kept)
            got = outputs[told["outputs"][0]["name"]]
        if index == 0 and len(entry["frames"]) > 1:
            zeros = {name: np.full(shape, zero, dtype) for name, dtype, shape, zero in entry["states"]}
            outputs = run(settings.binary, settings.device, model, {**inputs, **zeros}, folder, *kept)
            if not np.array_equal(outputs[told["outputs"][0]["name"]], got):
                return "differs with --states from the first frame on"
        states = {name: outputs[f"{name}.next"] for name, *_ in entry["states"]}
        difference = np.abs(got.astype(np.float64) - want.astype(np.float64))
        if got.shape != want.shape or not difference.max() <= entry["rtol"] * np.abs(want).max():
            return f"frame {index}: {np.count_nonzero(difference)} of {difference.size} differ, by up to {difference.max():g}"
    return None


def check_refused(binary, entry):
    result = subprocess.run([binary, "inspect", str(DATA / entry["model"])], capture_output=True, text=True)
    if result.returncode == 2 and entry["reason"] in result.stderr:
        return None
    return f"exit {result.returncode}, not refused with \"{entry['reason']}\": {result.stderr.strip()[:300]}"


def main():
    settings, tally = options(__doc__), Tally()
    if not DATA.is_dir():
        tally.skip("all", f"{DATA} is absent")
        return tally.end()
    index = json.loads((ORACLES / "index.json").read_text())
    goldens = np.load(ORACLES / "goldens.npz")
    with tempfile.TemporaryDirectory() as folder:
        def meets(entry):
            inputs = {spec["name"]: make_input(spec) for spec in entry["inputs"]}
            return check(entry, run(settings.binary, settings.device, DATA / entry["model"], inputs, folder), goldens)

        for entry in index["cases"]:
            if settings.filter in entry["model"]:
                tally.test(f"{entry['model']} {entry.get('case', '')}", lambda: meets(entry))
        streams, answers = json.loads((ORACLES / "streams.json").read_text()), np.load(ORACLES / "streams.npz")
        for entry in streams:
            if settings.filter in entry["model"]:
                tally.test(f"{entry['model']} frame by frame", lambda: check_stream(settings, entry, folder, answers))
        for entry in index["refused"]:
            if settings.filter in entry["model"]:
                tally.test(f"{entry['model']} refused", lambda: check_refused(settings.binary, entry))
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
