"""Shapley values of the same trees by LightGBM's pred_contrib and by guike-explain, in turns, on one thread each.

    python bench/peers/tree_shap.py target/release/examples/tree_shap_bench [ROUNDS]

10,000 rows x 30 columns, 100 trees of 31 leaves; prints CPU seconds, the ratio of each round and the largest difference of
the sums of absolute attributions.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import lightgbm
import numpy as np


def plain(tree):
    """A tree of dump_model() as guike_core::Tree, nodes in pre-order."""
    nodes, values = [], []

    def add(node):
        at = len(nodes)
        nodes.append(None)
        if "split_feature" not in node:
            nodes[at] = {"split": None, "left": 0, "right": 0, "cover": node.get("leaf_count", 1), "gain": 0}
            values.append(node["leaf_value"])
            return at
        values.append(0)
        left, right = add(node["left_child"]), add(node["right_child"])
        number = {"column": node["split_feature"], "threshold": node["threshold"], "missing_left": node["default_left"]}
        split = {"number": number}
        nodes[at] = {"split": split, "left": left, "right": right, "cover": node["internal_count"], "gain": node["split_gain"]}
        return at

    add(tree["tree_structure"])
    return {"nodes": nodes, "values": values, "first_output": 0, "n_outputs": 1}


def main():
    ours, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 7
    rng = np.random.default_rng(1)
    x = rng.normal(size=(10_000, 30))
    y = x[:, 0] * x[:, 1] + np.sin(2 * x[:, 2]) + (x[:, 3] > 0.5) + x[:, 4:10].sum(axis=1) * 0.2 + rng.normal(size=10_000)
    settings = {"num_leaves": 31, "verbose": -1, "num_threads": 1, "seed": 1}
    model = lightgbm.train(settings, lightgbm.Dataset(x, y), 100)
    folder = tempfile.mkdtemp()
    trees, rows = os.path.join(folder, "trees.json"), os.path.join(folder, "rows.f64")
    with open(trees, "w") as file:
        json.dump({"base": [0.0], "trees": [plain(t) for t in model.dump_model()["tree_info"]]}, file)
    x.T.astype("<f8").tofile(rows)
    environment = {**os.environ, "RAYON_NUM_THREADS": "1"}

    def run(*more):
        said = subprocess.run([ours, trees, rows, "30", *more], env=environment, capture_output=True, text=True, check=True)
        seconds, total = said.stdout.split()
        return float(seconds), float(total)

    theirs_all, ours_all, ratios = [], [], []
    for _ in range(rounds):
        begin = time.process_time()
        contributions = model.predict(x, pred_contrib=True, num_threads=1)
        theirs = time.process_time() - begin
        seconds, total = run()
        theirs_all.append(theirs)
        ours_all.append(seconds)
        ratios.append(seconds / theirs)
        print(f"LightGBM {theirs:.2f}, ours {seconds:.2f} CPU s", flush=True)
    difference = abs(total - np.abs(contributions[:, :-1]).sum()) / total
    background = [run("100")[0] for _ in range(3)]
    print(f"LightGBM {lightgbm.__version__} pred_contrib: {statistics.median(theirs_all):.3f} CPU s")
    print(f"guike-explain by covers:     {statistics.median(ours_all):.3f} CPU s, ", end="")
    print(f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f}) times LightGBM's")
    print(f"guike-explain against 100 background rows: {statistics.median(background):.3f} CPU s")
    print(f"relative difference of the sums of absolute attributions: {difference:.1e}")


if __name__ == "__main__":
    main()
