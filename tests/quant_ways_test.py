#!/usr/bin/env python3
"""`athanor quantize` on tables and packages, weights alone (AWQ against NumPy, 8 and 16 bits), and the climb of --auto."""
import json
import pathlib
import shutil
import subprocess
import unittest

import numpy as np

from quant_test import Case, constants, write
from running import binary

DIGITS = pathlib.Path(__file__).resolve().parent.parent / "examples" / "digits"


def product(weights, bias=None):
    """A network of one MatMul, or of one MatMul and an Add."""
    rows, columns = weights.shape
    tail = "" if bias is None else f"  const %b: {write(bias)}\n  %y = Add(%m, %b)\n"
    return (f"graph main(x: f32[1, {rows}]) -> ({'m' if bias is None else 'y'}) {{\n  const %w: {write(weights)}\n"
            f"  %m = MatMul(%x, %w)\n{tail}}}\n")


class Tables(Case):
    def setUp(self):
        super().setUp()
        self.weights = self.random.normal(size=(6, 5)).astype(np.float32)
        self.rows = self.random.normal(size=(32, 6)).astype(np.float32)
        (self.folder / "m.txt").write_text(product(self.weights))

    def table(self, name, rows, header, labels=None):
        cells = [[*map(repr, map(float, row)), *([] if labels is None else [str(labels[i])])] for i, row in enumerate(rows)]
        (self.folder / name).write_text("\n".join([header, *map(",".join, cells)]) + "\n")

    def test_a_table_calibrates_as_the_same_rows_in_an_archive(self):
        names = ",".join("abcdef")
        self.table("rows.csv", self.rows, names)
        np.savez(self.folder / "rows.npz", x=self.rows)
        np.save(self.folder / "rows.npy", self.rows)
        for ending in ("csv", "npz", "npy"):
            self.run_verb("m.txt", "--calib", f"rows.{ending}", "-o", f"{ending}.ath", "--quiet")
        expected = (self.folder / "npz.ath").read_bytes()
        self.assertEqual((self.folder / "csv.ath").read_bytes(), expected)
        self.assertEqual((self.folder / "npy.ath").read_bytes(), expected)

    def test_a_column_of_labels_is_no_feature(self):
        best = np.argmax(self.rows @ self.weights, 1)
        self.table("calib.csv", self.rows[:20], ",".join("abcdef"))
        self.table("data.csv", self.rows[20:], ",".join("abcdef") + ",labels", best[20:])
        run = self.run_verb("m.txt", "--calib", "calib.csv", "--data", "data.csv", "-o", "o.ath", "--json", "--quiet")
        self.assertEqual(json.loads(run.stdout)["float"]["top1"], 1)

    def test_tables_that_do_not_fit_say_where(self):
        self.table("narrow.csv", self.rows[:, :4], "a,b,c,d")
        run = self.run_verb("m.txt", "--calib", "narrow.csv", "-o", "o.ath", code=1)
        self.assertIn("rows have 4 numbers, \"x\" of the model reads 6", run.stderr)
        (self.folder / "gap.csv").write_text("a,b,c,d,e,f\n1,2,3,4,5,6\n1,2,,4,5,6\n")
        run = self.run_verb("m.txt", "--calib", "gap.csv", "-o", "o.ath", code=1)
        self.assertIn("row 2, column 3: there is no number", run.stderr)


class Packages(Case):
    def test_a_package_says_how_pictures_become_inputs(self):
        for name in ("pipeline.yaml", "digits.onnx", "labels.txt"):
            shutil.copy(DIGITS / name, self.folder)
        subprocess.run([binary(), "pack", "pipeline.yaml", "-o", "digits.athpkg", "--quiet"], check=True, capture_output=True, cwd=self.folder)
        images = str(DIGITS / "images")
        self.run_verb("digits.athpkg", "--calib", images, "-o", "a.ath", "--quiet")
        self.run_verb("digits.onnx", "--calib", images, "--std", "255", "--resize", "32x32", "-o", "b.ath", "--quiet")
        self.assertEqual((self.folder / "a.ath").read_bytes(), (self.folder / "b.ath").read_bytes())
        run = self.run_verb("digits.athpkg", "--calib", images, "--std", "255", "-o", "c.ath", code=1)
        self.assertIn("a package says itself", run.stderr)


