#!/usr/bin/env python3
"""Real models against outputs recorded from peers, through the command line, as a user would run them.

    python3 tests/models_test.py [--binary build/test/bin/athanor] [--device cpu] [--opsets 13,17,21] [--filter TEXT]

For every record of tests/oracles/onnx/index.json (ONNX Runtime) and every entry of goldens.json in a format
that is read (the data set's own expected outputs): makes the inputs, runs `athanor run`, compares. With
--opsets ONNX models are first exported at each operator set and the exported file is run. Prints one line per failure and
"N passed, N failed, N skipped".
"""
import argparse
import json
import math
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import wave

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = pathlib.Path(os.environ.get("ATHANOR_DATA", ROOT.parent / "shared" / "data")) / "models"
ORACLES = ROOT / "tests" / "oracles" / "onnx"
FORMATS = ("onnx", "caffe", "ncnn", "tflite")
MAX_REL_L2 = 1e-4  # the figure the project promises against ONNX Runtime at fp32
PB_DTYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64, 9: np.bool_, 11: np.float64}


def random_tensor(name, dtype, shape, low, high):
    """The rule of tests/oracles/README.md."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x100000001B3) & (2**64 - 1)
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, math.prod(shape) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    if np.issubdtype(np.dtype(dtype), np.integer):
        return (low + (z % np.uint64(high - low)).astype(np.int64)).astype(dtype).reshape(shape)
    u = (z >> np.uint64(40)).astype(np.float64) / 2.0**24
    return (low + (high - low) * u).astype(dtype).reshape(shape)


def read_pb(path, shape=None):
    """A TensorProto with raw data: enough of protocol buffers for the data set's files."""
    data, at, dims, dtype, raw = path.read_bytes(), 0, [], None, b""

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        tag = varint()
        field, wire = tag >> 3, tag & 7
        if wire == 0:
            value = varint()
            if field == 1:
                dims.append(value)
            elif field == 2:
                dtype = PB_DTYPES[value]
        elif wire == 2:
            size = varint()
            chunk, at = data[at:at + size], at + size
            if field == 1:  # packed dims
                dims += list(chunk)
            elif field == 9:
                raw = chunk
            elif field == 4:
                raw, dtype = chunk, np.float32
        elif wire == 5:  # unpacked float_data
            raw, dtype, at = raw + data[at:at + 4], np.float32, at + 4
    values = np.frombuffer(raw, dtype)
    return values.reshape(shape if shape else dims)


def wav_frames(spec, steps):
    with wave.open(str(DATA / spec["file"])) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768.0
    padded = np.concatenate([np.zeros(spec["context"], np.float32), sound])
    size = spec["context"] + spec["hop"]
    return [padded[None, s * spec["hop"]:s * spec["hop"] + size] for s in range(steps)]


def input_tensor(spec, record):
    rule = spec.get("rule", spec.get("kind"))
    if rule == "random":
        return random_tensor(spec["name"], spec["dtype"], spec["shape"], spec["low"], spec["high"])
    if rule == "literal":
        return np.array(spec["values"], spec["dtype"]).reshape(spec["shape"])
    if rule == "fill":
        return np.full(spec["shape"], spec["value"], spec["dtype"])
    if rule == "pb":
        return read_pb(DATA / spec["file"], spec.get("shape"))
    if rule == "npz":
        source = DATA / spec["file"] if "file" in spec else ORACLES / record["file"]
        return np.load(source)[spec["key"]]
    if rule == "npy":
        return np.load(DATA / spec["file"])
    raise ValueError(f"unknown input rule {rule}")


class Runner:
    def __init__(self, options, folder):
        self.binary, self.device, self.folder = options.binary, options.device, pathlib.Path(folder)

    def call(self, *arguments):
        run = subprocess.run([self.binary, *map(str, arguments)], capture_output=True, text=True)
        if run.returncode != 0:
            raise RuntimeError(f"exit {run.returncode}: {run.stderr.strip()[-400:]}")
        return run.stdout

    def export(self, model, opset):
        target = self.folder / f"{model.parent.name}-{model.stem}-{opset}.onnx"
        if not target.exists():
            self.call("convert", model, "-o", target, "--opset", opset, "--no-check")
        return target

    def run(self, model, inputs, flags=()):
        """inputs: name -> array or image path. Gives name -> array."""
        arguments = []
        for index, (name, value) in enumerate(inputs.items()):
            path = value
            if isinstance(value, np.ndarray):
                path = self.folder / f"input{index}.npy"
                np.save(path, value)
            arguments += ["--input", f"{name}={path}"]
        saved = self.folder / "out.npz"
        self.call("run", model, *arguments, *flags, "--device", self.device, "--save", saved)
        with np.load(saved) as archive:
            return {name: archive[name] for name in archive.files}


def gather_inputs(record):
    inputs, flags = {}, []
    for spec in record["inputs"]:
        if spec.get("rule", spec.get("kind")) == "image":
            inputs[spec["name"]] = DATA / spec["file"]
            flags += ["--mean", ",".join(map(str, spec["mean"])), "--std", ",".join(map(str, spec["std"])),
                      "--bgr" if spec["colour"] == "bgr" else "--rgb", "--layout", spec["layout"].lower()]
        elif spec.get("rule") != "wav":
            inputs[spec["name"]] = input_tensor(spec, record)
    return inputs, flags


