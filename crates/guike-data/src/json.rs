//! JSON objects, one per line or in one array, as rows.
//!
//! Objects are found by counting brackets outside strings, so pretty-printed files read as well. Nested objects become
//! columns with a dot in the name (`buyer.id`); arrays stay JSON text.

use arrow_buffer::Buffer;
use rustc_hash::FxHashMap;
use serde_json::{Map, Value};
use xxhash_rust::xxh3::xxh3_64;

use crate::block::{Block, Column, Span};

/// Calls `each` with the span of every complete top-level object in `b`, and returns where the last one ends.
fn objects(b: &[u8], mut each: impl FnMut(usize, usize)) -> usize {
    let (mut depth, mut start, mut end, mut at) = (0_usize, 0, 0, 0);
    while at < b.len() {
        match b[at] {
            b'"' if depth > 0 => {
                at += 1;
                while at < b.len() && b[at] != b'"' {
                    at += 1 + usize::from(b[at] == b'\\');
                }
            }
            b'{' => {
                if depth == 0 {
                    start = at;
                }
                depth += 1;
            }
            b'}' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    end = at + 1;
                    each(start, end);
                }
            }
            _ => {}
        }
        at += 1;
    }
    end
}

/// The end of the last complete object in `b`; 0 when there is none.
pub(crate) fn objects_end(b: &[u8]) -> usize {
    objects(b, |_, _| {})
}

pub(crate) fn flatten(prefix: &str, map: Map<String, Value>, each: &mut impl FnMut(&str, Value)) {
    for (key, value) in map {
        let name = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
        match value {
            Value::Object(inner) => flatten(&name, inner, each),
            value => each(&name, value),
        }
    }
}

/// Every column name of the objects in `sample`, in order of first sight.
pub(crate) fn columns(sample: &[u8]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut seen = rustc_hash::FxHashSet::default();
    objects(sample, |a, z| {
        if let Ok(map) = serde_json::from_slice(&sample[a..z]) {
            flatten("", map, &mut |name, _| {
                if seen.insert(name.to_owned()) {
                    names.push(name.to_owned());
                }
            });
        }
    });
    names
}

/// The rows of `bytes`; an object that is not valid JSON is a misshapen row.
pub(crate) fn tokenize(bytes: &[u8], names: &[String], wanted: &[usize], hash: bool) -> Block {
    let slot_of: FxHashMap<&str, usize> =
        wanted.iter().enumerate().map(|(slot, &c)| (names[c].as_str(), slot)).collect();
    let mut text: Vec<u8> = Vec::with_capacity(bytes.len() / 2);
    let mut spans: Vec<Vec<Span>> = vec![Vec::new(); wanted.len()];
    let mut block = Block::default();
    objects(bytes, |a, z| {
        let raw = &bytes[a..z];
        let position = block.n_source_rows as u32;
        block.n_source_rows += 1;
        let Ok(map) = serde_json::from_slice::<Map<String, Value>>(raw) else {
            if block.misshapen.is_empty() {
                block.positions = (0..block.n_rows as u32).collect();
            }
            block.misshapen.push(position);
            if hash {
                block.misshapen_hash.push(xxh3_64(raw));
            }
            return;
        };
        spans.iter_mut().for_each(|s| s.push((0, 0)));
        flatten("", map, &mut |name, value| {
            let Some(&slot) = slot_of.get(name) else { return };
            let from = text.len() as u32;
            match value {
                Value::Null => {}
                Value::String(s) => text.extend_from_slice(s.trim().as_bytes()),
                other => text.extend_from_slice(other.to_string().as_bytes()),
            }
            spans[slot][block.n_rows] = (from, text.len() as u32);
        });
        if !block.misshapen.is_empty() {
            block.positions.push(position);
        }
        if hash {
            block.hash.push(xxh3_64(raw));
        }
        block.n_rows += 1;
    });
    let text = Buffer::from_vec(text);
    block.columns = spans.into_iter().map(|spans| Column::Text { bytes: text.clone(), spans }).collect();
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_arrays_and_pretty_printing_read_alike() {
        for text in [
            "{\"a\":\"x}\",\"b\":{\"c\":1.50}}\n{\"b\":{\"c\":null},\"a\":\"q\\\"{\"}\n",
            "[{\"a\":\"x}\",\"b\":{\"c\":1.50}},\n {\"a\":\"q\\\"{\"}]",
            "[\n  {\n    \"a\": \"x}\",\n    \"b\": {\"c\": 1.50}\n  },\n  {\"a\": \"q\\\"{\"}\n]",
        ] {
            let names = columns(text.as_bytes());
            assert_eq!(names, ["a", "b.c"]);
            let block = tokenize(text.as_bytes(), &names, &[1, 0], true);
            let cell = |c: usize, r: usize| String::from_utf8(block.columns[c].cell_text(r)).expect("UTF-8");
            assert_eq!((block.n_rows, cell(1, 0), cell(0, 0)), (2, "x}".into(), "1.5".into()));
            assert_eq!((cell(1, 1), cell(0, 1)), ("q\"{".into(), String::new()));
        }
    }

    #[test]
    fn a_broken_object_is_a_misshapen_row() {
        let text = b"{\"a\":1}\n{\"a\":}\n{\"a\":2}\n";
        let block = tokenize(text, &["a".into()], &[0], false);
        assert_eq!((block.n_rows, block.misshapen, block.positions), (2, vec![1], vec![0, 2]));
    }

    #[test]
    fn an_unfinished_object_waits_for_the_rest() {
        assert_eq!(objects_end(b"{\"a\":1}\n{\"a\":"), 7);
        assert_eq!(objects_end(b"{\"a\":\"}"), 0);
    }
}
