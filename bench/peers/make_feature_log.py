#!/usr/bin/env python3
"""Write the unsorted purchase log of the feature benchmark.

    python make_feature_log.py OUT.parquet [--rows 20000000] [--customers 1000000] [--seed 1]

Columns: customer_id int64, time timestamp[us], amount double (two decimals), category string (20 levels, dictionary),
item int32. Customers differ in how often they buy (gamma), begin at different times and buy in random order, so that
the rows of one customer are spread over the whole file.  Parquet, zstd, row groups of 1,048,576 rows.
"""
import argparse

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CATEGORIES = 20
ITEMS = 50_000
DAYS = 730
FIRST_SECOND = 1_640_995_200  # 2022-01-01


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("out")
    ap.add_argument("--rows", type=int, default=20_000_000)
    ap.add_argument("--customers", type=int, default=1_000_000)
    ap.add_argument("--seed", type=int, default=1)
    a = ap.parse_args()
    rng = np.random.default_rng(a.seed)
    # every customer buys at least once; the rest is spread by her own rate
    rate = rng.gamma(1.5, 1.0, a.customers)
    edges = np.cumsum(rate)
    start = rng.integers(0, DAYS - 30, a.customers)
    shop = rng.gamma(2.0, 20.0, a.customers)
    taste = rng.integers(0, CATEGORIES, a.customers)
    names = pa.array([f"category {c:02d}" for c in range(CATEGORIES)])
    schema = pa.schema([("customer_id", pa.int64()), ("time", pa.timestamp("us")), ("amount", pa.float64()),
                        ("category", pa.dictionary(pa.int32(), pa.string())), ("item", pa.int32())])
    group = 1 << 20
    with pq.ParquetWriter(a.out, schema, compression="zstd") as writer:
        for at in range(0, a.rows, group):
            n = min(group, a.rows - at)
            who = np.searchsorted(edges, rng.random(n) * edges[-1]).clip(0, a.customers - 1)
            first = np.arange(at, at + n)
            who = np.where(first < a.customers, first, who)
            day = start[who] + (rng.random(n) * (DAYS - start[who])).astype(np.int64)
            second = day * 86_400 + rng.integers(8 * 3600, 22 * 3600, n)
            amount = np.round(shop[who] * rng.lognormal(0.0, 0.5, n) + 0.5, 2)
            category = np.where(rng.random(n) < 0.4, taste[who], rng.integers(0, CATEGORIES, n)).astype(np.int32)
            item = (rng.random(n) ** 3 * ITEMS).astype(np.int32)
            order = rng.permutation(n)
            columns = [pa.array((who + 1)[order]),
                       pa.array((FIRST_SECOND + second[order]) * 1_000_000, pa.int64()).cast(pa.timestamp("us")),
                       pa.array(amount[order]), pa.DictionaryArray.from_arrays(pa.array(category[order]), names),
                       pa.array(item[order])]
            writer.write_table(pa.table(columns, schema=schema), row_group_size=group)


if __name__ == "__main__":
    main()
