# SPDX-License-Identifier: Apache-2.0
"""Derivatives of the loss of examples/digits/digits.onnx, by torch's autograd: writes gradients.npz.

Needs torch (2.x, CPU) beside the packages of requirements.txt. One batch, the first 64 pictures of
examples/digits/train.npz divided by 255, BatchNormalization in training mode, mean cross-entropy against wrong labels
(each digit plus one), so that derivatives are large beside the rounding of f32; torch computes in f64. Array NAME
holds every 7th element of the derivative to the constant NAME of the file; loss is a scalar.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
DIGITS = HERE.parent.parent / "examples" / "digits"
BATCH, STRIDE = 64, 7


def attributes(node):
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


def convolve(node, x, w):
    given = attributes(node)
    return F.conv2d(x, w, padding=given["pads"][:2], stride=given["strides"], groups=given.get("group", 1))


def normalise(node, x, scale, bias, mean, variance):
    return F.batch_norm(x, mean.clone(), variance.clone(), scale, bias, training=True, eps=attributes(node).get("epsilon", 1e-5))


OPERATORS = {
    "Conv": convolve,
    "BatchNormalization": normalise,
    "Relu": lambda node, x: F.relu(x),
    "MaxPool": lambda node, x: F.max_pool2d(x, attributes(node)["kernel_shape"], attributes(node)["strides"]),
    "Add": lambda node, a, b: a + b,
    "GlobalAveragePool": lambda node, x: x.mean((2, 3), keepdim=True),
    "Flatten": lambda node, x: x.flatten(1),
    "Gemm": lambda node, x, w, b: F.linear(x, w, b),
}


def main():
    graph = onnx.load(DIGITS / "digits.onnx").graph
    data = np.load(DIGITS / "train.npz")
    weights = {t.name: torch.tensor(numpy_helper.to_array(t).copy(), dtype=torch.float64) for t in graph.initializer}
    statistics = {name for node in graph.node if node.op_type == "BatchNormalization" for name in node.input[3:]}
    for name, tensor in weights.items():
        tensor.requires_grad_(name not in statistics)
    values = dict(weights)
    values[graph.input[0].name] = torch.tensor(data["pixels"][:BATCH, None].astype(np.float64) / 255)
    for node in graph.node:
        values[node.output[0]] = OPERATORS[node.op_type](node, *(values[name] for name in node.input))
    loss = F.cross_entropy(values[graph.output[0].name], torch.tensor((data["labels"][:BATCH].astype(np.int64) + 1) % 10))
    loss.backward()
    arrays = {name: tensor.grad.flatten()[::STRIDE].to(torch.float32).numpy()
              for name, tensor in weights.items() if tensor.grad is not None}
    np.savez_compressed(HERE / "gradients.npz", loss=np.float32(loss.item()), **arrays)
    print(f"torch {torch.__version__}: loss {loss.item():.6f}, {len(arrays)} derivatives")


if __name__ == "__main__":
    main()
