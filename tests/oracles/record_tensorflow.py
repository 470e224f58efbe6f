# SPDX-License-Identifier: Apache-2.0
"""Records what TensorFlow answers for single operators and small networks, as tensorflow.tar.xz.

Each case is a folder of the archive: the model (model.pb, a SavedModel folder `model`, model.keras or
model.h5) and case.npz with its inputs ("in:NAME") and outputs ("out:NAME"). Models, weights and inputs are
made here, seeded. Needs tensorflow-cpu 2.21, which the list of requirements leaves out for its size:

    pip install tensorflow-cpu==2.21.0 && python tests/oracles/record_tensorflow.py [NAME]
"""

import io
import os
import random
import sys
import tarfile
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2  # noqa: E402

from tensorflow_keras_cases import keras_cases  # noqa: E402
from tensorflow_op_cases import Open, op_cases  # noqa: E402

ARCHIVE = Path(__file__).resolve().parent / "tensorflow.tar.xz"
DTYPES = {"f": np.float32, "i": np.int32, "l": np.int64, "b": np.bool_, "u": np.uint8, "h": np.float16}


def make_input(rng, spec):
    """An array for (dtype letter, shape[, low, high])."""
    letter, shape, *limits = [part for part in spec if not isinstance(part, Open)]
    low, high = limits or {"f": (-2, 2), "h": (-2, 2), "b": (0, 2), "u": (0, 255)}.get(letter, (-5, 6))
    if letter in "fh":
        return rng.uniform(low, high, shape).astype(DTYPES[letter])
    return rng.integers(low, high, shape).astype(DTYPES[letter])


def case_file(inputs, outputs):
    arrays = {f"in:{name}": value for name, value in inputs.items()}
    arrays |= {f"out:{name}": np.asarray(value) for name, value in outputs.items()}
    data = io.BytesIO()
    np.savez(data, **arrays)
    return data.getvalue()


def record_graph(folder, function, specs, inputs, **conversion):
    """A function as a GraphDef with constants: what `freeze` and the converters write."""
    signature = [tf.TensorSpec(spec[-1].sizes if isinstance(spec[-1], Open) else value.shape, value.dtype, name=f"x{i}")
                 for i, (spec, value) in enumerate(zip(specs, inputs))]
    concrete = tf.function(function).get_concrete_function(*signature)
    frozen = convert_variables_to_constants_v2(concrete, **conversion)
    (folder / "model.pb").write_bytes(frozen.graph.as_graph_def().SerializeToString(deterministic=True))
    answers = concrete(*[tf.constant(value) for value in inputs])
    names = [output.name.rsplit(":", 1)[0] for output in frozen.outputs]
    outputs = dict(zip(names, tf.nest.flatten(answers)))
    named = {tensor.name.split(":")[0]: value for tensor, value in zip(frozen.inputs, inputs)}
    (folder / "case.npz").write_bytes(case_file(named, outputs))


def record_saved_model(folder, module, function, inputs):
    """A tf.Module with variables as a SavedModel; `function` has an input signature."""
    tf.saved_model.save(module, str(folder / "model"), signatures=function)
    loaded = tf.saved_model.load(str(folder / "model")).signatures["serving_default"]
    outputs = loaded(**{name: tf.constant(value) for name, value in inputs.items()})
    (folder / "case.npz").write_bytes(case_file(inputs, outputs))


def record_keras(folder, model, inputs, form):
    """A Keras model as .keras, .h5 or, exported, as a SavedModel."""
    outputs = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    flat = tf.nest.flatten(outputs)
    names = [f"x{i}" for i in range(len(inputs))]
    if form == "model":
        model.export(str(folder / "model"), verbose=False)
    else:
        model.save(folder / f"model.{form}")
    (folder / "case.npz").write_bytes(
        case_file(dict(zip(names, inputs)), {f"y{i}": value.numpy() for i, value in enumerate(flat)}))


def cases():
    """(name, what records it into a folder)."""
    for case in op_cases():
        yield f"graph/{case.name}", lambda folder, case=case: record_graph(
            folder, case.function, case.inputs,
            [make_input(np.random.default_rng(abs(hash_of(case.name)) + i), spec) for i, spec in enumerate(case.inputs)],
            lower_control_flow=case.lower)
    for case in keras_cases():
        for form in case.forms:
            name = {"model": "saved", "keras": "keras", "h5": "h5"}[form]
            yield f"{name}/{case.name}", lambda folder, case=case, form=form: record_keras(
                folder, case.make(), [make_input(np.random.default_rng(hash_of(case.name) + i), spec)
                                      for i, spec in enumerate(case.inputs)], form)
    for name, make in modules():
        yield f"saved/{name}", lambda folder, make=make: record_saved_model(folder, *make())


