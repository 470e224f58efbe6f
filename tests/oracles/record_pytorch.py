# SPDX-License-Identifier: Apache-2.0
"""Saves modules and narrow networks with PyTorch in every form, with what they give: pytorch.tar.xz.

    python tests/oracles/record_pytorch.py        peer: torch 2.15 (CPU), which the list of requirements leaves out

NAME.pt2 (torch.export), NAME.old.pt2 (its older archive, for a few), NAME.trace.pt (of networks and
functions) and NAME.script.pt (TorchScript); index.json says how inputs are made and which outputs of goldens.npz belong to them. All weights are seeded.
"""
import io
import json
import pickletools
import struct
import sys
import tarfile
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from models_test import random_tensor  # noqa: E402
from pytorch_nets import NETWORKS  # noqa: E402

HERE = Path(__file__).resolve().parent
warnings.filterwarnings("ignore")


class Call(nn.Module):
    """A function of the library as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Two(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.m = module

    def forward(self, x, y):
        return self.m(x, y)


class SelfAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.m = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        return self.m(x, x, x, need_weights=False)[0]


class Slices(nn.Module):
    """Writes into parts of a tensor."""

    def forward(self, x):
        y = x * 2
        y[:, 0] = x[:, 1]
        y[:, 2:3] += 1
        y[:, :, 1] *= -1
        return y


class Grid(nn.Module):
    def __init__(self):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([[[0.9, 0.1, 0.0], [-0.1, 0.8, 0.1]]]))

    def forward(self, x):
        grid = F.affine_grid(self.theta.expand(x.size(0), -1, -1), x.shape, align_corners=False)
        return F.grid_sample(x, grid, align_corners=False)


V, S, I1, I3 = (2, 6), (2, 6, 5), (2, 4, 9), (1, 2, 5, 6, 7)
I = (2, 4, 9, 8)
# name: (module, shapes of the inputs)
MODULES = {
    "AdaptiveAvgPool1d": (nn.AdaptiveAvgPool1d(4), [I1]),
    "AdaptiveAvgPool2d": (nn.AdaptiveAvgPool2d((5, 4)), [I]),
    "AdaptiveMaxPool2d": (nn.AdaptiveMaxPool2d((3, 5)), [I]),
    "AvgPool1d": (nn.AvgPool1d(3, 2, 1), [I1]),
    "AvgPool2d": (nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), [I]),
    "AvgPool3d": (nn.AvgPool3d(2), [I3]),
    "BatchNorm1d": (nn.BatchNorm1d(6), [V]),
    "BatchNorm2d": (nn.BatchNorm2d(4, affine=False), [I]),
    "BatchNorm3d": (nn.BatchNorm3d(2), [I3]),
    "Bilinear": (Two(nn.Bilinear(6, 5, 3)), [(2, 6), (2, 5)]),
    "CELU": (nn.CELU(0.7), [V]),
    "ChannelShuffle": (nn.ChannelShuffle(2), [I]),
    "ConstantPad2d": (nn.ConstantPad2d((1, 2, 0, 3), 0.5), [I]),
    "CircularPad2d": (nn.CircularPad2d(2), [I]),
    "Conv1d": (nn.Conv1d(4, 3, 3, 2, 1, dilation=2), [I1]),
    "Conv2d": (nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 0), groups=2), [I]),
    "Conv2dSame": (nn.Conv2d(4, 3, (3, 4), padding="same", padding_mode="zeros"), [I]),
    "Conv2dReflect": (nn.Conv2d(4, 3, 3, padding=1, padding_mode="reflect"), [I]),
    "Conv3d": (nn.Conv3d(2, 3, (1, 2, 3)), [I3]),
    "ConvTranspose1d": (nn.ConvTranspose1d(4, 3, 3, 2, 1, 1), [I1]),
    "ConvTranspose2d": (nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, groups=2), [I]),
    "ConvTranspose3d": (nn.ConvTranspose3d(2, 2, 2, 2), [I3]),
    "CosineSimilarity": (Two(nn.CosineSimilarity()), [V, V]),
    "Dropout": (nn.Dropout(0.3), [V]),
    "ELU": (nn.ELU(0.8), [V]),
    "Embedding": (nn.Embedding(20, 5), [("ids", (2, 3), 20)]),
    "EmbeddingBag": (nn.EmbeddingBag(20, 5, mode="mean"), [("ids", (2, 3), 20)]),
    "Flatten": (nn.Flatten(1, 2), [I]),
    "Fold": (nn.Fold((6, 5), (2, 3), padding=1, stride=(2, 1)), [(2, 12, 20)]),
    "GELU": (nn.GELU(), [V]),
    "GELUTanh": (nn.GELU("tanh"), [V]),
    "GLU": (nn.GLU(), [V]),
    "GroupNorm": (nn.GroupNorm(2, 4), [I]),
    "GRU": (nn.GRU(5, 4, 2, batch_first=True), [S]),
    "GRUCell": (Two(nn.GRUCell(6, 5)), [V, (2, 5)]),
    "Hardshrink": (nn.Hardshrink(), [V]),
    "Hardsigmoid": (nn.Hardsigmoid(), [V]),
    "Hardswish": (nn.Hardswish(), [V]),
    "Hardtanh": (nn.Hardtanh(-0.5, 0.7), [V]),
    "InstanceNorm2d": (nn.InstanceNorm2d(4, affine=True), [I]),
    "LayerNorm": (nn.LayerNorm((6, 5)), [S]),
    "LeakyReLU": (nn.LeakyReLU(0.2), [V]),
    "Linear": (nn.Linear(5, 7), [S]),
    "LocalResponseNorm": (nn.LocalResponseNorm(3), [I]),
    "LogSigmoid": (nn.LogSigmoid(), [V]),
    "LogSoftmax": (nn.LogSoftmax(1), [S]),
    "LPPool2d": (nn.LPPool2d(2, 3, 2), [I]),
    "LSTM": (nn.LSTM(5, 4, 2, bidirectional=True), [S]),
    "LSTMCell": (nn.LSTMCell(6, 4), [V]),
    "MaxPool1d": (nn.MaxPool1d(3, 2, 1), [I1]),
    "MaxPool2d": (nn.MaxPool2d(3, 2, 1, dilation=2, ceil_mode=True), [I]),
    "MaxPool3d": (nn.MaxPool3d(2), [I3]),
    "Mish": (nn.Mish(), [V]),
    "MultiheadAttention": (SelfAttention(), [(2, 5, 8)]),
    "PairwiseDistance": (Two(nn.PairwiseDistance(2)), [V, V]),
    "PixelShuffle": (nn.PixelShuffle(2), [I]),
    "PixelUnshuffle": (nn.PixelUnshuffle(2), [(2, 2, 6, 8)]),
    "PReLU": (nn.PReLU(4), [I]),
    "ReflectionPad1d": (nn.ReflectionPad1d((2, 1)), [I1]),
    "ReflectionPad2d": (nn.ReflectionPad2d(2), [I]),
    "ReLU6": (nn.ReLU6(), [V]),
    "ReplicationPad2d": (nn.ReplicationPad2d((1, 2, 3, 0)), [I]),
    "RMSNorm": (nn.RMSNorm(5), [S]),
    "RNN": (nn.RNN(5, 4, nonlinearity="relu", bidirectional=True, batch_first=True), [S]),
    "RReLU": (nn.RReLU(), [V]),
    "SELU": (nn.SELU(), [V]),
    "SiLU": (nn.SiLU(), [V]),
    "Softmax2d": (nn.Softmax2d(), [I]),
    "Softmin": (nn.Softmin(1), [V]),
    "Softplus": (nn.Softplus(2.0), [V]),
    "Softshrink": (nn.Softshrink(0.3), [V]),
    "Softsign": (nn.Softsign(), [V]),
    "Tanhshrink": (nn.Tanhshrink(), [V]),
    "Threshold": (nn.Threshold(0.1, -2.0), [V]),
    "TransformerEncoderLayer": (nn.TransformerEncoderLayer(8, 2, 12, batch_first=True, norm_first=True), [(2, 5, 8)]),
    "Unflatten": (nn.Unflatten(1, (2, 3)), [V]),
    "Unfold": (nn.Unfold((3, 2), dilation=(1, 2), padding=1, stride=2), [I]),
    "Upsample": (nn.Upsample(scale_factor=2.5, mode="nearest"), [I]),
    "UpsampleBilinear": (nn.Upsample(size=(13, 17), mode="bilinear", align_corners=True), [I]),
    "UpsampleBicubic": (nn.Upsample(scale_factor=1.7, mode="bicubic"), [I]),
    "UpsampleTrilinear": (nn.Upsample(size=(6, 7, 9), mode="trilinear"), [I3]),
    "ZeroPad2d": (nn.ZeroPad2d((1, 0, 2, 1)), [I]),
    "grid": (Grid(), [I]),
    "slices": (Slices(), [(2, 4, 5)]),
}
# Functions; traced and exported only, because a module around a Python function cannot be scripted.
FUNCTIONS = {
    "arithmetic": lambda x: (2 - x) / (1.5 + x * x) + torch.pow(x.abs() + 0.1, 0.5) - torch.rsqrt(x * x + 1) + x // 0.3 + x % 0.4,
    "compare": lambda x: torch.where((x > 0.2) & (x <= 0.8) | (x < -0.5), x, torch.zeros_like(x)) + (x != 0).to(x.dtype),
    "create": lambda x: x + torch.arange(5) + torch.ones(2, 6, 1) + torch.full((5,), 0.5) + torch.linspace(0, 1, 5) + torch.eye(6, 5),
    "einsum": lambda x: torch.einsum("bij,bkj->bik", x, x),
    "functions": lambda x: torch.exp(x) + torch.sin(x) * torch.cos(x) + torch.tan(x) + torch.atan(x) + torch.erf(x) + torch.log1p(x.abs()) + torch.expm1(x) + torch.sinh(x) + torch.log2(x.abs() + 1) + torch.atan2(x, x + 0.1),
    "gather": lambda x: torch.gather(x, 2, torch.argsort(x, dim=2)) + x.index_select(1, torch.tensor([0, 2, 1, 1, 0, 5])),
    "index": lambda x: x[:, [0, 2], 1:4][:, :, [1, 2]] + x[[0, 1], [1, 3]].unsqueeze(1)[:, :, :2],
    "moves": lambda x: torch.cat([x.flip(1), x.roll(2, 2), x.transpose(1, 2).reshape(2, 6, 5), x.repeat(1, 2, 1)[:, 3:9], x.movedim(0, 2).permute(2, 0, 1)], 0),
    "norms": lambda x: F.normalize(x, dim=2) + x.norm(dim=1, keepdim=True) + x.std(2, keepdim=True) + x.var(1, unbiased=False, keepdim=True),
    "reduce": lambda x: (x.sum(1), x.mean(), x.amax((1, 2)), x.prod(2), x.argmax(1), x.logsumexp(1), (x > 0).any(1), x.cumsum(2), x.max(1)[0], x.min(2).values),
    "round": lambda x: (x * 3).round() + (x * 3).floor() + (x * 3).ceil() + (x * 3).trunc() + torch.clamp(x, -0.5, 0.5) + torch.clamp(x, min=0.1),
    "scatter": lambda x: torch.zeros(2, 6, 5).scatter(1, torch.argsort(x, 1), x) + torch.tril(x) - torch.triu(x, 1),
    "split": lambda x: torch.stack([torch.cat(x.split([2, 3], 2)[::-1], 2), torch.cat(x.chunk(2, 1)[::-1], 1), torch.stack(x.unbind(1)[::-1], 1)]),
    "topk": lambda x: x.topk(3, dim=1) + x.sort(dim=2, descending=True),
    "types": lambda x: (x * 10).to(torch.int32) * 2 + (x > 0).long() + torch.floor_divide((x * 10).int(), 3),
}
PACKED = ["resnet18", "vit", "index"]
OLD = ["Conv2d", "Linear", "BatchNorm2d", "resnet18"]
DYNAMIC = ["Linear", "resnet18", "vit", "unet", "moves_dynamic", "lstm_text"]


def fill(module):
    """Weights and statistics by a seeded generator, so that they do not depend on the library's version."""
    generator = np.random.default_rng(7)
    with torch.no_grad():
        for tensor in [*module.parameters(), *module.buffers()]:
            if tensor.dtype != torch.float32 or tensor.numel() == 0:
                continue
            draw = torch.from_numpy(generator.standard_normal(tuple(tensor.shape)).astype(np.float32))
            fan = max(1, tensor[0].numel()) if tensor.dim() > 1 else 4
            tensor.copy_(draw / fan ** 0.5)
        for part in module.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_var is not None:
                part.running_var.abs_().add_(0.5)


