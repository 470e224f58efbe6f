#!/usr/bin/env python3
"""Products of f32 with weights of 8 and 4 bits, beside weights of f32 and ONNX Runtime.

    python3 bench/weights.py [--athanor build/release/bin/athanor] [--side 4096] [--rows 1,4,64] [--threads 1]

Needs onnxruntime, onnx and numpy (PyPI). x [rows, side] times w [side, side]: 8 bits with a scale for each column
(DequantizeLinear), 4 bits with a scale and a zero point for each 128 or 32 of a column (MatMulNBits). All take turns; the
fastest run of each counts. "gain" is our time with f32 / ours; "ratio" ONNX Runtime's time / ours.
"""
import argparse
import json
import math
import pathlib
import subprocess
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from operators import time_peer


def model(kind, rows, side, path):
    rng = np.random.default_rng(1)
    constants, domain = {}, ""
    if kind == "f32":
        constants["w"] = (rng.random((side, side), np.float32) - 0.5) / 8
        nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    elif kind == "i8":
        constants = {"q": rng.integers(-127, 128, (side, side)).astype(np.int8),
                     "s": rng.random(side, np.float32) / 2000}
        nodes = [helper.make_node("DequantizeLinear", ["q", "s"], ["w"], axis=1),
                 helper.make_node("MatMul", ["x", "w"], ["y"])]
    else:
        block = int(kind.split("/")[1])
        blocks, domain = side // block, "com.microsoft"
        constants = {"q": rng.integers(0, 256, (side, blocks, block // 2)).astype(np.uint8),
                     "s": rng.random(side * blocks, np.float32) / 100,
                     "z": rng.integers(0, 256, side * blocks // 2).astype(np.uint8)}
        nodes = [helper.make_node("MatMulNBits", ["x", "q", "s", "z"], ["y"], domain=domain, K=side, N=side, bits=4,
                                  block_size=block)]
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, (rows, side))
    graph = helper.make_graph(nodes, "g", [value("x")], [value("y")],
                              [numpy_helper.from_array(array, name) for name, array in constants.items()])
    sets = [helper.make_opsetid("", 21)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    onnx.save(helper.make_model(graph, opset_imports=sets, ir_version=10), path)


def time_ours(binary, path, threads, seconds):
    command = [binary, "bench", path, "--threads", str(threads), "--time", str(seconds), "--json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["latency_ms"]["min"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--athanor", default="build/release/bin/athanor")
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--rows", default="1,4,64")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--time", type=float, default=0.3)
    options = parser.parse_args()
    print(f"{'rows':>5} {'weights':>8} {'onnxruntime ms':>15} {'athanor ms':>11} {'ratio':>6} {'gain':>6}")
    kinds = ["f32", "i8", "u4/128", "u4/32"]
    for rows in map(int, options.rows.split(",")):
        with tempfile.TemporaryDirectory() as place:
            paths = {kind: str(pathlib.Path(place) / f"{kind.replace('/', '_')}.onnx") for kind in kinds}
            feeds = {"x": np.random.default_rng(2).random((rows, options.side), np.float32)}
            settings = onnxruntime.SessionOptions()
            settings.intra_op_num_threads = options.threads
            settings.log_severity_level = 4
            sessions = {}
            for kind in kinds:
                model(kind, rows, options.side, paths[kind])
                sessions[kind] = onnxruntime.InferenceSession(paths[kind], settings, providers=["CPUExecutionProvider"])
            ours, peer = dict.fromkeys(kinds, math.inf), dict.fromkeys(kinds, math.inf)
            for _ in range(options.rounds):
                for kind in kinds:
                    ours[kind] = min(ours[kind], time_ours(options.athanor, paths[kind], options.threads, options.time))
                    peer[kind] = min(peer[kind], time_peer(sessions[kind], feeds, options.time))
            for kind in kinds:
                print(f"{rows:5} {kind:>8} {peer[kind]:15.3f} {ours[kind]:11.3f} {peer[kind] / ours[kind]:6.2f} "
                      f"{ours['f32'] / ours[kind]:6.2f}", flush=True)


if __name__ == "__main__":
    main()
