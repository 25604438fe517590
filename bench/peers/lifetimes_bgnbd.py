"""BG/NBD by lifetimes on a summary: one fit and one forecast, each with its own CPU time.

    python lifetimes_bgnbd.py SUMMARY.csv HORIZON_WEEKS

SUMMARY.csv has the columns frequency,recency,age (days), one row per customer. Reading it is not counted,
nor is turning days into weeks. Prints one
line of JSON.
"""
import json
import sys
import time
import warnings

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
from lifetimes import BetaGeoFitter  # noqa: E402


def timed(work):
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall, "peak_mib": 0.0}


def main():
    summary = pd.read_csv(sys.argv[1])
    horizon = float(sys.argv[2])
    x = summary["frequency"].to_numpy(float)
    t_x, age = (summary[c].to_numpy(float) / 7.0 for c in ("recency", "age"))
    fitter = BetaGeoFitter(penalizer_coef=0.0)
    _, fit = timed(lambda: fitter.fit(x, t_x, age))
    expected, predict = timed(
        lambda: np.asarray(fitter.conditional_expected_number_of_purchases_up_to_time(horizon, x, t_x, age))
    )
    print(json.dumps({
        "fit": fit,
        "predict": predict,
        "parameters": [float(fitter.params_[p]) for p in ("r", "alpha", "a", "b")],
        "expected_total": float(np.nansum(expected)),
    }))


if __name__ == "__main__":
    main()
