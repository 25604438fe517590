#!/usr/bin/env python3
"""Poisson deviance of expected orders against what happened, with a paired bootstrap against other predictions.

    python orders_deviance.py --score clv/score.py --split SPLIT --pred forecasts.csv [--against preds.parquet:PEER ...]

Deviance is 2 × mean(y ln(y / m) − (y − m)) over customers, y purchase days in the holdout and m expected ones, at least
1e-9. The bootstrap draws customers (300 draws, seed 1); `diff` is ours minus theirs, so that below zero is better.
"""
import argparse, importlib.util, json
import numpy as np, pandas as pd


def ids(values):
    """Ids as text without leading zeros: some files keep them and some do not."""
    return values.astype(str).str.replace(r"\.0$", "", regex=True).str.lstrip("0")


def deviances(y, m):
    m = np.maximum(m, 1e-9)
    return 2 * (np.where(y > 0, y * np.log(np.maximum(y, 1) / m), 0.0) - (y - m))


def orders(path, index):
    if ":" in path:
        path, peer = path.rsplit(":", 1)
        table = pd.read_parquet(path)
        table = pd.DataFrame({"customer_id": table["customer_id"], "m": table[f"{peer}:t"]})
    else:
        table = pd.read_csv(path, dtype={"customer_id": str})
        table = pd.DataFrame({"customer_id": table["customer_id"], "m": table["expected_orders"]})
    table["customer_id"] = ids(table["customer_id"])
    return table.set_index("customer_id")["m"].reindex(index).fillna(0.0).to_numpy(float)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--score", required=True)
    a.add_argument("--split", required=True)
    a.add_argument("--pred", required=True)
    a.add_argument("--against", action="append", default=[])
    a = a.parse_args()
    spec = importlib.util.spec_from_file_location("score", a.score)
    score = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(score)
    actual = score.actuals(a.split)
    index = ids(pd.Series(actual.index))
    y = actual["txns"].to_numpy(float)
    ours = orders(a.pred, index)
    d = deviances(y, ours)
    rng = np.random.default_rng(1)
    draws = rng.integers(0, len(y), (300, len(y)))
    out = {"deviance": d.mean(), "bias": ours.sum() / y.sum(), "against": {}}
    for other in a.against:
        theirs = orders(other, index)
        e = d - deviances(y, theirs)
        lo, hi = np.quantile(e[draws].mean(axis=1), [0.025, 0.975])
        name = other.rsplit(":", 1)[-1]
        out["against"][name] = {"deviance": d.mean() - e.mean(), "diff": e.mean(), "lo": lo, "hi": hi}
    print(json.dumps(out))


main()