def run_record(runner, model, record):
    inputs, flags = gather_inputs(record)
    if "steps" not in record:
        return runner.run(model, inputs, flags)
    # A stateful network, step by step; a few steps show that the state is carried.
    wav = next(spec for spec in record["inputs"] if spec.get("rule") == "wav")
    steps = min(record["steps"], 24)
    collected = []
    for frame in wav_frames(wav, steps):
        inputs[wav["name"]] = frame
        outputs = runner.run(model, inputs, flags)
        collected.append(outputs)
        for source, target in record["carry"].items():
            inputs[source] = outputs[target]
    return {name: np.stack([step[name] for step in collected]) for name in collected[0]}


def check_recorded(record, outputs):
    expected = np.load(ORACLES / record["file"])
    for spec in record["outputs"]:
        got = outputs[spec["name"]]
        want = expected[spec["key"]].astype(np.float64).ravel()
        if "steps" in record:
            if spec["name"] in record["carry"].values():
                continue  # recorded after the last step only
            sample, want = got.ravel().astype(np.float64), want[:got.size]
        else:
            if list(got.shape) != spec["shape"]:
                return f"{spec['name']}: shape {list(got.shape)}, expected {spec['shape']}"
            sample = got.ravel()[::spec["stride"]].astype(np.float64)
        error = np.linalg.norm(sample - want) / max(np.linalg.norm(want), 1e-12)
        if not error <= MAX_REL_L2:
            return f"{spec['name']}: rel-L2 {error:.2e}, at most {MAX_REL_L2:.0e}"
    return None


def check_golden(record, outputs):
    for spec in record["outputs"]:
        got = outputs[spec["name"]].astype(np.float64)
        want = input_tensor(spec, record).astype(np.float64)
        if "rows" in spec:
            # Row i of the shorter one is row start + i * step of the other.
            rows = spec["rows"]
            longer, shorter = (got, want) if rows["of"] == "output" else (want, got)
            picked = rows["start"] + rows["step"] * np.arange(shorter.shape[rows["axis"]])
            longer = np.take(longer, picked, axis=rows["axis"])
            got, want = (longer, shorter) if rows["of"] == "output" else (shorter, longer)
        if got.size != want.size:
            return f"{spec['name']}: {got.size} elements, expected {want.size}"
        got, want = got.ravel(), want.ravel()
        if "rel_l2_max" in spec:
            error = np.linalg.norm(got - want) / np.linalg.norm(want)
            if not error <= spec["rel_l2_max"]:
                return f"{spec['name']}: rel-L2 {error:.2e}, at most {spec['rel_l2_max']:.0e}"
            continue
        excess = np.max(np.abs(got - want) - spec["atol"] - spec["rtol"] * np.abs(want), initial=-1.0)
        if not excess <= 0:
            return f"{spec['name']}: beyond atol {spec['atol']} + rtol {spec['rtol']} by {excess:.2e}"
    return None


def run_parts(description, always, of_data):
    """The main of a program whose parts, called with a Runner and a folder, give (what, problem or None) each; `of_data`
    are the parts that read the data set. The exit code."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--binary", default=str(ROOT / "build" / "test" / "bin" / "athanor"))
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    passed = failed = skipped = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        runner = Runner(options, folder)
        if not DATA.is_dir():
            print(f"SKIPPED networks of the data set: {DATA} is absent")
            skipped = 1
        for part in always + of_data * DATA.is_dir():
            for what, problem in part(runner, folder):
                passed += problem is None
                failed += problem is not None
                if problem is not None:
                    print(f"FAIL {what}: {problem}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=str(ROOT / "build" / "test" / "bin" / "athanor"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--opsets", default="", help="also export at these operator sets and run the export")
    parser.add_argument("--filter", default="")
    options = parser.parse_args()
    if not DATA.is_dir():
        print(f"SKIPPED: {DATA} is absent\n0 passed, 0 failed, 1 skipped")
        return 0
    work = [(record, check_recorded) for record in json.loads((ORACLES / "index.json").read_text())]
    work += [(record, check_golden) for record in json.loads((ORACLES / "goldens.json").read_text()) if record["format"] in FORMATS]
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(options, folder)
        for opset in [None, *filter(None, options.opsets.split(","))]:
            for record, check in work:
                if options.filter not in record["model"] or (opset is not None and record.get("format", "onnx") != "onnx"):
                    continue
                try:
                    model = DATA / record["model"]
                    reason = check(record, run_record(runner, model if opset is None else runner.export(model, opset), record))
                except (RuntimeError, KeyError, ValueError, struct.error) as error:
                    reason = str(error)
                passed += reason is None
                failed += reason is not None
                if reason is not None:
                    print(f"FAIL {record['model']} {record.get('case', 'golden')} opset {opset or 'as is'}: {reason}", flush=True)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
