#!/usr/bin/env python3
"""Forecasts customers with the probability model that `guike run` saved, without Guike: standard library only.

    python3 guike_score_orders.py guike-out/model orders.csv > forecasts.csv

The reference for other languages: docs/model-json.md says in words what each step does. Reads comma-separated UTF-8 with
the columns customer_id, date (YYYY-MM-DD) and amount, every row a purchase; Guike itself reads and cleans far more. Knows
nbd, bg-nbd, mbg-nbd, pareto-nbd, bg-cnbd-k and mbg-cnbd-k, each with gamma-gamma, and their average.
"""

import csv
import datetime
import json
import math
import os
import sys

WEEK = 7.0
# Gauss-Legendre points on (-1, 1) and their weights
GAUSS = [(0.18343464249564980, 0.36268378337836198), (0.52553240991632899, 0.31370664587788729)]
GAUSS += [(0.79666647741362674, 0.22238103445337447), (0.96028985649753623, 0.10122853629037626)]
GAUSS += [(-place, weight) for place, weight in GAUSS]
MAX_FACTOR, MAX_STRETCH = 3.0, 1.5


def logistic(z):
    return 1.0 / (1.0 + math.exp(-z)) if z >= 0.0 else math.exp(z) / (1.0 + math.exp(z))


def negative_binomial(shape, rate, time):
    """(n, P(N = n)) of the events within `time` at a rate of Gamma(shape, rate), without negligible tails."""
    z = time / (rate + time)
    mean = shape * z / (1.0 - z)
    reach = 12.0 * math.sqrt(mean / (1.0 - z)) + 30.0 / (1.0 - z)
    n = max(0, int(mean - reach))
    log = math.lgamma(shape + n) - math.lgamma(shape) - math.lgamma(n + 1.0) + n * math.log(z)
    p = math.exp(log + shape * math.log1p(-z))
    while n < mean + reach:
        yield n, p
        p *= (shape + n) / (n + 1.0) * z
        n += 1


def beta_geometric(m, x, t_x, age, horizon):
    """P(alive), and expected purchases and P(at least one) if alive: the BG and MBG models, k sub-events per purchase."""
    k, chances = m.get("k", 1), x + m["kind"].startswith("mbg")
    shape, rate = m["r"] + k * x, m["alpha"] + age
    stages = [1.0]
    for j in range(1, k):
        stages.append(stages[-1] * (shape + j - 1) * (age - t_x) / rate / j)
    alive = 1.0
    if chances:
        odds = shape * math.log1p((age - t_x) / (m["alpha"] + t_x)) - math.log(sum(stages))
        alive = logistic(-odds - math.log(m["a"]) + math.log(m["b"] + chances - 1))
    expected, none = 0.0, 0.0
    for j, stage in enumerate(stages):
        weight, purchases, survived, made = stage / sum(stages), 0, 1.0, 0.0
        for n, p in negative_binomial(shape + j, rate, horizon):
            while (purchases + 1) * k <= j + n:
                made += survived
                survived *= (m["b"] + chances + purchases) / (m["a"] + m["b"] + chances + purchases)
                purchases += 1
            expected += weight * p * made
            none += weight * p * (j + n < k)
    if k == 1:
        none = math.exp(-shape * math.log1p(horizon / rate))
    return alive, expected, 1.0 - none


def integral(alpha, beta, alpha_power, beta_power, start, end):
    """Integral over t of ((alpha + t) / (alpha + start)) ** -alpha_power times the same of beta."""
    near, far = sorted([(alpha + start, alpha_power), (beta + start, beta_power)])
    u, last, total = 0.0, math.log1p((end - start) / near[0]), 0.0
    while u < last:
        # in u = ln((near + t) / near), with little decay within a panel
        step = min(1.5, last - u, 2.0 / max(1.0, near[1] + far[1]))
        for place, weight in GAUSS:
            v = u + 0.5 * step * (1.0 + place)
            log = v - near[1] * v - far[1] * math.log1p(near[0] * math.expm1(v) / far[0])
            total += 0.5 * step * weight * near[0] * math.exp(log)
        u += step
    return total


