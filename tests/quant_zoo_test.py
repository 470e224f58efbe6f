#!/usr/bin/env python3
"""Whatever `athanor quantize` writes loads again and answers nearly like the float model: small networks of the zoo, every form.

Cosines are of outputs on random inputs, weights are random too; they shall only show that no integer is somebody else's.
"""
import json
import pathlib
import subprocess
import tempfile
import unittest

import numpy as np

from running import binary

# Name of the topology, dims that its inputs leave open.
NETWORKS = [("autoencoder", {}), ("ds_cnn", {}), ("lstm", {"sequence": 4}), ("mlp", {}), ("resnet8", {}), ("vww", {})]
# Flags, ending of the file, least cosine.
FORMS = [([], "ath", 0.98), ([], "onnx", 0.98), (["--correct", "auto"], "ath", 0.98),
         (["--method", "entropy", "--correct", "equalize,analytic", "--per-tensor"], "onnx", 0.9),
         (["--arithmetic", "fixed31", "--correct", "spread,bias"], "ath", 0.95), (["--weight-bits", "4"], "ath", 0.9),
         (["--weight-bits", "4", "--per-tensor"], "onnx", 0.5), (["--target-ratio", "6"], "ath", 0.9),
         (["--weight-ranges", "asymmetric"], "ath", 0.98), (["--activations", "dynamic"], "ath", 0.98),
         (["--activations", "dynamic", "--weight-ranges", "asymmetric"], "onnx", 0.98)]
# Recurrent weights keep their size, so its file cannot shrink as asked.
REFUSED = [("lstm", "--target-ratio")]
# Products with 4-bit weights in groups: only matrices.
WEIGHTS = [(["--weight-bits", "4", "--activations", "float", "--group", "32"], "ath", 0.9),
           (["--weight-bits", "4", "--activations", "float", "--group", "64"], "onnx", 0.9)]
MATRICES = ("autoencoder", "mlp")


def athanor(*arguments, code=0):
    run = subprocess.run([binary(), *map(str, arguments)], capture_output=True, text=True, check=False)
    if run.returncode != code:
        raise AssertionError(f"{arguments}: {run.returncode}: {run.stderr[-1000:]}")
    return run.stdout


def cosine(a, b):
    a, b = (np.asarray(x, np.float64).reshape(-1) for x in (a, b))
    return a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-30)


class Loading(unittest.TestCase):
    def setUp(self):
        self.at = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.at.name)

    def tearDown(self):
        self.at.cleanup()

    def samples(self, model, sizes):
        """Of the only input, 6 to calibrate on and one to answer."""
        (facts,) = json.loads(athanor("inspect", model, "--json"))["inputs"]
        dims = [sizes.get(dim, 1) if isinstance(dim, str) else dim for dim in facts["shape"]]
        random = np.random.default_rng(3)
        rows = random.uniform(-1, 1, (7, *dims)).astype(np.float32)
        folder = self.folder / "calib"
        folder.mkdir(exist_ok=True)
        for i, row in enumerate(rows[:6]):
            np.save(folder / f"{i}.npy", row)
        np.save(self.folder / "x.npy", rows[6])
        return folder, f"{facts['name']}={self.folder / 'x.npy'}"

    def answers(self, model, given):
        athanor("run", model, "--input", given, "--save", self.folder / "y.npz", "--quiet")
        found = np.load(self.folder / "y.npz")
        return [found[name] for name in found.files]

    def test_files_load_and_answer(self):
        for name, sizes in NETWORKS:
            model = self.folder / f"{name}.onnx"
            athanor("zoo", name, "-o", model, "--quiet")
            calib, given = self.samples(model, sizes)
            wanted = self.answers(model, given)
            for flags, ending, least in FORMS + (WEIGHTS if name in MATRICES else []):
                if (name, (flags or [""])[0]) in REFUSED:
                    athanor("quantize", model, "--calib", calib, *flags, "-o", self.folder / "none.ath", "--quiet", code=3)
                    self.assertFalse((self.folder / "none.ath").exists())
                    continue
                with self.subTest(network=name, flags=" ".join(flags), ending=ending):
                    small = self.folder / f"small.{ending}"
                    athanor("quantize", model, "--calib", calib, *flags, "-o", small, "--quiet")
                    for a, b in zip(wanted, self.answers(small, given), strict=True):
                        self.assertEqual(a.shape, b.shape)
                        self.assertGreaterEqual(cosine(a, b), least)


if __name__ == "__main__":
    unittest.main()
