# SPDX-License-Identifier: Apache-2.0
"""Athanor: takes a trained model and runs it.

    import athanor
    y = athanor.load("digits.onnx")(x)          # x: a NumPy array; y: an array, or a dict of several

Names are those of the C and C++ interfaces. Arrays cross without copies: an input must have the element
type of the model's input (`x.astype(np.float32)`); outputs share the memory of the run. A Model may be
called from any number of threads; the interpreter lock is released while it runs.
"""
import difflib
import json
import pathlib
import tempfile
from dataclasses import dataclass

import numpy as np

from . import _athanor
from .plugins import TensorType, converter, load_plugin, op  # noqa: F401

__version__ = _athanor.version
Error = _athanor.Error

# Element types of arrays that are taken.
_DTYPES = {"float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool",
           "complex64", "complex128"}


@dataclass(frozen=True)
class ValueInfo:
    """An input or output: its name, type as text ("f32[N, 10]") and shape (-1 where not a number)."""
    name: str
    type: str
    dtype: int
    shape: tuple


def _info(fields):
    return ValueInfo(**{**fields, "shape": tuple(fields["shape"])})


@dataclass(frozen=True)
class Difference:
    """How far two results are apart. `passed`: all elements within atol + rtol * |expected|."""
    passed: bool
    max_abs: float
    rel_l2: float
    cosine: float


class Model:
    """A model of any format, ready to run on a device.

    device: "cpu"; "cpu.0" or "cpu.2-5", some of its cores; "reference", slow and right by definition;
    "MULTI:A,B", which spreads requests over devices; "HETERO:A,B", which splits the graph over them.
    streams: requests of `start` that run at once on a device, each with `threads` threads (0: the cores shared out).
    cache: a folder where what making the model ready gives is kept for the next process, which maps it (docs/adr/0040).
    precision: of large products on cpu: "f32"; "bf16", whose factors have 8 bits, on processors with avx512_bf16;
    "auto", bf16 where it is faster (docs/adr/0049)."""

    def __init__(self, path, device="cpu", threads=0, streams=1, cache="", precision="f32"):
        self._model = _athanor.Model(str(path), device, threads, streams, str(cache), precision)
        self.inputs = [_info(info) for info in self._model.inputs()]
        self.outputs = [_info(info) for info in self._model.outputs()]

    @property
    def num_nodes(self):
        return self._model.num_nodes()

    @property
    def num_parameters(self):
        """Elements of all floating-point constants."""
        return self._model.num_parameters()

    @property
    def is_batchable(self):
        """True when rows of several requests can be stacked along the first dimension of every input."""
        return self._model.is_batchable()

    def _tidy(self, inputs):
        """The same inputs as the compiled part takes them, or an error that says why that is not possible."""
        names = [info.name for info in self.inputs]
        for name in inputs:
            if name not in names:
                near = difflib.get_close_matches(name, names, 1)
                hint = f' (did you mean "{near[0]}"?)' if near else ""
                raise ValueError(f'there is no input "{name}"{hint}; inputs are {names}')
        missing = [name for name in names if name not in inputs]
        if missing:
            raise ValueError(f"inputs are missing: {missing}")
        arrays = {name: np.require(inputs[name], requirements=["C", "A"]) for name in names}
        for name, array in arrays.items():
            if array.dtype.name not in _DTYPES or not array.dtype.isnative:
                raise TypeError(f'input "{name}" has element type {array.dtype}; one of {sorted(_DTYPES)} is expected')
        return arrays

    def run(self, inputs):
        """inputs: name -> array. Gives name -> array, in the order of `outputs`."""
        outputs = self._model.run(inputs)
        return self._model.run(self._tidy(inputs)) if outputs is None else outputs

    def run_into(self, inputs, outputs):
        """As run, with the outputs written to arrays of the caller.

        outputs: name -> array, for each output, of the element type and shape that it has for these inputs."""
        if self._model.run_into(inputs, outputs):
            return
        if not self._model.run_into(self._tidy(inputs), outputs):
            names = [info.name for info in self.outputs]
            raise ValueError(f"outputs: a dict of writable arrays in C order is expected, one for each of {names}")

    def _inputs(self, arrays, named):
        if len(arrays) == 1 and isinstance(arrays[0], dict):
            named, arrays = {**arrays[0], **named}, ()
        if len(arrays) > len(self.inputs):
            raise ValueError(f"{len(arrays)} inputs are given; the model has {len(self.inputs)}")
        return {**{info.name: array for info, array in zip(self.inputs, arrays)}, **named}

    def __call__(self, *arrays, **named):
        """Arrays by position or by name. Gives the array when there is one output, else a dict."""
        return _sole(self.run(self._inputs(arrays, named)))

    def start(self, *arrays, deadline=0, **named):
        """As a call, beside the caller. deadline: seconds from now after which it ends with ATH-4002; 0: none.

        The arrays must not be written to until the request is over."""
        inputs, microseconds = self._inputs(arrays, named), round(deadline * 1e6)
        request = self._model.start(inputs, microseconds)
        return Request(self._model.start(self._tidy(inputs), microseconds) if request is None else request)

    def score(self, rows, keep=(), drop=()):
        """A table through a model whose inputs are columns, found by name, or one matrix: an Answers, read batch by batch.

        rows: anything that gives an Arrow stream (a table or reader of pyarrow, a DataFrame of pandas or polars, a DuckDB
        result), or a pyarrow dataset. keep: columns that stand before the answers; drop: those that are no features of a model
        of one matrix. Missing values are null on both sides."""
        if not hasattr(rows, "__arrow_c_stream__") and hasattr(rows, "scanner"):  # a dataset
            rows = rows.scanner().to_reader()
        if not hasattr(rows, "__arrow_c_stream__"):
            raise TypeError(f"a table with __arrow_c_stream__ is expected (pyarrow, polars, pandas), not {type(rows).__name__}")
        return Answers(self._model.score(rows.__arrow_c_stream__(), list(keep), list(drop)))

    def save(self, path):
        """Writes the format that the extension names (.onnx, .ath)."""
        self._model.save(str(path))


