"""The networks: every topology of the zoo, the face detector and MLPerf Tiny of the data set, each in the formats the
engines read. Files are made once, below build/peers; what cannot be made is kept as a reason."""
import dataclasses
import hashlib
import json
import pathlib
import shutil
import subprocess
import tempfile

import numpy as np

import figures

OPSET = 17  # the newest that every peer reads
SEQUENCE = 128
# Inputs that hold numbers of words or classes.
LARGEST_ID = 100


@dataclasses.dataclass
class Network:
    name: str
    folder: pathlib.Path
    files: dict = dataclasses.field(default_factory=dict)
    missing: dict = dataclasses.field(default_factory=dict)  # format -> why there is no file
    inputs: list = dataclasses.field(default_factory=list)  # (name, dtype, shape with symbols)
    outputs: list = dataclasses.field(default_factory=list)
    flops: float = 0.0  # of one item

    @property
    def group(self):
        return figures.group_of(self.name)

    def batches(self):
        """Whether the first dimension of the first input is open and no other input is without it."""
        return all(shape and isinstance(shape[0], str) for _, _, shape in self.inputs) and self.group in figures.CNN_GROUPS

    def shapes(self, batch):
        return {name: [size_of(dim, batch) for dim in shape] for name, _, shape in self.inputs}

    def input_file(self, batch):
        """Seeded inputs of ordinary size (no denormals), as .npz."""
        path = self.folder / f"inputs_{batch}.npz"
        if not path.exists():
            shapes = self.shapes(batch)
            np.savez(path, **{name: values(name, dtype, shapes[name]) for name, dtype, _ in self.inputs})
        return path


def size_of(dim, batch):
    if isinstance(dim, int):
        return dim
    symbol = str(dim).lower()
    return SEQUENCE if symbol.startswith(("seq", "t", "l")) else batch


def values(name, dtype, shape):
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")
    random = np.random.default_rng(seed)
    if dtype.startswith("i"):
        kind = np.int64 if dtype == "i64" else np.int32
        if "mask" in name.lower():
            return np.ones(shape, kind)
        return random.integers(0, 1 if "type" in name.lower() else LARGEST_ID, shape, endpoint=True).astype(kind)
    return random.uniform(-1.0, 1.0, shape).astype(np.float32)


class Maker:
    """Makes files with `athanor` and with the peers' own converters."""

    def __init__(self, athanor, python, folder, data):
        self.athanor, self.python, self.folder, self.data = athanor, python, pathlib.Path(folder).resolve(), data

    def call(self, *arguments):
        run = subprocess.run([self.athanor, *map(str, arguments)], capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise RuntimeError(run.stderr.strip().split("\n")[-1][:300])
        return run.stdout

    def names(self):
        zoo = [entry["name"] for entry in json.loads(self.call("zoo", "--json"))["models"]]
        return zoo + [name for name, path in self.data_models().items() if path.exists()]

    def data_models(self):
        face, tiny = self.data / "models/ultraface/onnx", self.data / "models/mlperf-tiny"
        models = {}
        for name in ("RFB-320", "slim-320"):
            for form in ("published", "stripped"):
                models[f"{name}_{form}"] = face / f"version-{name}.onnx"
        for path in sorted(tiny.glob("*float*.tflite")) + sorted(tiny.glob("*fp32*.tflite")):
            models[f"mlperf_{path.stem}"] = path
        return models

    def make(self, name):
        network = Network(name, self.folder / name)
        network.folder.mkdir(parents=True, exist_ok=True)
        source = self.data_models().get(name, f"zoo:{name}")
        network.files["onnx"] = str(self.onnx(network.folder, source, name))
        if str(source).endswith(".tflite"):
            network.files["tflite"] = str(source)
        about = json.loads(self.call("inspect", network.files["onnx"], "--json"))
        network.inputs = [(v["name"], v["dtype"], v["shape"]) for v in about["inputs"]]
        network.outputs = [v["name"] for v in about["outputs"]]
        symbols = {dim for _, _, shape in network.inputs for dim in shape if isinstance(dim, str)}
        sizes = [part for dim in sorted(symbols) for part in ("--set-dim", f"{dim}={size_of(dim, 1)}")]
        network.flops = json.loads(self.call("inspect", network.files["onnx"], *sizes, "--json"))["flops"]
        self.derive(network, "ath", "model.ath", self.convert)
        self.derive(network, "param", "model.param", self.convert)
        self.derive(network, "mnn", "model.mnn", self.to_mnn)
        return network

    def onnx(self, folder, source, name):
        path = folder / "model.onnx"
        if path.exists():
            return path
        if name.endswith("_published"):
            shutil.copyfile(source, path)
        elif name.endswith("_stripped"):
            strip_initializers(source, path)
        else:
            self.call("convert", source, "-o", path, "--opset", OPSET, "--no-check")
        return path

    def derive(self, network, form, file, make):
        path = network.folder / file
        reason = path.with_suffix(path.suffix + ".refused")
        if not path.exists() and not reason.exists():
            try:
                make(network.files["onnx"], path)
            except RuntimeError as why:
                path.unlink(missing_ok=True)
                reason.write_text(str(why))
        if path.exists():
            network.files[form] = str(path)
        else:
            network.missing[form] = reason.read_text()

    def convert(self, source, path):
        self.call("convert", source, "-o", path, "--no-check")

    def to_mnn(self, source, path):
        try:
            self.mnn_converter(source, path)
        except RuntimeError:  # its default form of LSTM is not always possible
            self.mnn_converter(source, path, "--useOriginRNNImpl")

    def mnn_converter(self, source, path, *flags):
        # The compiled converter itself: its Python wrapper installs a logging package and reports to its vendor.
        code = "import sys, MNN, _tools; _tools.mnnconvert(['MNNConvert', '-f', 'ONNX', '--bizCode', 'bench', *sys.argv[1:]])"
        command = [self.python, "-c", code, "--modelFile", source, "--MNNModel", str(path), *flags]
        with tempfile.TemporaryDirectory() as scratch:  # it leaves files behind where it runs
            run = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
        if run.returncode != 0 or not path.exists():
            raise RuntimeError("MNN's converter: " + (run.stdout + run.stderr).strip().split("\n")[-1][:200])


def strip_initializers(source, path):
    """Without the weights in the list of inputs, so that every engine may treat them as constants."""
    import onnx
    model = onnx.load(source)
    weights = {tensor.name for tensor in model.graph.initializer}
    kept = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    onnx.save(model, path)
