#!/usr/bin/env python3
"""What `athanor quantize` writes as ONNX, run by ONNX Runtime as it comes, all its optimisations on."""
import unittest

import numpy as np

from quant_rounding_test import write
from quant_test import Case

try:
    import onnxruntime
except ImportError:
    onnxruntime = None


def answers_of_onnxruntime(path, **inputs):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


@unittest.skipUnless(onnxruntime, "ONNX Runtime is absent")
class OnnxRuntime(Case):
    def answers(self, path, **inputs):
        """Ours."""
        np.savez(self.folder / "x.npz", **inputs)
        given = [flag for name, array in inputs.items() for flag in ("--input", f"{name}={self.array(name, array)}")]
        self.run_athanor("run", path, *given, "--save", "y.npz", "--quiet")
        found = np.load(self.folder / "y.npz")
        return found[found.files[0]]

    def array(self, name, array):
        path = self.folder / f"{name}.npy"
        np.save(path, array)
        return path

    def lopsided(self, *shape):
        return (self.random.normal(size=shape) + self.random.uniform(-1, 1, (shape[0],) + (1,) * (len(shape) - 1))).astype(np.float32)

    def test_weights_with_zero_points_agree_to_a_step_of_the_outputs(self):
        products = {"Conv": (self.lopsided(6, 4, 3, 3), "", "f32[1, 4, 8, 8]", "f32[1, 6, 6, 6]"),
                    "Conv of one channel each": (self.lopsided(4, 1, 3, 3), "{group = 4}", "f32[1, 4, 8, 8]", "f32[1, 4, 6, 6]"),
                    "Gemm": (self.lopsided(6, 24), "{transB = true}", "f32[3, 24]", "f32[3, 6]"),
                    "MatMul": (self.lopsided(6, 24).T, "", "f32[3, 24]", "f32[3, 6]")}
        for name, (w, attributes, of_x, of_y) in products.items():
            for more in ((), ("--per-tensor",)):
                with self.subTest(name, more=more):
                    (self.folder / "m.txt").write_text(f"""graph main(x: {of_x}) -> (y: {of_y}) {{
  const %w: {write(w)}
  %y = {name.split()[0]}(%x, %w) {attributes} @y
}}
""")
                    shape = [int(n) for n in of_x[4:-1].split(",")]
                    rows = self.random.uniform(-1, 2, (9, *shape)).astype(np.float32)
                    calib = self.folder / "calib"
                    calib.mkdir(exist_ok=True)
                    for i, row in enumerate(rows[:8]):
                        np.save(calib / f"{i}.npy", row)
                    self.run_verb("m.txt", "--calib", "calib", "-o", "o.onnx", "--weight-ranges", "asymmetric", *more)
                    ours, theirs = self.answers("o.onnx", x=rows[8]), answers_of_onnxruntime(self.folder / "o.onnx", x=rows[8])
                    steps = np.unique(np.round(np.diff(np.unique(np.concatenate([ours, theirs]).reshape(-1))), 9))
                    self.assertLessEqual(np.abs(ours - theirs).max(), steps[steps > 0].min() * 1.001)

    def test_products_with_scales_of_their_own_agree(self):
        layers = [(self.lopsided(40, 24), self.random.normal(size=40)), (self.lopsided(10, 40), self.random.normal(size=10))]
        model = "graph main(x: f32[N, 24]) -> (y: f32[N, 10]) {\n"
        for i, (w, b) in enumerate(layers):
            model += f"  const %w{i}: {write(w)}\n  const %b{i}: {write(b)}\n"
        (self.folder / "m.txt").write_text(model + """  %a = Gemm(%x, %w0, %b0) {transB = true} @a
  %r = Relu(%a) @r
  %y = Gemm(%r, %w1, %b1) {transB = true} @y
}
""")
        x = self.random.normal(size=(5, 24)).astype(np.float32)
        for more in ((), ("--per-tensor",), ("--weight-ranges", "asymmetric")):
            with self.subTest(more):
                self.run_verb("m.txt", "--activations", "dynamic", "-o", "o.onnx", *more)
                ours, theirs = self.answers("o.onnx", x=x), answers_of_onnxruntime(self.folder / "o.onnx", x=x)
                # A value may lie between two bytes: one of them is a step of its input more.
                self.assertLessEqual(np.median(np.abs(ours - theirs)), 1e-5 * np.abs(ours).max())
                self.assertLessEqual(np.abs(ours - theirs).max(), 0.02 * np.abs(ours).max())


if __name__ == "__main__":
    unittest.main()