def _sole(outputs):
    return next(iter(outputs.values())) if len(outputs) == 1 else outputs


class Answers:
    """A stream of record batches, to be read once: `pyarrow.table(answers)`, `pyarrow.RecordBatchReader.from_stream(answers)`,
    `polars.DataFrame(answers)`. A batch is scored when it is asked for."""

    def __init__(self, capsule):
        self._capsule = capsule

    def __arrow_c_stream__(self, requested_schema=None):  # pylint: disable=unused-argument
        if self._capsule is None:
            raise ValueError("the answers were read already")
        capsule, self._capsule = self._capsule, None
        return capsule


class Request:
    """A run beside its caller, made by Model.start. Forgetting it cancels it."""

    def __init__(self, request):
        self._request = request

    def result(self):
        """Waits. What the call would have given; Error when it failed, was cancelled or too late."""
        return _sole(self._request.result())

    def wait(self, seconds):
        """Waits at most so long; whether it is over."""
        return self._request.wait(round(seconds * 1e6))

    def cancel(self):
        """Ends it with ATH-4003: at once while it waits, before its next node when it runs."""
        self._request.cancel()


class Package:
    """A package (.athpkg) ready to run: pictures in, classes or boxes out."""

    def __init__(self, path, key="", passphrase="", trust="", device="cpu", threads=0, precision="f32"):
        self._package = _athanor.Package(str(path), str(key), passphrase, str(trust), device, threads, precision)
        self.name = self._package.name()
        self.signer = self._package.signer()
        self.input = _info(self._package.input())
        self.outputs = [_info(info) for info in self._package.outputs()]

    @property
    def is_batchable(self):
        """True when one run of the network may serve several pictures."""
        return self._package.is_batchable()

    def __call__(self, picture):
        """picture: a path, or the bytes of a JPEG, PNG, BMP, WebP or PNM file. Gives a dict with "classes" or "boxes"."""
        return json.loads(self._answers([picture])[0][0])

    def run(self, picture):
        """The answer's tensors: name -> array (labels: a list of texts), in the order of `outputs`."""
        return self.run_all([picture])[0]

    def run_all(self, pictures):
        """As `run`, for several pictures through one run of the network where it is batchable."""
        names = [info.name for info in self.outputs]
        return [dict(zip(names, tensors)) for _, tensors in self._answers(pictures)]

    def _answers(self, pictures):
        return self._package.run_all([p if isinstance(p, bytes) else pathlib.Path(p).read_bytes() for p in pictures])


def is_package(path):
    """True when the file is a package."""
    return _athanor.is_package(str(path))


def open_package(path, key="", passphrase="", trust="", device="cpu", threads=0, precision="f32"):
    """Checks every byte of a package and makes it ready. key: a recipient's .key file; trust: a signer's .pub file."""
    return Package(path, key, passphrase, trust, device, threads, precision)


