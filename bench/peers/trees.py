"""One turn of LightGBM or of scikit-learn's random forest on a table that `bench trees` wrote.

    python trees.py boosting|forest TRAIN TEST

Files hold little-endian f64s, 30 columns one after the other, then the label. Prints what fit and prediction took and the
AUC on the test rows, as JSON.
"""
import json
import os
import sys
import time

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # idle threads that spin would count against the peer

import numpy as np  # noqa: E402

COLUMNS = 30
THREADS = 2


def read(path):
    values = np.fromfile(path)
    n = len(values) // (COLUMNS + 1)
    return np.ascontiguousarray(values[: n * COLUMNS].reshape(COLUMNS, n).T), values[n * COLUMNS:]


def boosting(x, y):
    import lightgbm as lgb

    settings = {"objective": "binary", "num_leaves": 31, "learning_rate": 0.1, "max_bin": 255, "min_data_in_leaf": 20,
                "num_threads": THREADS, "verbose": -1}
    lgb.train(settings, lgb.Dataset(x[:1000], y[:1000]), 1)  # threads are there
    fit = lambda: lgb.train(settings, lgb.Dataset(x, y), 100)  # noqa: E731
    return fit, lambda model, new: model.predict(new, num_threads=THREADS)


def forest(x, y):
    from sklearn.ensemble import RandomForestClassifier

    fit = lambda: RandomForestClassifier(50, n_jobs=THREADS, random_state=1).fit(x, y)  # noqa: E731
    return fit, lambda model, new: model.predict_proba(new)[:, 1]


def timed(work):
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    cost = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall, "peak_mib": 0.0}
    return result, cost


def auc(y, scores):
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    ones = y.sum()
    return (ranks[y == 1].sum() - ones * (ones + 1) / 2) / (ones * (len(y) - ones))


def main():
    learner, train, test = sys.argv[1:]
    (x, y), (new, truth) = read(train), read(test)
    fit, predict = {"boosting": boosting, "forest": forest}[learner](x, y)
    model, fit_cost = timed(fit)
    scores, predict_cost = timed(lambda: predict(model, new))
    print(json.dumps({"fit": fit_cost, "predict": predict_cost, "auc": auc(truth, scores)}))


if __name__ == "__main__":
    main()
