#!/usr/bin/env python3
"""Scores a table with the file that `guike export --to onnx` wrote: needs onnxruntime and numpy, and not Guike.

    python3 guike_onnx.py model.onnx new.csv > predictions.csv

Shows what the graph takes: one input per column of the table, rows × 1. Numbers are 64-bit with NaN for missing, dates
the days since 1970-01-01; categories are texts, empty for missing. Cells are read as by guike_score.py.
"""

import csv
import json
import sys

import numpy
import onnxruntime

from guike_score import cell_value

DATE_OR_NUMBER = {"date": "any"}


def column(cells, kind):
    """The cells of one input, as the graph takes them."""
    if kind == "tensor(string)":
        texts = [cell_value(cell, "category") or "" for cell in cells]
        return numpy.array(texts, dtype=object).reshape(-1, 1)
    numbers = [cell_value(cell, DATE_OR_NUMBER) for cell in cells]
    return numpy.array([numpy.nan if v is None else v for v in numbers], dtype=numpy.float64).reshape(-1, 1)


def main(model_path, table_path):
    session = onnxruntime.InferenceSession(model_path, providers=["CPUExecutionProvider"])
    with open(table_path, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    inputs = {i.name: column([row[i.name] for row in rows], i.type) for i in session.get_inputs()}
    predicted, *probabilities = session.run(None, inputs)
    classes = json.loads(session.get_modelmeta().custom_metadata_map.get("guike.classes", "[]"))
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["predicted"] + [f"p_{c}" for c in classes])
    for i, value in enumerate(predicted[:, 0].tolist()):
        out.writerow([value] + (probabilities[0][i].tolist() if classes else []))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: guike_onnx.py MODEL.onnx TABLE.csv")
    main(*sys.argv[1:])
