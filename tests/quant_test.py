#!/usr/bin/env python3
"""Algorithms of `athanor quantize` against NumPy: ranges, corrections, which products stay in float; and bad input. See quant_rounding_test.py.

Networks are written as text, samples as .npz; what comes out is read from the report and the text of the
quantised graph. Nothing here calls our own code for an expected value.
"""
import base64
import json
import math
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import unittest

import numpy as np

from running import binary

TYPES = {"f32": np.float32, "i8": np.int8, "i16": np.int16, "u8": np.uint8, "i32": np.int32, "i64": np.int64}


def rounded(x):
    return np.rint(x)  # to nearest even, as everywhere


def constants(text):
    """name -> array of a graph's text."""
    found = {}
    for name, kind, dims, value in re.findall(r'^ *const %(\S+): (\w+)\[([\d, ]*)\] = (.*)$', text, re.M):
        shape = [int(d) for d in dims.split(",")] if dims else []
        if kind in ("i4", "u4"):
            dtype = np.int8
        else:
            dtype = TYPES[kind]
        if value.startswith("base64"):
            raw = base64.b64decode(value[7:-1])
            if kind in ("i4", "u4"):
                nibbles = np.frombuffer(raw, np.uint8)
                nibbles = np.stack([nibbles & 15, nibbles >> 4], 1).reshape(-1)[:int(np.prod(shape))].astype(np.int8)
                array = np.where(nibbles > 7, nibbles - 16, nibbles) if kind == "i4" else nibbles
            else:
                array = np.frombuffer(raw, dtype)
        elif value.startswith("fill"):
            array = np.full(int(np.prod(shape)), float(value[5:-1]))
        else:
            array = np.array([float(v) for v in value.strip("[]").split(",")])
        found[name] = array.astype(dtype).reshape(shape)
    return found


def write(array):
    values = np.asarray(array, np.float32)
    dims = ", ".join(map(str, values.shape))
    return f'f32[{dims}] = base64"{base64.b64encode(values.tobytes()).decode()}"'


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.random = np.random.default_rng(7)

    def run_athanor(self, *arguments, code=0):
        run = subprocess.run([binary(), *map(str, arguments)], capture_output=True, text=True, check=False, cwd=self.folder)
        self.assertEqual(run.returncode, code, run.stderr)
        return run

    def run_verb(self, *arguments, code=0):
        return self.run_athanor("quantize", *arguments, code=code)

    def quantize(self, model, samples, *more):
        """The report, the constants of what was written, its text."""
        (self.folder / "m.txt").write_text(model)
        np.savez(self.folder / "calib.npz", **samples)
        self.run_verb("m.txt", "--calib", "calib.npz", "-o", "out.txt", "--report", "r.json", *more)
        text = (self.folder / "out.txt").read_text()
        return json.loads((self.folder / "r.json").read_text()), constants(text), text

    def near(self, actual, expected, tolerance=1e-5):
        actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
        self.assertEqual(actual.shape, expected.shape)
        self.assertLessEqual(np.abs(actual - expected).max(), tolerance * max(np.abs(expected).max(), 1e-30))


# ---- estimators

BINS = 2048


def histogram(values, low, high):
    width = (float(high) - float(low)) / BINS
    bins = np.clip(((values.astype(np.float64) - float(low)) / width).astype(np.int64), 0, BINS - 1)
    return np.bincount(bins.reshape(-1), minlength=BINS).astype(np.float64), float(low) + (np.arange(BINS) + 0.5) * width


def mse_range(values, low, high):
    counts, middles = histogram(values, low, high)
    best = None
    for i in range(128, 15, -1):
        share = np.float32(i) / np.float32(128)
        part = (float(np.float32(min(low, 0)) * share), float(np.float32(max(high, 0)) * share))
        step = (part[1] - part[0]) / 255
        beyond = np.maximum(0, np.maximum(part[0] - middles, middles - part[1]))
        error = np.sum(counts * np.where(beyond > 0, beyond**2, step * step / 12))
        if best is None or error < best[0]:
            best = (error, part)
    return best[1]


def entropy_range(values, low, high):
    counts, middles = histogram(values, low, high)
    most = max(abs(float(low)), abs(float(high)))
    folded = np.zeros(BINS)
    np.add.at(folded, np.minimum((np.abs(middles) / most * BINS).astype(np.int64), BINS - 1), counts)
    levels = 255 if low >= 0 or high <= 0 else 128
    best = None
    for kept in range(levels, BINS + 1):
        inside = folded[:kept]
        if inside.sum() == 0:
            continue
        level = np.arange(kept) * levels // kept
        sums = np.bincount(level, inside, levels)
        filled = np.bincount(level, inside > 0, levels)
        p = inside.copy()
        p[-1] += folded[kept:].sum()
        p /= folded.sum()
        q = np.where(inside > 0, sums[level] / np.maximum(filled[level], 1) / inside.sum(), 0)
        on = p > 0
        divergence = np.sum(p[on] * np.log(p[on] / np.maximum(q[on], 1e-9)))
        if best is None or divergence <= best[0] * (1 + 1e-12):
            best = (divergence, kept)
    threshold = best[1] / BINS * most
    return max(low, -threshold), min(high, threshold)


