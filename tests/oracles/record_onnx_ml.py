# SPDX-License-Identifier: Apache-2.0
"""Records what ONNX Runtime answers to small models of ai.onnx.ml, as onnx_ml.tar.xz.

    python tests/oracles/record_onnx_ml.py    # needs onnx and onnxruntime

The models are made here from random numbers: trees (regressors with every aggregate, classifiers with every transform), linear
models, support vectors, and what stands around them. The archive holds NAME.onnx, NAME.csv (rows) and NAME.expected.csv, whose
columns are called as `athanor score` calls them.
"""

import csv
import io
import itertools
import tarfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

ARCHIVE = Path(__file__).resolve().parent / "onnx_ml.tar.xz"
FEATURES, ROWS = 5, 40
ML = "ai.onnx.ml"
TYPES = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int64): TensorProto.INT64, np.dtype(object): TensorProto.STRING}


def forest(random, trees, depth, targets, sparse=False, positive=False):
    """The nodes and weights of random trees; `sparse`: a leaf speaks for one target, the same in all leaves of a tree."""
    nodes = {key: [] for key in ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids",
                                 "missing_value_tracks_true")}
    weights = {key: [] for key in ("treeids", "nodeids", "ids", "weights")}
    modes = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"]
    for tree in range(trees):
        counter = itertools.count(1)

        def grow(node, level, tree=tree, counter=counter):
            leaf = level == depth or (level > 1 and random.random() < 0.2)
            yes, no = (0, 0) if leaf else (next(counter), next(counter))
            for key, value in [("treeids", tree), ("nodeids", node), ("featureids", 0 if leaf else int(random.integers(FEATURES))),
                               ("modes", "LEAF" if leaf else modes[tree % len(modes)]),
                               ("values", 0.0 if leaf else float(np.float32(random.normal()))), ("truenodeids", yes), ("falsenodeids", no),
                               ("missing_value_tracks_true", int(random.random() < 0.5))]:
                nodes[key].append(value)
            if leaf:
                for target in [tree % targets] if sparse else range(targets):
                    value = float(np.float32(random.random() / trees if positive else random.normal()))
                    for key, item in [("treeids", tree), ("nodeids", node), ("ids", target), ("weights", value)]:
                        weights[key].append(item)
                return
            grow(yes, level + 1)
            grow(no, level + 1)

        grow(0, 0)
    return {f"nodes_{key}": value for key, value in nodes.items()}, weights


def regressor(random, targets, **extra):
    nodes, weights = forest(random, 6, 4, targets)
    return helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain=ML, n_targets=targets, **nodes,
                            **{f"target_{key}": value for key, value in weights.items()}, **extra)


def classifier(random, labels, **extra):
    options = {key: extra.pop(key) for key in ("sparse", "positive", "targets") if key in extra}
    targets = options.pop("targets", len(labels))
    nodes, weights = forest(random, 6, 4, targets, **options)
    names = {"classlabels_strings": labels} if isinstance(labels[0], str) else {"classlabels_int64s": labels}
    return helper.make_node("TreeEnsembleClassifier", ["x"], ["label", "scores"], domain=ML, **nodes,
                            **{f"class_{key}": value for key, value in weights.items()}, **names, **extra)


def numbers(random, *shape):
    return [float(value) for value in np.float32(random.normal(size=int(np.prod(shape))))]


def linear(random, labels, scores, **extra):
    names = {"classlabels_strings": labels} if isinstance(labels[0], str) else {"classlabels_ints": labels}
    return helper.make_node("LinearClassifier", ["x"], ["label", "scores"], domain=ML, coefficients=numbers(random, scores, FEATURES),
                            intercepts=numbers(random, scores), **names, **extra)


