#!/usr/bin/env python3
"""`athanor quantize --target-ratio`: sizes, integers, fitted weights and biases against NumPy, and training."""
import json
import re
import subprocess
import unittest

import numpy as np

from quant_test import Case, constants, rounded, write
from running import ROOT, binary


def stored(path, shapes):
    """(integers, multiples, their unit, bias, its unit) of the products of a small file's text, in order."""
    text = path.read_text()
    held, made = constants(text), dict(re.findall(r"^ *%(\S+?)(?:: [^=]*)? = (DequantizeLinear\([^)]*\))", text, re.M))

    def parts(value):
        return [name.strip(" %") for name in made[value][len("DequantizeLinear("):-1].split(",")]
    found = []
    for shape, (weights, bias) in zip(shapes, re.findall(r"Gemm\(%\S+, %(\S+), %(\S+)\)", text), strict=True):
        integers, scale = parts(weights)[:2]
        (multiples, unit), (words, bias_unit) = parts(scale)[:2], parts(bias)[:2]
        q = held[integers].astype(np.float64)
        assert q.shape == shape
        found.append((q, held[multiples].astype(np.float64), float(held[unit]), held[words].astype(np.float64), float(held[bias_unit])))
    return found


# The trellis of eight states of JVET-Q0243: where an even and an odd index lead.
NEXT = [(0, 2), (5, 7), (1, 3), (6, 4), (2, 0), (4, 6), (3, 1), (7, 5)]


