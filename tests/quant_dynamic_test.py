#!/usr/bin/env python3
"""`athanor quantize --activations dynamic` against NumPy: integers, scales, answers; what does not go with it; files that load."""
import json
import unittest

import numpy as np

from quant_rounding_test import nearest_with_zeros, weights_with_zeros
from quant_test import Case, constants, int_weights, rounded, write


def as_bytes(x):
    """Integers less their zero point, and the scale, as DynamicQuantizeLinear defines them."""
    low, high = np.float32(min(0, x.min())), np.float32(max(0, x.max()))
    scale = np.float32((high - low) / np.float32(255)) or np.float32(1 / 255)
    zero = rounded(np.clip(-low / scale, 0, 255))
    return np.clip(rounded(x / scale) + zero, 0, 255) - zero, scale


class Dynamic(Case):
    FLAGS = ("--activations", "dynamic")

    def quantize_without_samples(self, model, *more):
        (self.folder / "m.txt").write_text(model)
        self.run_verb("m.txt", *self.FLAGS, "-o", "out.txt", "--report", "r.json", *more)
        text = (self.folder / "out.txt").read_text()
        return json.loads((self.folder / "r.json").read_text()), constants(text), text

    def answers(self, model, x, *more):
        np.save(self.folder / "x.npy", x)
        self.run_athanor("run", model, "--input", "x=x.npy", "--save", "y.npz", "--quiet", *more)
        found = np.load(self.folder / "y.npz")
        return found[found.files[0]]

    def two_layers(self):
        w = [self.random.normal(size=(40, 24)).astype(np.float32), self.random.normal(size=(10, 40)).astype(np.float32)]
        b = [self.random.normal(size=40).astype(np.float32), self.random.normal(size=10).astype(np.float32)]
        model = f"""graph main(x: f32[N, 24]) -> (y: f32[N, 10]) {{
  const %w0: {write(w[0].T)}
  const %b0: {write(b[0])}
  const %w1: {write(w[1])}
  const %b1: {write(b[1])}
  %m = MatMul(%x, %w0) @m
  %a = Add(%m, %b0) @a
  %r = Relu(%a) @r
  %y = Gemm(%r, %w1, %b1) {{transB = true}} @y
}}
"""
        return model, w, b

    def test_integers_scales_and_answers(self):
        model, w, b = self.two_layers()
        for more in ((), ("--per-tensor",), ("--weight-ranges", "asymmetric")):
            with self.subTest(more):
                report, found, text = self.quantize_without_samples(model, *more)
                self.assertEqual(len(report["products"]), 2)
                self.assertEqual(text.count(" = DynamicQuantizeLinear("), 2)
                weights = []
                for name, matrix in (("w0", w[0]), ("w1", w[1])):
                    if "asymmetric" in more:
                        scales, zeros = weights_with_zeros(matrix)
                        q = nearest_with_zeros(matrix, scales, zeros)
                        np.testing.assert_array_equal(found[f"{name}_zero_point"], zeros)
                    else:
                        q, scales = int_weights(matrix, per_tensor=bool(more))
                        zeros = np.zeros(len(matrix))
                        self.assertNotIn(f"{name}_zero_point", found)
                    # Columns are output channels, whichever way they lay.
                    np.testing.assert_array_equal(found[f"{name}_quantized"], q.T)
                    self.near(found[f"{name}_scale"], scales)
                    weights.append((q - zeros[:, None]) * scales[:, None].astype(np.float64))
                for rows in (1, 5):
                    x = self.random.normal(size=(rows, 24)).astype(np.float32)
                    integers, scale = as_bytes(x)
                    hidden = np.maximum(integers * float(scale) @ weights[0].T + b[0], 0).astype(np.float32)
                    integers, scale = as_bytes(hidden)
                    expected = integers * float(scale) @ weights[1].T + b[1]
                    for device in ("cpu", "reference"):
                        answers = self.answers("out.txt", x, "--device", device)
                        # A hidden value may lie between two bytes: one of them is a step more.
                        step = float(scale) * np.abs(weights[1]).max()
                        self.assertLessEqual(np.abs(answers - expected).max(), 2 * step)
                        self.assertLessEqual(np.median(np.abs(answers - expected)), 1e-5 * np.abs(expected).max())

    def test_one_product_is_exact(self):
        w = self.random.normal(size=(33, 50)).astype(np.float32)
        self.quantize_without_samples(f"""graph main(x: f32[4, 3, 50]) -> (y: f32[4, 3, 33]) {{
  const %w: {write(w.T)}
  %y = MatMul(%x, %w) @y
}}
""")
        x = self.random.uniform(-1, 3, (4, 3, 50)).astype(np.float32)
        q, scales = int_weights(w)
        integers, scale = as_bytes(x)
        expected = (integers @ q.T.astype(np.float64)) * (float(scale) * scales.astype(np.float64))
        self.near(self.answers("out.txt", x), expected)
        self.run_athanor("convert", "out.txt", "-o", "again.onnx", "--quiet")
        self.near(self.answers("again.onnx", x), expected)
        kernels = json.loads(self.run_athanor("explain", "again.onnx", "--json").stdout)
        self.assertIn("DynamicMatMul", json.dumps(kernels))  # what was written as MatMulInteger is read as what it was

    def test_convolutions_and_recurrent_weights_have_8_bits_in_the_file(self):
        conv, matrix = self.random.normal(size=(4, 3, 3, 3)).astype(np.float32), self.random.normal(size=(4, 6)).astype(np.float32)
        report, found, _ = self.quantize_without_samples(f"""graph main(x: f32[1, 3, 8, 8]) -> (y: f32[1, 6]) {{
  const %w: {write(conv)}
  const %m: {write(matrix)}
  %a = Conv(%x, %w) @a
  %g = GlobalAveragePool(%a) @g
  %f = Flatten(%g) @f
  %y = MatMul(%f, %m) @y
}}
""")
        self.assertEqual((report["products"], report["stored_convolutions"]), (["y"], 1))
        q, scales = int_weights(conv)
        np.testing.assert_array_equal(found["w_quantized"], q)
        self.near(found["w_scale"], scales)
        self.run_athanor("zoo", "lstm", "-o", "lstm.onnx", "--quiet")
        run = self.run_verb("lstm.onnx", *self.FLAGS, "-o", "lstm.ath", "--report", "r.json")
        self.assertGreater(json.loads((self.folder / "r.json").read_text())["recurrent_matrices"], 0)
        self.assertIn("of recurrent nodes have 8 bits in the file", run.stdout)

    def test_samples_tell_how_near_the_outputs_are(self):
        model, _, _ = self.two_layers()
        np.savez(self.folder / "calib.npz", x=self.random.normal(size=(8, 24)).astype(np.float32))
        report, _, _ = self.quantize_without_samples(model, "--calib", "calib.npz")
        self.assertGreater(report["sqnr_db"], 30)
        report, _, _ = self.quantize_without_samples(model, "--data", "calib.npz")
        self.assertGreater(report["agreement"], 0.99)

    def test_what_does_not_go_with_it_is_refused(self):
        (self.folder / "m.txt").write_text(self.two_layers()[0])
        np.savez(self.folder / "calib.npz", x=np.ones((4, 24), np.float32))
        for more in (["--weight-bits", "4"], ["--method", "mse"], ["--correct", "bias"], ["--max-drop", "1%"], ["--float-share", "0"],
                     ["--ranges", "symmetric"], ["--arithmetic", "fixed31"], ["--target-ratio", "4"], ["--auto"], ["--table", "t.cache"],
                     ["--save-table", "t.cache"], ["--group", "64"], ["--tune", "2"], ["--tail", "0.01"], ["--measured"]):
            with self.subTest(more):
                run = self.run_verb("m.txt", *self.FLAGS, *more, "-o", "o.ath", code=1)
                self.assertIn(f"{more[0]} does not go with --activations dynamic", run.stderr)
                self.assertFalse((self.folder / "o.ath").exists())
        (self.folder / "c.txt").write_text(f"""graph main(x: f32[1, 3, 8, 8]) -> (y: f32[1, 4, 6, 6]) {{
  const %w: {write(np.ones((4, 3, 3, 3)))}
  %y = Conv(%x, %w) @y
}}
""")
        self.assertIn("no MatMul or Gemm has constant weights", self.run_verb("c.txt", *self.FLAGS, "-o", "o.ath", code=2).stderr)
        (self.folder / "n.txt").write_text(f"""graph main(x: f32[1, 3]) -> (y: f32[1, 3]) {{
  const %w: f32[3, 3] = [1, 2, 3, 4, nan, 6, 7, 8, 9]
  %y = MatMul(%x, %w) @y
}}
""")
        self.assertIn('weight 4 of "w" is nan', self.run_verb("n.txt", *self.FLAGS, "-o", "o.ath", code=2).stderr)


if __name__ == "__main__":
    unittest.main()