def inputs_of(name, specs):
    made, described = [], []
    for i, spec in enumerate(specs):
        if spec[0] == "ids":
            entry = {"seed": f"{name} {i}", "dtype": "int64", "shape": list(spec[1]), "low": 0, "high": spec[2]}
        else:
            entry = {"seed": f"{name} {i}", "dtype": "float32", "shape": list(spec), "low": -1, "high": 1}
        described.append(entry)
        made.append(torch.from_numpy(random_tensor(entry["seed"], entry["dtype"], entry["shape"], entry["low"], entry["high"])))
    return tuple(made), described


def flat(value):
    if isinstance(value, torch.Tensor):
        return [value.detach().numpy()]
    return [array for item in value for array in flat(item)]


# ---- archives without the paths of the machine that made them


def neutral(text):
    for path in sys.path + [str(HERE.parent.parent)]:
        if len(path) > 1:
            text = text.replace(path + "/", "")
    return text


def neutral_pickle(data):
    out, end = io.BytesIO(), 0
    for opcode, argument, at in pickletools.genops(data):
        if opcode.name == "BINUNICODE" and neutral(argument) != argument:
            out.write(data[end:at])
            text = neutral(argument).encode()
            out.write(b"X" + struct.pack("<I", len(text)) + text)
            end = at + 5 + len(argument.encode())
    out.write(data[end:])
    return out.getvalue()


