//! SHA-256, HMAC and hexadecimal digits, and what a name is: the small things that keys, users, sessions and records share.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The member of a file that holds its checksum.
const SEAL: &str = "checksum";
/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// SHA-256.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// A key for HMAC-SHA-256 (RFC 2104), with its two blocks hashed already.
#[derive(Clone)]
pub(crate) struct Hmac {
    inner: Sha256,
    outer: Sha256,
}

impl Hmac {
    pub(crate) fn new(key: &[u8; 32]) -> Hmac {
        let padded = |with: u8| {
            let mut block = [with; BLOCK];
            block.iter_mut().zip(key).for_each(|(b, k)| *b ^= k);
            let mut hash = Sha256::new();
            hash.update(block);
            hash
        };
        Hmac { inner: padded(0x36), outer: padded(0x5c) }
    }

    pub(crate) fn of(&self, parts: &[&[u8]]) -> [u8; 32] {
        let (mut inner, mut outer) = (self.inner.clone(), self.outer.clone());
        parts.iter().for_each(|part| inner.update(part));
        outer.update(inner.finalize());
        outer.finalize().into()
    }
}

/// Two digits a byte.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(2 * bytes.len());
    bytes.iter().for_each(|b| write!(out, "{b:02x}").expect("a String takes all"));
    out
}

/// The bytes of lower-case digits; `None` for anything else.
pub(crate) fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut out = [0; N];
    let is_digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != 2 * N || !text.bytes().all(is_digit) {
        return None;
    }
    for (i, b) in out.iter_mut().enumerate() {
        *b = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(out)
}

/// Why a list of a file is not what was written, by the checksum that stands in the file; nothing where none does, because
/// an earlier version wrote it, or who changed it by hand took it out.
pub(crate) fn not_as_sealed(file: &Value, list: &str) -> Option<&'static str> {
    let said = file.get(SEAL)?;
    (said.as_str() != Some(&sealed(&file[list]))).then_some(
        "it does not fit its checksum; put it back from a copy, or, where you changed it yourself, take the member `checksum` out",
    )
}

/// A checksum of what a file holds, as compact JSON.
pub(crate) fn sealed(list: &Value) -> String {
    hexadecimal(&sha256(&[list.to_string().as_bytes()]))
}

/// Whether this may be the name of a key or a user: it stands in logs and records as it is.
pub(crate) fn fits_name(name: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=40).contains(&name.chars().count()) && name.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_standards() {
        // FIPS 180-4, the example of one block
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hexadecimal(&sha256(&[b"a", b"bc"])), abc);
        // RFC 4231, cases 1 and 2; a shorter key is filled up with zeros
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let first = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
        assert_eq!(hexadecimal(&Hmac::new(&key).of(&[b"Hi There"])), first);
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let second = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hexadecimal(&Hmac::new(&key).of(&[b"what do ya want ", b"for nothing?"])), second);
    }

    #[test]
    fn digits_are_read_back_and_others_are_none() {
        assert_eq!(bytes(&hexadecimal(&[0, 9, 255])), Some([0, 9, 255]));
        for bad in ["", "0", "0009f", "0009fg", "0009FF", "0009ff00", "+1+1+1"] {
            assert_eq!(bytes::<3>(bad), None, "{bad}");
        }
    }
}
