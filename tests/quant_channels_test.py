#!/usr/bin/env python3
"""Corrections of `athanor quantize` that move factors and biases from channel to channel, against NumPy: equalisation, spread, SmoothQuant."""
import unittest

import numpy as np

from quant_test import Case, write


class Channels(Case):
    def test_equalisation(self):
        w1 = (self.random.normal(size=(6, 3, 1, 1)) * 10.0**self.random.uniform(-1, 1, (6, 1, 1, 1))).astype(np.float32)
        wd = self.random.normal(size=(6, 1, 3, 3)).astype(np.float32)
        w2 = self.random.normal(size=(4, 6, 1, 1)).astype(np.float32)
        b = {name: self.random.normal(size=n).astype(np.float32) - 5 for name, n in [("b1", 6), ("bd", 6), ("b2", 4)]}
        model = f"""graph main(x: f32[1, 3, 5, 5]) -> (y: f32[1, 4, 5, 5]) {{
  const %w1: {write(w1)}
  const %wd: {write(wd)}
  const %w2: {write(w2)}
  const %b1: {write(b["b1"])}
  const %bd: {write(b["bd"])}
  const %b2: {write(b["b2"])}
  %c = Conv(%x, %w1, %b1) @c
  %r = Relu(%c) @r
  %d = Conv(%r, %wd, %bd) {{group = 6, pads = [1, 1, 1, 1]}} @d
  %e = Relu(%d) @e
  %y = Conv(%e, %w2, %b2) @y
}}
"""
        x = self.random.normal(size=(12, 3, 5, 5)).astype(np.float32)
        report, found, _ = self.quantize(model, {"x": x}, "--correct", "equalize", "--per-tensor")
        self.assertEqual(report["equalized"]["pairs"], 2)
        w1, wd, w2 = (w.astype(np.float64) for w in (w1, wd, w2))
        for _ in range(20):
            change = 0
            s = np.sqrt(np.abs(w1).max((1, 2, 3)) / np.abs(wd).max((1, 2, 3)))
            w1, wd, change = w1 / s[:, None, None, None], wd * s[:, None, None, None], max(change, np.abs(np.log(s)).max())
            s = np.sqrt(np.abs(wd).max((1, 2, 3)) / np.abs(w2).max((0, 2, 3)))
            wd, w2, change = wd / s[:, None, None, None], w2 * s[None, :, None, None], max(change, np.abs(np.log(s)).max())
            if change < 1e-3:
                break
        for name, w in [("w1", w1), ("wd", wd), ("w2", w2)]:
            real = found[f"{name}_quantized"] * found[f"{name}_scale"].reshape(-1, 1, 1, 1).astype(np.float64)
            self.near(found[f"{name}_scale"], np.full(len(w), np.abs(w).max() / 127))
            self.assertLessEqual(np.abs(real - w).max(), np.abs(w).max() / 127 * 0.501)

    def test_equalised_channels_keep_their_limits(self):
        w1 = (self.random.normal(size=(6, 3, 1, 1)) * 10.0**self.random.uniform(-1, 1, (6, 1, 1, 1))).astype(np.float32)
        w2 = self.random.normal(size=(4, 6, 1, 1)).astype(np.float32)
        model = f"""graph main(x: f32[1, 3, 5, 5]) -> (y: f32[1, 4, 5, 5]) {{
  const %w1: {write(w1)}
  const %w2: {write(w2)}
  const %low: f32[] = [0]
  const %high: f32[] = [6]
  %c = Conv(%x, %w1) @c
  %r = Clip(%c, %low, %high) @r
  %y = Conv(%r, %w2) @y
}}
"""
        x = self.random.normal(size=(12, 3, 5, 5)).astype(np.float32)
        report, found, _ = self.quantize(model, {"x": x}, "--correct", "equalize", "--per-tensor")
        self.assertEqual(report["equalized"]["limits_per_channel"], 1)
        s = np.sqrt(np.abs(w1.astype(np.float64)).max((1, 2, 3)) / np.abs(w2.astype(np.float64)).max((0, 2, 3)))
        self.near(found["r_limits"].reshape(-1), 6 / s)
        # The float network with limits of its own for each channel is the one without factors.
        c = np.einsum("nchw,oc->nohw", x.astype(np.float64), w1[:, :, 0, 0]) / s[None, :, None, None]
        scale = {t["tensor"]: t["scale"] for t in report["tensors"]}["r"]
        self.near(scale * 255, np.clip(c, 0, (6 / s)[None, :, None, None]).max(), 1e-4)

    def test_quiet_channels_fill_the_range(self):
        loud = np.array([1, 0.5, 0.2, 0.1, 0.05, 3])
        w1 = (self.random.normal(size=(6, 3, 1, 1)) * loud[:, None, None, None]).astype(np.float32)
        wd = self.random.normal(size=(6, 1, 3, 3)).astype(np.float32) / 9
        w2 = self.random.normal(size=(4, 6, 1, 1)).astype(np.float32)
        b = {name: np.zeros(n, np.float32) for name, n in [("b1", 6), ("bd", 6), ("b2", 4)]}
        model = f"""graph main(x: f32[1, 3, 5, 5]) -> (y: f32[1, 4, 5, 5]) {{
  const %w1: {write(w1)}
  const %wd: {write(wd)}
  const %w2: {write(w2)}
  const %b1: {write(b["b1"])}
  const %bd: {write(b["bd"])}
  const %b2: {write(b["b2"])}
  const %low: f32[] = [0]
  const %high: f32[] = [6]
  %c = Conv(%x, %w1, %b1) @c
  %r = Clip(%c, %low, %high) @r
  %d = Conv(%r, %wd, %bd) {{group = 6, pads = [1, 1, 1, 1]}} @d
  %e = Relu(%d) @e
  %y = Conv(%e, %w2, %b2) @y
}}
"""
        x = self.random.normal(size=(12, 3, 5, 5)).astype(np.float32)
        report, found, _ = self.quantize(model, {"x": x}, "--correct", "spread")
        w1, wd, w2 = (w.astype(np.float64) for w in (w1, wd, w2))
        r = np.clip(np.einsum("oi,nihw->nohw", w1[:, :, 0, 0], x), 0, 6)
        padded = np.pad(r, ((0, 0), (0, 0), (1, 1), (1, 1)))
        d = sum(wd[:, 0, i, j][:, None, None] * padded[:, :, i:i + 5, j:j + 5] for i in range(3) for j in range(3))
        e = np.maximum(d, 0)
        # A channel of its own for each row: all of the range. Then many channels in a row: where both errors are alike.
        first = np.maximum(1, 6 / (1.5 * r.max((0, 2, 3))))
        high = e.max((0, 2, 3))
        steps = np.sum((np.abs(w2).max((1, 2, 3)) / 127)**2)
        alike = ((e.max() / 255)**2 * (w2**2).sum((0, 2, 3)) / ((e**2).mean((0, 2, 3)) * steps))**0.25
        second = np.maximum(1, np.minimum(e.max() / (1.5 * high), alike))
        self.assertEqual(report["equalized"]["spread_channels"], np.sum(first > 1) + np.sum(second > 1))
        self.near(found["w1_scale"], np.abs(w1).max((1, 2, 3)) * first / 127)
        self.near(found["wd_scale"], np.abs(wd).max((1, 2, 3)) / first * second / 127)
        self.near(found["w2_scale"], np.abs(w2 / second[None, :, None, None]).max((1, 2, 3)) / 127)

    def shuffled(self):
        """Two products, a shuffle of their channels, a product with a channel for each row; then one that reads them all."""
        wa, wb = (self.random.normal(size=(3, 2, 1, 1)).astype(np.float32) * loud for loud in (1, 10))
        wa, wb = (w * np.float32([1, 0.1, 0.01])[:, None, None, None] for w in (wa, wb))
        wd = self.random.normal(size=(6, 1, 1, 1)).astype(np.float32) / np.float32([1, 10, 0.1, 1, 0.01, 0.1])[:, None, None, None]
        model = f"""graph main(x: f32[1, 2, 5, 5], z: f32[1, 2, 5, 5]) -> (y: f32[1, 4, 5, 5]) {{
  const %wa: {write(wa)}
  const %wb: {write(wb)}
  const %wd: {write(wd)}
  const %we: {write(self.random.normal(size=(4, 6, 1, 1)))}
  const %two: i64[5] = [1, 2, 3, 5, 5]
  const %one: i64[4] = [1, 6, 5, 5]
  %a = Conv(%x, %wa) @a
  %b = Conv(%z, %wb) @b
  %j = Concat(%a, %b) {{axis = 1}} @j
  %s = Reshape(%j, %two) @s
  %t = Transpose(%s) {{perm = [0, 2, 1, 3, 4]}} @t
  %u = Reshape(%t, %one) @u
  %d = Conv(%u, %wd) {{group = 6}} @d
  %y = Conv(%d, %we) @e
}}
"""
        return model, wa, wb

    def test_factors_pass_shuffles_and_products_without_activation(self):
        model, wa, wb = self.shuffled()
        samples = {name: self.random.normal(size=(12, 2, 5, 5)).astype(np.float32) for name in "xz"}
        report, found, _ = self.quantize(model, samples, "--correct", "spread")
        factors = []
        for name, w, x in (("wa", wa, samples["x"]), ("wb", wb, samples["z"])):
            out = np.einsum("oi,nihw->nohw", w[:, :, 0, 0].astype(np.float64), x)
            most = np.minimum(out.max() / (1.5 * out.max((0, 2, 3))), out.min() / (1.5 * out.min((0, 2, 3))))
            factors.append(np.clip(most, 1, 64))
            self.near(found[f"{name}_scale"], np.abs(w).max((1, 2, 3)) * factors[-1] / 127, 1e-4)
        self.assertTrue((np.array(factors)[:, 2] > 10).all())
        self.assertGreaterEqual(report["equalized"]["spread_channels"], 4)

    def test_spread_is_found_where_it_is_needed(self):
        model, *_ = self.shuffled()
        report, _, _ = self.quantize(model, {name: self.random.normal(size=(12, 2, 5, 5)).astype(np.float32) for name in "xz"})
        self.assertEqual(report["corrections"], "spread,gptq,bias")

    def test_high_biases_move_on(self):
        w1, w2 = self.random.normal(size=(4, 3, 1, 1)).astype(np.float32) * 0.1, self.random.normal(size=(5, 4, 1, 1)).astype(np.float32)
        b1, b2 = np.array([5, 0, 9, -4], np.float32), self.random.normal(size=5).astype(np.float32)
        model = f"""graph main(x: f32[1, 3, 6, 6]) -> (y: f32[1, 5, 6, 6]) {{
  const %w1: {write(w1)}
  const %w2: {write(w2)}
  const %b1: {write(b1)}
  const %b2: {write(b2)}
  %c = Conv(%x, %w1, %b1) @c
  %r = Relu(%c) @r
  %y = Conv(%r, %w2, %b2) @y
}}
"""
        x = self.random.normal(size=(12, 3, 6, 6)).astype(np.float32)
        report, found, _ = self.quantize(model, {"x": x}, "--correct", "equalize")
        scale = {t["tensor"]: t["scale"] for t in report["tensors"]}
        s = np.sqrt(np.abs(w1.astype(np.float64)).max((1, 2, 3)) / np.abs(w2.astype(np.float64)).max((0, 2, 3)))
        w1, b1 = w1.reshape(4, 3).astype(np.float64) / s[:, None], b1.astype(np.float64) / s
        w2 = w2.reshape(5, 4).astype(np.float64) * s[None]
        c = np.einsum("nchw,oc->nohw", x.astype(np.float64), w1) + b1[None, :, None, None]
        moved = np.maximum(0, c.mean((0, 2, 3)) - 3 * c.std((0, 2, 3)))
        self.assertEqual(report["equalized"]["absorbed_channels"], int((moved > 0).sum()))
        self.near(found["b1_quantized"] * found["w1_scale"].astype(np.float64) * scale["x"], b1 - moved, 1e-4)
        self.near(found["b2_quantized"] * found["w2_scale"].astype(np.float64) * scale["r"], b2 + w2 @ moved, 1e-4)

    def test_smoothing(self):
        gain, bias = self.random.uniform(0.2, 4, 16).astype(np.float32), self.random.normal(size=16).astype(np.float32)
        w, v = self.random.normal(size=(16, 5)).astype(np.float32), self.random.normal(size=(16, 7)).astype(np.float32)
        model = f"""graph main(x: f32[1, 16]) -> (y: f32[1, 5], z: f32[1, 7]) {{
  const %gain: {write(gain)}
  const %bias: {write(bias)}
  const %w: {write(w)}
  const %v: {write(v)}
  %n = LayerNormalization(%x, %gain, %bias) @n
  %y = MatMul(%n, %w) @y
  %z = MatMul(%n, %v) @z
}}
"""
        x = self.random.normal(size=(20, 16)).astype(np.float32)
        report, found, _ = self.quantize(model, {"x": x}, "--correct", "smooth")
        self.assertEqual(report["equalized"]["smoothed"], 1)
        x = x.astype(np.float64)
        n = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5) * gain + bias
        s = np.sqrt(np.abs(n).max(0)) / np.sqrt(np.maximum(np.abs(w).max(1), np.abs(v).max(1)))
        self.near(found["gain"], gain / s)
        self.near(found["bias"], bias / s)
        # Products of one value became one, without a name.
        self.near(found["_scale"], np.abs(np.concatenate([w, v], 1) * s[:, None]).max(0) / 127)


if __name__ == "__main__":
    unittest.main()