def neutral_archive(data, packed):
    """The same members, stored at multiples of 64 as PyTorch does. Unless `packed`, code too, because all archives
    together then pack better."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
        for info in source.infolist():
            content = source.read(info)
            if info.filename.endswith(".json"):
                content = neutral(content.decode()).encode()
            elif info.filename.endswith(".debug_pkl"):
                content = neutral_pickle(content)
            entry = zipfile.ZipInfo(info.filename, (1980, 1, 1, 0, 0, 0))
            if packed and info.compress_type != zipfile.ZIP_STORED:
                entry.compress_type = zipfile.ZIP_DEFLATED
            gap = -(out.tell() + 30 + len(info.filename) + 4) % 64
            entry.extra = b"FB" + struct.pack("<H", gap) + b"Z" * gap
            target.writestr(entry, content)
    return out.getvalue()


def saved(write, packed=False):
    with tempfile.NamedTemporaryFile(suffix=".pt") as file:
        write(file.name)
        return neutral_archive(Path(file.name).read_bytes(), packed)


def saved_old(program):
    """The archive of PyTorch before 2.8, whose writer is gone from newer ones."""
    with tempfile.NamedTemporaryFile(suffix=".pt2") as file:
        torch.export.save(program, file.name)
        with zipfile.ZipFile(file.name) as archive:
            root = archive.namelist()[0].split("/")[0]
            model = neutral(archive.read(f"{root}/models/model.json").decode())
    blobs = {}
    for name, tensors in (("state_dict", program.state_dict), ("constants", program.constants)):
        buffer = io.BytesIO()
        torch.save({key: tensor.detach() for key, tensor in tensors.items()}, buffer)
        blobs[name] = buffer.getvalue()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in [("serialized_exported_program.json", model), ("serialized_state_dict.pt", blobs["state_dict"]),
                              ("serialized_constants.pt", blobs["constants"]), ("version", "5.1")]:
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
    return out.getvalue()


def main():
    only = sys.argv[1:]
    torch.manual_seed(0)
    cases = {name: (module, specs, True) for name, (module, specs) in MODULES.items()}
    cases |= {name: (Call(function), [S], False) for name, function in FUNCTIONS.items()}
    cases |= {name: (make(), [spec], True) for name, (make, spec) in NETWORKS.items()}
    index, goldens, files = [], {}, {}
    for name, (module, specs, scriptable) in cases.items():
        if only and name not in only:
            continue
        module.eval()
        fill(module)
        inputs, described = inputs_of(name, specs)
        with torch.no_grad():
            outputs = flat(module(*inputs))
        forms = []

        def keep(form, write):
            try:
                files[f"{name}.{form}"] = write()
                forms.append(form)
            except Exception as error:  # noqa: BLE001
                print(f"{name}.{form}: {str(error).splitlines()[0][:150]}")

        def program(dynamic=None):
            with torch.no_grad():
                return torch.export.export(module, inputs, dynamic_shapes=dynamic)

        keep("pt2", lambda: saved(lambda path: torch.export.save(program(), path)))
        if name in OLD:
            keep("old.pt2", lambda: saved_old(program()))
        if name in DYNAMIC:
            keep("dynamic.pt2", lambda: saved(lambda path: torch.export.save(program(({0: torch.export.Dim("batch", min=2, max=64)},)), path)))
        if name in NETWORKS or not scriptable:
            keep("trace.pt", lambda: saved(lambda path: torch.jit.save(torch.jit.trace(module, inputs, check_trace=False), path), name in PACKED))
        if scriptable:
            types = "\n".join(f"{'i64' if s['dtype'] == 'int64' else 'f32'}{s['shape']}" for s in described)
            keep("script.pt", lambda: saved(lambda path: torch.jit.save(torch.jit.script(module), path, _extra_files={"athanor_inputs.txt": types})))
        index.append({"name": name, "network": name in NETWORKS, "inputs": described, "outputs": len(outputs), "forms": forms})
        for i, array in enumerate(outputs):
            goldens[f"{name}|{i}"] = array
    weights = io.BytesIO()
    torch.save(NETWORKS["resnet18"][0]().state_dict(), weights)
    files["weights.pth"] = weights.getvalue()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **goldens)
    files["goldens.npz"] = buffer.getvalue()
    files["index.json"] = (json.dumps(index, indent=1) + "\n").encode()
    target = HERE / "pytorch.tar.xz" if not only else Path(tempfile.gettempdir()) / "pytorch.tar.xz"
    with tarfile.open(target, "w:xz", preset=9) as archive:
        for name, content in sorted(files.items()):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    print(f"{target}: {len(files) - 2} files, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