def support_vectors(random, kernel, counts, labels):
    vectors = sum(counts)
    return helper.make_node("SVMClassifier", ["x"], ["label", "scores"], domain=ML, kernel_type=kernel, kernel_params=[0.3, 0.5, 2.0],
                            coefficients=numbers(random, len(counts) - 1, vectors), support_vectors=numbers(random, vectors, FEATURES),
                            vectors_per_class=counts, rho=numbers(random, len(counts) * (len(counts) - 1) // 2), classlabels_ints=labels)


def models(random):
    """name -> nodes, outputs."""
    for aggregate in ("SUM", "AVERAGE", "MIN", "MAX"):
        yield f"regressor_{aggregate.lower()}", [regressor(random, 1, aggregate_function=aggregate, base_values=[0.25])], ["y"]
    yield "regressor_targets", [regressor(random, 3, base_values=[0.5, -1.0, 2.0])], ["y"]
    yield "regressor_logistic", [regressor(random, 2, post_transform="LOGISTIC")], ["y"]
    yield "regressor_softmax", [regressor(random, 3, post_transform="SOFTMAX")], ["y"]
    answers = ["label", "scores"]
    for transform in ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"):
        name = transform.lower()
        yield f"classes_{name}", [classifier(random, ["red", "green", "blue"], post_transform=transform)], answers
        yield f"linear_{name}", [linear(random, [3, 5, 9], 3, post_transform=transform)], answers
        yield f"linear_regressor_{name}", [helper.make_node(
            "LinearRegressor", ["x"], ["y"], domain=ML, coefficients=numbers(random, 2, FEATURES), intercepts=numbers(random, 2), targets=2,
            post_transform=transform)], ["y"]
    yield "classes_boosted", [classifier(random, [0, 1, 2], sparse=True, base_values=[0.1, -0.2, 0.3], post_transform="SOFTMAX")], answers
    yield "classes_forest", [classifier(random, [0, 1, 2], positive=True)], answers
    yield "two_logistic", [classifier(random, [0, 1], targets=1, post_transform="LOGISTIC", base_values=[-0.1])], answers
    yield "two_shares", [classifier(random, ["no", "yes"], targets=1, positive=True)], answers
    yield "two_raw", [classifier(random, ["no", "yes"], targets=1)], answers
    yield "linear_two", [linear(random, ["no", "yes"], 1, post_transform="LOGISTIC")], answers
    for kernel in ("LINEAR", "POLY", "RBF", "SIGMOID"):
        yield f"vectors_{kernel.lower()}", [support_vectors(random, kernel, [3, 2, 4], [0, 1, 2])], answers
        yield f"vectors_regressor_{kernel.lower()}", [helper.make_node(
            "SVMRegressor", ["x"], ["y"], domain=ML, kernel_type=kernel, kernel_params=[0.2, 1.0, 3.0], coefficients=numbers(random, 6),
            support_vectors=numbers(random, 6, FEATURES), rho=numbers(random, 1), n_supports=6)], ["y"]
    yield "vectors_two", [support_vectors(random, "RBF", [3, 4], [0, 1])], answers
    for norm in ("MAX", "L1", "L2"):
        yield f"normalizer_{norm.lower()}", [helper.make_node("Normalizer", ["x"], ["y"], domain=ML, norm=norm)], ["y"]
    scaler = helper.make_node("Scaler", ["x"], ["scaled"], domain=ML, offset=numbers(random, FEATURES), scale=numbers(random, FEATURES))
    scores = linear(random, ["a", "b", "c"], 3, post_transform="LOGISTIC")
    scores.input[0], scores.output[1] = "scaled", "raw"
    yield "pipeline", [scaler, scores, helper.make_node("Normalizer", ["raw"], ["scores"], domain=ML, norm="L1")], answers


def record(random, name, nodes, outputs):
    """The files of a case: name -> bytes."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, name, [value("x", TensorProto.FLOAT, ["N", FEATURES])],
                              [onnx.ValueInfoProto(name=output) for output in outputs])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(ML, 3)], ir_version=8)
    x = np.float32(random.normal(size=(ROWS, FEATURES)))
    if name == "normalizer_max":  # ONNX's own reference divides by the largest absolute value, ONNX Runtime by the largest
        x = np.abs(x)
    if "Tree" in nodes[0].op_type:
        x[random.random(x.shape) < 0.05] = np.nan
    # Types of outputs follow from the session: they are declared for readers.
    for output in graph.output:
        is_label = output.name == "label"
        strings = any(a.name == "classlabels_strings" and a.strings for node in nodes for a in node.attribute)
        kind = TensorProto.FLOAT if not is_label else TensorProto.STRING if strings else TensorProto.INT64
        output.CopyFrom(value(output.name, kind, ["N"] if is_label else ["N", None]))
    del model.graph.output[:]
    model.graph.output.extend(graph.output)
    got = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(outputs, {"x": x})
    columns = []
    for output, tensor in zip(outputs, got):
        table = np.asarray(tensor).reshape(ROWS, -1)
        width = table.shape[1]
        columns += [(output if width == 1 else f"{output}({i})", table[:, i]) for i in range(width)]

    def cells(values):
        return ["" if isinstance(v, float) and np.isnan(v) else repr(v) if isinstance(v, float) else str(v) for v in values]

    def text(head, rows):
        file = io.StringIO()
        csv.writer(file, lineterminator="\n").writerows([head, *map(cells, rows)])
        return file.getvalue().encode()

    expected = [[column[i].item() if hasattr(column[i], "item") else column[i] for _, column in columns] for i in range(ROWS)]
    return {f"{name}.onnx": model.SerializeToString(),
            f"{name}.csv": text([f"f{i}" for i in range(FEATURES)], x.astype(float).tolist()),
            f"{name}.expected.csv": text([column for column, _ in columns], expected)}


def main():
    random = np.random.default_rng(7)
    files = {}
    for name, nodes, outputs in models(random):
        files |= record(random, name, nodes, outputs)
    with tarfile.open(ARCHIVE, "w:xz") as tar:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    print(f"{len(files) // 3} models, {ARCHIVE.stat().st_size} bytes, onnxruntime {ort.__version__}")


if __name__ == "__main__":
    main()
