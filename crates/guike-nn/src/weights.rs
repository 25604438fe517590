//! Files of weights: the safetensors layout, with a checksum over all of it.
//!
//! The layout is eight bytes of length, a header in JSON and raw little-endian numbers, so that any program of the field
//! opens it; the writer is our own because the same weights must give the same bytes (the library keeps its metadata in a hash
//! map) and because a flipped bit must be found anywhere, the header included.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::xxh3_64;

/// Named arrays of `f32` and words about them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Weights {
    /// Words by name: what the arrays belong to.
    pub about: BTreeMap<String, String>,
    /// Shape and numbers by name, in the order of the file.
    pub arrays: Vec<(String, Vec<usize>, Vec<f32>)>,
}

/// Why bytes are no weights.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
    /// Fewer or more bytes than the header tells of.
    #[error(
        "the weights have {found} bytes where {told} are told: the file is cut off or was added to; take it anew from where it came"
    )]
    Length {
        /// Bytes there are.
        found: usize,
        /// Bytes there should be.
        told: usize,
    },
    /// The checksum is another.
    #[error(
        "the weights have checksum {found} and say {told}: a part of them was changed; take the file anew from where it came"
    )]
    Checksum {
        /// Of the bytes.
        found: String,
        /// In the header.
        told: String,
    },
    /// Not this layout at all.
    #[error("these are no weights in the safetensors layout as Guike writes it: {0}")]
    Layout(String),
    /// Weights of something else.
    #[error("array `{name}` of the weights is {found}, and the network wants {wanted}")]
    Shape {
        /// The array.
        name: String,
        /// What is there.
        found: String,
        /// What is wanted.
        wanted: String,
    },
}

const CHECKSUM: &str = "guike.xxh3";
const NO_CHECKSUM: &str = "0000000000000000";

impl Weights {
    /// An array by name.
    ///
    /// # Errors
    /// [`WeightsError::Shape`] when it is missing or has another number of elements.
    pub fn array(&self, name: &str, len: usize) -> Result<&[f32], WeightsError> {
        let wrong =
            |found: String| WeightsError::Shape { name: name.to_owned(), found, wanted: format!("{len} numbers") };
        match self.arrays.iter().find(|(n, ..)| n == name) {
            None => Err(wrong("missing".to_owned())),
            Some((.., values)) if values.len() != len => Err(wrong(format!("{} numbers", values.len()))),
            Some((.., values)) => Ok(values),
        }
    }