def aciq_range(values, low, high):
    # Clips for 8 and 9 bits as the paper tabulates them: 9.89675982 and 11.16268502 b, 3.92403714 and 4.2001 (solved here).
    counts, middles = histogram(values, low, high)
    width = (float(high) - float(low)) / BINS
    one = low >= 0 or high <= 0
    if one:
        counts = np.where(np.abs(middles) < width, 0, counts)
    mean = 0 if one else np.sum(counts * middles) / counts.sum()
    b = np.sum(counts * np.abs(middles - mean)) / counts.sum()
    sigma = math.sqrt(np.sum(counts * (middles - mean)**2) / counts.sum())
    laplace = 11.16268502 if one else 9.89675982

    def excess(a):
        return math.exp(-a * a / 2) / math.sqrt(2 * math.pi) - a * math.erfc(a / math.sqrt(2)) / 2 - a / (6 * 4.0**(9 if one else 8))
    lo, hi = 1.0, 8.0
    for _ in range(200):
        lo, hi = ((lo + hi) / 2, hi) if excess((lo + hi) / 2) > 0 else (lo, (lo + hi) / 2)
    shape = b / sigma
    clip = laplace * b if abs(shape - math.sqrt(0.5)) < abs(shape - math.sqrt(2 / math.pi)) else lo * sigma
    return max(low, mean - clip), min(high, mean + clip)


def byte_scale(low, high):
    low, high = min(float(low), 0), max(float(high), 0)
    scale = np.float32((high - low) / 255)
    return scale, int(np.clip(rounded(-low / float(scale)), 0, 255))


def byte_error(values, low, high):
    scale, zero = byte_scale(low, high)
    q = np.clip(rounded(values.astype(np.float64) / float(scale)), -zero, 255 - zero)
    return np.sum((values.astype(np.float64) - q * float(scale))**2)


class Ranges(Case):
    MODEL = """graph main(x: f32[1, 400]) -> (y: f32[1, 3], z: f32[1, 3]) {
  const %w: f32[400, 3] = random(1)
  const %v: f32[400, 3] = random(2)
  %r = Relu(%x) @r
  %y = MatMul(%x, %w) @y
  %z = MatMul(%r, %v) @z
}
"""

    def expected(self, rows, method):
        low, high = float(rows.min()), float(rows.max())
        if method == "minmax":
            return low, high
        if method == "percentile":
            cut = int(math.floor(0.01 * rows.shape[1]))
            inner = np.sort(rows, 1)
            return inner[:, cut].min(), inner[:, -1 - cut].max()
        if method == "average":
            ends = [float(rows[0].min()), float(rows[0].max())]
            for row in rows[1:]:
                ends = [ends[0] + 0.1 * (row.min() - ends[0]), ends[1] + 0.1 * (row.max() - ends[1])]
            return tuple(ends)
        return {"mse": mse_range, "entropy": entropy_range, "aciq": aciq_range}[method](rows, low, high)

    def test_each_estimator_and_the_choice_among_them(self):
        for name, draw in [("laplace", self.random.laplace), ("normal", self.random.normal)]:
            x = draw(0.1, 1.0, (30, 400)).astype(np.float32)
            x[3, 5] = 40
            tensors = {"x": x, "r": np.maximum(x, 0)}
            errors = {"x": {}, "r": {}}
            for method in ["minmax", "percentile", "average", "mse", "entropy", "aciq"]:
                tail = ["--tail", "0.01"] if method == "percentile" else []
                report, _, _ = self.quantize(self.MODEL, {"x": x}, "--method", method, *tail)
                found = {t["tensor"]: t for t in report["tensors"]}
                for tensor, rows in tensors.items():
                    with self.subTest(f"{name} {tensor} {method}"):
                        expected = self.expected(rows, method)
                        self.near(found[tensor]["range"], expected)
                        scale, zero = byte_scale(*expected)
                        self.near(found[tensor]["scale"], scale)
                        self.assertEqual(found[tensor]["zero_point"], zero)
                        errors[tensor][method] = byte_error(rows, *expected)
            report, _, _ = self.quantize(self.MODEL, {"x": x}, "--method", "auto", "--tail", "0.01")
            for tensor in report["tensors"]:
                if tensor["tensor"] in errors:
                    own = errors[tensor["tensor"]]
                    self.assertLessEqual(own[tensor["method"]], min(own.values()) * (1 + 1e-6))

    def test_symmetric_ranges_are_signed_bytes_without_a_zero_point(self):
        x = self.random.normal(0.5, 1.0, (30, 400)).astype(np.float32)
        report, tensors, _ = self.quantize(self.MODEL, {"x": x}, "--ranges", "symmetric")
        self.assertEqual(report["ranges"], "symmetric")
        for tensor in report["tensors"]:
            most = max(-tensor["low"], tensor["high"])
            self.near(tensor["range"], (-most, most))
            self.near(tensor["scale"], most / 127)
            self.assertEqual(tensor["zero_point"], 0)
        zeros = [array for name, array in tensors.items() if name.endswith("_zero_point")]
        self.assertTrue(zeros and all(np.all(zero == 0) for zero in zeros))


# ---- corrections

