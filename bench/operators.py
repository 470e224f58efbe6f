#!/usr/bin/env python3
"""Each family of kernels beside ONNX Runtime, one typical node at a time, one thread.

    python3 bench/operators.py [--athanor build/release/bin/athanor] [--only NAME] [--rounds 3]

Needs onnxruntime, onnx and numpy (PyPI). Rounds of both engines alternate; the fastest run of each counts, and
ratio = ONNX Runtime's time / ours: above 1 we are faster.
"""
import argparse
import json
import math
import pathlib
import subprocess
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto as T
from onnx import helper

F, I64, U8, B, H, I32 = T.FLOAT, T.INT64, T.UINT8, T.BOOL, T.FLOAT16, T.INT32


def case(op, inputs, out=F, consts=None, opset=21, outputs=1, **attributes):
    """inputs: (type, shape) each, None for an omitted one; consts: index -> array."""
    return {"op": op, "inputs": inputs, "out": out, "consts": consts or {}, "opset": opset, "outputs": outputs,
            "attributes": attributes}


ints = lambda *v: np.array(v, np.int64)
CASES = {
    "Add row broadcast": case("Add", [(F, (64, 56, 56)), (F, (64, 1, 1))]),
    "Add i64": case("Add", [(I64, (512, 512)), (I64, (512, 512))], I64),
    "Mul f16": case("Mul", [(H, (512, 512)), (H, (512, 512))], H),
    "Greater": case("Greater", [(F, (512, 512)), (F, (512, 512))], B),
    "Where": case("Where", [(B, (512, 512)), (F, (512, 512)), (F, (1,))]),
    "Pow by 2.5": case("Pow", [(F, (256, 256)), (F, ())], consts={1: np.array(2.5, np.float32)}),
    "Cast f32 to u8": case("Cast", [(F, (512, 512))], U8, to=U8),
    "Cast f16 to f32": case("Cast", [(H, (512, 512))], F, to=F),
    "Cast i64 to f32": case("Cast", [(I64, (512, 512))], F, to=F),
    "Sin": case("Sin", [(F, (512, 512))]),
    "Erf": case("Erf", [(F, (512, 512))]),
    "Gelu": case("Gelu", [(F, (512, 768))], opset=20),
    "Mish": case("Mish", [(F, (512, 512))]),
    "Softplus": case("Softplus", [(F, (512, 512))]),
    "Max of 3": case("Max", [(F, (512, 512))] * 3),
    "ReduceMean last": case("ReduceMean", [(F, (128, 768)), (I64, (1,))], consts={1: ints(-1)}),
    "ReduceSum first": case("ReduceSum", [(F, (128, 768)), (I64, (1,))], consts={1: ints(0)}),
    "ReduceMax NCHW": case("ReduceMax", [(F, (1, 256, 28, 28)), (I64, (2,))], consts={1: ints(2, 3)}, opset=20),
    "ReduceLogSumExp": case("ReduceLogSumExp", [(F, (128, 768)), (I64, (1,))], consts={1: ints(-1)}),
    "ArgMax channel": case("ArgMax", [(F, (1, 21, 128, 128))], I64, axis=1, keepdims=0),
    "CumSum": case("CumSum", [(F, (128, 768)), (I64, ())], consts={1: np.array(1, np.int64)}),
    "Gather rows": case("Gather", [(F, (30000, 768)), (I64, (128,))]),
    "GatherElements": case("GatherElements", [(F, (256, 512)), (I64, (256, 512))], axis=1),
    "ScatterND": case("ScatterND", [(F, (1024, 256)), (I64, (128, 1)), (F, (128, 256))]),
    "OneHot": case("OneHot", [(I64, (512,)), (I64, ()), (F, (2,))],
                   consts={1: np.array(1000, np.int64), 2: np.array([0, 1], np.float32)}),
    "TopK": case("TopK", [(F, (64, 1000)), (I64, (1,))], consts={1: ints(5)}, outputs=2),
    "NonZero": case("NonZero", [(F, (256, 256))], I64),
    "Transpose NCHW to NHWC": case("Transpose", [(F, (1, 64, 56, 56))], perm=[0, 2, 3, 1]),
    "Transpose heads": case("Transpose", [(F, (1, 128, 12, 64))], perm=[0, 2, 1, 3]),
    "Concat channels": case("Concat", [(F, (1, 64, 28, 28))] * 4, axis=1),
    "Pad reflect": case("Pad", [(F, (1, 64, 56, 56)), (I64, (8,))], consts={1: ints(0, 0, 1, 1, 0, 0, 1, 1)},
                        mode="reflect"),
    "Pad constant": case("Pad", [(F, (1, 64, 56, 56)), (I64, (8,))], consts={1: ints(0, 0, 1, 1, 0, 0, 1, 1)}),
    "Slice step 2": case("Slice", [(F, (1, 64, 56, 56))] + [(I64, (2,))] * 4,
                         consts={1: ints(0, 0), 2: ints(56, 56), 3: ints(2, 3), 4: ints(2, 2)}),
    "Tile": case("Tile", [(F, (1, 64, 28, 28)), (I64, (4,))], consts={1: ints(1, 1, 2, 2)}),
    "Trilu": case("Trilu", [(F, (12, 128, 128))], upper=0),
    "DepthToSpace": case("DepthToSpace", [(F, (1, 64, 56, 56))], blocksize=2),
    "Resize nearest": case("Resize", [(F, (1, 64, 28, 28)), None, (F, (4,))],
                           consts={2: np.array([1, 1, 2, 2], np.float32)}, mode="nearest",
                           coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
    "Resize linear": case("Resize", [(F, (1, 64, 28, 28)), None, (F, (4,))],
                          consts={2: np.array([1, 1, 2, 2], np.float32)}, mode="linear"),
    "Resize cubic": case("Resize", [(F, (1, 3, 64, 64)), None, (F, (4,))],
                         consts={2: np.array([1, 1, 2, 2], np.float32)}, mode="cubic"),
    "Softmax last": case("Softmax", [(F, (12, 128, 128))]),
    "Softmax channel": case("Softmax", [(F, (1, 21, 128, 128))], axis=1),
    "LogSoftmax": case("LogSoftmax", [(F, (64, 1000))]),
    "LayerNormalization": case("LayerNormalization", [(F, (128, 768)), (F, (768,)), (F, (768,))]),
    "InstanceNormalization": case("InstanceNormalization", [(F, (1, 64, 56, 56)), (F, (64,)), (F, (64,))]),
    "GroupNormalization": case("GroupNormalization", [(F, (1, 64, 56, 56)), (F, (64,)), (F, (64,))], num_groups=32),
    "BatchNormalization": case("BatchNormalization", [(F, (1, 64, 56, 56))] + [(F, (64,))] * 4),
    "LRN": case("LRN", [(F, (1, 64, 56, 56))], size=5),
    "LpNormalization": case("LpNormalization", [(F, (128, 512))]),
    "MeanVarianceNormalization": case("MeanVarianceNormalization", [(F, (1, 64, 56, 56))]),
    "MaxPool 3-D": case("MaxPool", [(F, (1, 16, 16, 28, 28))], kernel_shape=[2, 2, 2], strides=[2, 2, 2]),
    "MaxPool indices": case("MaxPool", [(F, (1, 64, 56, 56))], kernel_shape=[2, 2], strides=[2, 2], outputs=2),
    "LpPool": case("LpPool", [(F, (1, 64, 56, 56))], kernel_shape=[3, 3]),
    "GlobalMaxPool": case("GlobalMaxPool", [(F, (1, 512, 14, 14))]),
    "LSTM": case("LSTM", [(F, (50, 1, 128)), (F, (1, 512, 128)), (F, (1, 512, 128)), (F, (1, 1024))],
                 consts={1: (1, 512, 128), 2: (1, 512, 128), 3: (1, 1024)}, hidden_size=128),
    "LSTM both ways": case("LSTM", [(F, (50, 4, 64)), (F, (2, 256, 64)), (F, (2, 256, 64)), (F, (2, 512))],
                           consts={1: (2, 256, 64), 2: (2, 256, 64), 3: (2, 512)}, hidden_size=64,
                           direction="bidirectional"),
    "GRU": case("GRU", [(F, (50, 1, 128)), (F, (1, 384, 128)), (F, (1, 384, 128)), (F, (1, 768))],
                consts={1: (1, 384, 128), 2: (1, 384, 128), 3: (1, 768)}, hidden_size=128),
    "Einsum heads": case("Einsum", [(F, (1, 128, 12, 64)), (F, (1, 128, 12, 64))], equation="bqhd,bkhd->bhqk"),
    "Attention 512": case("Attention", [(F, (1, 12, 512, 64))] * 3, opset=23),
    "RotaryEmbedding": case("RotaryEmbedding", [(F, (1, 12, 128, 64)), (F, (1, 128, 32)), (F, (1, 128, 32))], opset=23),
    "NonMaxSuppression": case("NonMaxSuppression", [(F, (1, 1000, 4)), (F, (1, 20, 1000)), (I64, ()), (F, ()), (F, ())],
                              I64, consts={2: np.array(50, np.int64), 3: np.array(0.5, np.float32),
                                           4: np.array(0.7, np.float32)}),
    "RoiAlign": case("RoiAlign", [(F, (1, 256, 50, 50)), (F, (100, 4)), (I64, (100,))], output_height=7,
                     output_width=7, sampling_ratio=2, spatial_scale=0.0625),
    "GridSample": case("GridSample", [(F, (1, 32, 64, 64)), (F, (1, 64, 64, 2))], mode="linear"),
    "MatMul i32": case("MatMul", [(I32, (64, 256)), (I32, (256, 128))], I32),
    "MatMul f16": case("MatMul", [(H, (64, 256)), (H, (256, 256))], H),
}
NUMPY = {F: np.float32, I64: np.int64, U8: np.uint8, B: bool, H: np.float16, I32: np.int32}


def values(rng, dtype, shape, name, index):
    if dtype == I64:
        low, high = {"Gather rows": (0, 30000), "GatherElements": (0, 512), "ScatterND": (0, 1024),
                     "OneHot": (0, 1000), "RoiAlign": (0, 1)}.get(name, (-99, 99))
        return rng.integers(low, high, shape).astype(np.int64)
    if dtype == B:
        return rng.random(shape) > 0.5
    x = rng.random(shape)
    if name == "RoiAlign" and index == 1:
        x = np.sort(rng.random((*shape[:-1], 2, 2)), axis=-2).reshape(shape) * 780
    elif name == "NonMaxSuppression" and index == 0:
        corner = rng.random((*shape[:-1], 2))
        x = np.concatenate([corner, corner + 0.1], axis=-1)
    elif dtype == I32:
        x = x * 100
    return x.astype(NUMPY[dtype])


def model(name, spec, path):
    rng = np.random.default_rng(1)
    names, inputs, initializers, feeds = [], [], [], {}
    for i, port in enumerate(spec["inputs"]):
        if port is None:
            names.append("")
            continue
        dtype, shape = port
        names.append(f"x{i}")
        if i in spec["consts"]:
            const = spec["consts"][i]
            const = (rng.random(const) - 0.5).astype(np.float32) / 8 if isinstance(const, tuple) else const
            initializers.append(onnx.numpy_helper.from_array(const, f"x{i}"))
        else:
            inputs.append(helper.make_tensor_value_info(f"x{i}", dtype, shape))
            feeds[f"x{i}"] = values(rng, dtype, shape, name, i)
    outs = [f"y{i}" for i in range(spec["outputs"])]
    types = [spec["out"]] + [I64] * (spec["outputs"] - 1)
    node = helper.make_node(spec["op"], names, outs, **spec["attributes"])
    graph = helper.make_graph([node], "g", inputs, [helper.make_tensor_value_info(o, t, None) for o, t in zip(outs, types)],
                              initializers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", spec["opset"])], ir_version=10), path)
    return feeds


def time_peer(session, feeds, seconds):
    best, end = math.inf, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        session.run(None, feeds)
        best = min(best, time.perf_counter() - start)
    return best * 1e3


def time_ours(binary, path, feeds, folder, seconds):
    command = [binary, "bench", path, "--threads", "1", "--time", str(seconds), "--json"]
    for name, array in feeds.items():
        np.save(folder / f"{name}.npy", array)
        command += ["--input", f"{name}={folder / name}.npy"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise RuntimeError(run.stderr.strip().split("\n")[-1])
    return json.loads(run.stdout)["latency_ms"]["min"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--athanor", default="build/release/bin/athanor")
    parser.add_argument("--only", default="")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--time", type=float, default=0.2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = []
    if not options.json:
        print(f"{'node':28} {'onnxruntime us':>15} {'athanor us':>12} {'ratio':>7}")
    for name, spec in CASES.items():
        if options.only.lower() not in name.lower():
            continue
        with tempfile.TemporaryDirectory() as place:
            folder = pathlib.Path(place)
            path = folder / "m.onnx"
            feeds = model(name, spec, path)
            try:
                settings = onnxruntime.SessionOptions()
                settings.intra_op_num_threads = settings.inter_op_num_threads = 1
                settings.log_severity_level = 4
                session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
                session.run(None, feeds)
            except Exception as problem:  # what the peer cannot run has no ratio
                session = None
                print(f"{name:28} onnxruntime: {str(problem)[:80]}")
            peer = ours = math.inf
            try:
                for _ in range(options.rounds):
                    if session is not None:
                        peer = min(peer, time_peer(session, feeds, options.time))
                    ours = min(ours, time_ours(options.athanor, path, feeds, folder, options.time))
            except RuntimeError as problem:
                print(f"{name:28} athanor: {problem}")
                continue
        results.append({"node": name, "onnxruntime_us": peer * 1e3, "athanor_us": ours * 1e3, "ratio": peer / ours})
        if not options.json:
            print(f"{name:28} {peer * 1e3:15.1f} {ours * 1e3:12.1f} {peer / ours:7.2f}", flush=True)
    ratios = [r["ratio"] for r in results if math.isfinite(r["ratio"])]
    if options.json:
        print(json.dumps(results))
    elif ratios:
        print(f"geometric mean {math.exp(sum(map(math.log, ratios)) / len(ratios)):.2f} over {len(ratios)} nodes")


if __name__ == "__main__":
    main()
