# SPDX-License-Identifier: Apache-2.0
"""Records ML Programs of Core ML whose weights are compressed, and what they have to answer, as coreml_weights.tar.xz.

A case is NAME.mlmodel with NAME.bin, its weights, and NAME.npz with an input ("in|x") and its answer ("out|out_y"): x times the
weights' transpose. Core ML runs on the systems of its maker only: programs are made and saved by coremltools; the weights are
computed here, with NumPy, from the definitions of the operations.

    pip install coremltools==9.0 numpy==2.4.6 && python tests/oracles/record_coreml_weights.py
"""
import sys
import tarfile
import tempfile
from pathlib import Path

import coremltools as ct
import numpy as np
from coremltools.converters.mil import Builder as mb
from coremltools.converters.mil.mil import types

from coreml_archive import add_program

ORACLES = Path(__file__).resolve().parent
ARCHIVE = ORACLES / "coreml_weights.tar.xz"
ROWS, COLUMNS = 24, 40  # enough for weights to lie in a file of their own

sys.path.insert(0, str(ORACLES.parent))
from models_test import random_tensor  # noqa: E402

CASES = {}


def numbers(name, *shape, low=-1.0, high=1.0, dtype=np.float32):
    return random_tensor(name, np.float32, list(shape), low, high).astype(dtype)


def integers(name, low, high, *shape, dtype=np.uint8):
    return np.floor(numbers(name, *shape, low=low, high=high + 0.999)).astype(dtype)


def packed(values, bits):
    """The first in the lowest bits of the first byte."""
    ones = ((values.reshape(-1, 1).astype(np.uint8) >> np.arange(bits, dtype=np.uint8)) & 1).astype(np.uint8)
    return np.packbits(ones.reshape(-1), bitorder="little")


def few_bits(values, bits, signed=False):
    kind = {(4, True): types.int4, (1, False): types.uint1, (2, False): types.uint2, (3, False): types.uint3, (4, False): types.uint4,
            (6, False): types.uint6, (8, False): types.uint8}[bits, signed]
    return values.astype(types.nptype_from_builtin(kind))


