#!/usr/bin/env python3
"""./dev forests: freshly trained XGBoost and LightGBM models over a grid of parameters, 10^5 rows each: the sums of the
trees here and in the library that trained them, compared bit by bit.

    python tests/forest_sweep.py [--binary build/test/bin/athanor] [--rows 100000] [--filter TEXT]

Needs numpy, xgboost, lightgbm and pandas. Sums are taken before the objective's link: the graph is written as text and its
outputs replaced. Prints one line per model and "N passed, N failed".
"""
import argparse
import itertools
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
FEATURES = 12
TRAIN_ROWS, ROUNDS = 3000, 12


def table(rows, seed):
    """Numbers with holes, zeros and repeated values; the last two columns are small categories."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, FEATURES)).astype(np.float32)
    x[:, 1] = np.round(x[:, 1] * 2) / 2
    x[:, 2] = np.where(random.random(rows) < 0.4, 0, x[:, 2])
    x[:, 3] = np.exp(3 * x[:, 3])
    x[:, :8][random.random((rows, 8)) < 0.05] = np.nan
    x[:, 10] = random.integers(0, 9, rows)
    x[:, 11] = random.integers(0, 70, rows)
    filled = np.nan_to_num(x)
    score = filled[:, 0] + filled[:, 1] * filled[:, 2] - (filled[:, 10] % 3) + (filled[:, 11] % 7 > 3)
    return x, score + random.normal(scale=0.2, size=rows)


def target(objective, score):
    if re.search(r"multi", objective):
        return np.digitize(score, np.quantile(score, [0.33, 0.66]))
    if re.search(r"binary|logistic|cross_entropy", objective):
        return (score > np.median(score)).astype(float)
    if re.search(r"poisson|gamma|tweedie|mape|survival|squaredlog|aft", objective):
        return np.exp(np.clip(score / 4, -2, 2)) + 0.1
    return score


XGBOOST_OBJECTIVES = ["reg:squarederror", "reg:squaredlogerror", "reg:logistic", "reg:pseudohubererror", "reg:absoluteerror",
                      "reg:gamma", "reg:tweedie", "count:poisson", "survival:cox", "binary:logistic", "binary:logitraw",
                      "binary:hinge", "multi:softmax", "multi:softprob"]


def xgboost_models():
    for objective in XGBOOST_OBJECTIVES:
        for booster, depth in itertools.product(["gbtree", "dart", "gblinear"], [3, 9]):
            if booster == "gblinear" and depth != 3:
                continue
            yield f"xgboost {objective} {booster} depth {depth}", {"objective": objective, "booster": booster, "max_depth": depth}
    yield "xgboost categories", {"objective": "reg:squarederror", "max_depth": 7, "categorical": True}
    yield "xgboost categories, one against the others", {"objective": "reg:squarederror", "max_depth": 7, "categorical": True,
                                                          "max_cat_to_onehot": 100}
    yield "xgboost exact", {"objective": "reg:squarederror", "max_depth": 10, "tree_method": "exact"}
    yield "xgboost forest", {"objective": "reg:squarederror", "max_depth": 8, "num_parallel_tree": 5, "subsample": 0.5}
    yield "xgboost lossguide", {"objective": "reg:squarederror", "max_depth": 0, "max_leaves": 200, "grow_policy": "lossguide"}
    for strategy in ["one_output_per_tree", "multi_output_tree"]:
        yield f"xgboost targets {strategy}", {"objective": "reg:squarederror", "max_depth": 6, "multi_strategy": strategy, "targets": 3}


def train_xgboost(parameters, path, rows):
    import xgboost
    parameters = {"nthread": 1, "eta": 0.2, "seed": 1, **parameters}
    categorical, targets = parameters.pop("categorical", False), parameters.pop("targets", 1)
    x, score = table(TRAIN_ROWS, 1)
    y = target(parameters["objective"], score)
    if targets > 1:
        y = np.stack([y * (i + 1) + x[:, 9] * i for i in range(targets)], axis=1)
    if parameters["objective"].startswith("multi"):
        parameters["num_class"] = 3
    if parameters.get("booster") == "dart":
        parameters["rate_drop"] = 0.3
    kinds = ["q"] * 10 + ["c"] * 2 if categorical else None
    matrix = xgboost.DMatrix(x, y, feature_types=kinds, enable_categorical=categorical)
    booster = xgboost.train(parameters, matrix, ROUNDS)
    booster.save_model(path)
    test = xgboost.DMatrix(rows, feature_types=kinds, enable_categorical=categorical)
    return booster.predict(test, output_margin=True)


LIGHTGBM_OBJECTIVES = ["regression", "regression_l1", "huber", "fair", "poisson", "quantile", "mape", "gamma", "tweedie", "binary",
                       "cross_entropy", "cross_entropy_lambda", "multiclass", "multiclassova"]


def lightgbm_models():
    for objective in LIGHTGBM_OBJECTIVES:
        for boosting in ["gbdt", "dart", "rf"]:
            yield f"lightgbm {objective} {boosting}", {"objective": objective, "boosting": boosting}
    for name, parameters in {
            "goss": {"data_sample_strategy": "goss"}, "zero_as_missing": {"zero_as_missing": True},
            "use_missing=false": {"use_missing": False}, "linear_tree": {"linear_tree": True},
            "linear_tree binary": {"linear_tree": True, "objective": "binary"}, "255 leaves": {"num_leaves": 255, "min_data_in_leaf": 3},
            "1000 bins": {"max_bin": 1000, "num_leaves": 120, "min_data_in_leaf": 3}, "categories": {"categorical": True},
            "categories one-hot": {"categorical": True, "max_cat_to_onehot": 100},
            "sqrt": {"reg_sqrt": True}}.items():
        yield f"lightgbm {name}", {"objective": "regression", **parameters}


def train_lightgbm(parameters, path, rows):
    import lightgbm
    parameters = {"num_threads": 1, "verbose": -1, "num_leaves": 31, "seed": 1, "learning_rate": 0.2, **parameters}
    categorical = parameters.pop("categorical", False)
    if parameters["objective"].startswith("multi"):
        parameters["num_class"] = 3
    if parameters.get("boosting") == "rf":
        parameters.update(bagging_freq=1, bagging_fraction=0.6, feature_fraction=0.8)
    x, score = table(TRAIN_ROWS, 1)
    data = lightgbm.Dataset(x.astype(float), target(parameters["objective"], score),
                            categorical_feature=[10, 11] if categorical else "auto", params={"verbose": -1})
    booster = lightgbm.train(parameters, data, ROUNDS)
    booster.save_model(path)
    return booster.predict(rows.astype(float), raw_score=True, num_threads=1)


def sums(binary, model, rows, folder):
    """What the trees add up to here."""
    text = folder / "graph.txt"
    subprocess.run([binary, "convert", model, "-o", text, "--no-check"], check=True, capture_output=True)
    graph = text.read_text()
    head, body = graph.split("\n", 1)
    inputs = re.findall(r"(\w+): (f\d\d)\[N, (\d+)\]", head.split("->")[0])
    trees = re.search(r"%([\w.#]+): f\d\d\[N, \d+\] = (?:Linear)?TreeEnsemble\(", body)[1]
    # Raw scores of LightGBM's random forests are sums as well: predict alone divides them.
    text.write_text(re.sub(r"-> \(.*\) \{", f"-> (sums = %{trees}) {{", head) + "\n" + body)
    arguments, column = [], 0
    for name, dtype, width in inputs:
        path = folder / f"{name}.npy"
        np.save(path, np.ascontiguousarray(rows[:, column:column + int(width)], {"f32": np.float32, "f64": np.float64}[dtype]))
        arguments += ["--input", f"{name}={path}"]
        column += int(width)
    subprocess.run([binary, "run", text, *arguments, "--save", folder / "out.npz", "--quiet"], check=True, capture_output=True)
    with np.load(folder / "out.npz") as out:
        return out[out.files[0]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(ROOT / "build" / "test" / "bin" / "athanor"))
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--filter", default="")
    options = parser.parse_args()
    rows, _ = table(options.rows, 2)
    passed = failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        for train, models, ending in [(train_xgboost, xgboost_models(), "json"), (train_lightgbm, lightgbm_models(), "txt")]:
            for name, parameters in models:
                if options.filter not in name:
                    continue
                path = folder / f"model.{ending}"
                try:
                    expected = train(parameters, path, rows)
                    got = sums(options.binary, path, rows, folder).reshape(expected.shape)
                    wrong = np.flatnonzero((got != expected).reshape(len(rows), -1).any(1))
                    problem = "" if len(wrong) == 0 else (
                        f"{len(wrong)} of {len(rows)} rows differ, the first {wrong[0]}: {got[wrong[0]]}, {expected[wrong[0]]} is expected")
                except subprocess.CalledProcessError as fault:
                    problem = fault.stderr.decode()[:300]
                print(f"{'FAIL' if problem else 'ok  '} {name} {problem}", flush=True)
                passed, failed = passed + (not problem), failed + bool(problem)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
