"""How far two tables of features are apart.

    python compare_features.py OURS.parquet THEIRS.parquet COLUMN,COLUMN,...

Prints one line of JSON: customers in common, and the largest relative difference over the columns; a value that only
one side has counts as infinite.
"""
import json
import sys

import numpy as np
import pandas as pd


def main():
    names = sys.argv[3].split(",")
    ours, theirs = (pd.read_parquet(p, columns=["customer_id", *names]) for p in sys.argv[1:3])
    ours["customer_id"] = ours["customer_id"].astype("int64")
    both = ours.merge(theirs, on="customer_id", suffixes=("", "_theirs"))
    worst = 0.0
    for name in names:
        a, b = (both[c].to_numpy(float) for c in (name, f"{name}_theirs"))
        missing = np.isnan(a) != np.isnan(b)
        apart = np.abs(a - b) / np.maximum(1.0, np.abs(b))
        worst = max(worst, np.inf if missing.any() else float(np.nanmax(apart, initial=0.0)))
    print(json.dumps({"customers": len(both), "only_one_side": len(ours) + len(theirs) - 2 * len(both), "apart": worst}))


if __name__ == "__main__":
    main()
