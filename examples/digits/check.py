# SPDX-License-Identifier: Apache-2.0
"""Runs digits.onnx in ONNX Runtime on the held-out pictures: writes golden.npz and digits.json.

Needs the packages of tests/oracles/requirements.txt. Run it after train.sh.
"""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

HERE = Path(__file__).resolve().parent


def flops(session_shapes, model):
    """Two per multiply-add of Conv and Gemm at batch 1; the rest is noise beside them."""
    weights = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    total = 0
    for node in model.graph.node:
        if node.op_type == "Conv":
            out = session_shapes[node.output[0]]
            total += 2 * out[1] * out[2] * out[3] * int(np.prod(weights[node.input[1]][1:]))
        elif node.op_type == "Gemm":
            total += 2 * int(np.prod(weights[node.input[1]]))
    return total


def shapes_at_batch_1(model):
    inferred = onnx.shape_inference.infer_shapes(model)
    shape = lambda value: [d.dim_value or 1 for d in value.type.tensor_type.shape.dim]  # noqa: E731
    return {value.name: shape(value) for value in [*inferred.graph.value_info, *inferred.graph.output]}


def main():
    model = onnx.load(HERE / "digits.onnx")
    onnx.checker.check_model(model, full_check=True)
    held = np.load(HERE / "heldout.npz")
    image = (held["pixels"].astype(np.float32) / np.float32(255.0))[:, None]
    session = onnxruntime.InferenceSession(HERE / "digits.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"image": image})
    np.savez_compressed(HERE / "golden.npz", image=image[:16], logits=logits[:16])
    correct = int((logits.argmax(1) == held["labels"]).sum())
    report = {
        "schema": 2,
        "model": "digits.onnx",
        "metric": "top-1 accuracy",
        "accuracy": round(correct / len(logits), 6),
        "held_out": len(logits),
        "held_out_correct": correct,
        "train": len(np.load(HERE / "train.npz")["labels"]),
        "parameters": int(sum(np.prod(tensor.dims) for tensor in model.graph.initializer)),
        "flops": flops(shapes_at_batch_1(model), model),
        "preprocessing": {"colour": "grey", "size": [32, 32], "mean": 0, "std": 255, "layout": "NCHW"},
        "versions": {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__, "numpy": np.__version__},
    }
    (HERE / "digits.json").write_text(json.dumps(report, indent=2) + "\n")
    print(f"held-out accuracy in ONNX Runtime: {correct} of {len(logits)}")


if __name__ == "__main__":
    main()
