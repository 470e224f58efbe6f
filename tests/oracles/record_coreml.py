# SPDX-License-Identifier: Apache-2.0
"""Records models of Core ML and what they have to answer, as coreml.tar.xz.

A case is NAME.mlmodel, and NAME.npz with inputs ("in|NAME") and answers ("out|NAME"). Core ML runs on the systems of its maker
only: models are made with coremltools (its builder of networks, its converter from torch), answers are those of torch and NumPy
for the same layers and weights. Quantised weights are widened by coremltools before they go into torch.

    pip install coremltools==8.3.0 "numpy<2" torch==1.13.1 && python tests/oracles/record_coreml.py [NAME]
"""

import io
import sys
import tarfile
from pathlib import Path

import coremltools as ct
import numpy as np
import torch
from coremltools.models import datatypes
from coremltools.models.neural_network import NeuralNetworkBuilder, quantization_utils
from coremltools.proto import FeatureTypes_pb2

ORACLES = Path(__file__).resolve().parent
ARCHIVE = ORACLES / "coreml.tar.xz"

sys.path.insert(0, str(ORACLES.parent))
from models_test import random_tensor  # noqa: E402

import coreml_cases  # noqa: E402


def make_input(name, spec):
    if spec[0] == "whole":
        _, shape, low, high = spec
        return random_tensor(name, np.int32, shape, low, high).astype(np.float32)
    shape, low, high = spec if isinstance(spec[0], tuple) else (spec, -2, 2)
    return random_tensor(name, np.float32, shape, low, high)


def arrays_of(answers):
    if not isinstance(answers, (list, tuple)):
        return {"y": np.asarray(answers, np.float32)}
    return {f"y{i}": np.asarray(answer, np.float32) for i, answer in enumerate(answers)}


def packed(inputs, outputs):
    file = io.BytesIO()
    np.savez_compressed(file, **{f"in|{name}": array for name, array in inputs.items()}, **{f"out|{name}": array for name, array in outputs.items()})
    return file.getvalue()


def built(inputs, outputs, build, is_old):
    """`inputs`, `outputs`: shapes by name, as the file has them."""
    features = [[(name, datatypes.Array(*shape)) for name, shape in shapes.items()] for shapes in (inputs, outputs)]
    builder = NeuralNetworkBuilder(*features, disable_rank5_shape_mapping=not is_old, use_float_arraytype=not is_old)
    build(builder)
    return builder.spec.SerializeToString()


def plain_case(name, specs, build, want):
    inputs = {"x" if i == 0 else f"x{i}": make_input(f"{name}/{i}", spec) for i, spec in enumerate(specs)}
    with torch.no_grad():
        outputs = arrays_of(want(*inputs.values()))
    shapes = ({key: array.shape for key, array in arrays.items()} for arrays in (inputs, outputs))
    return built(*shapes, build, False), packed(inputs, outputs)


def old_case(name, specs, front, build, want):
    inputs = {"x" if i == 0 else f"x{i}": make_input(f"{name}/{i}", (front, *shape)) for i, shape in enumerate(specs)}
    with torch.no_grad():
        outputs = arrays_of(want(*inputs.values()))
    shapes = ({key: array.shape[1:] for key, array in arrays.items()} for arrays in (inputs, outputs))
    return built(*shapes, build, True), packed(inputs, outputs)


# ---- networks


def settle(module):
    """Weights that keep activations in sight of 1, statistics that are not 0 and 1."""
    for key, value in module.state_dict().items():
        if key.endswith("running_var"):
            value.copy_(torch.rand_like(value) + 0.5)
        elif key.endswith("running_mean"):
            value.copy_(torch.rand_like(value) - 0.5)
    return module.eval()


def narrowed(model, mode):
    """Fewer bits for weights, and the same weights wide again."""
    if mode == "half":
        spec = quantization_utils.quantize_weights(model, nbits=16).get_spec()
        return spec, lambda params, shape: np.frombuffer(params.float16Value, np.float16).astype(np.float32).reshape(shape)
    kind, bits = mode
    done = quantization_utils.quantize_weights(model, nbits=bits, quantization_mode=kind)
    spec = done if not hasattr(done, "get_spec") else done.get_spec()

    def wide(params, shape, axis=0):
        copy = type(params)()
        copy.CopyFrom(params)
        quantization_utils._dequantize_wp(copy, shape, axis)
        return np.array(copy.floatValue, np.float32).reshape(shape)

    return spec, wide


