# SPDX-License-Identifier: Apache-2.0
"""Records what networks with states give frame by frame: tflite/streams.json, tflite/streams.npz and the small networks
tflite/made_*.tflite, which this script makes.

    python tests/oracles/record_tflite_streams.py

Peers: tflite-micro 0.dev20261023182759 for the signal library and for SVDF whose state has 8 bits (LiteRT's kernel takes it
for 16), else ai-edge-litert 2.3.0, BUILTIN_REF.
"""
import json
import sys
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from flatbuffers import flexbuffers
from tflite_micro.python.tflite_micro import runtime

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from models_test import random_tensor  # noqa: E402
from tflite_test import DATA, ORACLES, make_input  # noqa: E402

MICRO, LITE = "tflite-micro 0.dev20261023182759", "ai-edge-litert 2.3.0, BUILTIN_REF"
TYPES = {"int8": schema.TensorType.INT8, "int16": schema.TensorType.INT16, "int32": schema.TensorType.INT32,
         "float32": schema.TensorType.FLOAT32, "bool": schema.TensorType.BOOL}


class Maker:
    """A network of one operator."""

    def __init__(self):
        self.graph, self.buffers = schema.SubGraphT(), [schema.BufferT()]
        self.graph.tensors, self.graph.name = [], "main"

    def tensor(self, name, shape, dtype, scale=None, zero=0, values=None, variable=False):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.isVariable = name, list(shape), TYPES[dtype], variable
        tensor.buffer = 0
        if values is not None:
            tensor.buffer = len(self.buffers)
            self.buffers.append(schema.BufferT())
            self.buffers[-1].data = list(np.ascontiguousarray(values, dtype=dtype).tobytes())
        if scale is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [zero]
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def write(self, name, code, inputs, outputs, options=(0, None), custom=None, shown=None):
        """`custom`: name and options of an operator that is none of the builtin ones; `shown`: what the network gives."""
        operator, opcode, model = schema.OperatorT(), schema.OperatorCodeT(), schema.ModelT()
        if custom:
            opcode.customCode, operator.customOptions = custom[0], list(flexbuffers.Dumps(custom[1]))
        operator.inputs, operator.outputs = inputs, outputs
        operator.builtinOptionsType, operator.builtinOptions = options
        opcode.builtinCode = code
        opcode.deprecatedBuiltinCode = min(code, 127)
        opcode.version = 3
        self.graph.operators, self.graph.inputs, self.graph.outputs = [operator], inputs[:1], shown or outputs
        model.version, model.subgraphs, model.operatorCodes, model.buffers = 3, [self.graph], [opcode], self.buffers
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        (ORACLES / name).write_bytes(bytes(builder.Output()))
        return name


