"""A client of `guike serve` for Python 3.9 and later, with nothing but the standard library.

    from guike_client import Guike

    shop = Guike("http://127.0.0.1:5000")
    print(shop.predict({"age": 30, "income": 60000, "freq": 5, "amount": 500}))
    for customer in shop.customers(tier="diamond", sort="-expected_spend"):
        print(customer["customer_id"], customer["expected_spend"])

As a program it scores a CSV file row by row of JSON, so that its use is seen at once:

    python guike_client.py http://127.0.0.1:5000 customers.csv > predictions.jsonl
"""

import csv
import http.client
import json
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

# what the server takes by default at a time
ROWS = 10_000


class Problem(Exception):
    """What the server refused, with the stable code of docs/serve.md."""

    def __init__(self, status, body):
        self.status = status
        self.code = body.get("code", "unknown")
        self.detail = body.get("detail", "")
        self.request_id = body.get("request_id", "")
        super().__init__(f"{self.code} ({status}): {self.detail} [request {self.request_id}]")


class Guike:
    """One server. `key` is what `guike keys add` printed."""

    def __init__(self, base="http://127.0.0.1:5000", key=None, timeout=30.0, tries=4):
        self.base = base.rstrip("/")
        self.key = key
        self.timeout = timeout
        self.tries = tries

    def predict(self, rows, reasons=False):
        """The prediction of a customer, or those of a list of them in the same order."""
        path = "/predict?reasons=true" if reasons else "/predict"
        if isinstance(rows, dict):
            return self._ask(path, rows)
        found = []
        for start in range(0, len(rows), ROWS):
            found += self._ask(path, rows[start : start + ROWS])
        return found

    def batch(self, model, rows, kind="text/csv", keep="all"):
        """Bytes of the answer to a file of rows, piece by piece while it is sent.

        `rows` is a file opened for reading bytes, or anything that yields them; `kind` is `text/csv`,
        `application/x-ndjson` or `application/vnd.apache.parquet`. Whoever gets to the end has everything: a wrong row ends in an exception, either
        `Problem` or, where the answer had begun, `http.client.IncompleteRead` after a last line that says why.
        """
        place = urllib.parse.urlsplit(self.base)
        kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        connection = kinds[place.scheme](place.netloc, timeout=self.timeout)
        path = "/v1/models/" + urllib.parse.quote(model, safe="") + "/batch?keep=" + urllib.parse.quote(keep)
        connection.putrequest("POST", place.path + path)
        connection.putheader("content-type", kind)
        connection.putheader("transfer-encoding", "chunked")
        if self.key:
            connection.putheader("authorization", "Bearer " + self.key)
        connection.endheaders()

        def send():
            pieces = iter(lambda: rows.read(65536), b"") if hasattr(rows, "read") else rows
            try:
                for piece in pieces:
                    if piece:
                        connection.sock.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
                connection.sock.sendall(b"0\r\n\r\n")
            except (OSError, AttributeError):
                pass  # a server that refuses reads no more; its answer says why

        # the server answers while it reads, so that one thread sends and this one takes
        threading.Thread(target=send, daemon=True).start()
        try:
            answer = http.client.HTTPResponse(connection.sock, method="POST")
            answer.begin()
            if answer.status != 200:
                raise Problem(answer.status, _json(answer.read()))
            while piece := answer.read(65536):
                yield piece
        finally:
            connection.close()

    def tell(self, events, key=None):
        """Tells of what was bought or given back: `customer_id`, `time` and `amount` of an event, or a list of them.

        What is told again under one key, the number of the order for instance, is taken once; without one it is random, so
        that only the tries of this call are the same. When this returns the events are safe.
        """
        return self._ask("/v1/events", events, key=key or uuid.uuid4().hex)

    def summary(self):
        """What a run found."""
        return self._ask("/v1/summary")

    def tiers(self):
        """The tiers of a run."""
        return self._ask("/v1/tiers")

    def models(self):
        """Everything that is served."""
        return self._ask("/v1/models")

    def customer(self, customer_id):
        """One customer of a run."""
        return self._ask("/v1/customers/" + urllib.parse.quote(customer_id, safe=""))

    def customers(self, **question):
        """Customers of a run, page after page: prefix, tier, sort, limit."""
        while True:
            page = self._ask("/v1/customers?" + urllib.parse.urlencode(question))
            yield from page["customers"]
            if not page.get("next"):
                return
            question["cursor"] = page["next"]

    def _ask(self, path, body=None, key=None):
        headers = {"accept": "application/json"}
        if self.key:
            headers["authorization"] = "Bearer " + self.key
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["content-type"] = "application/json"
        if key:
            headers["idempotency-key"] = key
        for attempt in range(1, self.tries + 1):
            try:
                request = urllib.request.Request(self.base + path, data, headers)
                with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as refused:
                # a server that is busy says when to come back
                wait = refused.headers.get("retry-after")
                text = refused.read()
                if wait is None or attempt == self.tries:
                    raise Problem(refused.code, _json(text)) from None
                time.sleep(float(wait))
            except OSError:
                # nobody knows whether it was heard; under the same key it is heard once
                if key is None or attempt == self.tries:
                    raise
                time.sleep(0.1 * 2**attempt)
        raise AssertionError("every attempt returns or raises")


def _json(text):
    try:
        return json.loads(text)
    except ValueError:
        return {}


def _value(text):
    if text == "":
        return None
    try:
        return float(text)
    except ValueError:
        return text


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: guike_client.py http://HOST:PORT FILE.csv")
    with open(sys.argv[2], newline="", encoding="utf-8") as file:
        rows = [{name: _value(cell) for name, cell in row.items()} for row in csv.DictReader(file)]
    for prediction in Guike(sys.argv[1]).predict(rows):
        print(json.dumps(prediction))


if __name__ == "__main__":
    main()
