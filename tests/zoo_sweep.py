#!/usr/bin/env python3
"""Every network of the zoo through the whole product, beside ONNX Runtime where Python has it.

    python3 tests/zoo_sweep.py [--binary build/test/bin/athanor] [--up-to GMAC] [--reference-up-to GMAC] [NAME ...]

Each network is written as ONNX at operator sets 13, 17 and 21, read again and run on `cpu`; the answers of all three must
be the network's own, those of ONNX Runtime (`pip install onnxruntime`) and, up to --reference-up-to, those of the device
`reference`, within a rel-L2 of 1e-4 (of a detector: on the 95 % of objects or more that both have). They must be finite, without denormal numbers, and neither vanish nor explode. Without
ONNX Runtime that comparison is counted as skipped. Ends with a table and "N passed, N failed, N skipped".
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

from models_test import ROOT, random_tensor

MAX_REL_L2 = 1e-4
SAME_DETECTIONS = 0.95
OPSETS = (13, 17, 21)
SIZES = {"sequence": 16}  # other symbols are 1
LARGEST = {"input_ids": 1000, "token_type_ids": 2}
DTYPES = {"f32": np.float32, "i64": np.int64}

try:
    import onnxruntime
    onnxruntime.set_default_logger_severity(3)
except ImportError:
    onnxruntime = None


def call(athanor, *arguments):
    run = subprocess.run([athanor, *map(str, arguments)], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise RuntimeError(f"athanor {' '.join(map(str, arguments))}: {run.stderr.strip()[-400:]}")
    return run.stdout


def make_inputs(description):
    arrays = {}
    for spec in description["inputs"]:
        shape = [size if isinstance(size, int) else SIZES.get(size, 1) for size in spec["shape"]]
        low, high = (0, LARGEST[spec["name"]]) if spec["dtype"] == "i64" else (-1.0, 1.0)
        arrays[spec["name"]] = random_tensor(spec["name"], DTYPES[spec["dtype"]], shape, low, high)
    return arrays


def rel_l2(left, right):
    left, right = left.astype(np.float64), right.astype(np.float64)
    return float(np.linalg.norm(left - right) / max(np.linalg.norm(right), 1e-30))


def same_detections(got, want):
    """The outputs of a detector, row by row in an order in which both have the same objects.

    Where scores are tied or at a threshold to within rounding, objects change places or fall away: each object of `want`
    is looked for among those of `got` of its class. Nothing, when less than SAME_DETECTIONS of either side are found.
    """
    pairs = []
    rows = {name: (got[name].reshape(-1, *tail), want[name].reshape(-1, *tail))
            for name in want for tail in [want[name].shape[want["scores"].ndim:]]}
    (boxes, wanted), (classes, wanted_classes) = rows["boxes"], rows["classes"]
    free = np.ones(len(boxes), bool)
    for i, box in enumerate(wanted):
        distance = np.where(free & (classes == wanted_classes[i]), np.abs(boxes - box).max(axis=1), np.inf)
        if distance.size and distance.min() <= 1e-3 * max(1.0, float(np.abs(box).max())):
            pairs.append((int(distance.argmin()), i))
            free[pairs[-1][0]] = False
    if len(pairs) < SAME_DETECTIONS * max(len(boxes), len(wanted)):
        return None
    left, right = np.array(pairs, int).reshape(-1, 2).T
    return [{name: side[k][index] for name, side in rows.items()} for k, index in enumerate((left, right))]


def difference(got, want):
    """The largest rel-L2 of all outputs; whole numbers must be the same."""
    if {"boxes", "scores", "classes"} <= set(want):
        matched = same_detections(got, want)
        if matched is None:
            return float("inf")
        got, want = matched
    worst = 0.0
    for name, right in want.items():
        left = got[name]
        if left.shape != right.shape:
            return float("inf")
        if np.issubdtype(right.dtype, np.floating):
            worst = max(worst, rel_l2(left, right))
        elif not np.array_equal(left, right):
            return float("inf")
    return worst


def health(outputs):
    """What is wrong with the values themselves."""
    for name, array in outputs.items():
        if array.size == 0:
            return f"{name} is empty"
        if not np.issubdtype(array.dtype, np.floating):
            continue
        if not np.isfinite(array).all():
            return f"{name} is not finite"
        if ((array != 0) & (np.abs(array) < np.finfo(np.float32).tiny)).any():
            return f"{name} has denormal numbers"
        size = float(np.sqrt(np.mean(array.astype(np.float64) ** 2)))
        if not 1e-3 < size < 1e4:
            return f"the root mean square of {name} is {size:.1e}"
    return None


class Network:
    def __init__(self, athanor, name, folder):
        self.athanor, self.name, self.folder = athanor, name, folder
        self.inputs, self.seconds = {}, {}

    def timed(self, what, *arguments):
        begin = time.time()
        text = call(self.athanor, *arguments)
        self.seconds[what] = time.time() - begin
        return text

    def run(self, model, device="cpu"):
        out = self.folder / "out.npz"
        named = [f"--input={name}={self.folder / name}.npy" for name in self.inputs]
        call(self.athanor, "run", model, *named, "--device", device, "--save", out)
        with np.load(out) as arrays:
            return {name: arrays[name] for name in arrays.files}

    def sweep(self, options, gmac):
        """Yields (what was compared, the problem or None) and fills row."""
        model = self.folder / f"{self.name}.onnx"
        call(self.athanor, "zoo", self.name, "-o", model)
        description = json.loads(self.timed("import", "inspect", model, "--json"))
        self.inputs = make_inputs(description)
        for name, array in self.inputs.items():
            np.save(self.folder / f"{name}.npy", array)
        symbols = [f"--set-dim={name}={size}" for name, size in SIZES.items() if any(name in spec["shape"] for spec in description["inputs"])]
        explained = json.loads(self.timed("plan", "explain", model, "--json", *symbols))
        self.reference_steps = [step["op"] for step in explained["steps"] if step["kernel"] == "reference"]

        answer = self.run(model)
        yield "values", health(answer)
        peers = {}
        for opset in OPSETS:
            written = self.folder / f"{self.name}_{opset}.onnx"
            call(self.athanor, "convert", model, "-o", written, "--opset", opset, "--no-check")
            peers[f"opset {opset}"] = self.run(written)
            if opset != OPSETS[1]:
                written.unlink()
        if onnxruntime is None:
            yield "ONNX Runtime", "skipped"
        else:
            session = onnxruntime.InferenceSession(written.with_name(f"{self.name}_{OPSETS[1]}.onnx"), providers=["CPUExecutionProvider"])
            names = [output.name for output in session.get_outputs()]
            peers["ONNX Runtime"] = dict(zip(names, session.run(None, self.inputs)))
        if gmac <= options.reference_up_to:
            peers["reference"] = self.run(model, "reference")
        self.differences = {peer: difference(answer, want) for peer, want in peers.items()}
        for peer, worst in self.differences.items():
            yield peer, None if worst <= MAX_REL_L2 else f"rel-L2 {worst:.1e}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="all, when none is given")
    parser.add_argument("--binary", default=str(ROOT / "build" / "test" / "bin" / "athanor"))
    parser.add_argument("--up-to", type=float, default=float("inf"), help="only networks with at most so many GMAC")
    parser.add_argument("--reference-up-to", type=float, default=0.6, help="also run on the slow device up to so many GMAC")
    options = parser.parse_args()
    zoo = json.loads(call(options.binary, "zoo", "--json"))["models"]
    count = {"passed": 0, "failed": 0, "skipped": 0}
    print(f"{'network':<20} {'params':>11} {'GMAC':>7} {'vs ORT':>8} {'vs ref':>8} {'import s':>8} {'plan s':>7}  steps on the reference")
    for entry in zoo:
        name, gmac = entry["name"], entry["gmac"]
        if gmac > options.up_to or (options.names and name not in options.names):
            continue
        with tempfile.TemporaryDirectory() as folder:
            network = Network(options.binary, name, pathlib.Path(folder))
            network.reference_steps, network.differences, problems = [], {}, []
            try:
                for what, problem in network.sweep(options, gmac):
                    kind = "passed" if problem is None else "skipped" if problem == "skipped" else "failed"
                    count[kind] += 1
                    if kind == "failed":
                        problems.append(f"{what}: {problem}")
            except Exception as error:  # a network that stops is one failure, the others go on
                count["failed"] += 1
                problems.append(str(error)[-600:])

            def cell(peer):
                return f"{network.differences[peer]:.1e}" if peer in network.differences else "-"

            steps = {op: network.reference_steps.count(op) for op in sorted(set(network.reference_steps))}
            print(f"{name:<20} {entry['params']:>11} {gmac:>7.3g} {cell('ONNX Runtime'):>8} {cell('reference'):>8} "
                  f"{network.seconds.get('import', 0):>8.2f} {network.seconds.get('plan', 0):>7.2f}  "
                  + (", ".join(f"{op} x{n}" for op, n in steps.items()) or "none"), flush=True)
            for problem in problems:
                print(f"FAIL {name}: {problem}", flush=True)
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    return 1 if count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