def int_weights(w, bits=8, per_tensor=False):
    """w: rows are output channels."""
    most = 2**(bits - 1) - 1
    flat = w.reshape(len(w), -1)
    largest = np.abs(flat).max(1)
    if per_tensor:
        largest[:] = largest.max()
    scales = (largest / np.float32(most)).astype(np.float32)
    if bits < 8 and not per_tensor:
        for row, whole in enumerate(scales.copy()):
            best = None
            for share in range(64, 23, -1):
                scale = np.float32(whole * np.float32(share) / np.float32(64)) if share < 64 else whole
                q = np.clip(rounded(flat[row] / scale), -most, most)
                error = np.sum((flat[row].astype(np.float64) - q.astype(np.float64) * float(scale))**2)
                if best is None or error < best[0]:
                    best = (error, scale)
            scales[row] = best[1]
    q = np.clip(rounded(flat / scales[:, None]), -most, most)
    return q.reshape(w.shape), scales


class Corrections(Case):
    def gemm(self, w, b):
        return f"""graph main(x: f32[1, {w.shape[1]}]) -> (y: f32[1, {w.shape[0]}]) {{
  const %w: {write(w)}
  const %b: {write(b)}
  %y = Gemm(%x, %w, %b) {{transB = true}} @y
}}
"""

    def test_the_bias_takes_back_the_mean_that_rounding_moves(self):
        w, b = self.random.normal(size=(5, 24)).astype(np.float32), self.random.normal(size=5).astype(np.float32)
        x = self.random.uniform(0, 3, (20, 24)).astype(np.float32)
        _, plain, _ = self.quantize(self.gemm(w, b), {"x": x}, "--correct", "none")
        _, corrected, _ = self.quantize(self.gemm(w, b), {"x": x}, "--correct", "bias")
        q, scales = int_weights(w)
        np.testing.assert_array_equal(plain["w_quantized"], q)
        self.near(plain["w_scale"], scales)
        step = scales.astype(np.float64) * float(byte_scale(x.min(), x.max())[0])
        self.near(plain["b_quantized"] * step, b, 1e-4)
        expected = b + ((w - q * scales[:, None]).astype(np.float64) @ x.mean(0, dtype=np.float64))
        # Biases are whole numbers of steps.
        self.assertLessEqual(np.abs(corrected["b_quantized"] - expected / step).max(), 0.501)

    def test_empirical_correction_makes_the_means_of_the_outputs_equal(self):
        w, b = self.random.normal(size=(5, 24)).astype(np.float32), self.random.normal(size=5).astype(np.float32)
        x = self.random.uniform(-1, 3, (16, 24)).astype(np.float32)
        _, found, _ = self.quantize(self.gemm(w, b), {"x": x}, "--correct", "empirical")
        q, scales = int_weights(w)
        scale, zero = byte_scale(x.min(), x.max())
        small = (np.clip(rounded(x / scale) + zero, 0, 255) - zero) * float(scale)
        real = x.astype(np.float64) @ w.T.astype(np.float64) + b
        step = scales.astype(np.float64) * float(scale)
        first = rounded(b / step) * step
        shift = real.mean(0) - (small @ (q * scales[:, None].astype(np.float64)).T + first).mean(0)
        self.assertLessEqual(np.abs(found["b_quantized"] - (b + shift) / step).max(), 0.52)

    def test_analytic_correction_uses_what_batch_normalization_says(self):
        w1, w2 = self.random.normal(size=(6, 3, 1, 1)).astype(np.float32), self.random.normal(size=(4, 6, 1, 1)).astype(np.float32)
        gamma, beta = self.random.uniform(0.5, 2, 6).astype(np.float32), self.random.normal(size=6).astype(np.float32)
        b2 = self.random.normal(size=4).astype(np.float32)
        model = f"""graph main(x: f32[1, 3, 5, 5]) -> (y: f32[1, 4, 5, 5]) {{
  const %w1: {write(w1)}
  const %w2: {write(w2)}
  const %b2: {write(b2)}
  const %gamma: {write(gamma)}
  const %beta: {write(beta)}
  const %mean: {write(np.zeros(6))}
  const %var: {write(np.ones(6))}
  %c = Conv(%x, %w1) @c
  %n = BatchNormalization(%c, %gamma, %beta, %mean, %var) @n
  %r = Relu(%n) @r
  %y = Conv(%r, %w2, %b2) @y
}}
"""
        x = self.random.normal(size=(10, 3, 5, 5)).astype(np.float32)
        report, found, _ = self.quantize(model, {"x": x}, "--correct", "analytic")
        q, scales = int_weights(w2)
        scale = next(t["scale"] for t in report["tensors"] if t["tensor"] == "r")

        def below(v):
            return np.array([math.erfc(-e / math.sqrt(2)) / 2 for e in v])
        ratio = (beta / gamma).astype(np.float64)
        means = gamma * np.exp(-ratio**2 / 2) / math.sqrt(2 * math.pi) + beta * below(ratio)
        lost = (w2 - q * scales[:, None, None, None]).astype(np.float64).reshape(4, 6)
        expected = (b2 + lost @ means) / (scales.astype(np.float64) * scale)
        self.assertLessEqual(np.abs(found["b2_quantized"] - expected).max(), 0.52)


