#!/usr/bin/env python3
"""How `athanor quantize` rounds weights, against NumPy: AdaRound, GPTQ, 4 bits in groups."""
import math
import unittest

import numpy as np

from quant_test import Case, int_weights, rounded, write


def limits(bits, zeros):
    """The least and the most steps of each row, as columns: bytes less their zero point, where there are any."""
    if zeros is None:
        return -(2**(bits - 1) - 1), 2**(bits - 1) - 1
    return -128 - zeros[:, None].astype(np.float64), 127 - zeros[:, None].astype(np.float64)


def ada_round(w, scales, bits, gram, zeros=None, iterations=1000, rate=0.02, weight=0.05):
    """Steps of each row; all rows share the matrix."""
    least, most = limits(bits, zeros)
    steps = w.astype(np.float64) / scales[:, None].astype(np.float64)
    down = np.floor(steps)
    fixed = (down < least) | (down + 1 > most)
    down = np.where(fixed, np.clip(rounded(steps), least, most), down)
    nearest_up = np.where(fixed, 0, rounded(steps) - down)
    error = down + nearest_up - steps
    unit = np.einsum("rk,kl,rl->", error, gram, error) / w.size
    v = -np.log(1.2 / (np.clip(steps - down, 0.01, 0.99) + 0.1) - 1)
    mean, square = np.zeros_like(v), np.zeros_like(v)
    for step in range(iterations):
        sigmoid = 1 / (1 + np.exp(-v))
        h = sigmoid * 1.2 - 0.1
        soft = np.clip(h, 0, 1)
        slope = 2 * ((down + np.where(fixed, 0, soft) - steps) @ gram) / unit
        at = step / iterations
        if at >= 0.2:
            beta = 2 + 18 * (1 + math.cos((at - 0.2) / 0.8 * math.pi)) / 2
            away = 2 * soft - 1
            slope -= weight * 2 * beta * np.abs(away)**(beta - 1) * np.where(away < 0, -1, 1)
        gradient = np.where((h > 0) & (h < 1), slope * 1.2 * sigmoid * (1 - sigmoid), 0)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        v = v - rate * (mean / (1 - 0.9**(step + 1))) / (np.sqrt(square / (1 - 0.999**(step + 1))) + 1e-8)
    relaxed = np.where(fixed, 0, np.clip(1 / (1 + np.exp(-v)) * 1.2 - 0.1, 0, 1) >= 0.5).astype(np.float64)

    def descend(up, row):
        up = up.copy()
        for _ in range(20):
            better = False
            for k in range(len(up)):
                change = -1 if up[k] else 1
                slope = gram[k] @ (down[row] + up - steps[row])
                if not fixed[row, k] and change * 2 * slope + gram[k, k] < -1e-12 * gram[k, k]:
                    up[k] += change
                    better = True
            if not better:
                break
        error = down[row] + up - steps[row]
        return error @ gram @ error, up
    rows = []
    for row in range(len(w)):
        rows.append(min(descend(relaxed[row], row), descend(nearest_up[row], row), key=lambda pair: pair[0])[1])
    return down + np.array(rows)