def take_weights(module, spec, wide):
    """The narrowed weights of the file into torch, layer by layer."""
    layers = [layer for layer in spec.neuralNetwork.layers if layer.WhichOneof("layer") in ("convolution", "innerProduct")]
    modules = [part for part in module.modules() if isinstance(part, (torch.nn.Conv2d, torch.nn.ConvTranspose2d, torch.nn.Linear))]
    assert len(layers) == len(modules)
    for layer, part in zip(layers, modules):
        params = getattr(layer, layer.WhichOneof("layer")).weights
        shape, more = tuple(part.weight.shape), {"axis": 1} if isinstance(part, torch.nn.ConvTranspose2d) and params.rawValue else {}
        part.weight.copy_(torch.from_numpy(wide(params, shape, **more)))
        bias = getattr(layer, layer.WhichOneof("layer")).bias
        if bias.float16Value:
            part.bias.copy_(torch.from_numpy(np.frombuffer(bias.float16Value, np.float16).astype(np.float32)))
        elif bias.rawValue:
            part.bias.copy_(torch.from_numpy(wide(bias, (part.bias.numel(),))))


def network_case(name, module, shape, more):
    torch.manual_seed(sum(name.encode()))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.from_numpy(random_tensor(f"{name}/{parameter.shape}", np.float32, tuple(parameter.shape), -0.3, 0.3)))
        settle(module)
        if "whole" in more:
            given = random_tensor(name, np.int32, shape, 0, more["whole"])
            described, example = ct.TensorType(name="x", shape=shape, dtype=np.int32), torch.from_numpy(given)
        elif "image" in more:
            given = random_tensor(name, np.int32, shape, 0, 256).astype(np.float32)
            bias = [-0.5, -0.4, -0.6]
            described = ct.ImageType(name="x", shape=shape, scale=1 / 127.5, bias=bias, color_layout=more["image"])
            example = torch.from_numpy(given) / 127.5 + torch.tensor(bias).reshape(3, 1, 1)
        else:
            given = random_tensor(name, np.float32, shape, -2, 2)
            sizes = (1, 3, ct.RangeDim(8, 64), ct.RangeDim(8, 64)) if "open" in more else shape
            described, example = ct.TensorType(name="x", shape=sizes), torch.from_numpy(given)
        told = {"classifier_config": ct.ClassifierConfig(more["labels"])} if "labels" in more else {}
        model = ct.convert(torch.jit.trace(module, example), inputs=[described], convert_to="neuralnetwork", **told)
        spec = model.get_spec()
        if "weights" in more:
            spec, wide = narrowed(model, more["weights"])
            take_weights(module, spec, wide)
        answers = module(example)
    answers = answers if isinstance(answers, tuple) else (answers,)
    names = [output.name for output in spec.description.output]
    if "labels" in more:
        best = int(answers[0].argmax())
        outputs = {spec.description.predictedProbabilitiesName: answers[0].numpy(), spec.description.predictedFeatureName: np.array([more["labels"][best]])}
    else:
        outputs = {key: answer.numpy() for key, answer in zip(names, answers)}
    for feature in spec.description.output:
        if feature.type.WhichOneof("Type") == "multiArrayType":
            outputs[feature.name] = outputs[feature.name].astype(element_type(feature))
    return spec.SerializeToString(), packed({"x": given.astype(element_type(spec.description.input[0]))}, outputs)


def element_type(feature):
    whole = feature.type.multiArrayType.dataType == FeatureTypes_pb2.ArrayFeatureType.INT32
    return np.int32 if whole else np.float32


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    files = {}
    if wanted and ARCHIVE.exists():
        with tarfile.open(ARCHIVE) as archive:
            files = {member.name: archive.extractfile(member).read() for member in archive}
    for make, cases in ((plain_case, coreml_cases.plain_cases()), (old_case, coreml_cases.old_cases()), (network_case, coreml_cases.network_cases())):
        for name, case in cases.items():
            if wanted in ("", name):
                try:
                    files[f"{name}.mlmodel"], files[f"{name}.npz"] = make(name, *case)
                except Exception as error:  # noqa: BLE001 - told, so that the others are recorded
                    print(f"NOT RECORDED {name}: {type(error).__name__}: {str(error)[:300]}", flush=True)
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:xz", preset=9) as archive:
        for name, content in sorted(files.items()):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    ARCHIVE.write_bytes(data.getvalue())
    print(f"{ARCHIVE}: {ARCHIVE.stat().st_size} bytes, {len(files) // 2} cases")


if __name__ == "__main__":
    main()