class Choosing(Case):
    """One value of 300 000 is twice as large as all others: the steps of the ends of what was seen are twice as coarse as need be."""

    def setUp(self):
        super().setUp()
        self.rows = self.random.normal(size=(64, 4096)).astype(np.float32)
        self.model = f"""graph main(x: f32[1, 4096]) -> (y: f32[1, 3]) {{
  const %w: {write(self.random.normal(size=(4096, 3)).astype(np.float32) / 64)}
  %l = MatMul(%x, %w) @product
  %y = Softmax(%l)
}}
"""

    def chosen(self, *more):
        (self.folder / "m.txt").write_text(self.model)
        np.savez(self.folder / "calib.npz", x=self.rows)
        return json.loads(self.run_verb("m.txt", "--calib", "calib.npz", "-o", "out.txt", "--json", *more).stdout)

    def test_ranges_are_chosen_by_tensor_where_that_brings_near_outputs_nearer(self):
        self.rows[60, 0] = 8
        result = self.chosen("--save-table", "t.cache")
        self.assertEqual(result["method"], "auto")
        high = max(t["range"][1] for t in result["tensors"] if t["tensor"] == "x")
        self.assertLess(high, 6)
        again = self.chosen("--table", "t.cache")  # it holds the ranges that were used, and they stay
        self.assertEqual(again["method"], "minmax")
        self.assertAlmostEqual(max(t["range"][1] for t in again["tensors"] if t["tensor"] == "x"), high, delta=0.05)
        self.assertEqual(self.chosen("--method", "percentile")["method"], "percentile")

    def test_pictures_keep_the_ends_of_what_was_seen(self):
        self.rows[60, 0] = 8
        self.rows = self.rows.reshape(64, 1, 64, 64)
        self.model = f"""graph main(x: f32[1, 1, 64, 64]) -> (y: f32[1, 3, 64, 64]) {{
  const %w: {write(np.ones((4, 1, 1, 1)))}
  const %v: {write(self.random.normal(size=(3, 4, 1, 1)).astype(np.float32))}
  %c = Conv(%x, %w) @first
  %y = Conv(%c, %v) @last
}}
"""
        self.assertEqual(self.chosen()["method"], "minmax")


# ---- which products stay in float

class Planted(Case):
    """A chain of products; one has a large weight for an input that is always 0, beside which the others round to nothing."""
    PLANTED, WIDTH, DEPTH = 2, 16, 6

    def setUp(self):
        super().setUp()
        w = [self.random.normal(size=(self.WIDTH, self.WIDTH)).astype(np.float32) / 4 for _ in range(self.DEPTH)]
        w[self.PLANTED - 1][0] = 0
        w[self.PLANTED][:, 0] = 300
        lines = ["graph main(x: f32[1, 16]) -> (y: f32[1, 16]) {"]
        lines += [f"  const %w{i}: {write(matrix)}\n  const %b{i}: {write(np.zeros(self.WIDTH))}" for i, matrix in enumerate(w)]
        last = "x"
        for i in range(self.DEPTH):
            lines.append(f"  %p{i} = Gemm(%{last}, %w{i}, %b{i}) {{transB = true}} @product{i}")
            last = f"p{i}"
            if i + 1 < self.DEPTH:
                lines.append(f"  %r{i} = LeakyRelu(%p{i}) {{alpha = 0.5}} @r{i}")
                last = f"r{i}"
        (self.folder / "m.txt").write_text("\n".join(lines).replace(f"%p{self.DEPTH - 1}", "%y") + "\n}\n")

        def answer(x):
            for i, matrix in enumerate(w):
                x = x @ matrix.T
                x = np.where(x < 0, x / 2, x) if i + 1 < self.DEPTH else x
            return x.argmax(1)
        np.savez(self.folder / "calib.npz", x=self.random.normal(size=(64, 16)).astype(np.float32))
        x = self.random.normal(size=(200, 16)).astype(np.float32)
        np.savez(self.folder / "data.npz", x=x, labels=answer(x))
        np.savez(self.folder / "unlabelled.npz", x=x)


