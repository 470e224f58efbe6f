# SPDX-License-Identifier: Apache-2.0
"""Records what PaddlePaddle answers for small programs and whole networks, as paddle.tar.xz.

A case is NAME.pdmodel or NAME.json, each with NAME.FORM.pdiparams, and NAME.FORM.npz with inputs ("in|NAME") and
outputs ("out|NUMBER"). Networks come without parameters: index.FORM.json has their names and shapes, and the rule
by which the test makes the numbers is `network_parameter` of tests/paddle_test.py. The older form is written by the
last version of PaddlePaddle 2; each run records one form and keeps what the archive has of the other.

    pip install paddlepaddle==2.6.2 "numpy<2" && python tests/oracles/record_paddle.py pdmodel [NAME]
    pip install paddlepaddle==3.3.1 && python tests/oracles/record_paddle.py json [NAME]
"""

import io
import json
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np

ORACLES = Path(__file__).resolve().parent
ARCHIVE = ORACLES / "paddle.tar.xz"
FORMS = ("pdmodel", "json")

sys.path.insert(0, str(ORACLES.parent))
from models_test import random_tensor  # noqa: E402
from paddle_test import network_parameter  # noqa: E402


def described(spec):
    """(shape, dtype, low, high)"""
    if isinstance(spec, tuple) and all(isinstance(size, int) for size in spec):
        return spec, "float32", -2, 2
    shape, dtype, *limits = spec
    low, high = limits or {"float32": (-2, 2), "bool": (0, 2)}.get(dtype, (-5, 6))
    return shape, dtype, low, high


def make_input(name, spec):
    shape, dtype, low, high = described(spec)
    if dtype == "bool":
        return random_tensor(name, np.int32, shape, 0, 2).astype(bool)
    return random_tensor(name, np.dtype(dtype), shape, low, high)


def flat(value):
    return [part for item in value for part in flat(item)] if isinstance(value, (list, tuple)) else [value]


def save(paddle, layer, arrays, still_open, path, is_old):
    """The program saved, loaded again, and what it answers."""
    inputs = [paddle.static.InputSpec([None if i in still_open else size for i, size in enumerate(array.shape)], str(array.dtype), name)
              for name, array in arrays.items()]
    layer.eval()
    paddle.jit.save(layer, str(path), input_spec=inputs)
    loaded = paddle.jit.load(str(path))
    loaded.eval()
    answers = flat(loaded(*[paddle.to_tensor(array) for array in arrays.values()]))
    if is_old:
        return [answer.numpy() for answer in answers]
    direct = flat(layer(*[paddle.to_tensor(array) for array in arrays.values()]))
    for a, b in zip(answers, direct):
        np.testing.assert_allclose(a.numpy().astype(np.float64), b.numpy().astype(np.float64), rtol=1e-3, atol=1e-3)
    return [answer.numpy() for answer in answers]


def case_file(arrays, answers):
    data = io.BytesIO()
    np.savez(data, **{f"in|{name}": value for name, value in arrays.items()}, **{f"out|{i}": value for i, value in enumerate(answers)})
    return data.getvalue()


def record(form, folder, wanted):
    import paddle
    import paddle_cases

    paddle.set_device("cpu")
    cases = [(name, make, specs, {}) for name, make, specs in paddle_cases.layer_cases()]
    old = paddle_cases.old_cases() if form == "pdmodel" else {}
    for name, (code, *specs) in {**paddle_cases.operator_cases(), **paddle_cases.detection_cases(), **old}.items():
        more = specs.pop() if isinstance(specs[-1], dict) else {}
        cases.append((name, lambda code=code, count=len(specs): paddle_cases.function_layer(code, count), specs, more))
    networks = list(paddle_cases.network_cases())
    index = {}
    for name, make, specs, more in cases + [(*network, {}) for network in networks]:
        if wanted and wanted != name:
            continue
        is_network = any(name == network[0] for network in networks)
        paddle.seed(sum(name.encode()))
        arrays = {f"x{i}": make_input(f"{name}/x{i}", spec) for i, spec in enumerate(specs)}
        try:
            layer = make()
            if is_network:
                names = {key: tensor for key, tensor in layer.state_dict().items()}
                for tensor in names.values():
                    tensor.set_value(network_parameter(tensor.name, list(tensor.shape)))
                index[name] = {tensor.name: list(tensor.shape) for tensor in names.values()}
            else:
                for tensor in layer.state_dict().values():
                    if len(tensor.shape) == 1 and "norm" in tensor.name:
                        tensor.set_value(network_parameter(tensor.name, list(tensor.shape)))
            path = folder / name / name  # a folder each: what is loaded is found by how names begin
            answers = save(paddle, layer, arrays, more.get("open", []), path, name in old)
        except Exception as error:  # a form may lack an operator: what is not recorded is said
            print(f"NOT RECORDED {form} {name}: {str(error).strip().splitlines()[-1][:300] if str(error).strip() else type(error)}", flush=True)
            continue
        (folder / f"{name}.{form}.npz").write_bytes(case_file(arrays, answers))
        (folder / f"{name}.{form}").write_bytes(path.with_suffix(f".{form}").read_bytes())
        if not is_network and path.with_suffix(".pdiparams").exists():
            (folder / f"{name}.{form}.pdiparams").write_bytes(path.with_suffix(".pdiparams").read_bytes())
    if not wanted:
        (folder / f"index.{form}.json").write_text(json.dumps(index))


def main():
    form, wanted = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    if form not in FORMS:
        raise SystemExit(f"the form is one of {FORMS}")
    files = {}
    if ARCHIVE.exists():
        with tarfile.open(ARCHIVE) as archive:
            files = {member.name: archive.extractfile(member).read() for member in archive}
    if not wanted:
        files = {name: data for name, data in files.items() if f".{form}" not in name}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        record(form, folder, wanted)
        for path in filter(Path.is_file, folder.iterdir()):
            files[path.name] = path.read_bytes()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz", preset=9) as archive:
        for name, data in sorted(files.items()):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    ARCHIVE.write_bytes(packed.getvalue())
    print(f"{ARCHIVE}: {ARCHIVE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
