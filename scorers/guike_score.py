#!/usr/bin/env python3
"""Scores a table with a `model.json` of `guike train`, without Guike: standard library only.

    python3 guike_score.py model.json new.csv > predictions.csv

The reference for other languages: docs/model-json.md says in words what each step here does. Reads comma-separated UTF-8
with plain numbers (`1234.5`) and dates as days since 1970-01-01 or `YYYY-MM-DD`; Guike itself reads far more.
"""

import csv
import datetime
import json
import math
import sys

MISSING = {"", "NA", "N/A", "NAN", "NULL", "NONE", "NIL", "\\N", "-", "--", "#N/A", "<NA>"}
FARTHEST = 1e9
EDGE = 1e-6


def cell_value(cell, kind):
    """A cell as number, category name, or None for missing."""
    if cell is None or cell.strip() == "" or cell.upper() in MISSING:
        return None
    if kind == "category":
        return cell.strip()
    try:
        return float(cell)
    except ValueError:
        if kind == "number":
            return None
    try:
        return float((datetime.date.fromisoformat(cell.strip()[:10]) - datetime.date(1970, 1, 1)).days)
    except ValueError:
        return None


def prepare(row, steps):
    """One row, a dict of cell values, as the numbers that the learner reads; NaN is missing."""
    out = []
    for step in steps:
        value, kind = row[step["column"]], step["as"]
        if kind in ("number", "non_zero"):
            out.append(math.nan if value is None or (kind == "non_zero" and abs(value) <= 1e-35) else value)
        elif kind == "code":
            out.append(math.nan if value is None else float(step["at"].get(value, len(step["levels"]))))
        elif kind == "scaled":
            x = step["fill"] if value is None else value
            x = math.copysign(math.log1p(abs(x) / step["log"]), x) if "log" in step else x
            out.append(max(-FARTHEST, min(FARTHEST, (x - step["centre"]) / step["scale"])))
            out += [float(value is None)] * step["indicator"]
        elif kind == "one_hot":
            hot = [value == level for level in step["levels"]]
            hot += [value is not None and not any(hot)] * step["other"] + [value is None] * step["missing"]
            out.extend(map(float, hot))
        elif kind == "encoded":
            k, at = len(step["other"]), step["at"].get(value)
            new = step["missing"] if value is None else step["other"]
            out.extend(new if at is None else step["values"][at * k : at * k + k])
        else:
            raise ValueError(f"the preparation `{kind}` is newer than this scorer")
    return out


def tree_sums(x, trees):
    """The base values plus, for every tree, the values of the leaf that the row reaches."""
    sums = list(trees["base"])
    for tree in trees["trees"]:
        left, column, threshold = tree["left"], tree["column"], tree["threshold"]
        codes, at = tree.get("codes", {}), 0
        while left[at]:
            value = x[column[at]]
            if math.isnan(value):
                goes_left = tree["missing_left"][at] == 1
            else:
                goes_left = int(value) in codes[str(at)] if str(at) in codes else value <= threshold[at]
            at = left[at] if goes_left else left[at] + 1
        k, first = tree["n_outputs"], tree["first_output"]
        for j in range(k):
            sums[first + j] += tree["value"][at * k + j]
    return sums


def softmax(sums):
    top = max(sums)
    e = [math.exp(s - top) for s in sums]
    return [v / sum(e) for v in e]


LINKS = {
    "identity": lambda sums: sums,
    "log": lambda sums: [math.exp(min(s, 709.0)) for s in sums],
    "logit": lambda sums: softmax([0.0, sums[0]]),
    "softmax": softmax,
}


def weighted_sums(x, model):
    """One weighted sum per row of coefficients: of the columns, or of the kernels with stored rows."""
    p, c = len(x), model["coefficients"]
    return [b + sum(w * v for w, v in zip(c[k * p :], x)) for k, b in enumerate(model["intercepts"])]


def support_vectors(x, model):
    """The shares of the classes, from sigmoids of the scores of one machine, or of one per class."""
    scorer, p, shares = model["scorer"], model["n_columns"], [0.0] * model["task"]["classification"]["classes"]
    x = [v if math.isfinite(v) else mean for v, mean in zip(x, model["means"])]
    if scorer["form"] == "rbf":
        v = scorer["vectors"]
        far = [sum((a - b) ** 2 for a, b in zip(x, v[i : i + p])) for i in range(0, len(v), p)]
        x = [math.exp(-scorer["gamma"] * d) for d in far]
    odds = [-s["a"] * z - s["b"] for s, z in zip(model["sigmoids"], weighted_sums(x, model))]
    logs = [min(z, 0.0) - math.log1p(math.exp(-abs(z))) for z in odds]
    for c, share in zip(model["present"], softmax([0.0] + odds if len(odds) == 1 else logs)):
        shares[c] = share
    return shares