def svdf(state):
    """3 units of 2 filters that remember 4 steps, 2 rows. A state of int8 has a zero point; of float32, no scale at all."""
    rank, filters, memory, depth = 2, 6, 4, 5
    made, options = Maker(), schema.SVDFOptionsT()
    options.rank, options.fusedActivationFunction = rank, schema.ActivationFunctionType.RELU
    if state == "float32":
        scales = dict.fromkeys(("x", "feature", "time", "bias", "state", "y"))
        kind = dict.fromkeys(scales, "float32")
    else:
        scales = {"x": 0.031, "feature": 0.0123, "time": 0.0071, "state": 0.043 if state == "int8" else 0.00037, "y": 0.0117}
        scales["bias"] = scales["state"] * scales["time"]
        kind = {"x": "int8", "feature": "int8", "time": state, "bias": "int32", "state": state, "y": "int8"}
    zero = {"x": -11, "state": 23 if state == "int8" else 0, "y": -128}

    def weights(name, shape):
        limit = {"int8": 120, "int16": 900, "int32": 900, "float32": 1.0}[kind[name]]
        return random_tensor(f"svdf {name}", kind[name], shape, -limit, limit)
    shapes = {"feature": (filters, depth), "time": (filters, memory), "bias": (filters // rank,)}
    x = made.tensor("x", (2, depth), kind["x"], scales["x"], zero["x"])
    constants = [made.tensor(name, shape, kind[name], scales[name], values=weights(name, shape)) for name, shape in shapes.items()]
    held = made.tensor("held", (2, filters * memory), state, scales["state"], zero["state"], variable=True)
    y = made.tensor("y", (2, filters // rank), kind["y"], scales["y"], zero["y"])
    return made.write(f"made_svdf_{state}.tflite", schema.BuiltinOperator.SVDF, [x, *constants, held], [y],
                      (schema.BuiltinOptions.SVDFOptions, options))


def curve(name, code, scale, out_scale, out_zero, out_type="int8", in_type="int8", zero=5, shape=(4, 64), options=(0, None)):
    made = Maker()
    x = made.tensor("x", shape, in_type, scale, zero)
    y = made.tensor("y", shape, out_type, out_scale, out_zero)
    return made.write(f"made_{name}.tflite", code, [x], [y], options)


def signal(name, op, options, x, y, states=(), shows_valid=False):
    """One operator of the signal library. x, y: element type and shape; states: what follows the first output's name, type, shape."""
    made = Maker()
    inputs, outputs = [made.tensor("x", x[1], x[0])], [made.tensor("y", y[1], y[0])]
    if op in ("SignalFramer", "SignalStacker"):
        outputs.append(made.tensor("valid", (), "bool"))
    STATES[name] = [[f"y.{what}", dtype, list(shape), 0] for what, dtype, shape in states]
    return made.write(name, schema.BuiltinOperator.CUSTOM, inputs, outputs, custom=(op, options), shown=outputs[1:] if shows_valid else outputs[:1])


def signals(arrays):
    """Streams of the signal library's operators that keep something. What is not valid is left as it is by the original: 0 here."""
    def record(name, *made, frames, rtol=0.0):
        return stream(arrays, signal(f"made_{name}.tflite", *made), MICRO, frames, True, rtol)

    def record_valid(name, op, options, x, y, states, frames):
        valid = record(f"{name}_valid", op, options, x, y, states, True, frames=frames)
        whole = record(name, op, options, x, y, states, frames=frames)
        mask = arrays[valid["key"]].reshape((-1,) + (1,) * len(y[1]))
        arrays[whole["key"]] = np.where(mask, arrays[whole["key"]], 0).astype(np.int16)
        return [valid, whole]

    def noise(count, shape, dtype="int16", low=-30000, high=30000):
        return random_frames(count, dtype, shape, low, high)

    yield record("delay", "SignalDelay", {"delay_length": 7}, ("int16", (2, 4)), ("int16", (2, 4)), [("state", "int16", (2, 7))], frames=noise(5, (2, 4)))
    prefilled = {"frame_size": 5, "frame_step": 3, "prefill": True}
    yield record("framer", "SignalFramer", prefilled, ("int16", (2, 6)), ("int16", (2, 2, 5)), [("state", "int16", (2, 2))], frames=noise(4, (2, 6)))
    waiting = {"frame_size": 8, "frame_step": 3, "prefill": False}
    states = [("state", "int16", (2, 6)), ("steps", "int32", ())]
    yield from record_valid("framer_late", "SignalFramer", waiting, ("int16", (2, 3)), ("int16", (2, 1, 8)), states, noise(6, (2, 3)))
    stacked = {"num_channels": 3, "stacker_left_context": 2, "stacker_right_context": 1, "stacker_step": 3}
    states = [("state", "int16", (3, 3)), ("frames", "int32", ())]
    yield from record_valid("stacker", "SignalStacker", stacked, ("int16", (3,)), ("int16", (12,)), states, noise(9, (3,)))
    for kind, code in (("int16", TYPES["int16"]), ("float32", TYPES["float32"])):
        frames = noise(4, (2, 3, 5)) if kind == "int16" else noise(4, (2, 3, 5), "float32", -1.0, 1.0)
        yield record(f"overlap_add_{kind}", "SignalOverlapAdd", {"T": code, "frame_step": 2}, (kind, (2, 3, 5)), (kind, (2, 6)),
                     [("state", kind, (2, 5))], frames=frames, rtol=0.0 if kind == "int16" else 1e-6)
    for kind, low, high in (("int16", -32768, 32768), ("int32", -2**31, 2**31), ("float32", -1.0, 1.0)):
        for points in (32, 64):
            yield record(f"irfft_{kind}_{points}", "SignalIrfft", {"T": TYPES[kind], "fft_length": points}, (kind, (2, points + 2)), (kind, (2, points)),
                         frames=noise(2, (2, points + 2), kind, low, high), rtol=0.0 if kind != "float32" else 1e-6)


def softmax_options():
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    return schema.BuiltinOptions.SoftmaxOptions, options


STATES = {}  # of networks whose file says nothing of them


def states_of(path):
    """Name, element type, shape and zero point of each state as athanor calls it."""
    if path.name in STATES:
        return STATES[path.name]
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(path.read_bytes(), 0))
    graph, names = model.subgraphs[0], {number: name for name, number in TYPES.items()}
    found = []
    for index, tensor in enumerate(graph.tensors):
        if tensor.isVariable:
            scaled = tensor.quantization is not None and tensor.quantization.zeroPoint is not None
            name = tensor.name.decode() if tensor.name else f"state_{index}"
            found.append([name, names[tensor.type], [int(n) for n in tensor.shape], int(tensor.quantization.zeroPoint[0]) if scaled else 0])
    for operator in graph.operators:
        if model.operatorCodes[operator.opcodeIndex].customCode == b"SignalFilterBankSpectralSubtraction":
            noise = graph.tensors[operator.outputs[1]]
            found.append([graph.tensors[operator.outputs[0]].name.decode() + ".state", "uint32", [int(n) for n in noise.shape], 0])
    return found


def run_lite(path, frames):
    peer = Interpreter(model_path=str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    peer.allocate_tensors()
    peer.reset_all_variables()
    for frame in frames:
        peer.set_tensor(peer.get_input_details()[0]["index"], make_input(frame))
        peer.invoke()
        yield peer.get_tensor(peer.get_output_details()[0]["index"])


def run_micro(path, frames):
    peer = runtime.Interpreter.from_file(str(path))
    for frame in frames:
        peer.set_input(make_input(frame), 0)
        peer.invoke()
        yield peer.get_output(0)


def stream(arrays, model, peer, frames, made=False, rtol=0.0):
    path = (ORACLES if made else DATA) / model
    answers = list((run_micro if peer == MICRO else run_lite)(path, frames))
    key = Path(model).stem
    arrays[key] = np.stack(answers)
    return {"model": model, "made": made, "peer": peer, "states": states_of(path), "frames": frames, "key": key, "rtol": rtol}


def random_frames(count, dtype, shape, low, high):
    return [{"rule": "random", "seed": f"frame {i}", "dtype": dtype, "shape": list(shape), "low": low, "high": high} for i in range(count)]


def main():
    arrays, streams = {}, []
    for model in ("tflm/audio_preprocessor_float.tflite", "tflm/audio_preprocessor_int8.tflite"):
        spoken = [{"rule": "wav", "file": "tflm/yes_1000ms.wav", "dtype": "int16", "shape": [1, 480], "first": 320 * i} for i in range(14, 20)]
        frames = spoken + random_frames(2, "int16", (1, 480), -32768, 32768) + random_frames(1, "int16", (1, 480), 0, 1)
        streams.append(stream(arrays, model, MICRO, frames))
    streams.append(stream(arrays, "tflm/dtln_noise_suppression.tflite", LITE, random_frames(5, "int8", (1, 1, 257), -128, 128)))
    streams.append(stream(arrays, "tflm/keyword_scrambled_8bit.tflite", MICRO, random_frames(3, "int16", (1, 96), -8000, 8000)))
    for state, peer in (("int8", MICRO), ("int16", LITE), ("float32", LITE)):
        low, high = (-1.0, 1.0) if state == "float32" else (-128, 128)
        frames = random_frames(7, "float32" if state == "float32" else "int8", (2, 5), low, high)
        streams.append(stream(arrays, svdf(state), peer, frames, True, 1e-5 if state == "float32" else 0.0))
    every = [{"rule": "range", "dtype": "int8", "shape": [4, 64], "first": -128}]
    code = schema.BuiltinOperator
    for name in (curve("logistic", code.LOGISTIC, 0.047, 1 / 256, -128), curve("logistic_wide", code.LOGISTIC, 0.31, 1 / 256, -128),
                 curve("tanh", code.TANH, 0.023, 1 / 128, 0), curve("tanh_wide", code.TANH, 0.4, 1 / 128, 0),
                 curve("softmax_16", code.SOFTMAX, 0.061, 1 / 65536, -32768, "int16", options=softmax_options()),
                 curve("quantize_up", code.QUANTIZE, 0.043, 0.0000317, 0, "int16")):
        streams.append(stream(arrays, name, LITE, every, True))
    wide = random_frames(1, "int16", (4, 64), -32768, 32768)
    for name in (curve("quantize_down", code.QUANTIZE, 0.000625, 0.0592, -128, "int8", "int16", 0),
                 curve("quantize_32", code.QUANTIZE, 1.5259022e-05, 3.051851e-05, 0, "int32", "int16", -32768)):
        streams.append(stream(arrays, name, MICRO, wide, True))
    streams += signals(arrays)
    np.savez_compressed(ORACLES / "streams.npz", **arrays)
    (ORACLES / "streams.json").write_text(json.dumps(streams, indent=1) + "\n")
    print(f"{len(streams)} streams")


if __name__ == "__main__":
    main()
