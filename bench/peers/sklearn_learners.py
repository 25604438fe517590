"""One learner of scikit-learn (or scipy) on points in a file: one fit, with its CPU time and what came out.

    python sklearn_learners.py KIND FILE COLUMNS

FILE holds float64 in the machine's order, row by row; where KIND has classes, a last column is the class. Reading it is not
counted. Prints one line of JSON, as `bench learn KIND FILE COLUMNS` does.
"""
import json
import sys
import time
import warnings

import numpy as np
from scipy.cluster.hierarchy import ward
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.mixture import GaussianMixture
from sklearn.svm import SVC, LinearSVC

warnings.filterwarnings("ignore")


def classes(make):
    """Fits a classifier; the quality is its log loss on the rows it learned from."""

    def work(table):
        x, y = np.ascontiguousarray(table[:, :-1]), table[:, -1]
        model, cost = timed(lambda: make().fit(x, y))
        return cost, log_loss(y, model.predict_proba(x))

    return work


def k_means(table):
    model, cost = timed(lambda: KMeans(8, n_init=10, random_state=1).fit(table))
    return cost, model.inertia_


def mixture(table):
    model, cost = timed(lambda: GaussianMixture(5, n_init=1, random_state=1).fit(table))
    return cost, model.score(table)


def tree(table):
    merges, cost = timed(lambda: ward(table))
    return cost, float(merges[:, 2].sum())


KINDS = {
    "logistic": classes(lambda: LogisticRegression(max_iter=1000)),
    "linear-svm": classes(lambda: CalibratedClassifierCV(LinearSVC(dual=False), cv=5, ensemble=False)),
    "rbf-svm": classes(lambda: CalibratedClassifierCV(SVC(), cv=5, ensemble=False)),
    "k-means": k_means,
    "mixture": mixture,
    "ward": tree,
}


def timed(work):
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall, "peak_mib": 0.0}


def main():
    kind, path, columns = sys.argv[1:]
    table = np.fromfile(path).reshape(-1, int(columns))
    cost, quality = KINDS[kind](table)
    print(json.dumps({"fit": cost, "quality": float(quality)}))


if __name__ == "__main__":
    main()
