"""`POST /predict` as FastAPI and scikit-learn are usually put together, to be asked by the load client of guike-server.

    python fastapi_predict.py customers.csv PORT [forest]

CUSTOMERS is the table of docs/serve.md. Trains logistic regression on scaled columns, or a forest of 300 trees, then answers one
customer per request from one process of uvicorn; pydantic checks the body. The row becomes an array and not a data frame,
which is the faster of the two.
"""
import sys

import numpy as np
import pandas as pd
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

COLUMNS = ["age", "income", "freq", "amount"]


class Customer(BaseModel):
    age: float
    income: float
    freq: float
    amount: float


def main():
    table = pd.read_csv(sys.argv[1])
    if sys.argv[3:] == ["forest"]:
        model = RandomForestClassifier(300, min_samples_leaf=3, n_jobs=1, random_state=1)
    else:
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(table[COLUMNS].to_numpy(), table["value"].to_numpy())
    app = FastAPI()

    @app.post("/predict")
    def predict(customer: Customer):
        row = np.array([[customer.age, customer.income, customer.freq, customer.amount]])
        p = model.predict_proba(row)[0]
        best = int(p.argmax())
        return {"predicted": str(model.classes_[best]), "probability": float(p[best])}

    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")


if __name__ == "__main__":
    main()