def make_up(w, scales, bits, gram, zeros=None, damping=0.01):
    """Steps and scales: GPTQ, single steps while they help, and the scale of each row fitted below 8 bits."""
    n = w.shape[1]
    ends = np.broadcast_to(np.hstack([np.reshape(end, (-1, 1)) for end in limits(bits, zeros)]), (len(w), 2))
    square = gram + damping * np.trace(gram) / n * np.eye(n)
    damped = square + damping * np.trace(square) / n * np.eye(n)
    upper = np.linalg.cholesky(np.linalg.inv(damped)).T

    def in_order(row, least, most):
        left, q = row.copy(), np.zeros(n)
        for k in range(n):
            q[k] = np.clip(rounded(left[k]), least, most)
            left[k + 1:] -= (left[k] - q[k]) / upper[k, k] * upper[k, k + 1:]
        return q

    def descend(row, q, least, most):
        q, better = q.copy(), True
        for _ in range(20):
            if not better:
                break
            better = False
            for k in range(n):
                slope = square[k] @ (q - row)
                change = -1 if slope > 0 else 1
                if change * 2 * slope + square[k, k] < -1e-12 * square[k, k] and least <= q[k] + change <= most:
                    q[k] += change
                    better = True
        return (q - row) @ square @ (q - row), q

    integers, fitted = [], []
    for row, scale, (least, most) in zip(w.astype(np.float64), scales.astype(np.float64), ends):
        steps = row / scale
        nearest = np.clip(rounded(steps), least, most)
        starts = (in_order(steps, least, most), nearest)
        error, q = min((descend(steps, start, least, most) for start in starts), key=lambda found: found[0])
        error *= scale**2
        for _ in range(2 if bits < 8 else 0):
            change = (q @ square @ steps) / (q @ square @ q)
            if not 0.75 < change < 4 / 3:
                break
            left, moved = descend(steps / change, q, least, most)
            if left * (scale * change)**2 >= error:
                break
            error, q, steps, scale = left * (scale * change)**2, moved, steps / change, scale * change
        integers.append(q)
        fitted.append(scale)
    return np.array(integers), np.array(fitted)


def group_scale(w, share):
    low, high = min(0, w.min()), max(0, w.max())
    scale = np.float32((high - low) / 15 * share)
    return scale, int(np.clip(rounded(-low * share / float(scale)), 0, 15))


def group_integers(w, scale, zero):
    return np.clip(rounded(w / float(scale)) + zero, 0, 15)


def fitted(w, importance):
    def error(scale, zero):
        return np.sum(importance * (w - (group_integers(w, scale, zero) - zero) * float(scale))**2)
    best = group_scale(w, 1)
    least = error(*best)
    for i in range(5):
        scale, zero = group_scale(w, 1 - 0.05 * i)
        for _ in range(5):
            steps = group_integers(w, scale, zero) - zero
            upper, lower = np.sum(importance * w * steps), np.sum(importance * steps**2)
            if not lower > 0 or not upper > 0:
                break
            scale = np.float32(upper / lower)
            if error(scale, zero) < least:
                least, best = error(scale, zero), (scale, zero)
    return best


