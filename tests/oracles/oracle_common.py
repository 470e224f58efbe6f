# SPDX-License-Identifier: Apache-2.0
"""What the oracle scripts share: where the data are, the input rules, ONNX Runtime, small records."""

import json
import math
import os
import wave
from pathlib import Path

import numpy as np
import onnxruntime as ort
from PIL import Image

REPO = Path(__file__).resolve().parents[2]
MASK64 = (1 << 64) - 1
GOLDEN_GAMMA = 0x9E3779B97F4A7C15  # increment of splitmix64
LARGEST_FULL_OUTPUT = 4096


def data_root():
    root = Path(os.environ.get("ATHANOR_DATA", REPO.parent / "shared" / "data"))
    if not (root / "models").is_dir():
        raise SystemExit("no test data: set ATHANOR_DATA to the folder that holds models/")
    return root


# ---- the rule for random inputs: keep it in step with the C++ tests --------------------------------


def fnv1a64(text):
    value = 0xCBF29CE484222325
    for byte in text.encode("utf-8"):
        value = ((value ^ byte) * 0x100000001B3) & MASK64
    return value


def splitmix64(seed, count):
    """The first `count` outputs of splitmix64 started at `seed`; output i depends on seed and i only."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(GOLDEN_GAMMA)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def random_tensor(name, dtype, shape, low, high):
    """Elements in C order, all in [low, high).

    float: u = (z >> 40) / 2^24, value = low + (high - low) * u in double, then rounded to the type.
    integer: value = low + z mod (high - low).
    """
    z = splitmix64(fnv1a64(name), math.prod(shape))
    if np.issubdtype(np.dtype(dtype), np.integer):
        return (low + (z % np.uint64(high - low)).astype(np.int64)).astype(dtype).reshape(shape)
    u = (z >> np.uint64(40)).astype(np.float64) / 2.0**24
    return (low + (high - low) * u).astype(dtype).reshape(shape)


# ---- other input rules ---------------------------------------------------------------------------


def image_tensor(spec, root):
    """Picture at network size: y = (x - mean) / std per channel, channels in the order of `colour`."""
    pixels = np.asarray(Image.open(root / spec["file"]).convert("RGB"), np.float32)
    if spec["colour"] == "bgr":
        pixels = pixels[:, :, ::-1]
    pixels = (pixels - np.float32(spec["mean"])) / np.float32(spec["std"])
    if spec["layout"] == "NCHW":
        pixels = pixels.transpose(2, 0, 1)
    return np.ascontiguousarray(pixels[None], np.float32)


def wav_frames(spec, root):
    """Frames [steps, 1, context + hop] of 16-bit mono sound / 32768; before the start there is silence."""
    with wave.open(str(root / spec["file"])) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768.0
    hop, context = spec["hop"], spec["context"]
    padded = np.concatenate([np.zeros(context, np.float32), sound])
    starts = range(0, spec["steps"] * hop, hop)
    return np.stack([padded[s : s + context + hop][None] for s in starts])


# ---- ONNX Runtime --------------------------------------------------------------------------------


def session(path, optimised=False):
    options = ort.SessionOptions()
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimised else level.ORT_DISABLE_ALL
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run(runtime, feeds):
    names = [output.name for output in runtime.get_outputs()]
    return dict(zip(names, runtime.run(names, feeds)))


# ---- small records -------------------------------------------------------------------------------


def stride_for(count):
    """1, or the smallest step that leaves at most 4096 elements and shares no factor with the count.

    A step that divided an inner dimension would look at the same channel every time.
    """
    if count <= LARGEST_FULL_OUTPUT:
        return 1
    step = -(-count // LARGEST_FULL_OUTPUT)
    while math.gcd(step, count) != 1:
        step += 1
    return step


def l2_norm(values):
    return float(np.sqrt(np.sum(np.square(values.astype(np.float64)))))


def max_abs_difference(a, b):
    return float(np.max(np.abs(a.astype(np.float64) - b.astype(np.float64)), initial=0.0))


def json_lines(records):
    """JSON with one input or output per line, so that a change is one line of a diff."""
    def lines(item):
        flat = {k: v for k, v in item.items() if k not in ("inputs", "outputs")}
        head = json.dumps(flat)[1:-1]
        lists = [
            f'  "{key}": [\n    ' + ",\n    ".join(map(json.dumps, item[key])) + "\n  ]"
            for key in ("inputs", "outputs")
        ]
        return "{" + head + ",\n" + ",\n".join(lists) + "}"

    return "[\n" + ",\n".join(map(lines, records)) + "\n]\n"
