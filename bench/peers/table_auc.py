"""Peers on a table with a column of two classes, on the very folds of a `guike train`.

    guike train TABLE --target COL --out DIR
    python table_auc.py TABLE DIR

Reads the folds and Guike's out-of-fold probabilities from DIR/predictions.csv and the columns that were learned from, from
DIR/evaluation.json. LightGBM, XGBoost, CatBoost (where installed), scikit-learn's random forest and logistic regression
predict the same rows; the answer is JSON: each one's AUC per fold and their mean, and Guike's difference from it with the
95 % Student interval of the paired fold differences.

What the peers get: categories as categories where they know them, else one-hot (levels of 0.5 % or more); numbers filled
with the median and standardised for logistic regression; the settings printed below, which are usual for tables of a few
thousand rows. Boosting stops early on a tenth of the training rows, as Guike's does on its own.
"""
import json
import os
import sys
import time
import warnings
from pathlib import Path

# one thread each: CPU time is what is compared, and threads that wait for each other burn it
THREADS = 1
os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))
os.environ.setdefault("OPENBLAS_NUM_THREADS", str(THREADS))

import numpy as np
import pandas as pd
from scipy.stats import t
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

warnings.filterwarnings("ignore")


def encoder(x, scale):
    text = [c for c in x if x[c].dtype.name == "category"]
    numbers = [c for c in x if c not in text]
    fill = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), *([StandardScaler()] if scale else []))
    hot = OneHotEncoder(min_frequency=0.005, handle_unknown="infrequent_if_exist", sparse_output=False)
    return make_column_transformer((fill, numbers), (hot, text))


def logistic(x, y, new):
    model = make_pipeline(encoder(x, True), LogisticRegression(max_iter=2000)).fit(x, y)
    return model.predict_proba(new)[:, 1]


def forest(x, y, new):
    trees = RandomForestClassifier(300, min_samples_leaf=3, n_jobs=THREADS, random_state=1)
    return make_pipeline(encoder(x, False), trees).fit(x, y).predict_proba(new)[:, 1]


def aside(x, y):
    return train_test_split(x, y, test_size=0.1, stratify=y, random_state=1)


def lightgbm(x, y, new):
    import lightgbm as lgb

    a, b, ya, yb = aside(x, y)
    model = lgb.LGBMClassifier(n_estimators=1000, learning_rate=0.05, num_leaves=15, n_jobs=THREADS, random_state=1,
                               verbose=-1, subsample=0.8, subsample_freq=1, colsample_bytree=0.8, reg_lambda=1.0)
    model.fit(a, ya, eval_set=[(b, yb)], callbacks=[lgb.early_stopping(50, verbose=False)])
    return model.predict_proba(new)[:, 1]


def xgboost(x, y, new):
    import xgboost as xgb

    a, b, ya, yb = aside(x, y)
    model = xgb.XGBClassifier(n_estimators=1000, learning_rate=0.05, max_depth=4, n_jobs=THREADS, random_state=1,
                              subsample=0.8, colsample_bytree=0.8, enable_categorical=True, early_stopping_rounds=50,
                              tree_method="hist")
    model.fit(a, ya, eval_set=[(b, yb)], verbose=False)
    return model.predict_proba(new)[:, 1]


def catboost(x, y, new):
    from catboost import CatBoostClassifier

    text = [c for c in x if x[c].dtype.name == "category"]
    plain = lambda x: x.assign(**{c: x[c].astype(str) for c in text})  # noqa: E731
    a, b, ya, yb = aside(plain(x), y)
    model = CatBoostClassifier(iterations=1000, learning_rate=0.05, thread_count=THREADS, random_seed=1, verbose=0,
                               early_stopping_rounds=50, allow_writing_files=False)
    model.fit(a, ya, cat_features=text, eval_set=(b, yb))
    return model.predict_proba(plain(new))[:, 1]


PEERS = {"lightgbm": lightgbm, "xgboost": xgboost, "catboost": catboost, "sklearn-forest": forest,
         "sklearn-logistic": logistic}


def read(path):
    return pd.read_parquet(path) if str(path).endswith(".parquet") else pd.read_csv(path)


def main():
    table, folder = Path(sys.argv[1]), Path(sys.argv[2])
    found = json.loads((folder / "evaluation.json").read_text())
    ours = pd.read_csv(folder / "predictions.csv")
    outcome = found["outcome"]
    positive = outcome["classes"][outcome["positive"]]
    frame = read(table).iloc[ours["row"] - 1].reset_index(drop=True)
    x = frame[[c["name"] for c in found["columns"]]].copy()
    for column, kind in zip(list(x), found["columns"]):
        if kind["kind"] == "category":
            x[column] = x[column].astype("string").astype("category")
        else:
            x[column] = pd.to_numeric(x[column], errors="coerce")
    y = (ours["actual"].astype(str) == positive).astype(int)
    folds = sorted(p for p in ours["part"].unique() if p.startswith("fold"))
    scores = {"guike " + found["chosen"]: [roc_auc_score(y[ours.part == f], ours.loc[ours.part == f, "p_" + positive])
                                           for f in folds]}
    cpu = {}
    for name, predict in PEERS.items():
        begun = time.process_time()
        try:
            scores[name] = []
            for f in folds:
                new, train = ours.part == f, (ours.part != f) & (ours.part != "test")
                scores[name].append(roc_auc_score(y[new], predict(x[train], y[train], x[new])))
        except ImportError as missing:
            del scores[name]
            print(f"{name}: not installed ({missing})", file=sys.stderr)
            continue
        cpu[name] = time.process_time() - begun
    # Student's interval of the mean difference over the folds
    reach = lambda v: t.ppf(0.975, len(v) - 1) * np.std(v, ddof=1) / np.sqrt(len(v))  # noqa: E731
    first = next(iter(scores))
    best = max((n for n in scores if n != first), key=lambda n: np.mean(scores[n]))
    rows = []
    for name, auc in scores.items():
        less = np.array(scores[first]) - np.array(auc)
        rows.append({"name": name, "auc": float(np.mean(auc)), "auc_of_folds": [float(a) for a in auc],
                     "best_peer": name == best, "cpu_s": cpu.get(name)})
        if name != first:
            d, r = float(less.mean()), float(reach(less))
            rows[-1]["ours_less"] = [d, d - r, d + r]
    print(json.dumps({"rows": len(frame), "columns": len(found["columns"]), "folds": len(folds), "contenders": rows}))


if __name__ == "__main__":
    main()
