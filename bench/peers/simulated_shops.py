#!/usr/bin/env python3
"""Simulated shops: Guike's models on logs whose mechanism is known, judged by the deviance of orders after the cutoff.

    python simulated_shops.py --guike guike --mechanism pareto-nbd --plain --shops 20 --customers 2000 \
        --models foundation,pareto-nbd+gamma-gamma

Shop i is `guike simulate shop --mechanism M --seed i`; half of its days are the history, the other half (a year at most) the
horizon. Every model is run by itself, as it is fitted: without the correction of its level by a backtest. Prints, per model,
the mean Poisson deviance over shops and the mean over shops of its ratio to the last model's, with a 95 % interval
(bootstrap over shops, 2,000 draws, seed 1).
"""
import argparse, json, os, subprocess, tempfile
import numpy as np, pandas as pd


def deviance(y, m):
    m = np.maximum(m, 1e-9)
    return 2 * (np.where(y > 0, y * np.log(np.maximum(y, 1) / m), 0.0) - (y - m))


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--guike", required=True)
    a.add_argument("--mechanism", required=True)
    a.add_argument("--plain", action="store_true")
    a.add_argument("--shops", type=int, default=20)
    a.add_argument("--customers", type=int, default=2000)
    a.add_argument("--days", type=int, default=0, help="length of the logs; 0 lets the prior draw it")
    a.add_argument("--first-seed", type=int, default=1000)
    a.add_argument("--models", required=True)
    a = a.parse_args()
    models = a.models.split(",")
    losses = {m: [] for m in models}
    for seed in range(a.first_seed, a.first_seed + a.shops):
        with tempfile.TemporaryDirectory() as folder:
            path, out, settings = (os.path.join(folder, name) for name in ("log.csv", "out", "guike.toml"))
            with open(settings, "w", encoding="utf-8") as file:
                file.write('[forecast]\nlevel = "off"\n')
            draw = [a.guike, "simulate", "shop", "--quiet", "--mechanism", a.mechanism, "--customers", str(a.customers),
                    "--seed", str(seed), "--out", path]
            draw += ["--plain"] if a.plain else []
            draw += ["--days", str(a.days)] if a.days else []
            subprocess.run(draw, check=True, capture_output=True)
            log = pd.read_csv(path, dtype={"customer_id": str}, parse_dates=["date"])
            first, last = log["date"].min(), log["date"].max()
            days = (last - first).days + 1
            horizon = min(days // 2, 365)
            cutoff = last - pd.Timedelta(days=horizon)
            after = log[log["date"] > cutoff].groupby("customer_id")["date"].nunique()
            of = {}
            for model in models:
                run = [a.guike, "run", path, "--quiet", "--out", out, "--model", model, "--config", settings,
                       "--cutoff", str(cutoff.date()), "--horizon", f"{horizon}d"]
                done = subprocess.run(run, capture_output=True, text=True)
                if done.returncode != 0:
                    continue
                f = pd.read_csv(os.path.join(out, "forecasts.csv"), dtype={"customer_id": str})
                y = after.reindex(f["customer_id"]).fillna(0).to_numpy(float)
                of[model] = deviance(y, f["expected_orders"].to_numpy(float)).mean()
            if len(of) == len(models) and of[models[-1]] > 0:
                for model in models:
                    losses[model].append(of[model])
    base = np.array(losses[models[-1]])
    for model in models:
        mine = np.array(losses[model])
        ratio = mine / base
        lo, hi = np.quantile(np.random.default_rng(1).choice(ratio, (2000, len(ratio))).mean(axis=1), [0.025, 0.975])
        print(json.dumps({"model": model, "shops": len(mine), "deviance": mine.mean(), "ratio": ratio.mean(),
                          "lo": lo, "hi": hi}))


if __name__ == "__main__":
    main()
