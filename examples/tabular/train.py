# SPDX-License-Identifier: Apache-2.0
"""Draws a fraud-like table, trains a gradient-boosted model on it and writes every file beside this script.

Needs the packages of tests/oracles/requirements.txt; takes seconds.
"""

import csv
import json
import platform
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import sklearn
import xgboost
from onnx import TensorProto, helper
from sklearn.metrics import accuracy_score, roc_auc_score

HERE = Path(__file__).resolve().parent
SEED = 20240607
TRAIN_ROWS, HELD_OUT_ROWS, PUBLISHED_ROWS = 12000, 4000, 200
TREES, DEPTH = 60, 4
PARAMS = {
    "objective": "binary:logistic", "max_depth": DEPTH, "eta": 0.15, "subsample": 0.8,
    "colsample_bytree": 0.8, "min_child_weight": 2, "tree_method": "hist", "nthread": 1, "seed": SEED,
}
FEATURES = [
    "amount", "hour", "account_age_days", "payments_24h", "distance_km",
    "device_age_days", "merchant_risk", "foreign", "chip_used", "amount_to_median",
]


# ---- data ----------------------------------------------------------------------------------------


def draw_table(rows, rng):
    """Invented payments. No real person or bank stands behind any row."""
    amount = rng.lognormal(3.5, 1.1, rows)
    median = rng.lognormal(3.4, 0.6, rows)
    columns = {
        "amount": amount,
        "hour": rng.integers(0, 24, rows),
        "account_age_days": rng.gamma(2.0, 400.0, rows),
        "payments_24h": rng.poisson(2.0, rows),
        "distance_km": rng.exponential(25.0, rows),
        "device_age_days": rng.gamma(1.5, 200.0, rows),
        "merchant_risk": rng.beta(2.0, 6.0, rows),
        "foreign": rng.random(rows) < 0.08,
        "chip_used": rng.random(rows) < 0.7,
        "amount_to_median": amount / median,
    }
    night = (columns["hour"] < 6).astype(float)
    new_device = (columns["device_age_days"] < 30).astype(float)
    score = (
        1.1 * np.log(columns["amount_to_median"]) + 0.9 * night + 1.4 * new_device + 3.5 * columns["merchant_risk"]
        + 1.6 * columns["foreign"] * (columns["distance_km"] > 20) + 0.35 * columns["payments_24h"]
        - 1.0 * columns["chip_used"] - 0.6 * np.log1p(columns["account_age_days"] / 100.0)
    )
    label = (rng.random(rows) < 1.0 / (1.0 + np.exp(-1.8 * (score - 3.4)))).astype(np.int64)
    table = np.stack([np.asarray(columns[name], np.float64) for name in FEATURES], axis=1)
    # Unknown devices leave a gap, so the default direction of the splits matters.
    table[rng.random(rows) < 0.1, FEATURES.index("device_age_days")] = np.nan
    # Four digits after the point: what stands in rows.csv is then exactly what the model saw.
    return np.round(table, 4).astype(np.float32), label


# ---- model ---------------------------------------------------------------------------------------


def base_margin(booster):
    """XGBoost stores the prior as a probability; the trees add to its logit."""
    stored = json.loads(booster.save_config())["learner"]["learner_model_param"]["base_score"]
    prior = float(stored.strip("[]"))
    return float(np.log(prior / (1.0 - prior)))


def tree_attributes(booster):
    """The node lists of ai.onnx.ml TreeEnsembleClassifier. XGBoost goes left when value < threshold."""
    raw = json.loads(bytes(booster.save_raw("json")))
    lists = {key: [] for key in (
        "nodes_treeids", "nodes_nodeids", "nodes_featureids", "nodes_values", "nodes_modes", "nodes_truenodeids",
        "nodes_falsenodeids", "nodes_missing_value_tracks_true",
        "class_treeids", "class_nodeids", "class_ids", "class_weights",
    )}
    for tree_id, tree in enumerate(raw["learner"]["gradient_booster"]["model"]["trees"]):
        for node, left in enumerate(tree["left_children"]):
            leaf = left < 0
            lists["nodes_treeids"].append(tree_id)
            lists["nodes_nodeids"].append(node)
            lists["nodes_featureids"].append(0 if leaf else tree["split_indices"][node])
            lists["nodes_values"].append(0.0 if leaf else tree["split_conditions"][node])
            lists["nodes_modes"].append("LEAF" if leaf else "BRANCH_LT")
            lists["nodes_truenodeids"].append(0 if leaf else left)
            lists["nodes_falsenodeids"].append(0 if leaf else tree["right_children"][node])
            lists["nodes_missing_value_tracks_true"].append(0 if leaf else tree["default_left"][node])
            if leaf:
                lists["class_treeids"].append(tree_id)
                lists["class_nodeids"].append(node)
                # One weight per leaf for two classes: the operator then derives the other class.
                lists["class_ids"].append(0)
                lists["class_weights"].append(tree["split_conditions"][node])
    return lists


