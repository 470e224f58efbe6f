# SPDX-License-Identifier: Apache-2.0
"""Records what MXNet answers for small symbols and whole networks, as mxnet.tar.xz.

A case is NAME-symbol.json, NAME.json (shapes of parameters; shapes, types and limits of inputs) and NAME.npz (answers, in
the order of the outputs). Parameters and inputs are made from their names: the rules are those of tests/mxnet_test.py.
NAME.params of one case is what MXNet itself saved.

    pip install mxnet==1.9.1 "numpy<1.24" && python tests/oracles/record_mxnet.py [NAME]

MXNet computes recurrent layers rightly through oneDNN alone, and some transposed convolutions only without it.
"""

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

WITHOUT_ONEDNN = ("deconvolution",)
if sys.argv[1:] and sys.argv[1] in WITHOUT_ONEDNN:
    os.environ["MXNET_MKLDNN_ENABLED"] = "0"  # read once, when it is loaded
import mxnet as mx  # noqa: E402
import mxnet_cases  # noqa: E402
import numpy as np  # noqa: E402

ORACLES = Path(__file__).resolve().parent
ARCHIVE = ORACLES / "mxnet.tar.xz"

sys.path.insert(0, str(ORACLES.parent))
from mxnet_test import make_input, network_parameter  # noqa: E402


def described(spec):
    shape, dtype, low, high = spec if isinstance(spec[0], tuple) else (spec, "float32", -2, 2)
    return [list(shape), dtype, low, high]


def answers(symbol, arrays, parameters):
    names = set(symbol.list_arguments())
    labels = [name for name in symbol.list_arguments() if name not in arrays and name not in parameters]
    shapes, _, _ = symbol.infer_shape(**{name: array.shape for name, array in arrays.items()})
    filled = {name: mx.nd.zeros(shape) for name, shape in zip(symbol.list_arguments(), shapes) if name in labels}
    values = {name: mx.nd.array(array, dtype=array.dtype) for name, array in {**arrays, **parameters}.items()}
    executor = symbol.bind(mx.cpu(), {**{name: value for name, value in values.items() if name in names}, **filled}, grad_req="null",
                           aux_states={name: values[name] for name in symbol.list_auxiliary_states()})
    return [output.asnumpy() for output in executor.forward(is_train=False)]


def record(folder, name, symbol, inputs):
    arrays = {key: make_input(f"{name}/{key}", spec) for key, spec in inputs.items()}
    arguments, _, states = symbol.infer_shape(**{key: array.shape for key, array in arrays.items()})
    shapes = dict(zip(symbol.list_arguments() + symbol.list_auxiliary_states(), arguments + states))
    shapes = {key: list(shape) for key, shape in shapes.items() if key not in arrays and not key.endswith("_label")}
    parameters = {key: network_parameter(key, shape) for key, shape in shapes.items()}
    try:
        outputs = answers(symbol, arrays, parameters)
    except mx.base.MXNetError as error:
        print(f"NOT RECORDED {name}: {str(error).strip().splitlines()[-1][:300]}", flush=True)
        return
    symbol.save(str(folder / f"{name}-symbol.json"))
    (folder / f"{name}.json").write_text(json.dumps({"parameters": shapes, "inputs": inputs, "outputs": symbol.list_outputs()}))
    np.savez(folder / f"{name}.npz", *outputs)
    if name == "convolution":
        mx.nd.save(str(folder / f"{name}.params"), {f"arg:{key}": mx.nd.array(value) for key, value in parameters.items()})


def symbol_of(function, specs):
    with mx.name.NameManager():
        made = function(*[mx.sym.Variable(f"x{i}", shape=tuple(spec[0])) for i, spec in enumerate(specs)])
        return mx.sym.Group(made) if isinstance(made, list) else made


def symbol_of_gluon(block, folder, shape):
    """As `export` writes it, which takes the symbol of what was run."""
    block.initialize()
    block.hybridize()
    block(mx.nd.zeros(shape))
    block.export(str(folder / "exported"))
    symbol = mx.sym.load(str(folder / "exported-symbol.json"))
    for path in folder.glob("exported*"):
        path.unlink()
    return symbol


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    files = {}
    if wanted and ARCHIVE.exists():
        with tarfile.open(ARCHIVE) as archive:
            files = {member.name: archive.extractfile(member).read() for member in archive}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, (function, specs) in mxnet_cases.operator_cases().items():
            if wanted == name or (not wanted and name not in WITHOUT_ONEDNN):
                specs = [described(spec) for spec in specs]
                record(folder, name, symbol_of(function, specs), {f"x{i}": spec for i, spec in enumerate(specs)})
        for name, size in mxnet_cases.NETWORKS.items():
            if wanted in ("", name):
                symbol = symbol_of_gluon(mxnet_cases.gluon_network(name), folder, (1, 3, size, size))
                record(folder, name, symbol, {"data": described((1, 3, size, size))})
        if wanted in ("", "gluon_recurrent"):
            symbol = symbol_of_gluon(mxnet_cases.gluon_recurrent(), folder, (2, 5, 3))
            record(folder, "gluon_recurrent", symbol, {"data": described((2, 5, 3))})
        for path in folder.iterdir():
            files[path.name] = path.read_bytes()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz", preset=9) as archive:
        for name, data in sorted(files.items()):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    ARCHIVE.write_bytes(packed.getvalue())
    print(f"{ARCHIVE}: {ARCHIVE.stat().st_size} bytes")
    for name in WITHOUT_ONEDNN if not wanted else ():
        subprocess.run([sys.executable, __file__, name], check=True)


if __name__ == "__main__":
    main()
