#!/usr/bin/env python3
"""Small shops: customers drawn from a log, forecast by Guike's models, judged by the deviance of orders.

    python small_shops.py --guike guike --split SPLIT --sizes 50,100,500 --shops 20 \
        --models foundation,bg-nbd+gamma-gamma,mbg-nbd+gamma-gamma,pareto-nbd+gamma-gamma

Every shop is a random sample of customers (seed 1), run by itself with the split's cutoff and horizon; what happened after the
cutoff scores all models alike. Prints, per size and model, the mean Poisson deviance over customers, and the mean
difference to the first model with a 95 % interval over shops (bootstrap, 2,000 draws, seed 1).
"""
import argparse, json, os, subprocess, tempfile
import numpy as np, pandas as pd


def deviance(y, m):
    m = np.maximum(m, 1e-9)
    return 2 * (np.where(y > 0, y * np.log(np.maximum(y, 1) / m), 0.0) - (y - m))


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--guike", required=True)
    a.add_argument("--split", required=True)
    a.add_argument("--sizes", default="50,100,500")
    a.add_argument("--shops", type=int, default=20)
    a.add_argument("--models", required=True)
    a = a.parse_args()
    meta = json.load(open(os.path.join(a.split, "meta.json")))
    log = pd.read_csv(os.path.join(a.split, "calibration.csv"), dtype={"customer_id": str})
    after = pd.read_csv(os.path.join(a.split, "holdout.csv"), dtype={"customer_id": str})
    after["day"] = after["timestamp"].str[:10]
    actual = after.groupby("customer_id")["day"].nunique()
    customers = np.sort(log["customer_id"].unique())
    models = a.models.split(",")
    rng = np.random.default_rng(1)
    for size in map(int, a.sizes.split(",")):
        losses = {m: [] for m in models}
        for _ in range(a.shops):
            chosen = rng.choice(customers, size, replace=False)
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "log.csv")
                log[log["customer_id"].isin(chosen)].to_csv(path, index=False)
                for model in models:
                    out = os.path.join(folder, "out")
                    run = [a.guike, "run", path, "--quiet", "--out", out, "--model", model, "--cutoff",
                           meta["calibration_end"], "--horizon", f"{meta['horizon_days']}d"]
                    done = subprocess.run(run, capture_output=True, text=True)
                    if done.returncode != 0:
                        losses[model].append(np.nan)
                        continue
                    f = pd.read_csv(os.path.join(out, "forecasts.csv"), dtype={"customer_id": str})
                    y = actual.reindex(f["customer_id"]).fillna(0).to_numpy(float)
                    losses[model].append(deviance(y, f["expected_orders"].to_numpy(float)).mean())
        first = np.array(losses[models[0]])
        for model in models:
            of = np.array(losses[model])
            ok = np.isfinite(of) & np.isfinite(first)
            d = (first - of)[ok]
            lo, hi = np.quantile(np.random.default_rng(1).choice(d, (2000, len(d))).mean(axis=1), [0.025, 0.975])
            print(json.dumps({"size": size, "model": model, "shops": int(ok.sum()), "deviance": of[ok].mean(),
                              "first_minus_this": d.mean(), "lo": lo, "hi": hi}), flush=True)


main()