def spread(values, shape):
    """Each number for its block."""
    for axis, size in enumerate(shape):
        values = np.repeat(values, size // values.shape[axis], axis)
    return values


def case(target):
    """A function that gives an operation with weights, made in a program, and the weights."""
    def keep(function):
        CASES[function.__name__] = (target, function)
        return function
    return keep


def affine(dtype, zero_point, scale):
    data = integers("data", 0, 255, ROWS, COLUMNS).astype(dtype)
    plain = (data.astype(np.float32) - zero_point.astype(np.float32).reshape(-1, 1)) * scale.astype(np.float32).reshape(-1, 1)
    return lambda: mb.constexpr_affine_dequantize(quantized_data=data, zero_point=zero_point, scale=scale, axis=0), plain


@case(ct.target.iOS16)
def affine_one():
    return affine(np.uint8, np.uint8(131), np.float32(0.02))


@case(ct.target.iOS16)
def affine_rows():
    return affine(np.int8, integers("zeros", -9, 9, ROWS, dtype=np.int8), numbers("scales", ROWS, low=0.01, high=0.03))


def lut16(bits):
    table, places = numbers("table", 2**bits), integers("places", 0, 2**bits - 1, ROWS, COLUMNS)
    shape = np.array([ROWS, COLUMNS], np.uint32)
    return lambda: mb.constexpr_lut_to_dense(indices=packed(places, bits), lut=table, shape=shape), table[places]


for width in (1, 2, 4, 6, 8):
    CASES[f"lut_{width}"] = (ct.target.iOS16, lambda width=width: lut16(width))


def sparse():
    mask = integers("mask", 0, 1, ROWS, COLUMNS)
    return mask, numbers("kept", int(mask.sum()))


def dense(mask, kept):
    plain = np.zeros(mask.shape, kept.dtype)
    plain[mask != 0] = kept
    return plain


@case(ct.target.iOS16)
def sparse_flat():
    mask, kept = sparse()
    shape = np.array([ROWS, COLUMNS], np.uint32)
    return lambda: mb.constexpr_sparse_to_dense(nonzero_data=kept, mask=packed(mask, 1), shape=shape), dense(mask, kept)


@case(ct.target.iOS16)
def half():
    values = numbers("values", ROWS, COLUMNS, dtype=np.float16)
    return lambda: mb.constexpr_cast(source_val=values, output_dtype="fp32"), values.astype(np.float32)


def blocks(bits, signed, *parts, shift=True):
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    data = integers("data", low, high, ROWS, COLUMNS, dtype=np.int8 if signed else np.uint8)
    scale, offset = numbers("scales", *parts, low=0.01, high=0.1), integers("offsets", low, high, *parts, dtype=np.int8 if signed else np.uint8)
    plain = data.astype(np.float32) - (spread(offset, data.shape).astype(np.float32) if shift else 0)
    typed = (few_bits(data, bits, signed), few_bits(offset, bits, signed)) if bits < 8 else (data, offset)
    more = {"offset": typed[1]} if shift else {}
    return lambda: mb.constexpr_blockwise_shift_scale(data=typed[0], scale=scale, **more), plain * spread(scale, data.shape)


@case(ct.target.iOS18)
def blocks_int4():
    return blocks(4, True, ROWS, COLUMNS // 8, shift=False)


@case(ct.target.iOS18)
def blocks_uint4():
    return blocks(4, False, ROWS // 4, COLUMNS // 8)


@case(ct.target.iOS18)
def blocks_int8():
    return blocks(8, True, ROWS, 1)


def lut18(bits, parts, length=1, axis=0):
    shape = [ROWS, COLUMNS]
    shape[axis] //= length
    table, places = numbers("table", *parts, 2**bits, length), integers("places", 0, 2**bits - 1, *shape)
    tables = spread(table, [*shape, *table.shape[2:]])
    vectors = np.take_along_axis(tables, places[:, :, None, None].astype(np.int64), 2)[:, :, 0]  # [rows, columns, length]
    plain = np.moveaxis(vectors, 2, axis + 1).reshape(ROWS, COLUMNS)
    more = {"vector_axis": axis} if length > 1 else {}
    return lambda: mb.constexpr_lut_to_dense(indices=few_bits(places, bits), lut=table, **more), plain


CASES["lut_groups"] = (ct.target.iOS18, lambda: lut18(3, (ROWS // 8, 1)))
CASES["lut_columns"] = (ct.target.iOS18, lambda: lut18(6, (1, 4)))
CASES["lut_vectors"] = (ct.target.iOS18, lambda: lut18(2, (1, 1), 4, 0))
CASES["lut_vectors_along"] = (ct.target.iOS18, lambda: lut18(4, (ROWS // 2, 1), 2, 1))


@case(ct.target.iOS18)
def sparse_bits():
    mask, kept = sparse()
    return lambda: mb.constexpr_sparse_to_dense(nonzero_data=kept, mask=few_bits(mask, 1)), dense(mask, kept)


@case(ct.target.iOS18)
def sparse_lut():
    mask, _ = sparse()
    table, places = numbers("table", 1, 1, 4, 1), integers("places", 0, 3, int(mask.sum()))

    def make():
        wide, kept = mb.constexpr_lut_to_sparse(indices_mask=few_bits(mask, 1), indices_nonzero_data=few_bits(places, 2), lut=table)
        return mb.constexpr_sparse_to_dense(nonzero_data=kept, mask=wide)
    return make, dense(mask, table.reshape(-1)[places])


@case(ct.target.iOS18)
def sparse_blocks():
    mask, _ = sparse()
    data, scale = integers("data", -8, 7, int(mask.sum()), dtype=np.int8), numbers("scales", ROWS, 1, low=0.01, high=0.1)

    def make():
        same, kept = mb.constexpr_sparse_blockwise_shift_scale(data_mask=few_bits(mask, 1), nonzero_data=few_bits(data, 4, True), scale=scale)
        return mb.constexpr_sparse_to_dense(nonzero_data=kept, mask=same)
    return make, dense(mask, data.astype(np.float32)) * scale


@case(ct.target.iOS18)
def scaled_lut():
    """Places in a table of bytes, whose numbers have a scale for each row."""
    table, places = integers("table", -100, 100, 1, 1, 16, 1, dtype=np.int8), integers("places", 0, 15, ROWS, COLUMNS)
    scale = numbers("scales", ROWS, 1, low=0.01, high=0.1)
    plain = table.reshape(-1)[places].astype(np.float32) * scale
    return lambda: mb.constexpr_blockwise_shift_scale(data=mb.constexpr_lut_to_dense(indices=few_bits(places, 4), lut=table), scale=scale), plain


def made(target, weights):
    @mb.program(input_specs=[mb.TensorSpec(shape=(3, COLUMNS))], opset_version=target)
    def program(x):
        return mb.linear(x=x, weight=weights(), name="out_y")
    return ct.convert(program, convert_to="mlprogram", minimum_deployment_target=target, skip_model_load=True, compute_precision=ct.precision.FLOAT32)


def main():
    with tarfile.open(ARCHIVE, "w:xz", preset=9) as archive, tempfile.TemporaryDirectory() as place:
        for name, (target, function) in sorted(CASES.items()):
            weights, plain = function()
            package = Path(place, f"{name}.mlpackage")
            made(target, weights).save(str(package))
            x = numbers(name, 3, COLUMNS)
            add_program(archive, name, package,
                        {"in|x": x, "out|out_y": (x.astype(np.float64) @ plain.astype(np.float64).T).astype(np.float32)})
    print(f"{len(CASES)} programs")


if __name__ == "__main__":
    main()