class Deciding(Planted):
    def decide(self, drop, *more, data="data.npz", code=0):
        run = self.run_verb("m.txt", "--calib", "calib.npz", "--data", data, "-o", "out.txt", "--max-drop", drop, "--report",
                            "r", "--json", *more, code=code)
        return json.loads(run.stdout)

    def test_the_planted_product_is_the_one_in_float(self):
        whole = json.loads(self.run_verb("m.txt", "--calib", "calib.npz", "--data", "data.npz", "-o", "out.txt", "--json").stdout)
        self.assertLess(whole["int8"]["top1"], 0.9)
        result = self.decide("10%")
        self.assertEqual([p["node"] for p in result["float_products"]], [f"product{self.PLANTED}"])
        self.assertGreaterEqual(result["int8"]["top1"], 0.9)
        self.assertLessEqual(result["evaluations"], 3 * math.log2(self.DEPTH) + 10)
        page = (self.folder / "r" / "report.html").read_text()
        self.assertIn("Which products stay in float", page)
        self.assertIn(f"product{self.PLANTED}", page)

    def test_a_larger_drop_never_keeps_more_in_float(self):
        kept = []
        for drop in ["0", "0.005", "1%", "2%", "5%", "10%", "100%"]:
            out = self.folder / "out.txt"
            out.unlink(missing_ok=True)
            run = subprocess.run([binary(), "quantize", "m.txt", "--calib", "calib.npz", "--data", "data.npz", "-o", "out.txt",
                                  "--max-drop", drop, "--json"], capture_output=True, text=True, check=False, cwd=self.folder)
            result = json.loads(run.stdout)
            self.assertIn(run.returncode, (0, 3))
            self.assertEqual(result["pass"], run.returncode == 0)
            self.assertEqual(out.exists(), run.returncode == 0)
            self.assertLessEqual(result["evaluations"], 3 * math.log2(self.DEPTH) + 10)
            kept.append(len(result["float_products"]) if run.returncode == 0 else self.DEPTH)
            if run.returncode == 0:
                self.assertLessEqual(1 - result["int8"]["top1"], float(drop.rstrip("%")) / (100 if "%" in drop else 1) + 1e-9)
        self.assertEqual(kept, sorted(kept, reverse=True))
        self.assertEqual(kept[-1], 0)

    def test_agreement_counts_where_there_are_no_labels(self):
        for more in (["--agree", "class"], ["--agree", "values"]):
            result = self.decide("10%", *more, data="unlabelled.npz")
            self.assertEqual([p["node"] for p in result["float_products"]], [f"product{self.PLANTED}"])
            self.assertGreaterEqual(result["agreement"], 0.9)
            self.assertNotIn("mcnemar", result)
        run = self.run_verb("m.txt", "--calib", "calib.npz", "-o", "out.txt", "--max-drop", "5%", "--json")
        self.assertEqual((json.loads(run.stdout)["samples"], json.loads(run.stdout)["n"]), (48, 16))

    def test_a_drop_that_cannot_be_had_writes_nothing(self):
        samples = np.load(self.folder / "calib.npz")["x"]
        np.savez(self.folder / "calib.npz", x=samples * 1e-4)  # ranges are far too narrow
        result = self.decide("0", code=3)
        self.assertFalse(result["pass"])
        self.assertFalse((self.folder / "out.txt").exists())

    def test_files_are_the_same_for_any_number_of_threads(self):
        files = set()
        for threads in (1, 2, 1, 2):
            self.run_verb("m.txt", "--calib", "calib.npz", "--data", "data.npz", "-o", "out.ath", "--max-drop", "5%", "--threads",
                          threads, "--method", "auto", "--correct", "equalize,adaround,bias,empirical", "--weight-bits", "4")
            files.add((self.folder / "out.ath").read_bytes())
        self.assertEqual(len(files), 1)

    def test_convolutions_are_observed_the_same_by_any_number_of_threads(self):
        # Which kernels are the fastest depends on how many threads there are, and how a sum is rounded on the kernel.
        subprocess.run([binary(), "zoo", "resnet8", "-o", "net.onnx", "--quiet"], check=True, capture_output=True, cwd=self.folder)
        np.savez(self.folder / "pictures.npz", x=self.random.normal(size=(16, 3, 32, 32)).astype(np.float32))
        files = set()
        for threads in (1, 2):
            self.run_verb("net.onnx", "--calib", "pictures.npz", "-o", "net.ath", "--threads", threads)
            files.add((self.folder / "net.ath").read_bytes())
        self.assertEqual(len(files), 1)