def indices(rows):
    """(those of even states, those of odd states) of integers on the trellis; nothing when they are not."""
    found = ([], [])
    for row in rows:
        state = 0
        for value in row:
            twice = int(value) + state % 2 * int(np.sign(value))
            if twice % 2:
                return None
            found[state % 2].append(twice // 2)
            state = NEXT[state][twice // 2 % 2]
    return found


def bits(values):
    """The entropy, and half the logarithm of how often each value comes for learning it."""
    if len(values) == 0:
        return 0
    counts = np.unique(values, return_counts=True)[1]
    return -np.sum(counts * np.log2(counts / len(values))) + len(counts) / 2 * np.log2(max(2, len(values) / len(counts)))


class Fitting(Case):
    DIGITS = ROOT / "examples" / "digits"
    ASK = [str(DIGITS / "digits.onnx"), "--calib", str(DIGITS / "calib.npz"), "--std", "255"]

    def test_a_file_of_the_asked_size_with_the_integers_it_says(self):
        run = self.run_verb(*self.ASK, "--data", str(self.DIGITS / "heldout.npz"), "--target-ratio", "5", "-o", "out.ath", "--json")
        result = json.loads(run.stdout)
        self.assertLessEqual(5 * (self.folder / "out.ath").stat().st_size, result["float"]["bytes"])
        self.assertGreaterEqual(result["coded"]["top1"], result["float"]["top1"] - 0.01)
        subprocess.run([binary(), "convert", "out.ath", "--out", "out.txt", "--quiet"], cwd=self.folder, check=True)
        held = constants((self.folder / "out.txt").read_text())
        integers = [array for array in held.values() if array.dtype == np.int8 and array.ndim > 1]
        self.assertEqual(len(integers), len(result["products"]))
        for array, product in zip(sorted(integers, key=np.size), sorted(result["products"], key=lambda p: p["weights"])):
            self.assertEqual(array.size, product["weights"])
            self.assertLessEqual(2 * np.abs(array.astype(int)).max() + 1, product["levels"])
            plain, on_trellis = bits(array.ravel()), indices(array.reshape(len(array), -1))
            least = min(plain, sum(map(bits, on_trellis))) if on_trellis else plain
            self.assertAlmostEqual(product["bytes"], min(least / 8 + 3, array.size), delta=1)

    def test_what_is_made_of_a_small_file_stays_small(self):
        self.run_verb(*self.ASK, "--target-ratio", "5", "-o", "out.ath")
        small = (self.folder / "out.ath").stat().st_size
        for verb in ["convert", "optimize"]:
            subprocess.run([binary(), verb, "out.ath", "-o", "again.ath", "--quiet"], cwd=self.folder, check=True)
            self.assertLess((self.folder / "again.ath").stat().st_size, 1.02 * small)
        (self.folder / "pipeline.yaml").write_text("name: d\nstages:\n  - decode: {colour: grey}\n  - resize: {to: [32, 32]}\n  - normalise: {mean: 0, std: 255}\n  - model: {file: out.ath}\n")
        subprocess.run([binary(), "pack", "pipeline.yaml", "-o", "out.athpkg", "--quiet"], cwd=self.folder, check=True)
        self.assertLess((self.folder / "out.athpkg").stat().st_size, small + 2000)

    def test_products_are_fitted_to_what_they_read_once_those_before_are_rounded(self):
        # 64 samples of one row each: all that the method looks at.
        mix = self.random.normal(size=(24, 24)) * 0.3 + np.eye(24)
        x = (self.random.normal(size=(64, 24)) @ mix + 0.7).astype(np.float32)
        shapes = [(48, 24), (40, 48)]
        w = [self.random.normal(size=shape).astype(np.float32) / 5 for shape in shapes]
        b = [self.random.normal(size=len(m)).astype(np.float32) for m in w]
        model = "graph main(x: f32[1, 24]) -> (y: f32[1, 40]) {\n"
        for i in (0, 1):
            model += f"  const %w{i}: {write(w[i])}\n  const %b{i}: {write(b[i])}\n"
        model += """  %a = Gemm(%x, %w0, %b0) {transB = true} @a
  %r = Relu(%a)
  %y = Gemm(%r, %w1, %b1) {transB = true} @y
}
"""
        (self.folder / "m.txt").write_text(model)
        np.savez(self.folder / "calib.npz", x=x)
        self.run_verb("m.txt", "--calib", "calib.npz", "-o", "out.ath", "--target-ratio", "5", "--correct", "refit,empirical")
        subprocess.run([binary(), "convert", "out.ath", "--out", "out.txt", "--quiet"], cwd=self.folder, check=True)
        layers = stored(self.folder / "out.txt", shapes)
        real = x.astype(np.float64)
        reads = [real, np.maximum(real @ w[0].T + b[0], 0)]
        wanted = [reads[0] @ w[0].T + b[0], reads[1] @ w[1].T + b[1]]
        now = real
        for i, (q, multiples, unit, bias, bias_unit) in enumerate(layers):
            mean, target = now.mean(0), wanted[i].mean(0)
            square = now.T @ now / 64 - np.outer(mean, mean)
            cross = wanted[i].T @ now / 64 - np.outer(target, mean)
            ridge = square + 0.05 * np.trace(square) / len(square) * np.eye(len(square))
            fitted = w[i] + np.linalg.solve(ridge, (cross - w[i] @ square).T).T
            # The integers are a path, and nearer to the fitted weights than single integers on steps twice as wide.
            self.assertIsNotNone(indices(q))
            scale = multiples * unit
            nearest = np.einsum("rk,rk->r", q, fitted) / np.einsum("rk,rk->r", q, q)
            self.assertLess(np.mean((q - fitted / nearest[:, None])**2), 4 / 12)
            # Scales keep the energy of the sums; those of the answers, which are wanted on average, are finer by a power of two.
            energy, variance = np.einsum("rk,kl,rl->r", q, square, q), wanted[i].var(0)
            best = np.einsum("rk,kl,rl->r", q, square, fitted) / energy
            kept = np.clip(np.sqrt(variance / energy), best, 1.25 * best)

            def last(finer):
                first = np.clip(rounded(kept / unit / finer), 1, 255) * finer
                together = first * unit * np.einsum("rk,rk->r", q, cross)
                return np.clip(rounded(first * np.clip(variance / together, 1, 1.25)), 1, 255)
            ways = [last(2**k) for k in range(5)] if i == 1 else [np.clip(rounded(kept / unit), 1, 255)]
            self.assertTrue(any(np.abs(multiples - way).max() == 0 for way in ways), (multiples, ways))
            exact = target - np.einsum("rk,k->r", q * scale[:, None], mean)
            self.assertLessEqual(np.abs(bias * bias_unit - exact).max(), bias_unit / 2 * (1 + 1e-5))
            now = np.maximum(now @ (q * scale[:, None]).T + exact, 0)

    def test_training_brings_the_outputs_nearer(self):
        errors = []
        for more in ([], ["--tune", "6"]):
            run = self.run_verb(*self.ASK, "--target-ratio", "9", "-o", "out.ath", "--json", *more)
            result = json.loads(run.stdout)
            self.assertGreaterEqual(result["float"]["bytes"] / (self.folder / "out.ath").stat().st_size, 9)
            errors.append(result.get("tuned"))
        self.assertIsNone(errors[0])
        self.assertLess(errors[1]["after"], 0.95 * errors[1]["before"])
        run = self.run_verb(*self.ASK, "--tune", "2", "-o", "out.ath", code=1)
        self.assertIn("--tune needs --target-ratio", run.stderr)

    def test_what_cannot_be(self):
        run = self.run_verb(*self.ASK, "--target-ratio", "60", "-o", "out.ath", code=3)
        self.assertIn("cannot be made to fit", run.stderr)
        self.assertFalse((self.folder / "out.ath").exists())
        run = self.run_verb(*self.ASK, "--target-ratio", "5", "-o", "out.onnx", code=1)
        self.assertIn("only .ath files have coded weights", run.stderr)


if __name__ == "__main__":
    unittest.main()