def nearest(w, bits):
    """Integers, scales and zero points of rows, whose ends all their integers cover."""
    top = 2 ** bits - 1
    low, high = np.minimum(w.min(1), 0), np.maximum(w.max(1), 0)
    scale = ((high - low) / top).astype(np.float32).astype(np.float64)
    zero = np.clip(np.rint(-low / scale), 0, top)
    q = np.clip(np.rint(w / scale[:, None]) + zero[:, None], 0, top)
    return q, scale, zero


def awq_factors(w, x):
    """Of the power that leaves the outputs nearest, of 0, 1/20 ... 1. w: outputs * inputs."""
    size = np.log(np.sqrt((x ** 2).mean(0)))
    best = (np.inf, None)
    for i in range(21):
        s = np.exp(i / 20 * (size - size.mean())).astype(np.float32).astype(np.float64)
        q, scale, zero = nearest(w * s, 4)
        away = w - (q - zero[:, None]) * scale[:, None] / s
        error = ((x @ away.T) ** 2).sum()
        if error < best[0] * (1 - 1e-12):
            best = (error, s)
    return best[1]


class WeightsAlone(Case):
    def setUp(self):
        super().setUp()
        self.weights = self.random.normal(size=(64, 24)).astype(np.float32)
        outliers = np.where(np.arange(64) % 9 == 0, 30, 1)
        self.x = (self.random.normal(size=(48, 64)) * outliers).astype(np.float32)

    def test_awq_multiplies_what_large_inputs_meet(self):
        report, found, _ = self.quantize(product(self.weights), {"x": self.x}, "--weight-bits", "4", "--activations", "float",
                                         "--group", "64", "--correct", "awq")
        s = awq_factors(self.weights.T.astype(np.float64), self.x.astype(np.float64))
        (factors,) = (v for k, v in found.items() if "input_factors" in k)
        self.near(factors, 1 / s, 1e-6)
        (q,) = (v for k, v in found.items() if k.endswith("weights_quantized"))
        np.testing.assert_array_equal(q, nearest(self.weights.T.astype(np.float64) * s, 4)[0])
        none, with_awq = (row["sqnr_db"] for row in report["ablation"])
        self.assertGreater(with_awq, none + 1)

    def test_what_takes_long_shows_how_far_it_is(self):
        # Two products of 1024 inputs each: AWQ looks at the outputs of both for each of 21 powers.
        wide = self.random.normal(size=(1024, 1024)).astype(np.float32)
        model = (f"graph main(x: f32[1, 1024]) -> (z: f32[1, 1024]) {{\n  const %w: {write(wide)}\n"
                 "  %y = MatMul(%x, %w) @a\n  %r = Relu(%y)\n  %z = MatMul(%r, %w) @b\n}\n")
        (self.folder / "m.txt").write_text(model)
        np.savez(self.folder / "c.npz", x=self.random.normal(size=(4, 1024)).astype(np.float32))
        run = self.run_verb("m.txt", "--calib", "c.npz", "-o", "o.ath", "--activations", "float", "--correct", "awq", "--progress", "plain")
        self.assertRegex(run.stderr, r"factors of awq.*\b42\b")

    def test_every_correction_of_weights_has_a_row(self):
        report, _, _ = self.quantize(product(self.weights), {"x": self.x}, "--weight-bits", "4", "--activations", "float",
                                     "--group", "32", "--correct", "awq,gptq,scales")
        self.assertEqual([row["name"] for row in report["ablation"]], ["no correction", "+ gptq", "+ awq", "+ scales"])

    def test_eight_bits(self):
        report, found, text = self.quantize(product(self.weights, np.ones(24)), {"x": self.x}, "--activations", "float", "--group", "32",
                                            "--correct", "none")
        q = {k: v for k, v in found.items() if k.endswith("weights_quantized")}
        self.assertIn(": u8[24, 64]", text)
        blocks = self.weights.T.astype(np.float64).reshape(24 * 2, 32)
        np.testing.assert_array_equal(next(iter(q.values())).reshape(48, 32), nearest(blocks, 8)[0])
        self.assertEqual(report["weight_bits"], 8)

    def test_corrections_that_would_be_left_unused_are_refused(self):
        (self.folder / "m.txt").write_text(product(self.weights))
        np.savez(self.folder / "c.npz", x=self.x)
        for more, words in ((["--correct", "awq"], "--correct awq is for --activations float"),
                            (["--correct", "bias", "--activations", "float"], "awq, gptq and scales do"),
                            (["--correct", "bias", "--target-ratio", "4"], "empirical, gptq and refit do"),
                            (["--correct", "gptq", "--weight-bits", "f16"], "does not go with --weight-bits f16")):
            self.assertIn(words, self.run_verb("m.txt", "--calib", "c.npz", "-o", "o.ath", *more, code=1).stderr)