class Sparing(Case):
    """A narrow beginning with one channel 300 times as large as the others, and wide products behind."""
    SIZES = [16, 16, 64, 256, 256, 10]

    def setUp(self):
        super().setUp()
        self.prepare(self.SIZES)

    def prepare(self, sizes, large=300):
        w = [self.random.normal(size=(b, a)).astype(np.float32) / np.sqrt(a) for a, b in zip(sizes, sizes[1:])]
        w[0][0] *= large
        w[1][:, 0] /= large
        lines = [f"graph main(x: f32[1, 16]) -> (y: f32[1, {sizes[-1]}]) {{"]
        lines += [f"  const %w{i}: {write(matrix)}\n  const %b{i}: {write(np.zeros(len(matrix)))}" for i, matrix in enumerate(w)]
        for i in range(len(w)):
            lines.append(f"  %p{i} = Gemm(%{f'r{i - 1}' if i else 'x'}, %w{i}, %b{i}) {{transB = true}} @product{i}")
            lines.append(f"  %r{i} = LeakyRelu(%p{i}) {{alpha = 0.5}} @r{i}")
        last = f"%r{len(w) - 1}"
        (self.folder / "m.txt").write_text("\n".join(lines).replace(last, "%y") + "\n}\n")
        np.savez(self.folder / "calib.npz", x=self.random.normal(size=(64, 16)).astype(np.float32))
        np.savez(self.folder / "data.npz", x=self.random.normal(size=(50, 16)).astype(np.float32))

    def spared(self, *more):
        run = self.run_verb("m.txt", "--calib", "calib.npz", "--data", "data.npz", "-o", "out.txt", "--json", *more)
        result = json.loads(run.stdout)
        chosen = [p["node"] for p in result["float_products"] if "accuracy" in p["reason"]]
        return chosen, result["int8"]["agreement"]

    def test_a_few_cheap_products_compute_in_float_where_that_halves_the_error(self):
        chosen, agreement = self.spared()
        self.assertEqual(chosen, ["product0", "product1"])
        found = constants((self.folder / "out.txt").read_text())
        self.assertEqual(found["w0_quantized"].dtype, np.int8)  # no larger for that
        none, before = self.spared("--float-share", "0")
        self.assertEqual(none, [])
        self.assertLess(1 - agreement, (1 - before) / 2)

    def test_one_of_two_products_stays_on_integers_whatever_the_share(self):
        for large in (30, 300, 3000):  # both spoil the outputs: to 18, 0 and 0 dB
            self.prepare([16, 16, 16], large)
            run = self.run_verb("m.txt", "--calib", "calib.npz", "-o", "out.txt", "--float-share", "1", "--report", "r", "--json")
            result = json.loads(run.stdout)
            self.assertLessEqual(len(result["float_products"]), 1)
            self.assertGreater(result["quantized_nodes"], 0)
            self.assertIn(np.int8, {array.dtype.type for array in constants((self.folder / "out.txt").read_text()).values()})
            self.assertNotIn("-0.0 dB", run.stderr + (self.folder / "r" / "report.html").read_text())

    def test_measured_times_change_neither_the_shares_nor_what_is_promised(self):
        # A drop of nothing makes something return; times decide what, so not all drops can be had.
        run = subprocess.run([binary(), "quantize", "m.txt", "--calib", "calib.npz", "--data", "data.npz", "-o", "out.txt", "--max-drop", "0.5%",
                              "--measured", "--json"], capture_output=True, text=True, check=False, cwd=self.folder)
        self.assertIn(run.returncode, (0, 3), run.stderr)
        self.assertEqual((self.folder / "out.txt").exists(), run.returncode == 0)
        if run.returncode == 0:
            decision = json.loads(run.stdout)["decision"]
            self.assertTrue(decision["ranked"])
            work = [math.prod(size) for size in zip(self.SIZES, self.SIZES[1:])]
            order = [work[int(row["node"].removeprefix("product"))] for row in decision["ranked"]]
            self.assertTrue(all(row["float_ms"] > 0 for row in decision["ranked"]))
            for trial in decision["trials"]:
                self.assertAlmostEqual(trial["integer_share"], sum(order[trial["in_float"]:]) / sum(order), delta=0.01)  # biases are work too


class SparingWithin(Case):
    """Two networks side by side, each with a narrow first product whose input has one channel 50 times as large; the first one's answers count more."""

    def chain(self, name, sizes, gain=1.0):
        w = [self.random.normal(size=(b, a)).astype(np.float32) / np.sqrt(a) for a, b in zip(sizes, sizes[1:])]
        w[0][:, 0] /= 50
        w[-1] *= gain
        lines = []
        for i, matrix in enumerate(w):
            lines.append(f"  const %w{name}{i}: {write(matrix)}\n  const %b{name}{i}: {write(np.zeros(len(matrix)))}")
            result = f"y{name}" if i + 1 == len(w) else f"p{name}{i}"
            lines.append(f"  %{result} = Gemm(%{f'r{name}{i - 1}' if i else f'x{name}'}, %w{name}{i}, %b{name}{i}) {{transB = true}} @{name}{i}")
            if i + 1 < len(w):
                lines.append(f"  %r{name}{i} = LeakyRelu(%p{name}{i}) {{alpha = 0.5}}")
        return lines

    def prepare(self, first, second):
        text = ["graph main(xa: f32[1, 16], xb: f32[1, 16]) -> (ya: f32[1, 10], yb: f32[1, 10]) {", *self.chain("a", first, 2.0),
                *self.chain("b", second), "}"]
        (self.folder / "m.txt").write_text("\n".join(text) + "\n")
        large = np.where(np.arange(16) == 0, 50, 1).astype(np.float32)
        np.savez(self.folder / "calib.npz", **{x: self.random.normal(size=(64, 16)).astype(np.float32) * large for x in ("xa", "xb")})

    def spared(self, *more):
        run = self.run_verb("m.txt", "--calib", "calib.npz", "-o", "out.txt", "--report", "r", "--json", *more)
        self.assertNotIn("-0.0 dB", run.stderr)
        self.assertNotIn("-0.0 dB", (self.folder / "r" / "report.html").read_text())
        result = json.loads(run.stdout)
        return result, [p["node"] for p in result["float_products"] if "accuracy" in p["reason"]]

    def test_never_beyond_the_share(self):
        first, second = [16, 16, 256, 256, 10], [16, 64, 256, 256, 10]
        self.prepare(first, second)
        self.assertEqual(self.spared()[1], ["a0", "b0"])
        work = [math.prod(size) for sizes in (first, second) for size in zip(sizes, sizes[1:])]
        one, both = work[0] / sum(work), (work[0] + work[4]) / sum(work)
        result, chosen = self.spared("--float-share", (one + both) / 2)
        self.assertEqual(chosen, ["a0"])
        self.assertAlmostEqual(result["spared"]["work"], one, delta=one / 5)  # biases are work too
        self.assertEqual(self.spared("--float-share", one / 2)[1], [])
        self.assertEqual(self.spared("--float-share", f"{50 * one}%")[1], [])

    def test_one_product_stays_on_integers_whatever_the_share(self):
        self.prepare([16, 64, 10], [16, 64, 10])
        for share in (0.15, 0.9, 1):
            result, chosen = self.spared("--float-share", share)
            self.assertLess(len(chosen), 4)
            self.assertGreater(result["quantized_nodes"], 0)
        (self.folder / "m.txt").write_text("graph main(xa: f32[1, 16]) -> (ya: f32[1, 64]) {\n" + "\n".join(self.chain("a", [16, 64])) + "\n}\n")
        np.savez(self.folder / "calib.npz", xa=np.load(self.folder / "calib.npz")["xa"])
        result, chosen = self.spared("--float-share", 1)
        self.assertEqual((chosen, result["quantized_nodes"]), ([], 1))

    def test_what_is_said_of_them_says_which_way_is_better(self):
        self.prepare([16, 16, 256, 256, 10], [16, 64, 256, 256, 10])
        run = self.run_verb("m.txt", "--calib", "calib.npz", "-o", "out.txt", "--report", "r.html")
        self.assertRegex(run.stdout, r"2 products with .* compute in float: outputs within [0-9.]+ dB instead of [0-9.]+ dB \(more is nearer\)")
        self.assertIn("tried 1 product in float", run.stderr)
        self.assertIn("kept 2 products in float: outputs within", run.stderr)
        page = (self.folder / "r.html").read_text()
        self.assertNotIn("Within what was asked", page)  # nothing was
        self.assertIn("No bound was asked for", page)


