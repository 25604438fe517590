//! The part of an address after `?`: names and values, none of them unknown or twice.

use crate::problem::{Code, Problem};

/// The parameters of a request.
#[derive(Debug, Default)]
pub(crate) struct Query {
    pairs: Vec<(&'static str, String)>,
}

impl Query {
    /// Reads `name=value&…`; only these names are known.
    ///
    /// # Errors
    /// [`Problem`] for another name, a name that comes twice, and bytes that are no text.
    pub(crate) fn parse(text: &str, known: &[&'static str]) -> Result<Query, Problem> {
        let mut query = Query::default();
        for pair in text.split('&').filter(|p| !p.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Some(name) = known.iter().find(|k| **k == name) else {
                let detail = if known.is_empty() {
                    "this path takes no parameters; leave out what follows the ?".to_owned()
                } else {
                    format!("a parameter is not known; this path takes {}", list(known))
                };
                return Err(Problem::new(Code::MalformedQuery, detail));
            };
            if query.get(name).is_some() {
                return Err(Problem::new(
                    Code::MalformedQuery,
                    format!("parameter `{name}` is there twice; send it once"),
                ));
            }
            let value = decoded(value).ok_or_else(|| {
                Problem::new(Code::MalformedQuery, format!("parameter `{name}` is no text; encode it as UTF-8 and %XX"))
            })?;
            query.pairs.push((name, value));
        }
        Ok(query)
    }

    /// The value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|p| p.0 == name).map(|p| p.1.as_str())
    }

    /// Whether a parameter is `true`; it is `false` where it is not there.
    ///
    /// # Errors
    /// [`Problem`] for any other value.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Problem::new(Code::MalformedQuery, format!("parameter `{name}` takes true or false"))),
        }
    }
}

/// `a`, `b` and so on.
pub(crate) fn list(names: &[&str]) -> String {
    names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

/// Text with `%XX` and `+` as they were before encoding; `None` where that is no UTF-8.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&b) = bytes.get(at) {
        match b {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = std::str::from_utf8(bytes.get(at + 1..at + 3)?).ok()?;
                out.push(u8::from_str_radix(digits, 16).ok()?);
                at += 2;
            }
            b => out.push(b),
        }
        at += 1;
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_unknown_ones_refused() {
        let q = Query::parse("a=x%20y%E8%B4%B5+z&b=true", &["a", "b"]).expect("read");
        assert_eq!((q.get("a"), q.flag("b").ok()), (Some("x y贵 z"), Some(true)));
        for bad in ["c=1", "a=1&a=2", "a=%zz", "a=%ff", "a=%"] {
            assert!(Query::parse(bad, &["a", "b"]).is_err(), "{bad}");
        }
        assert!(Query::parse("b=maybe", &["b"]).expect("read").flag("b").is_err());
    }
}
