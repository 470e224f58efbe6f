# SPDX-License-Identifier: Apache-2.0
"""Records pickled estimators and what they answer, as pickled.tar.xz.

    python tests/oracles/record_pickled.py [FOLDER]    # needs pandas, scikit-learn and whichever of xgboost, lightgbm, catboost is there

The archive holds rows.csv and for each case NAME.pkl and NAME.npz: `prediction`, or `label` and `probability`; refused_*.pkl
hold what must not be read. Cases of a library that is absent are taken from the archive as it stands.
"""

import collections
import importlib.util
import io
import pickle
import sys
import tarfile
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
        yield "lightgbm_booster", lightgbm.LGBMRegressor(**settings).fit(x, y).booster_
    if importlib.util.find_spec("catboost"):
        import catboost
        settings = {"iterations": 5, "depth": 3, "verbose": 0, "thread_count": 1, "allow_writing_files": False}
        yield "catboost_regressor", catboost.CatBoostRegressor(**settings).fit(x, y)
        yield "catboost_classifier", catboost.CatBoostClassifier(**settings).fit(x, np.where(y > 0, "yes", "no"))


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


def main():
    random = np.random.default_rng(1)
    x = pd.DataFrame(random.normal(size=(300, 3)).astype(np.float32), columns=["c1", "c2", "c3"])
    x.loc[random.random(300) < 0.1, "c2"] = np.nan
    y = x["c1"] * 2 + x["c2"].fillna(1) + random.normal(scale=0.3, size=300)
    rows = x[:80]
    files = {}
    if ARCHIVE.exists():
        with tarfile.open(ARCHIVE) as archive:
            files = {member.name: archive.extractfile(member).read() for member in archive}
    for number, (name, model) in enumerate(estimators(x, y)):
        for protocol in [4, 5] if number % 2 else [4]:
            files[f"{name}{'_5' if protocol == 5 else ''}.pkl"] = pickle.dumps(model, protocol=protocol)
        data = io.BytesIO()
        np.savez_compressed(data, **{key: value.astype(str) if value.dtype == object else value for key, value in answers(model, rows).items()})
        files[f"{name}.npz"] = data.getvalue()
    files["rows.csv"] = rows.to_csv(index=False, float_format="%.9g").encode()
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
