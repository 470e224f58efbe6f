# SPDX-License-Identifier: Apache-2.0
"""Trains the digits example from nothing and writes every file beside this script.

Needs the packages of tests/oracles/requirements.txt; takes about a minute on two cores.
The same seed and package versions give the same files.
"""

import json
import platform
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime
import optax
import sklearn
from jax import lax
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from sklearn.datasets import load_digits

HERE = Path(__file__).resolve().parent
SEED = 20240607
SIZE = 32  # network input is SIZE x SIZE
HELD_OUT_PER_CLASS = 36
IMAGES_PER_CLASS = 4
CALIBRATION = 128
EPOCHS, BATCH = 24, 64
BN_EPSILON, BN_MOMENTUM = 1e-5, 0.9

# One row per convolution: name, input channels, output channels, kernel, groups.
CONVS = [
    ("stem", 1, 16, 3, 1),
    ("conv", 16, 32, 3, 1),
    ("depthwise", 32, 32, 3, 32),
    ("pointwise", 32, 48, 1, 1),
    ("res_a", 48, 48, 3, 1),
    ("res_b", 48, 48, 3, 1),
]


# ---- data ----------------------------------------------------------------------------------------


def load_images():
    """The 1797 scans of 8x8 pixels (0..16), enlarged to SIZE x SIZE bytes."""
    digits = load_digits()
    bytes8 = np.round(digits.images * (255.0 / 16.0)).astype(np.uint8)
    big = [np.asarray(Image.fromarray(b).resize((SIZE, SIZE), Image.Resampling.BILINEAR)) for b in bytes8]
    return np.stack(big), digits.target.astype(np.int64)


def split(labels, rng):
    """Held-out rows: the same number of each class, so accuracy is not tilted by class frequency."""
    held = np.concatenate([rng.permutation(np.flatnonzero(labels == c))[:HELD_OUT_PER_CLASS] for c in range(10)])
    train = rng.permutation(np.setdiff1d(np.arange(len(labels)), held))
    return train, rng.permutation(held)


def shifted(batch, rng):
    """Moves each picture by up to two pixels, because real digits are not centred."""
    padded = np.pad(batch, ((0, 0), (2, 2), (2, 2)))
    dy, dx = rng.integers(0, 5, size=(2, len(batch)))
    return np.stack([p[y : y + SIZE, x : x + SIZE] for p, y, x in zip(padded, dy, dx)])


def to_input(pixels):
    """uint8 [N,H,W] -> float32 [N,1,H,W] in 0..1, as the README tells users to do."""
    return (pixels.astype(np.float32) / np.float32(255.0))[:, None]


# ---- network -------------------------------------------------------------------------------------