def hash_of(name):
    """The same on every run, unlike hash()."""
    return int.from_bytes(name.encode()[-6:], "little") % 100_000


class TwoBranches(tf.Module):
    """Variables of one name in two places, a condition and a call of another function."""

    def __init__(self):
        super().__init__()
        rng = np.random.default_rng(3)
        self.left = tf.Variable(rng.normal(size=(4, 3)).astype(np.float32), name="weight")
        self.right = tf.Variable(rng.normal(size=(4, 3)).astype(np.float32), name="weight")
        self.scale = tf.Variable(2.5, name="scale")

    @tf.function
    def product(self, x, weight):
        return tf.linalg.matmul(x, weight) * self.scale

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def __call__(self, x):
        chosen = tf.cond(tf.reduce_sum(x) > 0, lambda: self.product(x, self.left), lambda: self.product(x, self.right))
        return {"chosen": chosen, "sum": self.product(x, self.left) + self.product(x, self.right)}


class Steps(tf.Module):
    """A loop whose state, weights and list come from variables."""

    def __init__(self):
        super().__init__()
        rng = np.random.default_rng(4)
        self.weight = tf.Variable(rng.normal(size=(5, 5)).astype(np.float32) / 3)
        self.table = tf.Variable(rng.normal(size=(7, 5)).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec([None, 6], tf.int32, name="tokens")])
    def __call__(self, tokens):
        embedded = tf.transpose(tf.nn.embedding_lookup(self.table, tokens), [1, 0, 2])
        items = tf.TensorArray(tf.float32, 6).unstack(embedded)
        outputs = tf.TensorArray(tf.float32, 6)

        def step(i, state, outputs):
            state = tf.tanh(tf.linalg.matmul(state, self.weight) + items.read(i))
            return i + 1, state, outputs.write(i, state)

        _, last, outputs = tf.while_loop(lambda i, s, o: i < 6, step, (0, tf.zeros_like(embedded[0]), outputs))
        return {"last": last, "all": outputs.stack()}


def modules():
    rng = np.random.default_rng(9)

    def two_branches(sign):
        module = TwoBranches()
        x = np.abs(rng.normal(size=(3, 4))).astype(np.float32) * sign
        return module, module.__call__, {"x": x}

    def steps():
        module = Steps()
        return module, module.__call__, {"tokens": rng.integers(0, 7, (2, 6)).astype(np.int32)}

    return [("two_branches_positive", lambda: two_branches(1)), ("two_branches_negative", lambda: two_branches(-1)),
            ("steps", steps)]


def record_data():
    """What TensorFlow answers for the two models of the data set: tensorflow_data.npz."""
    models = Path(os.environ.get("ATHANOR_DATA", ARCHIVE.parents[3] / "shared" / "data")) / "models"
    tiny = models / "mlperf-tiny"
    with tf.compat.v1.Session(graph=tf.Graph()) as session:  # tf.saved_model.load wants the optimizer of Keras 2
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(tiny / "kws_saved_model"))
        signature = meta.signature_def["serving_default"]
        answer = session.run(signature.outputs["dense"].name,
                             {signature.inputs["input_1"].name: np.load(tiny / "golden" / "kws_float32.in.npy")})
    graph_def = tf.compat.v1.GraphDef()
    graph_def.ParseFromString((models / "tf" / "hey_snips_3.pb").read_bytes())
    wake = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph_def, name=""), [])
    logits = wake.prune("inputs:0", "logits:0")
    ramp = (np.arange(200 * 40, dtype=np.float32).reshape(200, 40) % 97 - 48) / 48
    np.savez(ARCHIVE.parent / "tensorflow_data.npz", keywords=answer, wake_word=logits(tf.constant(ramp)).numpy())


def add_file(archive, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    target = Path("/tmp/tensorflow_cases.tar.xz") if wanted else ARCHIVE
    if not wanted:
        record_data()
    count = 0
    with tempfile.TemporaryDirectory() as root, tarfile.open(target, "w:xz", preset=9) as archive:
        for number, (name, record) in enumerate(cases()):
            if wanted not in name:
                continue
            tf.keras.backend.clear_session()
            tf.keras.utils.set_random_seed(number)
            random.seed(number)
            folder = Path(root) / name
            folder.mkdir(parents=True)
            try:
                record(folder)
            except Exception as error:
                print(f"{name}: {error}")
                raise
            for path in sorted(folder.rglob("*")):
                if path.is_file() and path.name not in ("fingerprint.pb", "keras_metadata.pb"):
                    add_file(archive, str(path.relative_to(root)), path.read_bytes())
            count += 1
    print(f"{count} cases, {target.stat().st_size / 1024:.0f} KiB, TensorFlow {tf.__version__}")


if __name__ == "__main__":
    main()