def pareto(m, x, t_x, age, horizon):
    """The same of the Pareto/NBD; who is alive is a new customer with other parameters."""
    r, s, alpha, beta, gap = m["r"] + x, m["s"], m["alpha"], m["beta"], age - t_x
    alive = 1.0
    if gap > 0.0:
        left = s / (beta + t_x) * integral(alpha, beta, r, s + 1.0, t_x, age)
        alive = logistic(-math.log(left) - r * math.log1p(gap / (alpha + t_x)) - s * math.log1p(gap / (beta + t_x)))
    alpha, beta = alpha + age, beta + age
    length = math.log1p(horizon / beta)
    v = (s - 1.0) * length
    expected = r / alpha * beta * length * (1.0 if v == 0.0 else -math.expm1(-v) / v)
    return alive, expected, min(1.0, r / alpha * integral(alpha, beta, r + 1.0, s, 0.0, horizon))


def negative_binomial_model(m, x, t_x, age, horizon):
    """The same of the NBD: nobody leaves."""
    shape, rate = m["r"] + x, m["alpha"] + age
    return 1.0, shape * horizon / rate, -math.expm1(-shape * math.log1p(horizon / rate))


COUNTS = dict.fromkeys(["bg_nbd", "mbg_nbd", "bg_cnbd_k", "mbg_cnbd_k"], beta_geometric)
COUNTS.update(pareto_nbd=pareto, nbd=negative_binomial_model)


def forecast(model, days, cutoff, horizon_days):
    """Expected orders and spend and P(active) of one customer, from the amounts of her purchase days."""
    if "members" in model["body"]:
        members = [forecast(m, days, cutoff, horizon_days) for m in model["body"]["members"]]
        return [sum(column) / len(members) for column in zip(*members)]
    body, bought = model["body"], sorted(days)
    if "count" not in body:
        sys.exit(f"`{model['card']['name']}` is no probability model; this scorer knows only those")
    if body["count"]["kind"] not in COUNTS:
        sys.exit(f"the count model `{body['count']['kind']}` is newer than this scorer")
    t_x, age = ((day - bought[0]).days / WEEK for day in (bought[-1], cutoff))
    count, x = body["count"], len(days) - 1
    alive, expected, active = COUNTS[count["kind"]](count, x, t_x, age, horizon_days / WEEK)
    spend = body["spend"]
    counted = bought if spend["basis"] == "all" else bought[1:]
    total = sum(days[day] for day in counted)
    mean = spend["p"] * (spend["gamma"] + total) / (spend["q"] + spend["p"] * len(counted) - 1.0)
    return [alive * expected, alive * expected * mean, alive * active]


def factor(level, horizon_days):
    """The correction of the level, which may have drifted further than was seen."""
    if level["factor"] <= 1.0 or level["window_days"] == 0:
        return level["factor"]
    return min(MAX_FACTOR, level["factor"] ** min(MAX_STRETCH, horizon_days / level["window_days"]))


def read_orders(path):
    """Amount per purchase day per customer."""
    customers = {}
    with open(path, encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            day, days = datetime.date.fromisoformat(row["date"][:10]), customers.setdefault(row["customer_id"], {})
            days[day] = days.get(day, 0.0) + float(row["amount"])
    return customers


def main(folder, log):
    with open(os.path.join(folder, "model.json"), encoding="utf-8") as file:
        model = json.load(file)["model"]
    with open(os.path.join(folder, "calibration.json"), encoding="utf-8") as file:
        calibration = json.load(file)
    cutoff = datetime.date.fromisoformat(model["card"]["cutoff"])
    horizon = int(model["card"]["horizon"].rstrip("d"))
    orders_factor, spend_factor = (factor(calibration[what], horizon) for what in ("orders", "spend"))
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["customer_id", "expected_orders", "expected_spend", "p_active"])
    for customer, days in sorted(read_orders(log).items()):
        known = {day: amount for day, amount in days.items() if day <= cutoff}
        if known:
            orders, spend, active = forecast(model, known, cutoff, horizon)
            active = 1.0 - (1.0 - min(active, 1.0)) ** orders_factor
            out.writerow([customer, orders * orders_factor, spend * spend_factor, active])


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: guike_score_orders.py MODEL_FOLDER ORDERS.csv")
    main(*sys.argv[1:])