def build_model(booster):
    node = helper.make_node(
        "TreeEnsembleClassifier", ["features"], ["label", "probabilities"], "trees", domain="ai.onnx.ml",
        classlabels_int64s=[0, 1], post_transform="LOGISTIC", base_values=[base_margin(booster)],
        **tree_attributes(booster),
    )
    graph = helper.make_graph(
        [node], "fraud",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", len(FEATURES)])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["N"]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 2]),
        ],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)], ir_version=8,
        producer_name="athanor", producer_version="examples/tabular",
        doc_string="Invented payments: probability of fraud. Features in order: " + ", ".join(FEATURES) + ".",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


# ---- files ---------------------------------------------------------------------------------------


def write_rows(table, label):
    def cell(value):
        return "" if np.isnan(value) else f"{value:.4f}".rstrip("0").rstrip(".")

    with open(HERE / "rows.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*FEATURES, "label"])
        for row, target in zip(table, label):
            writer.writerow([*map(cell, row), target])


def read_rows():
    """Reads rows.csv back, so the golden answers belong to the text that others will read."""
    with open(HERE / "rows.csv", newline="") as file:
        rows = list(csv.reader(file))[1:]
    return np.array([[float(v) if v else np.nan for v in row[:-1]] for row in rows], np.float32)


def write_report(label, probability):
    held = label.size
    report = {
        "schema": 1,
        "models": ["fraud.json", "fraud.onnx"],
        "auc": round(float(roc_auc_score(label, probability)), 6),
        "accuracy": round(float(accuracy_score(label, probability > 0.5)), 6),
        "majority_accuracy": round(float(max(label.mean(), 1 - label.mean())), 6),
        "held_out": int(held),
        "published_rows": PUBLISHED_ROWS,
        "train": TRAIN_ROWS,
        "trees": TREES,
        "depth": DEPTH,
        "features": FEATURES,
        "seed": SEED,
        "versions": {
            "python": platform.python_version(), "xgboost": xgboost.__version__, "numpy": np.__version__,
            "scikit-learn": sklearn.__version__, "onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__,
        },
    }
    (HERE / "tabular.json").write_text(json.dumps(report, indent=2) + "\n")
    print(f"held-out AUC {report['auc']:.4f}, accuracy {report['accuracy']:.4f} of {held}")


def main():
    rng = np.random.default_rng(SEED)
    table, label = draw_table(TRAIN_ROWS + HELD_OUT_ROWS, rng)
    held, held_label = table[TRAIN_ROWS:], label[TRAIN_ROWS:]
    matrix = xgboost.DMatrix(table[:TRAIN_ROWS], label[:TRAIN_ROWS], feature_names=FEATURES)
    booster = xgboost.train(PARAMS, matrix, num_boost_round=TREES)
    booster.save_model(HERE / "fraud.json")
    model = build_model(booster)
    onnx.save(model, HERE / "fraud.onnx")

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    probability = booster.predict(xgboost.DMatrix(held, feature_names=FEATURES))
    _, exported = session.run(None, {"features": held})
    np.testing.assert_allclose(exported[:, 1], probability, rtol=1e-5, atol=1e-6)
    write_report(held_label, probability)

    write_rows(held[:PUBLISHED_ROWS], held_label[:PUBLISHED_ROWS])
    rows = read_rows()
    np.testing.assert_array_equal(rows, held[:PUBLISHED_ROWS])
    predicted, probabilities = session.run(None, {"features": rows})
    np.savez_compressed(HERE / "golden.npz", label=predicted, probabilities=probabilities)


if __name__ == "__main__":
    main()
