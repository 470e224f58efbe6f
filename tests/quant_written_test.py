#!/usr/bin/env python3
"""What `athanor quantize` writes and says of it: sizes, names, and weights alone where activations are too coarse for bytes.

    python3 tests/quant_written_test.py
"""
import json
import unittest

import numpy as np

from quant_test import Case, Planted, constants, rounded, write


class Written(Planted):
    def test_weights_in_a_file_of_their_own_count(self):
        said = json.loads(self.run_verb("m.txt", "--calib", "calib.npz", "-o", "o.xml", "--float-share", "0", "--json").stdout)
        sizes = [(self.folder / name).stat().st_size for name in ("o.xml", "o.bin")]
        self.assertEqual(said["int8"]["bytes"], sum(sizes))


class Unnamed(Case):
    def test_products_have_the_names_of_what_they_make(self):
        w = self.random.normal(size=(8, 8)).astype(np.float32)
        model = f"""graph main(x: f32[1, 8]) -> (y: f32[1, 8]) {{
  const %w: {write(w)}
  %a = MatMul(%x, %w)
  %r = Relu(%a)
  %b = MatMul(%r, %w)
  %y = MatMul(%b, %w)
}}
"""
        report, _, _ = self.quantize(model, {"x": self.random.normal(size=(60, 8)).astype(np.float32)}, "--activations", "8")
        self.assertEqual([row["node"] for row in report["products"]], ["a", "b", "y"])
        self.assertEqual([row["node"] for row in report["times"]["products"]], ["a", "b", "y"])


class CoarseActivations(Case):
    """A channel a thousand times louder than the one that the answer is made of, behind a Swish that channels cannot be spread through: one scale of 255 steps holds nothing
    of the quiet one."""

    def setUp(self):
        super().setUp()
        self.first = self.random.normal(size=(8, 8)).astype(np.float32)
        self.first[:, 0] *= 1000
        self.second = self.random.normal(size=(8, 16)).astype(np.float32)
        self.second[0] = 0
        (self.folder / "m.txt").write_text(f"""graph main(x: f32[1, 8]) -> (y: f32[1, 16]) {{
  const %first: {write(self.first)}
  const %second: {write(self.second)}
  %a = MatMul(%x, %first) @a
  %s = Swish(%a) @s
  %b = MatMul(%s, %second) @b
  %y = Swish(%b) @y
}}
""")
        self.x = self.random.normal(size=(60, 8)).astype(np.float32)
        np.savez(self.folder / "calib.npz", x=self.x)

    def sqnr(self, text):
        """By NumPy, from the weights in the file."""
        def swish(v):
            return v / (1 + np.exp(-np.clip(v, -500, 500)))

        found = constants(text)
        first, second = (found[f"{name}_quantized"] * found[f"{name}_scale"].astype(np.float64) for name in ("first", "second"))
        real = swish(swish(self.x @ self.first.astype(np.float64)) @ self.second)
        small = swish(swish(self.x @ first) @ second)
        return 10 * np.log10(np.sum(real**2) / np.sum((real - small)**2))

    def test_activations_stay_in_float_by_default(self):
        for more in ([], ["--correct", "auto"]):
            said = self.run_verb("m.txt", "--calib", "calib.npz", "-o", "out.txt", *more).stdout
            self.assertIn("activations stay in float: 8 bits of them leave a part of the outputs within", said)
            self.assertNotIn("are wanted: ", said)
            text = (self.folder / "out.txt").read_text()
            self.assertNotIn(" QuantizeLinear(", text)
            self.assertGreater(self.sqnr(text), 35)

    def test_integers_when_they_are_asked_for(self):
        for more in (["--activations", "8"], ["--float-share", "15%"], ["--ranges", "symmetric"]):
            said = self.run_verb("m.txt", "--calib", "calib.npz", "-o", "out.txt", *more).stdout
            self.assertNotIn("activations stay in float", said)
            self.assertIn("a part of the outputs is within", said)
            self.assertIn(" QuantizeLinear(", (self.folder / "out.txt").read_text())

    def test_products_without_groups_have_a_scale_for_each_channel(self):
        said = self.run_verb("m.txt", "--calib", "calib.npz", "-o", "out.txt", "--activations", "float", "--correct", "none").stdout
        self.assertIn("the weights of 2 products have 8 bits, those of an output channel share a scale", said)
        found = constants((self.folder / "out.txt").read_text())
        for name, w in (("first", self.first), ("second", self.second)):
            scale = np.abs(w).max(0) / 127
            np.testing.assert_allclose(found[f"{name}_scale"], scale, rtol=1e-6)
            np.testing.assert_array_equal(found[f"{name}_quantized"], rounded(w / scale))
        self.run_verb("m.txt", "--calib", "calib.npz", "-o", "out.txt", "--activations", "float", "--weight-bits", "4", code=2)


if __name__ == "__main__":
    unittest.main()