def group_weights(w, group, gram, gptq, fit):
    rows, columns = w.shape
    w = w.copy()
    importance = np.ones(columns) if gram is None else np.diag(gram)
    if gptq:
        damped = gram + 0.01 * np.diag(gram).mean() * np.eye(columns)
        upper = np.linalg.cholesky(np.linalg.inv(damped)).T
    blocks = -(-columns // group)
    q, scales, zeros = np.zeros((rows, columns)), np.zeros((rows, blocks)), np.zeros((rows, blocks), int)
    for row in range(rows):
        for k in range(columns):
            if k % group == 0:
                part = slice(k, min(k + group, columns))
                scale, zero = fitted(w[row, part], importance[part]) if fit else group_scale(w[row, part], 1)
                scales[row, k // group], zeros[row, k // group] = scale, zero
            q[row, k] = group_integers(w[row, k], scale, zero)
            if gptq:
                error = (w[row, k] - (q[row, k] - zero) * float(scale)) / upper[k, k]
                w[row, k + 1:] -= error * upper[k, k + 1:]
    return q, scales, zeros


def weights_with_zeros(w, per_tensor=False):
    """Scales and zero points of rows (output channels): bytes from the smallest to the largest weight, 0 among them."""
    flat = w.reshape(len(w), -1)
    low, high = np.minimum(flat.min(1), 0), np.maximum(flat.max(1), 0)
    if per_tensor:
        low[:], high[:] = low.min(), high.max()
    width = high.astype(np.float64) - low
    scales = np.where(width > 0, width / 255, 1).astype(np.float32)
    return scales, np.where(width > 0, -128 + rounded(-low / scales), 0).astype(np.int8)


def nearest_with_zeros(w, scales, zeros):
    columns = (-1,) + (1,) * (w.ndim - 1)
    return np.clip(rounded(w / scales.reshape(columns)) + zeros.reshape(columns), -128, 127)


class ZeroPoints(Case):
    """--weight-ranges asymmetric."""
    FLAGS = ("--weight-ranges", "asymmetric")

    def lopsided(self, *shape):
        """One channel on one side of 0, one on the other, one of zeros, the others across."""
        w = (self.random.normal(size=shape) + self.random.uniform(-1, 1, (shape[0],) + (1,) * (len(shape) - 1))).astype(np.float32)
        w[0], w[1], w[2] = np.abs(w[0]) + 0.1, -np.abs(w[1]) - 0.1, 0
        return w

    def gemm(self, w, b):
        return f"""graph main(x: f32[1, {w.shape[1]}]) -> (y: f32[1, {w.shape[0]}]) {{
  const %w: {write(w)}
  const %b: {write(b)}
  %y = Gemm(%x, %w, %b) {{transB = true}} @y
}}
"""

    def test_scales_zero_points_and_nearest_integers(self):
        conv, depthwise, matrix = self.lopsided(6, 3, 3, 3), self.lopsided(6, 1, 3, 3), self.lopsided(5, 6)
        model = f"""graph main(x: f32[1, 3, 8, 8]) -> (y: f32[1, 5]) {{
  const %w: {write(conv)}
  const %d: {write(depthwise)}
  const %m: {write(matrix.T)}
  %a = Conv(%x, %w) {{pads = [1, 1, 1, 1]}} @a
  %b = Conv(%a, %d) {{group = 6}} @b
  %g = GlobalAveragePool(%b) @g
  %f = Flatten(%g) @f
  %y = MatMul(%f, %m) @y
}}
"""
        x = self.random.uniform(-1, 2, (8, 3, 8, 8)).astype(np.float32)
        for more in ((), ("--per-tensor",)):
            with self.subTest(more):
                report, found, _ = self.quantize(model, {"x": x}, *self.FLAGS, *more, "--correct", "none")
                self.assertEqual(report["weight_ranges"], "asymmetric")
                for name, w in (("w", conv), ("d", depthwise), ("m", matrix)):
                    scales, zeros = weights_with_zeros(w, bool(more))
                    self.near(found[f"{name}_scale"], scales)
                    np.testing.assert_array_equal(found[f"{name}_zero_point"], zeros)
                    integers = found[f"{name}_quantized"]
                    np.testing.assert_array_equal(integers.T if name == "m" else integers, nearest_with_zeros(w, scales, zeros))
                    self.assertEqual(len(set(zeros)) == 1, bool(more))
        _, found, _ = self.quantize(model, {"x": x}, "--correct", "none")
        self.assertNotIn("w_zero_point", found)

    def test_weights_that_make_up_for_each_other_and_adaround(self):
        w, b = self.lopsided(6, 20), self.random.normal(size=6).astype(np.float32)
        x = (self.random.normal(size=(60, 20)) @ (self.random.normal(size=(20, 20)) * 0.4 + np.eye(20))).astype(np.float32)
        for correct, rounding in (("gptq", make_up), ("adaround", ada_round)):
            with self.subTest(correct):
                report, found, _ = self.quantize(self.gemm(w, b), {"x": x}, *self.FLAGS, "--correct", correct)
                tensor = next(t for t in report["tensors"] if t["tensor"] == "x")
                scale, zero = float(tensor["scale"]), tensor["zero_point"]
                read = np.clip(rounded(x.astype(np.float64) / scale), -zero, 255 - zero) * scale
                gram = read.T @ read / len(x)
                scales, zeros = weights_with_zeros(w)
                expected = rounding(w, scales, 8, gram, zeros)
                steps = expected[0] if correct == "gptq" else expected
                self.near(found["w_scale"], scales)
                np.testing.assert_array_equal(found["w_zero_point"], zeros)

                def objective(steps):
                    error = steps * scales[:, None].astype(np.float64) - w
                    return np.einsum("rk,kl,rl->", error, gram, error)
                actual = found["w_quantized"] - zeros[:, None].astype(np.float64)
                if correct == "gptq":
                    np.testing.assert_array_equal(actual, steps)
                self.near(objective(actual), objective(steps))
                self.assertLess(objective(actual), 0.9 * objective(nearest_with_zeros(w, scales, zeros) - zeros[:, None]))

    def test_the_bias_takes_back_the_mean_and_the_answers_come_nearer(self):
        w, b = self.lopsided(6, 24), self.random.normal(size=6).astype(np.float32)
        x = self.random.uniform(0, 3, (20, 24)).astype(np.float32)
        _, found, _ = self.quantize(self.gemm(w, b), {"x": x}, *self.FLAGS, "--correct", "bias")
        scales, zeros = weights_with_zeros(w)
        q = nearest_with_zeros(w, scales, zeros) - zeros[:, None]
        np.testing.assert_array_equal(found["w_quantized"] - zeros[:, None].astype(int), q)
        step = scales.astype(np.float64) * float(found["x_scale"])
        expected = b + (w - q * scales[:, None].astype(np.float64)) @ x.mean(0, dtype=np.float64)
        # Biases are whole numbers of steps.
        self.assertLessEqual(np.abs(found["b_quantized"] - expected / step).max(), 0.501)
        alive = np.abs(w).max(1) > 0
        symmetric, symmetric_scales = int_weights(w[alive])
        errors = [np.sum((w[alive] - n * s[:, None])**2) for n, s in ((q[alive], scales[alive]), (symmetric, symmetric_scales))]
        self.assertLess(errors[0], 0.6 * errors[1])

    def test_what_does_not_go_with_it_is_refused(self):
        (self.folder / "m.txt").write_text(self.gemm(self.lopsided(6, 24), np.zeros(6)))
        np.savez(self.folder / "calib.npz", x=np.ones((4, 24), np.float32))
        for more in (["--weight-bits", "4"], ["--weight-bits", "f16"], ["--arithmetic", "fixed31"], ["--target-ratio", "4"],
                     ["--activations", "float"], ["--save-table", "t.table"]):
            with self.subTest(more):
                run = self.run_verb("m.txt", "--calib", "calib.npz", *self.FLAGS, *more, "-o", "o.ath", code=1)
                self.assertIn(f"--weight-ranges does not go with {more[0]}", run.stderr)
                self.assertFalse((self.folder / "o.ath").exists())


class Rounding(Case):
    def three_products(self):
        """A network, its samples and its weights. The first and the last product have 8 bits: the one in the middle is looked at."""
        mix = self.random.normal(size=(20, 20)) * 0.4 + np.eye(20)
        x = (self.random.normal(size=(60, 20)) @ mix).astype(np.float32)
        w = [self.random.normal(size=(8, 20)).astype(np.float32), self.random.normal(size=(6, 8)).astype(np.float32),
             self.random.normal(size=(4, 6)).astype(np.float32)]
        model = "graph main(x: f32[1, 20]) -> (y: f32[1, 4]) {\n"
        for i, matrix in enumerate(w):
            model += f"  const %w{i}: {write(matrix)}\n  const %b{i}: {write(np.zeros(len(matrix)))}\n"
        model += """  %a = Gemm(%x, %w0, %b0) {transB = true} @a
  %b = Gemm(%a, %w1, %b1) {transB = true} @b
  %y = Gemm(%b, %w2, %b2) {transB = true} @y
}
"""
        return model, x, w

    def read_by_the_middle(self, report, x, w):
        a = (x @ w[0].T).astype(np.float64)
        tensor = next(t for t in report["tensors"] if t["tensor"] == "a")
        scale, zero = float(tensor["scale"]), tensor["zero_point"]
        return np.clip(rounded(a / scale), -zero, 255 - zero) * scale

    def test_weights_of_4_bits_that_make_up_for_each_other(self):
        model, x, w = self.three_products()
        for correct in ("gptq", "gptq,bias"):
            with self.subTest(correct):
                report, found, _ = self.quantize(model, {"x": x}, "--weight-bits", "4", "--correct", correct)
                a = self.read_by_the_middle(report, x, w)
                # A bias that is corrected takes any mean.
                gram = np.cov(a.T, bias=True) if "bias" in correct else a.T @ a / len(a)
                nearest, scales = int_weights(w[1], 4)
                q, fitted = make_up(w[1], scales, 4, gram)
                np.testing.assert_array_equal(found["w1_quantized"], q)
                self.near(found["w1_scale"], fitted)

                def objective(q, scales):
                    error = q * scales[:, None].astype(np.float64) - w[1]
                    return np.einsum("rk,kl,rl->", error, gram, error)
                self.assertLess(objective(q, fitted), 0.8 * objective(nearest, scales))

    def test_adaround_of_a_matrix_of_4_bits(self):
        model, x, w = self.three_products()
        report, found, _ = self.quantize(model, {"x": x}, "--weight-bits", "4", "--correct", "adaround")
        a = self.read_by_the_middle(report, x, w)
        gram = a.T @ a / len(a)
        nearest, scales = int_weights(w[1], 4)
        self.near(found["w1_scale"], scales)
        expected = ada_round(w[1], scales, 4, gram)

        def objective(q):
            error = q * scales[:, None].astype(np.float64) - w[1]
            return np.einsum("rk,kl,rl->", error, gram, error)
        actual = objective(found["w1_quantized"].astype(np.float64))
        self.near(actual, objective(expected))
        self.assertLess(actual, 0.8 * objective(nearest))
        self.assertEqual({p["node"]: p["weight_bits"] for p in report["products"]}, {"a": 8, "b": 4, "y": 8})

    def test_weights_in_groups_by_gptq_with_fitted_scales(self):
        columns, rows, group = 70, 6, 32
        mix = self.random.normal(size=(columns, columns)) * 0.2 + np.eye(columns)
        x = (self.random.normal(size=(400, columns)) @ mix).astype(np.float32)
        w = self.random.normal(size=(columns, rows)).astype(np.float32)
        model = f"""graph main(x: f32[1, {columns}]) -> (y: f32[1, {rows}]) {{
  const %w: {write(w)}
  %y = MatMul(%x, %w) @y
}}
"""
        gram = x.astype(np.float64).T @ x.astype(np.float64) / len(x)
        errors = {}
        for correct in ["none", "scales", "gptq", "gptq,scales"]:
            _, found, text = self.quantize(model, {"x": x}, "--weight-bits", "4", "--activations", "float", "--group", group,
                                           "--samples", 400, "--correct", correct)
            self.assertIn("block_size = 32", text)
            q, scales, zeros = group_weights(w.T.astype(np.float64), group, gram if correct != "none" else None,
                                             "gptq" in correct, "scales" in correct)
            with self.subTest(correct):
                np.testing.assert_array_equal(found["y_weights_quantized"], q)
                self.near(found["y_weights_scale"], scales)
                np.testing.assert_array_equal(found["y_weights_zero_point"], zeros)
            spread = np.arange(columns) // group
            away = (q - zeros[:, spread]) * scales[:, spread] - w.T
            errors[correct] = np.einsum("rk,kl,rl->", away, gram, away)
        self.assertLess(errors["gptq,scales"], 0.6 * errors["none"])


if __name__ == "__main__":
    unittest.main()
