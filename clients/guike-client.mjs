// A client of `guike serve` for Node 18 and later and for browsers, without dependencies.
//
//   import { Guike } from "./guike-client.mjs";
//   const shop = new Guike("http://127.0.0.1:5000");
//   console.log(await shop.predict({ age: 30, income: 60000, freq: 5, amount: 500 }));
//   for await (const customer of shop.customers({ tier: "diamond" })) console.log(customer.customer_id);

/** What the server refused, with the stable code of docs/serve.md. */
export class Problem extends Error {
  constructor(status, { code = "unknown", detail = "", request_id = "" }) {
    super(`${code} (${status}): ${detail} [request ${request_id}]`);
    Object.assign(this, { status, code, detail, requestId: request_id });
  }
}

/** One server. `key` is what `guike keys add` printed. */
export class Guike {
  // what the server takes by default at a time
  static ROWS = 10_000;

  constructor(base = "http://127.0.0.1:5000", { key, timeoutMs = 30_000, tries = 4 } = {}) {
    Object.assign(this, { base: base.replace(/\/+$/, ""), key, timeoutMs, tries });
  }

  /** The prediction of a customer, or those of a list of them in the same order. */
  async predict(rows, { reasons = false } = {}) {
    const path = reasons ? "/predict?reasons=true" : "/predict";
    if (!Array.isArray(rows)) return this.#ask(path, rows);
    const found = [];
    for (let start = 0; start < rows.length; start += Guike.ROWS) {
      found.push(...(await this.#ask(path, rows.slice(start, start + Guike.ROWS))));
    }
    return found;
  }

  /**
   * Tells of what was bought or given back: `customer_id`, `time` and `amount` of an event, or a list of them. What is told
   * again under one key, the number of the order for instance, is taken once; without one it is random, so that only the
   * tries of this call are the same. When it is fulfilled the events are safe.
   */
  tell(events, { key = Array.from({ length: 3 }, () => Math.random().toString(36).slice(2)).join("") } = {}) {
    return this.#ask("/v1/events", events, key);
  }

  summary() {
    return this.#ask("/v1/summary");
  }

  tiers() {
    return this.#ask("/v1/tiers");
  }

  models() {
    return this.#ask("/v1/models");
  }

  customer(id) {
    return this.#ask(`/v1/customers/${encodeURIComponent(id)}`);
  }

  /** Customers of a run, page after page: prefix, tier, sort, limit. */
  async *customers(question = {}) {
    for (let cursor; ; ) {
      const page = await this.#ask(`/v1/customers?${new URLSearchParams(cursor ? { ...question, cursor } : question)}`);
      yield* page.customers;
      cursor = page.next;
      if (!cursor) return;
    }
  }

  async #ask(path, body, key) {
    const headers = { accept: "application/json" };
    if (this.key) headers.authorization = `Bearer ${this.key}`;
    if (body !== undefined) headers["content-type"] = "application/json";
    if (key !== undefined) headers["idempotency-key"] = key;
    for (let attempt = 1; ; attempt += 1) {
      let answer;
      try {
        answer = await fetch(this.base + path, {
          method: body === undefined ? "GET" : "POST",
          headers,
          body: body === undefined ? undefined : JSON.stringify(body),
          signal: AbortSignal.timeout(this.timeoutMs),
        });
      } catch (lost) {
        // nobody knows whether it was heard; under the same key it is heard once
        if (key === undefined || attempt >= this.tries) throw lost;
        await new Promise((resolve) => setTimeout(resolve, 100 * 2 ** attempt));
        continue;
      }
      if (answer.ok) return answer.json();
      const problem = await answer.json().catch(() => ({}));
      // a server that is busy says when to come back
      const wait = answer.headers.get("retry-after");
      if (wait === null || attempt >= this.tries) throw new Problem(answer.status, problem);
      await new Promise((resolve) => setTimeout(resolve, 1000 * Number(wait)));
    }
  }
}
