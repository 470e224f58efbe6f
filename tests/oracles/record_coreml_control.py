# SPDX-License-Identifier: Apache-2.0
"""Records ML Programs of Core ML with branches and loops, and what they have to answer, as coreml_control.tar.xz.

As record_coreml_weights.py: coremltools makes and saves the programs, the answers are computed here with NumPy.

    pip install coremltools==9.0 numpy==2.4.6 && python tests/oracles/record_coreml_control.py
"""
import sys
import tarfile
import tempfile
from pathlib import Path

import coremltools as ct
import numpy as np
from coremltools.converters.mil import Builder as mb

from coreml_archive import add_program

ORACLES = Path(__file__).resolve().parent
ARCHIVE = ORACLES / "coreml_control.tar.xz"
SHAPE = (2, 3)

sys.path.insert(0, str(ORACLES.parent))
from models_test import random_tensor  # noqa: E402

CASES = {}


def case(low, high):
    """A function from a value of MIL's builder, or an array where the second argument is NumPy, to the answer."""
    def keep(function):
        CASES[function.__name__] = (low, high, function)
        return function
    return keep


def branches(x, m):
    if m is np:
        return (np.maximum(x, 0.5), x * 2) if x.sum() > 0 else (x - 1, x * 3)
    positive = mb.greater(x=mb.reduce_sum(x=x), y=np.float32(0))
    return mb.cond(pred=positive, _true_fn=lambda: (mb.maximum(x=x, y=np.float32(0.5)), mb.mul(x=x, y=np.float32(2))),
                   _false_fn=lambda: (mb.sub(x=x, y=np.float32(1)), mb.mul(x=x, y=np.float32(3))))


CASES["first_branch"] = (0.1, 1.0, branches)
CASES["second_branch"] = (-1.0, -0.1, branches)


@case(0.5, 1.0)
def doubled_until_large(x, m):
    if m is np:
        steps, y = np.float32(0), x
        while y.max() < 100:
            steps, y = steps + 1, y * 2 + 0.25 * x
        return steps.reshape(1), y
    steps, y = mb.while_loop(_cond=lambda n, y: mb.less(x=mb.reduce_max(x=y), y=np.float32(100)),
                             _body=lambda n, y: (mb.add(x=n, y=np.float32(1)), mb.add(x=mb.mul(x=y, y=np.float32(2)), y=mb.mul(x=x, y=np.float32(0.25)))),
                             loop_vars=(np.float32(0), x))
    return mb.expand_dims(x=steps, axes=[0]), y


@case(-1.0, 1.0)
def a_branch_in_a_loop(x, m):
    if m is np:
        y = x
        for n in range(4):
            y = y * x if n < 2 else y - x
        return (y,)

    def step(n, y):
        y = mb.cond(pred=mb.less(x=n, y=np.float32(2)), _true_fn=lambda: mb.mul(x=y, y=x), _false_fn=lambda: mb.sub(x=y, y=x))
        return mb.add(x=n, y=np.float32(1)), y
    return (mb.while_loop(_cond=lambda n, y: mb.less(x=n, y=np.float32(4)), _body=step, loop_vars=(np.float32(0), x))[1],)


def made(function):
    @mb.program(input_specs=[mb.TensorSpec(shape=SHAPE)], opset_version=ct.target.iOS15)
    def program(x):
        return tuple(mb.identity(x=value, name=f"out_{i}") for i, value in enumerate(function(x, mb)))
    return ct.convert(program, convert_to="mlprogram", minimum_deployment_target=ct.target.iOS15, skip_model_load=True, compute_precision=ct.precision.FLOAT32)


def main():
    with tarfile.open(ARCHIVE, "w:xz", preset=9) as archive, tempfile.TemporaryDirectory() as place:
        for name, (low, high, function) in sorted(CASES.items()):
            package = Path(place, f"{name}.mlpackage")
            made(function).save(str(package))
            x = random_tensor(name, np.float32, list(SHAPE), low, high)
            answers = function(x, np)
            add_program(archive, name, package,
                        {"in|x": x, **{f"out|out_{i}": np.asarray(value, np.float32) for i, value in enumerate(answers)}})
    print(f"{len(CASES)} programs")


if __name__ == "__main__":
    main()