    /// As a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut header = Map::new();
        let mut about: Map<String, Value> = self.about.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
        about.insert(CHECKSUM.to_owned(), json!(NO_CHECKSUM));
        header.insert("__metadata__".to_owned(), Value::Object(about));
        let mut at = 0;
        for (name, shape, values) in &self.arrays {
            let end = at + 4 * values.len();
            header.insert(name.clone(), json!({"dtype": "F32", "shape": shape, "data_offsets": [at, end]}));
            at = end;
        }
        let mut text = Value::Object(header).to_string();
        // the numbers begin at a multiple of eight
        text.push_str(&" ".repeat(text.len().next_multiple_of(8) - text.len()));
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.extend(text.as_bytes());
        bytes.extend(self.arrays.iter().flat_map(|(.., v)| v).flat_map(|x| x.to_le_bytes()));
        let sum = format!("{:016x}", xxh3_64(&bytes));
        let place = checksum_at(&text).expect("it was just written") + 8;
        bytes[place..place + sum.len()].copy_from_slice(sum.as_bytes());
        bytes
    }

    /// From a file.
    ///
    /// # Errors
    /// [`WeightsError`]: every cut, addition and flipped bit is found.
    ///
    /// # Example
    /// ```
    /// use guike_nn::Weights;
    /// let weights = Weights { arrays: vec![("w".to_owned(), vec![2], vec![1.0, -2.5])], ..Weights::default() };
    /// let mut bytes = weights.to_bytes();
    /// assert_eq!(Weights::from_bytes(&bytes).unwrap(), weights);
    /// *bytes.last_mut().unwrap() ^= 1;
    /// assert!(Weights::from_bytes(&bytes).unwrap_err().to_string().contains("checksum"));
    /// ```
    pub fn from_bytes(bytes: &[u8]) -> Result<Weights, WeightsError> {
        let layout = |why: &str| WeightsError::Layout(why.to_owned());
        let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(|| layout("fewer than eight bytes"))?;
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        if length > rest.len() {
            return Err(WeightsError::Length { found: bytes.len(), told: length.saturating_add(8) });
        }
        let text = std::str::from_utf8(&rest[..length]).map_err(|_| layout("the header is no text"))?;
        let header: Map<String, Value> =
            serde_json::from_str(text).map_err(|e| WeightsError::Layout(format!("the header is no JSON: {e}")))?;
        let mut spans = Vec::new();
        for (name, value) in header.iter().filter(|(n, _)| *n != "__metadata__") {
            let numbers = |key: &str| -> Option<Vec<usize>> {
                value[key].as_array()?.iter().map(|v| usize::try_from(v.as_u64()?).ok()).collect()
            };
            match (value["dtype"].as_str(), numbers("shape"), numbers("data_offsets")) {
                (Some("F32"), Some(shape), Some(span)) if span.len() == 2 => {
                    spans.push((span[0], span[1], name, shape))
                }
                _ => return Err(WeightsError::Layout(format!("array `{name}` is not described"))),
            }
        }
        spans.sort_unstable();
        let data = &rest[length..];
        let told = spans.last().map_or(0, |s| s.1);
        if data.len() != told {
            return Err(WeightsError::Length { found: bytes.len(), told: told.saturating_add(8 + length) });
        }
        let place = checksum_at(text).ok_or_else(|| layout("there is no checksum"))? + 8;
        let told = text[place - 8..].get(..NO_CHECKSUM.len()).unwrap_or_default().to_owned();
        let mut blank = bytes.to_vec();
        blank[place..place + told.len()].copy_from_slice(&NO_CHECKSUM.as_bytes()[..told.len()]);
        let found = format!("{:016x}", xxh3_64(&blank));
        if found != told {
            return Err(WeightsError::Checksum { found, told });
        }
        let mut arrays = Vec::with_capacity(spans.len());
        for (from, to, name, shape) in spans {
            let part = data.get(from..to).ok_or_else(|| layout("arrays overlap"))?;
            let (numbers, odd) = part.as_chunks::<4>();
            if !odd.is_empty() || shape.iter().product::<usize>() != numbers.len() {
                return Err(WeightsError::Layout(format!("array `{name}` has another size than its shape")));
            }
            arrays.push((name.clone(), shape, numbers.iter().map(|b| f32::from_le_bytes(*b)).collect()));
        }
        let about = header.get("__metadata__").and_then(Value::as_object).into_iter().flatten();
        let about =
            about.filter(|(k, _)| *k != CHECKSUM).filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())));
        Ok(Weights { about: about.collect(), arrays })
    }
}

/// Where the digits of the checksum begin in the header.
fn checksum_at(header: &str) -> Option<usize> {
    let key = format!("\"{CHECKSUM}\":\"");
    header.find(&key).map(|at| at + key.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights() -> Weights {
        Weights {
            about: BTreeMap::from([("size".to_owned(), "nano".to_owned())]),
            arrays: vec![
                ("z".to_owned(), vec![2, 3], vec![1.0, -2.0, 3.5, f32::MIN_POSITIVE, 0.0, 7.0]),
                ("a".to_owned(), vec![1], vec![0.25]),
            ],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = weights().to_bytes();
        assert_eq!(Weights::from_bytes(&bytes), Ok(weights()));
        assert_eq!(weights().to_bytes(), bytes);
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let bytes = weights().to_bytes();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Weights::from_bytes(&damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn every_cut_is_found() {
        let bytes = weights().to_bytes();
        assert!((0..bytes.len()).all(|n| Weights::from_bytes(&bytes[..n]).is_err()));
        assert!(Weights::from_bytes(&[&bytes[..], b"x"].concat()).is_err());
    }

    #[test]
    fn an_array_of_another_size_is_told_with_both_sizes() {
        let text = weights().array("a", 5).unwrap_err().to_string();
        assert_eq!(text, "array `a` of the weights is 1 numbers, and the network wants 5 numbers");
    }
}
