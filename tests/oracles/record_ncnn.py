# SPDX-License-Identifier: Apache-2.0
"""Runs networks that `athanor convert zoo:NAME -o NAME.param` wrote in ncnn itself and records its answers.

    python tests/oracles/record_ncnn.py build/release/bin/athanor        # writes ncnn.npz

Arithmetic is that of fp32 (no half precision, no Winograd). The input follows the rule of README.md, for the input's
name. tests/ncnn_test.py converts again, runs the written files with athanor and compares with what stands here.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import ncnn
import numpy as np

from oracle_common import random_tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from ncnn_test import INT8_SHAPE, write_int8_network  # noqa: E402

OUT = Path(__file__).resolve().parent / "ncnn.npz"
NETWORKS = ["mobilenet_v1", "mobilenet_v2", "resnet18", "squeezenet1_1", "shufflenet_v2", "efficientnet_b0", "ds_cnn",
            "googlenet", "mobilenet_v3_small", "regnet_y_400mf", "resnet8", "shufflenet_v1"]


def layers(param):
    return [line.split() for line in param.read_text().split("\n")[2:] if line]


def run(param, blobs, packed=True):
    """blobs: name -> array without a batch. Gives the blobs that no layer reads. Packed 8-bit kernels round otherwise."""
    net = ncnn.Net()
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_packing_layout = packed
    net.opt.use_winograd_convolution = net.opt.use_sgemm_convolution = False
    assert net.load_param(str(param)) == 0 and net.load_model(str(param.with_suffix(".bin"))) == 0
    extractor = net.create_extractor()
    for name, array in blobs.items():
        assert extractor.input(name, ncnn.Mat(array)) == 0
    made, read = [], set()
    for _, _, inputs, outputs, *rest in layers(param):
        read |= set(rest[:int(inputs)])
        made += rest[int(inputs):int(inputs) + int(outputs)]
    outputs = {}
    for name in made:
        if name not in read:
            code, mat = extractor.extract(name)
            assert code == 0, name
            outputs[name] = np.array(mat)
    return outputs


def main():
    athanor = sys.argv[1]
    recorded = {"version": np.array(ncnn.__version__)}
    with tempfile.TemporaryDirectory() as folder:
        array = random_tensor("data", "float32", [1, *INT8_SHAPE], -1.0, 1.0)[0]
        recorded["int8|product"] = run(write_int8_network(folder), {"data": array}, packed=False)["product"].astype(np.float32)
        for network in NETWORKS:
            param = Path(folder, f"{network}.param")
            subprocess.run([athanor, "convert", f"zoo:{network}", "-o", str(param), "--no-check"], check=True)
            _, name, *rest = next(layer for layer in layers(param) if layer[0] == "Input")
            size = {int(k): int(v) for k, v in (word.split("=") for word in rest if "=" in word)}
            shape = [size[2], size[1], size[0]]
            array = random_tensor(name, "float32", [1, *shape], -1.0, 1.0)[0]
            for output, value in run(param, {name: array}).items():
                recorded[f"{network}|{name}|{','.join(map(str, shape))}|{output}"] = value.astype(np.float32)
                print(network, output, value.shape, float(np.abs(value).max()))
    np.savez_compressed(OUT, **recorded)


if __name__ == "__main__":
    main()