class Halves(Case):
    def outputs(self, model, x):
        np.save(self.folder / "x.npy", x)
        subprocess.run([binary(), "run", model, "x.npy", "--save", "y.npz", "--quiet"], check=True, capture_output=True, cwd=self.folder)
        return next(iter(np.load(self.folder / "y.npz").values()))

    def test_weights_become_f16_or_bf16_without_samples(self):
        weights = self.random.normal(size=(64, 24)).astype(np.float32)
        (self.folder / "m.txt").write_text(product(weights))
        x = self.random.normal(size=(1, 64)).astype(np.float32)
        bits = weights.view(np.uint32)
        bfloat = ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)
        for kind, rounded in (("f16", weights.astype(np.float16).astype(np.float32)), ("bf16", bfloat)):
            for out in (f"{kind}.ath", f"{kind}.onnx"):
                self.run_verb("m.txt", "--weight-bits", kind, "-o", out, "--quiet")
                self.near(self.outputs(out, x), x @ rounded, 1e-5)

    def test_numbers_that_f16_does_not_hold_stay(self):
        weights = self.random.normal(size=(64, 24)).astype(np.float32) * 1e6
        (self.folder / "m.txt").write_text(product(weights))
        run = self.run_verb("m.txt", "--weight-bits", "f16", "-o", "o.ath")
        self.assertIn("too large or too small for f16", run.stdout)

    def test_samples_are_needed_for_everything_else(self):
        (self.folder / "m.txt").write_text(product(np.ones((64, 24))))
        self.assertIn("--calib is required", self.run_verb("m.txt", "-o", "o.ath", code=1).stderr)


class Climb(Case):
    def climb(self, *more, code=0):
        run = self.run_verb(DIGITS / "digits.onnx", "--calib", DIGITS / "calib.npz", "--std", "255", "--data", DIGITS / "heldout.npz",
                            "--auto", "-o", "o.ath", "--json", "--quiet", *more, code=code)
        return json.loads(run.stdout) if code == 0 else run

    def test_bits_go_down_as_far_as_the_drop_allows(self):
        found = self.climb("--max-drop", "1%")
        names = [rung["name"] for rung in found["rungs"]]
        self.assertEqual(names[:2], ["f16", "int8"])
        met = [rung for rung in found["rungs"] if rung["met"]]
        self.assertEqual(met, found["rungs"][:len(met)])
        self.assertGreater(len(met), 2)
        sizes = [rung["bytes"] for rung in met]
        self.assertEqual(sizes, sorted(sizes, reverse=True))
        self.assertEqual((self.folder / "o.ath").stat().st_size, sizes[-1])
        self.assertTrue(found["pass"])

    def test_what_chooses_bits_does_not_go_with_it(self):
        for more in (["--weight-bits", "4"], ["--target-ratio", "4"], ["--float-share", "0"], ["--arithmetic", "fixed31"]):
            self.assertIn(f"{more[0]} does not go with --auto, which chooses how many bits", self.climb(*more, code=1).stderr)


if __name__ == "__main__":
    unittest.main()