def score(model, rows, keep=(), drop=(), **options):
    """A table through a model (a Model or a path; options as of `load`): see Model.score."""
    model = model if isinstance(model, Model) else load(model, **options)
    return model.score(rows, keep, drop)


def load(path, device="cpu", threads=0, streams=1, cache="", precision="f32"):
    """Reads a model file of any known format, or "zoo:NAME"."""
    return Model(path, device, threads, streams, cache, precision)


class Stages:
    """A model that `athanor convert --partition` split: what is read here, and files for another engine between."""

    def __init__(self, path, other=None, device="cpu", threads=0):
        path = pathlib.Path(path)
        listing = json.loads(path.read_text())
        self.inputs, self.outputs = listing["inputs"], listing["outputs"]
        self._stages = []
        for stage in listing["stages"]:
            file = path.parent / stage["file"]
            run = Model(file, device, threads).run if stage["run_by"] == "athanor" else (other or onnxruntime_stage)(str(file))
            self._stages.append((stage["inputs"], stage["outputs"], run))

    def run(self, inputs):
        """inputs: name -> array. Gives name -> array, in the order of `outputs`."""
        values = dict(inputs)
        for reads, writes, run in self._stages:
            results = run({name: values[name] for name in reads})
            values.update(results if isinstance(results, dict) else zip(writes, results))
        return {name: values[name] for name in self.outputs}

    def __call__(self, *arrays, **named):
        """Arrays by position or by name. Gives the array when there is one output, else a dict."""
        if len(arrays) > len(self.inputs):
            raise ValueError(f"{len(arrays)} inputs are given; the model has {len(self.inputs)}")
        return _sole(self.run({**dict(zip(self.inputs, arrays)), **named}))


def onnxruntime_stage(path):
    """A stage that ONNX Runtime runs: from the file to a function from name -> array to name -> array."""
    import onnxruntime  # pylint: disable=import-outside-toplevel
    session = onnxruntime.InferenceSession(path)
    return lambda inputs: dict(zip([o.name for o in session.get_outputs()], session.run(None, inputs)))


def open_stages(path, other=None, device="cpu", threads=0):
    """The stages that MODEL.stages.json lists, as one model. other: from the path of an ONNX file with the nodes that Athanor
    does not read to a function from name -> array to its outputs, a dict or a list; by default ONNX Runtime runs them."""
    return Stages(path, other, device, threads)


def trace(module, example, device="cpu", threads=0, streams=1, dynamic_shapes=None, path=None):
    """Records one run of a PyTorch module with torch.export and loads what was recorded.

    module: a torch.nn.Module, put into eval mode while it is recorded. example: a tensor, or a tuple of the tensors that it is
    called with. dynamic_shapes: as torch.export.export takes them; the other sizes stay those of the example. path: where to
    keep the .pt2 file; by default it is removed once it is loaded. ImportError where torch is not installed."""
    try:
        import torch
    except ImportError as error:
        raise ImportError("athanor.trace records with PyTorch, which is not installed: pip install torch") from error
    inputs = tuple(example) if isinstance(example, (tuple, list)) else (example,)
    was_training = module.training
    module.eval()
    try:
        with torch.no_grad():
            program = torch.export.export(module, inputs, dynamic_shapes=dynamic_shapes)
    finally:
        module.train(was_training)
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(path) if path is not None else pathlib.Path(folder) / "traced.pt2"
        torch.export.save(program, file)
        return Model(file, device, threads, streams)


def inspect(model):
    """Inputs, outputs, nodes and parameters of a Model or a path, as a dict."""
    model = model if isinstance(model, Model) else load(model, device="reference")
    return {"inputs": [vars(info) for info in model.inputs], "outputs": [vars(info) for info in model.outputs],
            "nodes": model.num_nodes, "params": model.num_parameters}


def compare(actual, expected, rtol=1e-4, atol=1e-4):
    """How far `actual` is from `expected`: arrays of one shape. NaN equals NaN."""
    a, b = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    if a.shape != b.shape:
        raise ValueError(f"shapes differ: {a.shape} and {b.shape}")
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    distance = np.where(same, 0.0, np.abs(a - b))
    scale = float(np.linalg.norm(np.where(np.isfinite(b), b, 0)))
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return Difference(passed=bool(np.all(same | (distance <= atol + rtol * np.abs(b)))),
                      max_abs=float(np.max(distance, initial=0.0)),
                      rel_l2=float(np.linalg.norm(distance) / (scale or 1.0)),
                      cosine=float(np.vdot(a, b) / norms) if norms else float(scale == 0))