def neighbours(x, model):
    """The mean label, or the share of each class, of the k nearest training rows."""
    p, rows, labels = model["n_columns"], model["rows"], model["labels"]
    weights = model.get("weights") or [1.0] * len(labels)
    far = [sum((a - b) ** 2 for a, b in zip(x, rows[i * p : (i + 1) * p])) for i in range(len(labels))]
    near = sorted(zip(far, range(len(labels))))[: model["k"]]
    first, uniform = near[0][0], model["vote"] == "uniform"
    votes = [1.0 if uniform or d == first else math.sqrt(first / d) for d, _ in near]
    votes = [v * weights[i] for v, (_, i) in zip(votes, near)]
    votes = votes if sum(votes) > 0.0 else [1.0 for _ in near]
    if model["task"] == "regression":
        return [sum(v * labels[i] for v, (_, i) in zip(votes, near)) / sum(votes)]
    shares = [0.0] * model["task"]["classification"]["classes"]
    for v, (_, i) in zip(votes, near):
        shares[int(labels[i])] += v / sum(votes)
    return shares


def networks(x, model):
    """The mean of what the networks of an ensemble say of a row and of its pieces."""
    coded, task, said = [], model["task"], []
    for v, edges, (low, high) in zip(x, model["edges"], model["limits"]):
        v = min(max(v, low), high) if v == v else 0.5 * (low + high)
        coded += [v] + [min(max((v - a) / (b - a), 0.0), 1.0) for a, b in zip(edges, edges[1:])]
    for member in model["members"]:
        h = coded
        for i, layer in enumerate(member["layers"]):
            h = h if i == 0 else [v / (1.0 + math.exp(min(-1.702 * v, 700.0))) for v in h]
            w, n = layer["weights"], len(layer["biases"])
            h = [b + sum(v * u for v, u in zip(h, w[j::n])) for j, b in enumerate(layer["biases"])]
        said.append(h if task == "regression" else softmax(h))
    mean = [sum(column) / len(said) for column in zip(*said)]
    return [model["centre"] + model["scale"] * mean[0]] if task == "regression" else mean


def predict(x, model):
    """The learner's prediction of one prepared row: one number, or one probability per class."""
    if "scorer" in model:
        return support_vectors(x, model)
    if "trees" in model:
        return LINKS[model.get("link", "identity")](tree_sums(x, model["trees"]))
    if "coefficients" in model:
        return LINKS[model["link"]](weighted_sums(x, model))
    if model["kind"] == "k-nearest-neighbours":
        return neighbours(x, model)
    if model["kind"] == "neural-network":
        return networks(x, model)
    raise ValueError(f"the learner `{model['kind']}` is newer than this scorer")


def calibrated(p, calibrator):
    slope, shifts = calibrator["slope"], calibrator["shifts"]
    if len(p) < 2 or (slope == 1.0 and not shifts):
        return p
    shifts = shifts or [0.0] * len(p)
    return softmax([slope * math.log(min(max(v, EDGE), 1.0 - EDGE)) + b for v, b in zip(p, shifts)])


def called(p, model):
    """The predicted value or class."""
    outcome = model["outcome"]
    if outcome["task"] == "regression":
        return p[0]
    positive, classes = outcome.get("positive"), outcome["classes"]
    if positive is not None:
        return classes[positive if p[positive] >= model["threshold"] else 1 - positive]
    return classes[max(range(len(p)), key=lambda c: p[c])]


def score(model, cells):
    """The calibrated prediction of one row, a dict of texts by column name."""
    row = {c["name"]: cell_value(cells[c["name"]], c["kind"]) for c in model["columns"]}
    return calibrated(predict(prepare(row, model["preparation"]), model["model"]), model["calibrator"])


def main(model_path, table_path):
    with open(model_path, encoding="utf-8") as file:
        model = json.load(file)["model"]
    for step in model["preparation"]:
        step["at"] = {level: i for i, level in enumerate(step.get("levels", []))}
    with open(table_path, encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        lacking = [c["name"] for c in model["columns"] if c["name"] not in (rows.fieldnames or [])]
        if lacking:
            sys.exit(f"the table lacks columns that the model was trained on: {', '.join(lacking)}")
        out = csv.writer(sys.stdout, lineterminator="\n")
        classes = model["outcome"].get("classes", [])
        out.writerow(["predicted"] + [f"p_{c}" for c in classes])
        for cells in rows:
            p = score(model, cells)
            out.writerow([called(p, model)] + ([repr(v) for v in p] if classes else []))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: guike_score.py MODEL.json TABLE.csv")
    main(*sys.argv[1:])