def init_params(rng):
    params, stats = {}, {}
    for name, cin, cout, kernel, groups in CONVS:
        shape = (cout, cin // groups, kernel, kernel)
        scale = np.sqrt(2.0 / np.prod(shape[1:]))
        params[name] = {
            "weight": jnp.asarray(rng.normal(0, scale, shape), jnp.float32),
            "gamma": jnp.ones(cout),
            "beta": jnp.zeros(cout),
        }
        stats[name] = {"mean": jnp.zeros(cout), "var": jnp.ones(cout)}
    params["head"] = {
        "weight": jnp.asarray(rng.normal(0, np.sqrt(1.0 / CONVS[-1][2]), (10, CONVS[-1][2])), jnp.float32),
        "bias": jnp.zeros(10),
    }
    return params, stats


def conv_bn(params, stats, new_stats, name, x, training):
    """Convolution and BatchNormalization; training uses and tracks the statistics of the batch."""
    p, s = params[name], stats[name]
    kernel, groups = next((k, g) for n, _, _, k, g in CONVS if n == name)
    pad = kernel // 2
    y = lax.conv_general_dilated(
        x, p["weight"], (1, 1), [(pad, pad)] * 2, feature_group_count=groups,
        dimension_numbers=("NCHW", "OIHW", "NCHW"),
    )
    mean, var = (y.mean((0, 2, 3)), y.var((0, 2, 3))) if training else (s["mean"], s["var"])
    new_stats[name] = {
        "mean": BN_MOMENTUM * s["mean"] + (1 - BN_MOMENTUM) * mean,
        "var": BN_MOMENTUM * s["var"] + (1 - BN_MOMENTUM) * var,
    }
    scale = p["gamma"] / jnp.sqrt(var + BN_EPSILON)
    return (y - mean[:, None, None]) * scale[:, None, None] + p["beta"][:, None, None]


def max_pool(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")


def forward(params, stats, x, training):
    new_stats = {}

    def block(name, value):
        return conv_bn(params, stats, new_stats, name, value, training)

    x = max_pool(jax.nn.relu(block("stem", x)))
    x = jax.nn.relu(block("conv", x))
    x = jax.nn.relu(block("depthwise", x))
    x = max_pool(jax.nn.relu(block("pointwise", x)))
    branch = block("res_b", jax.nn.relu(block("res_a", x)))
    x = jax.nn.relu(x + branch)
    features = x.mean((2, 3))
    return features @ params["head"]["weight"].T + params["head"]["bias"], new_stats


def train(images, labels, rng):
    params, stats = init_params(rng)
    steps = EPOCHS * (len(images) // BATCH)
    optimiser = optax.adamw(optax.cosine_decay_schedule(4e-3, steps), weight_decay=1e-3)
    state = optimiser.init(params)

    def loss_of(params, stats, x, y):
        logits, new_stats = forward(params, stats, x, training=True)
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), new_stats

    @jax.jit
    def step(params, stats, state, x, y):
        (loss, stats), grads = jax.value_and_grad(loss_of, has_aux=True)(params, stats, x, y)
        updates, state = optimiser.update(grads, state, params)
        return optax.apply_updates(params, updates), stats, state, loss

    for epoch in range(EPOCHS):
        order = rng.permutation(len(images))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            rows = order[start : start + BATCH]
            x = to_input(shifted(images[rows], rng))
            params, stats, state, loss = step(params, stats, state, x, labels[rows])
        print(f"epoch {epoch + 1}/{EPOCHS} loss {float(loss):.4f}", flush=True)
    return jax.tree.map(np.asarray, (params, stats))


# ---- export --------------------------------------------------------------------------------------


def conv_nodes(params, stats, name, source, initialisers):
    """Conv and BatchNormalization stay two nodes: folding them is what the demo shows."""
    kernel, groups = next((k, g) for n, _, _, k, g in CONVS if n == name)
    tensors = {**params[name], **stats[name]}
    for key in ("weight", "gamma", "beta", "mean", "var"):
        initialisers.append(numpy_helper.from_array(tensors[key].astype(np.float32), f"{name}.{key}"))
    conv = helper.make_node(
        "Conv", [source, f"{name}.weight"], [f"{name}.conv"], f"{name}.conv",
        kernel_shape=[kernel] * 2, pads=[kernel // 2] * 4, strides=[1, 1], group=groups,
    )
    bn_inputs = [f"{name}.conv"] + [f"{name}.{key}" for key in ("gamma", "beta", "mean", "var")]
    bn = helper.make_node("BatchNormalization", bn_inputs, [f"{name}.bn"], f"{name}.bn", epsilon=BN_EPSILON)
    return [conv, bn], f"{name}.bn"


def build_graph(params, stats):
    nodes, initialisers = [], []

    def add(op, sources, target, **attributes):
        nodes.append(helper.make_node(op, sources, [target], target, **attributes))
        return target

    def block(name, source):
        made, output = conv_nodes(params, stats, name, source, initialisers)
        nodes.extend(made)
        return output

    def relu(source):
        return add("Relu", [source], source.rsplit(".", 1)[0] + ".relu")

    def pool(source, target):
        return add("MaxPool", [source], target, kernel_shape=[2, 2], strides=[2, 2])

    x = pool(relu(block("stem", "image")), "pool1")
    x = relu(block("depthwise", relu(block("conv", x))))
    x = pool(relu(block("pointwise", x)), "pool2")
    branch = block("res_b", relu(block("res_a", x)))
    x = relu(add("Add", [x, branch], "res.add"))
    x = add("Flatten", [add("GlobalAveragePool", [x], "gap")], "features", axis=1)
    for key, value in params["head"].items():
        initialisers.append(numpy_helper.from_array(value.astype(np.float32), f"head.{key}"))
    add("Gemm", [x, "head.weight", "head.bias"], "logits", transB=1)
    return nodes, initialisers


def build_model(params, stats):
    nodes, initialisers = build_graph(params, stats)
    graph = helper.make_graph(
        nodes, "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, SIZE, SIZE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10])],
        initialisers,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8,
        producer_name="athanor", producer_version="examples/digits",
        doc_string="Handwritten digits 0..9. Input: grey picture, pixel / 255, ink bright on black.",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def count_flops():
    """Two per multiply-add of Conv and Gemm at batch 1; the rest is noise beside them."""
    side = {"stem": SIZE, "conv": SIZE // 2, "depthwise": SIZE // 2, "pointwise": SIZE // 2}
    conv = sum(2 * side.get(n, SIZE // 4) ** 2 * cout * (cin // g) * k * k for n, cin, cout, k, g in CONVS)
    return conv + 2 * 10 * CONVS[-1][2]


# ---- files ---------------------------------------------------------------------------------------


def write_pictures(images, labels, held):
    """A few held-out pictures per class as files, named <digit>_<row of load_digits>.png."""
    folder = HERE / "images"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    chosen = [r for c in range(10) for r in held[labels[held] == c][:IMAGES_PER_CLASS]]
    lines = ["filename,class"]
    for row in sorted(chosen, key=lambda r: (labels[r], r)):
        name = f"{labels[row]}_{row:04d}.png"
        Image.fromarray(images[row]).save(folder / name, optimize=True)
        lines.append(f"images/{name},{labels[row]}")
    (HERE / "labels.csv").write_text("\n".join(lines) + "\n")
    (HERE / "labels.txt").write_text("".join(f"{d}\n" for d in range(10)))
    return np.asarray(chosen)


def versions():
    packages = {
        "jax": jax, "optax": optax, "numpy": np, "scikit-learn": sklearn, "onnx": onnx, "onnxruntime": onnxruntime,
    }
    return {"python": platform.python_version(), **{name: module.__version__ for name, module in packages.items()}}


def write_report(model, correct, pictures_correct, n_train):
    report = {
        "schema": 1,
        "model": "digits.onnx",
        "metric": "top-1 accuracy",
        "accuracy": round(float(correct.mean()), 6),
        "held_out": int(correct.size),
        "held_out_correct": int(correct.sum()),
        "pictures": int(pictures_correct.size),
        "pictures_correct": int(pictures_correct.sum()),
        "train": int(n_train),
        "parameters": int(sum(np.prod(t.dims) for t in model.graph.initializer)),
        "flops": int(count_flops()),
        "seed": SEED,
        "epochs": EPOCHS,
        "preprocessing": {"colour": "grey", "size": [SIZE, SIZE], "mean": 0, "std": 255, "layout": "NCHW"},
        "versions": versions(),
    }
    (HERE / "digits.json").write_text(json.dumps(report, indent=2) + "\n")
    print(f"held-out accuracy {report['accuracy']:.4f} ({report['held_out_correct']}/{report['held_out']})")


def main():
    rng = np.random.default_rng(SEED)
    images, labels = load_images()
    train_rows, held = split(labels, rng)
    params, stats = train(images[train_rows], labels[train_rows], rng)

    model = build_model(params, stats)
    onnx.save(model, HERE / "digits.onnx")
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"image": to_input(images[held])})
    own, _ = forward(params, stats, to_input(images[held]), training=False)
    np.testing.assert_allclose(logits, own, rtol=1e-3, atol=1e-3)  # the file computes what was trained

    chosen = write_pictures(images, labels, held)
    # Labels as bytes: the largest part of these files is pixels, and np.load restores either type.
    np.savez_compressed(HERE / "heldout.npz", pixels=images[held], labels=labels[held].astype(np.uint8))
    calibration = train_rows[:CALIBRATION]
    np.savez_compressed(HERE / "calib.npz", pixels=images[calibration])
    np.savez_compressed(HERE / "golden.npz", image=to_input(images[held[:16]]), logits=logits[:16])
    correct = logits.argmax(1) == labels[held]
    write_report(model, correct, correct[np.isin(held, chosen)], len(train_rows))


if __name__ == "__main__":
    main()
