//! The clients of `clients/` against a running server; without Python or Node their test says so and ends.
#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::serve::{Server, desk};
use crate::support::{Desk, shop_csv};

const PYTHON: &str = "
import json, sys
sys.path.insert(0, sys.argv[1])
from guike_client import Guike, Problem
shop = Guike(sys.argv[2])
row = {'age': 30, 'income': 60000, 'freq': 5, 'amount': 500}
try:
    shop.predict({'age': 30})
    code = 'none'
except Problem as problem:
    code = problem.code
event = {'customer_id': 'C00000', 'time': '2024-01-05', 'amount': 12.5}
told = [shop.tell(event, key='python'), shop.tell(event, key='python'), shop.tell([event, event])]
rows = b'age,income,freq,amount\\n30,60000,5,500\\n'
batch = b''.join(shop.batch('value-model', [rows[:30], rows[30:]])).decode().splitlines()
assert len(batch) == 2 and batch[1].startswith('30,60000,5,500,high,'), batch
print(json.dumps({
    'told': told, 'one': shop.predict(row), 'many': shop.predict([row, row]), 'code': code,
    'reasons': len(shop.predict(row, reasons=True)['reasons']['parts']),
    'customers': [c['customer_id'] for c in shop.customers(sort='customer_id', limit='7')],
    'first': shop.customer('C00000')['customer_id'], 'tiers': len(shop.tiers()['tiers']), 'models': len(shop.models()['models']),
}))
";

const NODE: &str = "
const { Guike, Problem } = await import('file://' + process.argv[1] + '/guike-client.mjs');
const shop = new Guike(process.argv[2]);
const row = { age: 30, income: 60000, freq: 5, amount: 500 };
const code = await shop.predict({ age: 30 }).then(() => 'none', (e) => (e instanceof Problem ? e.code : String(e)));
const customers = [];
for await (const c of shop.customers({ sort: 'customer_id', limit: '7' })) customers.push(c.customer_id);
const event = { customer_id: 'C00000', time: '2024-01-05', amount: 12.5 };
const told = [await shop.tell(event, { key: 'node' }), await shop.tell(event, { key: 'node' }), await shop.tell([event, event])];
console.log(JSON.stringify({
  told, one: await shop.predict(row), many: await shop.predict([row, row]), code,
  reasons: (await shop.predict(row, { reasons: true })).reasons.parts.length,
  customers, first: (await shop.customer('C00000')).customer_id, tiers: (await shop.tiers()).tiers.length,
  models: (await shop.models()).models.length,
}));
";

/// A server with a model and a run.
fn served() -> (Desk, Server) {
    let desk = desk();
    desk.put("log.csv", shop_csv(60));
    let train = ["train", "customers.csv", "--target", "value", "--drop", "category", "--out", "value-model"];
    assert_eq!(desk.guike(&train).code, 0);
    assert_eq!(desk.guike(&["run", "log.csv", "--budget", "fast", "--out", "shop"]).code, 0);
    let address = ["--addr", "127.0.0.1:0", "--events", "events.log"];
    let server = Server::start(&desk, &[&["serve", "value-model", "shop"][..], &address].concat());
    (desk, server)
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../clients").canonicalize().expect("the folder of clients")
}

/// What a script prints, unless its interpreter is not there.
#[allow(clippy::print_stderr, reason = "a skipped test says why")]
fn answers(program: &str, args: &[&str], address: &str) -> Option<Value> {
    let mut command = Command::new(program);
    command.args(args).arg(clients()).arg(format!("http://{address}")).env("PYTHONDONTWRITEBYTECODE", "1");
    let Ok(output) = command.output() else {
        eprintln!("skipped: {program} is not installed");
        return None;
    };
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).expect("a line of JSON"))
}

/// Every number as the one kind that both languages have.
fn as_numbers(value: &mut Value) {
    match value {
        Value::Number(n) => *value = n.as_f64().into(),
        Value::Array(all) => all.iter_mut().for_each(as_numbers),
        Value::Object(all) => all.values_mut().for_each(as_numbers),
        _ => {}
    }
}

#[test]
fn both_clients_predict_page_and_understand_problems() {
    let (_desk, server) = served();
    let python = answers("python3", &["-c", PYTHON], &server.address);
    let node = answers("node", &["--input-type=module", "-e", NODE], &server.address);
    for said in [&python, &node].into_iter().flatten() {
        assert_eq!(said["one"]["predicted"], "high", "{said}");
        assert_eq!(said["many"][1], said["one"]);
        assert_eq!(said["code"], "missing-column");
        assert_eq!(said["reasons"], 4);
        let told = |events, repeated| serde_json::json!({ "events": events, "repeated": repeated });
        assert_eq!(said["told"], serde_json::json!([told(1, false), told(1, true), told(2, false)]));
        let customers: Vec<&str> =
            said["customers"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        assert_eq!(customers.len(), 60, "every page, and every customer once");
        assert!(customers.is_sorted());
        assert_eq!(said["first"], customers[0]);
        assert!(said["tiers"].as_u64() > Some(1) && said["models"] == 2, "{said}");
    }
    if let (Some(mut python), Some(mut node)) = (python, node) {
        // one of them writes 1.0 and the other 1
        [&mut python, &mut node].into_iter().for_each(as_numbers);
        assert_eq!(python, node, "the same bits in both languages");
    }
}
