# SPDX-License-Identifier: Apache-2.0
"""Records what CatBoost answers for small models over a grid of its parameters, as catboost.tar.xz.

    python tests/oracles/record_catboost.py [FILTER]        # needs catboost, which the list leaves out

Tables and models are made here. The archive holds rows.csv, the rows to be scored, and for each case the model in both
of CatBoost's forms and case.npz: `raw`, the formula's value, and what the library's estimator answers: `prediction`, or
`label` and `probability`.
"""

import io
import sys
import tarfile
import tempfile
from pathlib import Path

import catboost
import numpy as np
import pandas as pd

ARCHIVE = Path(__file__).resolve().parent / "catboost.tar.xz"
TRAIN_ROWS, TEST_ROWS = 500, 120
NUMBERS = ["width", "height", "age", "rank"]
CATEGORIES = ["colour", "town", "code", "long name"]
CODES = 25


def table(rows, seed, unseen):
    """Numbers, two columns with holes; categories of few and of many values, one with names of every length."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(random.normal(size=(rows, 4)).astype(np.float32), columns=NUMBERS)
    frame["age"] = np.round(frame["age"] * 3) / 3
    for name in ("width", "height"):
        frame.loc[random.random(rows) < 0.1, name] = np.nan
    frame["colour"] = random.choice(["red", "green", "blue"], rows)
    frame["town"] = random.choice(["Zürich", "Oslo", "São Paulo", "Nice", "東京", "Rome", "Cork", "Ghent"], rows)
    frame["code"] = random.integers(0, CODES, rows).astype(str)
    frame["long name"] = [("abcdefghijklmnopqrstuvwxyz0123456789" * 6)[:length] for length in random.integers(1, 200, rows)]
    filled = frame[NUMBERS].fillna(0)
    code = frame["code"].astype(int)
    score = filled["width"] + filled["age"] * filled["rank"] + (frame["colour"] == "red") + (code % 5 == 2)
    score = score + frame["town"].str.len() / 4 + (frame["long name"].str.len() % 3 == 0) + random.normal(scale=0.2, size=rows)
    if unseen:
        for name in CATEGORIES:
            frame.loc[random.random(rows) < 0.05, name] = "never seen"
    return frame, score.to_numpy()


def cases():
    """name, columns, parameters, target"""
    both = NUMBERS + CATEGORIES
    number = {"loss_function": "RMSE"}
    for loss in ["RMSE", "MAE", "Quantile:alpha=0.3", "Huber:delta=1", "LogCosh", "Expectile:alpha=0.3", "MAPE", "Lq:q=3"]:
        yield f"loss {loss}", NUMBERS, {"loss_function": loss}, "number"
    for loss in ["Poisson", "Tweedie:variance_power=1.5"]:
        yield f"loss {loss}", NUMBERS, {"loss_function": loss}, "positive"
    yield "loss RMSEWithUncertainty", NUMBERS, {"loss_function": "RMSEWithUncertainty"}, "number"
    yield "loss MultiRMSE", NUMBERS, {"loss_function": "MultiRMSE"}, "numbers"
    yield "loss Logloss", both, {"loss_function": "Logloss"}, "bit"
    yield "loss Logloss names", NUMBERS, {"loss_function": "Logloss"}, "word"
    yield "loss Logloss border", NUMBERS, {"loss_function": "Logloss", "threshold": 0.8}, "bit"
    yield "loss CrossEntropy", NUMBERS, {"loss_function": "CrossEntropy"}, "share"
    yield "loss Focal", NUMBERS, {"loss_function": "Focal:focal_alpha=0.25;focal_gamma=2"}, "bit"
    yield "loss MultiClass", both, {"loss_function": "MultiClass"}, "class"
    yield "loss MultiClass names", NUMBERS, {"loss_function": "MultiClass"}, "words"
    yield "loss MultiClassOneVsAll", NUMBERS, {"loss_function": "MultiClassOneVsAll"}, "sparse class"
    yield "loss MultiLogloss", NUMBERS, {"loss_function": "MultiLogloss"}, "bits"
    yield "loss YetiRank", NUMBERS, {"loss_function": "YetiRank"}, "number"
    for mode in ["Min", "Max"]:
        yield f"missing {mode}", both, {**number, "nan_mode": mode, "max_ctr_complexity": 3}, "number"
    for size in [2, 3, 10, 255]:
        yield f"one-hot {size}", both, {**number, "one_hot_max_size": size}, "number"
    for complexity in [1, 2, 4]:
        yield f"complexity {complexity}", both, {"loss_function": "Logloss", "max_ctr_complexity": complexity, "one_hot_max_size": 3,
                                                "depth": 6, "iterations": 12}, "bit"
    for kind in ["Borders", "Buckets", "BinarizedTargetMeanValue", "Counter"]:
        ctr = [f"{kind}:Prior=0.3/1:Prior=1/1" if kind != "Counter" else "Counter:Prior=0.5/1"]
        for target in ["number", "class"]:
            loss = "RMSE" if target == "number" else "MultiClass"
            yield f"statistic {kind} {target}", both, {"loss_function": loss, "simple_ctr": ctr, "combinations_ctr": ctr}, target
    yield "statistic borders 4", both, {**number, "simple_ctr": ["Borders:TargetBorderCount=4", "Buckets:TargetBorderCount=3"]}, "number"
    for policy in ["Depthwise", "Lossguide"]:
        for loss, target in [("RMSE", "number"), ("MultiClass", "class")]:
            yield f"grow {policy} {loss}", both, {"loss_function": loss, "grow_policy": policy}, target
    yield "grow Lossguide deep", NUMBERS, {**number, "grow_policy": "Lossguide", "max_leaves": 30, "depth": 12}, "number"
    yield "depth 1", NUMBERS, {**number, "depth": 1}, "number"
    yield "depth 10", NUMBERS, {**number, "depth": 10, "iterations": 3}, "number"
    yield "borders 400", NUMBERS, {**number, "border_count": 400, "iterations": 40, "depth": 3}, "number"
    yield "scale and bias", NUMBERS, {**number, "scale": (0.7, -1.25)}, "number"
    yield "categories only", CATEGORIES, {"loss_function": "Logloss"}, "bit"


def target_of(kind, score):
    middle = score > np.median(score)
    third = np.digitize(score, np.quantile(score, [0.33, 0.66]))
    return {"number": score, "positive": np.exp(np.clip(score / 3, -2, 2)), "numbers": np.stack([score, 2 - score], 1),
            "bit": middle.astype(int), "word": np.where(middle, "yes", "no"), "share": 1 / (1 + np.exp(-score)),
            "class": third, "words": np.array(["low", "middle", "high"])[third], "sparse class": np.array([1, 5, 9])[third],
            "bits": np.stack([middle, score > 1.5], 1).astype(int)}[kind]


def answers(model, loss, rows):
    if loss.startswith(("Multi", "Logloss", "CrossEntropy", "Focal")) and loss != "MultiRMSE":
        return {"label": model.predict(rows, prediction_type="Class"), "probability": model.predict(rows, prediction_type="Probability")}
    kind = "Exponent" if loss.startswith(("Poisson", "Tweedie")) else loss if loss == "RMSEWithUncertainty" else "RawFormulaVal"
    return {"prediction": model.predict(rows, prediction_type=kind)}


def record(columns, parameters, kind, folder):
    frame, score = table(TRAIN_ROWS, 1, False)
    parameters = {"iterations": 8, "depth": 4, "learning_rate": 0.3, "random_seed": 1, "thread_count": 1, "verbose": 0,
                  "allow_writing_files": False, **parameters}
    scale, threshold = parameters.pop("scale", None), parameters.pop("threshold", None)
    model = catboost.CatBoost(parameters)
    group = np.arange(TRAIN_ROWS) // 10 if parameters["loss_function"] == "YetiRank" else None
    model.fit(catboost.Pool(frame[columns], target_of(kind, score), cat_features=[c for c in columns if c in CATEGORIES], group_id=group))
    if scale:
        model.set_scale_and_bias(*scale)
    if threshold:
        model.get_metadata()["binclass_probability_threshold"] = str(threshold)
    rows = catboost.Pool(table(TEST_ROWS, 2, True)[0][columns], cat_features=[c for c in columns if c in CATEGORIES])
    for form in ["cbm", "json"]:
        model.save_model(str(folder / f"model.{form}"), format=form)
    # The library's own reader of JSON does not round numbers to the nearest; the file holds all digits.
    raw = model.predict(rows, prediction_type="RawFormulaVal")
    return {"raw": raw, **answers(model, parameters["loss_function"], rows)}


def add_file(archive, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    target = Path("/tmp/catboost_cases.tar.xz") if wanted else ARCHIVE
    count = 0
    with tempfile.TemporaryDirectory() as root, tarfile.open(target, "w:xz", preset=9) as archive:
        folder = Path(root)
        add_file(archive, "rows.csv", table(TEST_ROWS, 2, True)[0].to_csv(index=False, float_format="%.9g").encode())
        for name, columns, parameters, kind in cases():
            if wanted not in name:
                continue
            arrays = record(columns, parameters, kind, folder)
            data = io.BytesIO()
            np.savez_compressed(data, **{key: value.astype(str) if value.dtype == object else value for key, value in arrays.items()})
            add_file(archive, f"{name}/case.npz", data.getvalue())
            for form in ["cbm", "json"]:
                add_file(archive, f"{name}/model.{form}", (folder / f"model.{form}").read_bytes())
            count += 1
    print(f"{count} cases, {target.stat().st_size / 1024:.0f} KiB, CatBoost {catboost.__version__}")


if __name__ == "__main__":
    main()
