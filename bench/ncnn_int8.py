"""ncnn's form of a network on bytes, from the float one that `athanor convert` writes.

ncnn's own quantiser is no part of its Python package; what it writes is simple: weights as i8 with one scale for each
output channel, one scale for what a layer reads and, where only such layers read its result, one for that (term 100 + n:
the result leaves as bytes). Scales of activations are not calibrated, which changes answers and not times.
"""
import struct

import numpy as np

INT8 = 0x000D4B38  # the tag of weights of one byte
PRODUCTS = {"Convolution": ("6", "5"), "ConvolutionDepthWise": ("6", "5"), "InnerProduct": ("2", "1")}
WITHOUT_WEIGHTS = {"Input", "Pooling", "ReLU", "Eltwise", "BinaryOp", "Softmax", "Flatten", "Reshape", "Split", "Concat", "Clip", "Dropout",
                   "Noop", "Padding", "Permute", "ShuffleChannel", "Slice", "Interp", "Sigmoid", "Swish", "HardSwish", "Squeeze"}
SCALE = 40.0  # of every activation


class Layer:
    def __init__(self, line):
        self.kind, self.name, inputs, outputs, *rest = line.split()
        count = int(inputs) + int(outputs)
        self.inputs, self.outputs = rest[:int(inputs)], rest[int(inputs):count]
        self.parameters = dict(word.split("=", 1) for word in rest[count:])

    def number(self, key):
        return int(self.parameters.get(key, 0))

    def line(self):
        words = [self.kind, self.name, len(self.inputs), len(self.outputs), *self.inputs, *self.outputs]
        return " ".join(map(str, words + [f"{k}={v}" for k, v in self.parameters.items()]))


def only_bytes_read(name, readers):
    """Whether all that reads a value, through Splits too, takes bytes."""
    found = readers.get(name, [])
    return bool(found) and all(layer.kind in PRODUCTS or (layer.kind == "Split" and all(only_bytes_read(o, readers) for o in layer.outputs))
                               for layer in found)


def readers_of(layers):
    readers = {}
    for layer in layers:
        for name in layer.inputs:
            readers.setdefault(name, []).append(layer)
    return readers


def fuse_activations(layers):
    """As ncnnoptimize does it: a product ends with the ReLU or Clip that alone reads it."""
    readers, gone = readers_of(layers), set()
    for layer in layers:
        following = readers.get(layer.outputs[0], [])
        if layer.kind not in PRODUCTS or len(following) != 1 or following[0].kind not in ("ReLU", "Clip"):
            continue
        after = following[0]
        if after.kind == "Clip":
            layer.parameters["9"] = "3"
            layer.parameters["-23310"] = f"2,{after.parameters.get('0', '0')},{after.parameters.get('1', '6')}"
        else:
            layer.parameters["9"] = "1"
        layer.outputs = after.outputs
        gone.add(after.name)
    return [layer for layer in layers if layer.name not in gone]


def quantise(param, out):
    """Reads `param` and the .bin beside it, writes `out` and its .bin; ValueError names a layer that is not known here."""
    head, _, *lines = param.read_text().strip().split("\n")
    layers = fuse_activations([Layer(line) for line in lines])
    readers = readers_of(layers)
    weights, at, made = param.with_suffix(".bin").read_bytes(), 0, b""
    for layer in layers:
        if layer.kind not in PRODUCTS:
            if layer.kind not in WITHOUT_WEIGHTS:
                raise ValueError(f"ncnn's layer {layer.kind}")
            continue
        size, bias = PRODUCTS[layer.kind]
        count, rows = layer.number(size), layer.number("0")
        if struct.unpack_from("<I", weights, at)[0] != 0:
            raise ValueError(f"the weights of {layer.name} are no floats")
        floats = np.frombuffer(weights, np.float32, count, at + 4).reshape(rows, -1)
        at += 4 + 4 * count
        scales = 127 / np.maximum(np.abs(floats).max(1), 1e-6)
        q = np.rint(floats * scales[:, None]).astype(np.int8)
        made += struct.pack("<I", INT8) + q.tobytes() + bytes(-count % 4)
        if layer.number(bias):
            made += weights[at:at + 4 * rows]
            at += 4 * rows
        leaves_bytes = layer.kind != "InnerProduct" and only_bytes_read(layer.outputs[0], readers)
        layer.parameters["8"] = str((100 if leaves_bytes else 0) + 1)
        if layer.kind == "ConvolutionDepthWise":
            scales = scales[::rows // layer.number("7")]
        made += scales.astype(np.float32).tobytes() + struct.pack("<f", SCALE) * (2 if leaves_bytes else 1)
    out.write_text("\n".join([head, f"{len(layers)} {len({o for layer in layers for o in layer.outputs})}"] + [layer.line() for layer in layers]) + "\n")
    out.with_suffix(".bin").write_bytes(made)
