#!/usr/bin/env python3
"""The benchmark's features of an order log in DuckDB, Polars or pandas, with CPU time and peak memory.

    python duckdb_features.py LOG.parquet --cutoff 2023-12-31 [--engine duckdb|polars|pandas] [--threads 2] [--out F.parquet]

Same definitions as the catalogue of guike-features: the unit is the purchase day, windows end with the cutoff day,
entropy is in nats over rows.  Prints one JSON line: engine, customers, wall and CPU seconds, peak RSS in MiB.
"""
import argparse
import json
import os
import resource
import time

WINDOWS = (30, 90, 180)


def duckdb(log, cutoff, threads, out):
    import duckdb as db
    con = db.connect()
    con.execute(f"SET threads = {threads}; SET preserve_insertion_order = false")
    windows = ",\n".join(
        f"count(*) FILTER (day > DATE '{cutoff}' - {w}) AS orders_{w}d, "
        f"coalesce(sum(spend) FILTER (day > DATE '{cutoff}' - {w}), 0) AS spend_{w}d" for w in WINDOWS)
    query = f"""
      WITH log AS (SELECT customer_id, time::DATE AS day, amount, category FROM '{log}' WHERE time < DATE '{cutoff}' + 1),
      days AS (SELECT customer_id, day, sum(amount) AS spend FROM log GROUP BY ALL),
      gaps AS (SELECT *, day - lag(day) OVER (PARTITION BY customer_id ORDER BY day) AS gap FROM days),
      people AS (SELECT customer_id, DATE '{cutoff}' - max(day) AS recency_days, count(*) AS orders,
                 avg(spend) AS spend_mean, stddev_samp(spend) AS spend_std, DATE '{cutoff}' - min(day) AS tenure_days,
                 avg(gap) AS gap_mean, stddev_samp(gap) AS gap_std, {windows} FROM gaps GROUP BY customer_id),
      tastes AS (SELECT customer_id, category, count(*) AS n FROM log GROUP BY ALL),
      entropies AS (SELECT customer_id, ln(sum(n)) - sum(n * ln(n)) / sum(n) AS category_entropy FROM tastes GROUP BY customer_id)
      SELECT * FROM people JOIN entropies USING (customer_id)"""
    if out:
        con.execute(f"COPY ({query}) TO '{out}' (FORMAT parquet)")
        return con.execute(f"SELECT count(*) FROM '{out}'").fetchone()[0]
    return con.execute(f"CREATE TABLE features AS {query}").fetchone()[0]


def polars(log, cutoff, threads, out):
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars as pl
    last = pl.lit(cutoff).str.to_date()
    rows = (pl.scan_parquet(log).select("customer_id", pl.col("time").dt.date().alias("day"), "amount", "category")
            .filter(pl.col("day") <= last))
    days = rows.group_by("customer_id", "day").agg(pl.col("amount").sum().alias("spend"))
    window = [e for w in WINDOWS for e in (
        (pl.col("day") > last.dt.offset_by(f"-{w}d")).sum().alias(f"orders_{w}d"),
        pl.col("spend").filter(pl.col("day") > last.dt.offset_by(f"-{w}d")).sum().alias(f"spend_{w}d"))]
    gap = pl.col("day").sort().diff().dt.total_days()
    people = days.group_by("customer_id").agg(
        (last - pl.col("day").max()).dt.total_days().first().alias("recency_days"), pl.len().alias("orders"),
        pl.col("spend").mean().alias("spend_mean"), pl.col("spend").std().alias("spend_std"),
        (last - pl.col("day").min()).dt.total_days().first().alias("tenure_days"),
        gap.mean().alias("gap_mean"), gap.std().alias("gap_std"), *window)
    n = pl.col("n")
    tastes = (rows.group_by("customer_id", "category").agg(pl.len().cast(pl.Float64).alias("n")).group_by("customer_id")
              .agg((n.sum().log() - (n * n.log()).sum() / n.sum()).alias("category_entropy")))
    result = people.join(tastes, on="customer_id").collect(engine="streaming")
    if out:
        result.write_parquet(out)
    return len(result)


def pandas(log, cutoff, threads, out):
    import numpy as np
    import pandas as pd
    rows = pd.read_parquet(log, columns=["customer_id", "time", "amount", "category"])
    end = pd.Timestamp(cutoff)
    rows = rows[rows["time"] < end + pd.Timedelta(days=1)]
    rows["age"] = (end - rows["time"].dt.floor("D")).dt.days
    days = rows.groupby(["customer_id", "age"], sort=True)["amount"].sum().rename("spend").reset_index()
    g = days.groupby("customer_id")
    people = pd.DataFrame({"recency_days": g["age"].min(), "orders": g.size(), "spend_mean": g["spend"].mean(),
                           "spend_std": g["spend"].std(), "tenure_days": g["age"].max()})
    days["gap"] = days["age"].diff().where(days["customer_id"].eq(days["customer_id"].shift()))
    gaps = days.groupby("customer_id")["gap"]
    people["gap_mean"], people["gap_std"] = gaps.mean(), gaps.std()
    for w in WINDOWS:
        part = days[days["age"] < w].groupby("customer_id")["spend"]
        people[f"orders_{w}d"] = part.size().reindex(people.index, fill_value=0)
        people[f"spend_{w}d"] = part.sum().reindex(people.index, fill_value=0.0)
    n = rows.groupby(["customer_id", "category"], observed=True).size().astype(float)
    total = n.groupby(level=0).sum()
    people["category_entropy"] = np.log(total) - (n * np.log(n)).groupby(level=0).sum() / total
    if out:
        people.reset_index().to_parquet(out)
    return len(people)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("log")
    ap.add_argument("--cutoff", default="2023-12-31")
    ap.add_argument("--engine", default="duckdb", choices=("duckdb", "polars", "pandas"))
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--out")
    a = ap.parse_args()
    wall, cpu = time.perf_counter(), sum(os.times()[:2])
    n = {"duckdb": duckdb, "polars": polars, "pandas": pandas}[a.engine](a.log, a.cutoff, a.threads, a.out)
    print(json.dumps(dict(engine=a.engine, customers=n, wall_s=round(time.perf_counter() - wall, 2),
                          cpu_s=round(sum(os.times()[:2]) - cpu, 2),
                          peak_rss_mib=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))))


if __name__ == "__main__":
    main()