class Far(Planted):
    def test_outputs_that_are_far_off_are_named_with_what_to_try(self):
        said = self.run_verb("m.txt", "--calib", "calib.npz", "-o", "out.txt").stdout
        found = re.search(r"a part of the outputs is within ([-0-9.]+) dB only, 20 or more are wanted: --float-share 0.3 or --max-drop 0.3%", said)
        self.assertIsNotNone(found, said)
        self.assertLess(float(found[1]), 20)
        said = self.run_verb("m.txt", "--calib", "calib.npz", "-o", "out.txt", "--max-drop", "10%").stdout
        self.assertNotIn("are wanted", said)


# ---- what is refused


class BadInput(Planted):
    def refused(self, text, *arguments, code=1):
        out = self.folder / "out.ath"
        run = self.run_verb(*arguments, "-o", "out.ath", code=code)
        self.assertIn(text, run.stderr)
        self.assertFalse(out.exists())

    def test_samples(self):
        empty, broken = self.folder / "empty", self.folder / "broken"
        empty.mkdir()
        broken.mkdir()
        (broken / "a.npy").write_bytes(b"\x93NUMPY\x01\x00 not an array")
        self.refused("holds no pictures and no .npy files", "m.txt", "--calib", "empty")
        self.refused("a.npy", "m.txt", "--calib", "broken")
        np.savez(self.folder / "few.npz", x=np.ones((3, 16), np.float32))
        self.assertIn("3 samples are few", self.run_verb("m.txt", "--calib", "few.npz", "-o", "out.ath").stderr)
        (self.folder / "out.ath").unlink()
        self.refused("3 samples are too few", "m.txt", "--calib", "few.npz", "--max-drop", "1%")
        np.savez(self.folder / "eight.npz", x=self.random.normal(size=(8, 16)).astype(np.float32))
        run = self.run_verb("m.txt", "--calib", "eight.npz", "-o", "out.ath", "--max-drop", "100%")
        self.assertIn("--max-drop is judged on 2 samples: means little", run.stderr)
        (self.folder / "out.ath").unlink()
        for value in (np.inf, np.nan):
            np.savez(self.folder / "bad.npz", x=np.full((20, 16), value, np.float32))
            self.refused("which is no finite number", "m.txt", "--calib", "bad.npz")

    def test_shares(self):
        """5 was taken for 500 %, a drop that every model keeps to."""
        for option in ("--max-drop", "--float-share"):
            self.refused(f"{option} 5%", "m.txt", "--calib", "calib.npz", option, "5")
            for text in ("101", "150%", "-1%", "much", "%"):
                self.refused(f"{option} {text}: a share such as 1% or 0.01", "m.txt", "--calib", "calib.npz", f"{option}={text}")

    def test_pixels_without_a_range_are_named(self):
        np.savez(self.folder / "bytes.npz", x=self.random.integers(0, 255, (20, 16), np.uint8))
        said = self.run_verb("m.txt", "--calib", "bytes.npz", "-o", "out.ath").stderr
        self.assertIn('pixels go into "x" as 0..255', said)
        self.assertNotIn("pixels", self.run_verb("m.txt", "--calib", "bytes.npz", "-o", "out.ath", "--std", "255").stderr)
        self.assertNotIn("pixels", self.run_verb("m.txt", "--calib", "calib.npz", "-o", "out.ath").stderr)

    def test_labels(self):
        x = np.load(self.folder / "data.npz")["x"]
        np.savez(self.folder / "fewer.npz", x=x, labels=np.zeros(7, np.int64))
        self.refused("200 samples and 7 labels", "m.txt", "--calib", "calib.npz", "--data", "fewer.npz")
        np.savez(self.folder / "beyond.npz", x=x, labels=np.full(200, 77))
        self.refused("class 77 is beyond", "m.txt", "--calib", "calib.npz", "--data", "beyond.npz")
        labels = np.load(self.folder / "data.npz")["labels"] + 1
        np.savez(self.folder / "shifted.npz", x=x, labels=np.minimum(labels, 15))
        run = self.run_verb("m.txt", "--calib", "calib.npz", "--data", "shifted.npz", "-o", "out.ath")
        self.assertIn("--label-offset -1", run.stderr)

    def test_what_was_calibrated_on_is_not_measured_on(self):
        x = np.load(self.folder / "data.npz")["x"]
        calibration = np.load(self.folder / "calib.npz")["x"]
        x[5:8] = calibration[10:13]
        np.savez(self.folder / "both.npz", x=x, labels=np.zeros(200, np.int64))
        self.refused("3 of 200 rows of both.npz are also in calib.npz", "m.txt", "--calib", "calib.npz", "--data", "both.npz")
        run = self.run_verb("m.txt", "--calib", "calib.npz", "--data", "both.npz", "-o", "out.ath", "--allow-overlap")
        self.assertIn("3 of 200 rows", run.stderr)

    def test_a_model_that_is_quantised_already(self):
        self.run_verb("m.txt", "--calib", "calib.npz", "-o", "q.txt")
        self.refused("quantised already", "q.txt", "--calib", "calib.npz", code=2)

    def test_tensors_that_are_always_0(self):
        np.savez(self.folder / "zero.npz", x=np.zeros((20, 16), np.float32))
        for method in ["minmax", "percentile", "average", "mse", "entropy", "aciq", "auto"]:
            self.run_verb("m.txt", "--calib", "zero.npz", "-o", "zero.txt", "--method", method, "--report", "r.json")
            for name, array in constants((self.folder / "zero.txt").read_text()).items():
                if name.endswith("_scale"):
                    self.assertTrue(np.all(np.isfinite(array)) and np.all(array > 0), (method, name))

    def test_options_that_contradict_each_other(self):
        for text, more in [("there is no correction", ["--correct", "adaroud"]),
                           ("--labels needs --data", ["--labels", "l.csv"]),
                           (".cache or .table is expected", ["--save-table", "t.txt"]),
                           ("--measured does not go with --arithmetic fixed31", ["--measured", "--arithmetic", "fixed31"]),
                           ("--float-share does not go with --max-drop", ["--float-share", "0.3", "--max-drop", "1%"]),
                           ("--float-share does not go with --arithmetic fixed31", ["--float-share", "0.3", "--arithmetic", "fixed31"]),
                           ("--ranges does not go with --target-ratio", ["--ranges", "symmetric", "--target-ratio", "4"]),
                           ("--float-share does not go with --target-ratio", ["--float-share", "0.3", "--target-ratio", "4"])]:
            self.refused(text, "m.txt", "--calib", "calib.npz", *more)
        self.refused("--max-drop 1 would allow any drop", "m.txt", "--calib", "calib.npz", "--max-drop", "1")
        for out in ("o.param", "o.prototxt"):
            run = self.run_verb("m.txt", "--calib", "calib.npz", "-o", out, code=1)
            self.assertIn("files of this format cannot hold a quantised network", run.stderr)
        self.refused("the table names none", "m.txt", "--calib", "calib.npz", "--table", self.table("nobody 3\n"))
        self.refused("line 1", "m.txt", "--calib", "calib.npz", "--table", self.table("nobody x\n"), code=2)

    def table(self, text):
        (self.folder / "t.table").write_text(text)
        return "t.table"

    def test_tables_come_back(self):
        for ending in ("cache", "table"):
            self.run_verb("m.txt", "--calib", "calib.npz", "-o", "a.txt", "--save-table", f"t.{ending}", "--method", "entropy",
                          "--report", "a.json")
            self.run_verb("m.txt", "--calib", "calib.npz", "-o", "b.txt", "--table", f"t.{ending}", "--report", "b.json")
            first, second = (json.loads((self.folder / f"{n}.json").read_text())["tensors"] for n in "ab")
            named = 0
            for a, b in zip(first, second):
                if b["method"] == "table":
                    named += 1
                    self.assertAlmostEqual(max(map(abs, b["range"])) / max(map(abs, a["range"])), 1, places=5)
            self.assertGreaterEqual(named, self.DEPTH)

    def test_ctrl_c_leaves_no_half_file(self):
        np.savez(self.folder / "many.npz", x=self.random.normal(size=(60000, 16)).astype(np.float32))
        process = subprocess.Popen([binary(), "quantize", "m.txt", "--calib", "many.npz", "--samples", "60000", "--method", "auto",
                                    "-o", "out.ath"], cwd=self.folder, stderr=subprocess.PIPE, text=True)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, text = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 4, text)
        self.assertEqual([p.name for p in self.folder.glob("out.ath*")], [])


if __name__ == "__main__":
    unittest.main()
