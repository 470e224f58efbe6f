# SPDX-License-Identifier: Apache-2.0
"""Records pickled estimators, what sklearn2pmml makes of them, and what they answer, as pickled.tar.xz.

    python tests/oracles/record_pickled.py [FILTER]    # needs pandas, scikit-learn and whichever of xgboost, lightgbm, catboost is there

PMML files are recorded where sklearn2pmml (PyPI) and Java are there.

The archive holds rows.csv and for each case NAME.pkl, NAME.pmml or both, and NAME.npz: `prediction`, or `label` and `probability`; refused_*.pkl
hold what must not be read. Cases of a library that is absent, and those whose names do not hold
FILTER, are taken from the archive as it stands. NAME_5.pkl are of protocol 5, NAME_joblib.pkl by joblib.
"""

import collections
import importlib.util
import io
import pickle
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

ARCHIVE = Path(__file__).resolve().parent / "pickled.tar.xz"


def estimators(x, y):
    bit = (y > 0).astype(int)
    if importlib.util.find_spec("xgboost"):
        import xgboost
        yield "xgboost_regressor", xgboost.XGBRegressor(n_estimators=5, max_depth=3, n_jobs=1).fit(x, y)
        yield "xgboost_classifier", xgboost.XGBClassifier(n_estimators=5, max_depth=3, n_jobs=1).fit(x, bit)
        yield "xgboost_booster", xgboost.XGBRegressor(n_estimators=3, max_depth=2, n_jobs=1).fit(x, y).get_booster()
    if importlib.util.find_spec("lightgbm"):
        import lightgbm
        settings = {"n_estimators": 5, "num_leaves": 6, "verbose": -1, "n_jobs": 1}
        yield "lightgbm_regressor", lightgbm.LGBMRegressor(**settings).fit(x, y)
        yield "lightgbm_classifier", lightgbm.LGBMClassifier(**settings).fit(x, bit)
        # Names as NumPy's text, as Python's objects and as numbers.
        yield "lightgbm_names", lightgbm.LGBMClassifier(**settings).fit(x, np.array(["low", "mid", "h\u00f6h"])[np.digitize(y, [-1, 1])])
        yield "lightgbm_objects", lightgbm.LGBMClassifier(**settings).fit(x, np.where(y > 0, "yes", "no").astype(object))
        yield "lightgbm_numbers", lightgbm.LGBMClassifier(**settings).fit(x, np.where(y > 0, 7.0, -5.0))
        yield "lightgbm_booster", lightgbm.LGBMRegressor(**settings).fit(x, y).booster_
    if importlib.util.find_spec("catboost"):
        import catboost
        settings = {"iterations": 5, "depth": 3, "verbose": 0, "thread_count": 1, "allow_writing_files": False}
        yield "catboost_regressor", catboost.CatBoostRegressor(**settings).fit(x, y)
        yield "catboost_classifier", catboost.CatBoostClassifier(**settings).fit(x, np.where(y > 0, "yes", "no"))


def of_sklearn(x, y):
    """Estimators that are read as PMML only."""
    from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor, RandomForestClassifier
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeClassifier
    bit = (y > 0).astype(int)
    three = pd.cut(y, 3, labels=["low", "mid", "high"]).astype(str)
    yield "sklearn_linear", LinearRegression().fit(x, y)
    yield "sklearn_logistic", make_pipeline(StandardScaler(), LogisticRegression()).fit(x, bit)
    yield "sklearn_logistic_three", make_pipeline(StandardScaler(), LogisticRegression()).fit(x, three)
    yield "sklearn_tree", DecisionTreeClassifier(max_depth=4).fit(x, three)
    yield "sklearn_forest", RandomForestClassifier(8, max_depth=4).fit(x, bit)
    yield "sklearn_extra_trees", ExtraTreesRegressor(8, max_depth=4).fit(x, y)
    yield "sklearn_boosting", GradientBoostingRegressor(n_estimators=8).fit(x, y)


def as_pmml(model):
    """The document that sklearn2pmml writes; None where it cannot."""
    if importlib.util.find_spec("sklearn2pmml") is None or shutil.which("java") is None or not hasattr(model, "fit"):
        return None
    from sklearn2pmml import sklearn2pmml
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.pmml"
        try:
            sklearn2pmml(model, str(path))
        except RuntimeError as why:
            print(f"{type(model).__name__}: {why}")
            return None
        return path.read_bytes()


def answers(model, x):
    if hasattr(model, "predict_proba"):
        return {"label": model.predict(x), "probability": model.predict_proba(x)}
    if type(model).__module__ == "xgboost.core":
        import xgboost
        return {"prediction": model.predict(xgboost.DMatrix(x))}
    return {"prediction": model.predict(x)}


class Harm:
    """A pickle that would run a command when Python reads it."""

    def __reduce__(self):
        import os
        return os.system, ("touch harm-was-done",)


def record(files, name, model, rows):
    data = io.BytesIO()
    np.savez_compressed(data, **{key: value.astype(str) if value.dtype == object else value for key, value in answers(model, rows).items()})
    files[f"{name}.npz"] = data.getvalue()
    document = as_pmml(model)
    if document is not None:
        files[f"{name}.pmml"] = document


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    random = np.random.default_rng(1)
    x = pd.DataFrame(random.normal(size=(300, 3)).astype(np.float32), columns=["c1", "c2", "c3"])
    x.loc[random.random(300) < 0.1, "c2"] = np.nan
    y = (x["c1"] * 2 + x["c2"].fillna(1) + random.normal(scale=0.3, size=300)).rename("y")
    rows = x[:80]
    files = {}
    if ARCHIVE.exists():
        with tarfile.open(ARCHIVE) as archive:
            files = {member.name: archive.extractfile(member).read() for member in archive}
    for number, (name, model) in enumerate(estimators(x, y)):
        if wanted not in name:
            continue
        for protocol in [4, 5] if number % 2 or name.startswith("lightgbm_n") else [4]:
            files[f"{name}{'_5' if protocol == 5 else ''}.pkl"] = pickle.dumps(model, protocol=protocol)
        if name.startswith("lightgbm") and hasattr(model, "classes_"):
            import joblib
            data = io.BytesIO()
            joblib.dump(model, data)
            files[f"{name}_joblib.pkl"] = data.getvalue()
        record(files, name, model, rows)
    if importlib.util.find_spec("sklearn"):
        for name, model in of_sklearn(x.fillna(0), y):
            if wanted not in name:
                continue
            record(files, name, model, rows.fillna(0))
    files["rows.csv"] = rows.to_csv(index=False, float_format="%.9g").encode()
    files["filled.csv"] = rows.fillna(0).to_csv(index=False, float_format="%.9g").encode()
    files["refused_command.pkl"] = pickle.dumps(Harm())
    files["refused_counter.pkl"] = pickle.dumps(collections.Counter("abc"))
    files["refused_list.pkl"] = pickle.dumps([1, 2, 3])
    if importlib.util.find_spec("sklearn"):
        from sklearn.linear_model import LinearRegression
        files["refused_linear.pkl"] = pickle.dumps(LinearRegression().fit(x.fillna(0), y))
    with tarfile.open(ARCHIVE, "w:xz", preset=9) as archive:
        for name, data in sorted(files.items()):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    print(f"{len(files)} files, {ARCHIVE.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
