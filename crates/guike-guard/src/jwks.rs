//! Public keys of whoever signs tokens (a JSON Web Key Set, RFC 7517), and whether a signature is theirs.
//!
//! The one idea: a key says by its own type which one algorithm it is for, and a token that names another is refused. No
//! token chooses how it is checked, so that none can ask for no check, nor for a secret that is a public key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Bytes of the smallest RSA key that is believed: 2,048 bits.
const RSA_BYTES: usize = 256;
/// Bytes of a number of P-256, and of a key of Ed25519.
const CURVE_BYTES: usize = 32;
/// What a point of a curve begins with when both of its numbers follow.
const UNCOMPRESSED: u8 = 4;

/// What is wrong with a key set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenKeysError {
    /// No JSON, or no key set; without the parser's words, which may repeat what stands in the file.
    #[error("it is no JSON Web Key Set; it must be the public keys of the identity provider, `{{\"keys\":[…]}}`")]
    Damaged,
    /// A key that signs stands in it.
    #[error(
        "key {0} is a secret one; take it out, and make new keys if others could read it: here belong public keys only"
    )]
    Secret(usize),
    /// Two keys have one name, or one of several has none.
    #[error("key {0} has no `kid` of its own, so that no token can say which one it was signed with")]
    NoName(usize),
}

/// The public keys that tokens may be signed with.
///
/// # Example
/// ```
/// use guike_guard::{TokenKeys, TokenKeysError};
/// let keys = TokenKeys::parse(r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a",
///     "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#).unwrap();
/// assert_eq!((keys.len(), keys.n_passed_over()), (1, 0));
/// let shared = TokenKeys::parse(r#"{"keys":[{"kty":"oct","kid":"a","k":"c2VjcmV0"}]}"#);
/// assert_eq!(shared.unwrap_err(), TokenKeysError::Secret(1));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenKeys {
    keys: Vec<TokenKey>,
    n_passed_over: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct TokenKey {
    name: Option<String>,
    public: Public,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Public {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Entry>,
}

/// An entry; whatever else stands in it is nothing to us.
#[derive(Deserialize)]
struct Entry {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    /// What only the owner of a key has.
    d: Option<IgnoredAny>,
    /// A secret that two share.
    k: Option<IgnoredAny>,
}

impl TokenKeys {
    /// Reads the text of a key set. Keys for something else than RS256, ES256 and EdDSA (Ed25519) are passed over.
    ///
    /// # Errors
    /// [`TokenKeysError`].
    pub fn parse(text: &str) -> Result<TokenKeys, TokenKeysError> {
        let set: Set = serde_json::from_str(text).map_err(|_| TokenKeysError::Damaged)?;
        if let Some(at) = set.keys.iter().position(|e| e.d.is_some() || e.k.is_some()) {
            return Err(TokenKeysError::Secret(at + 1));
        }
        let all = set.keys.len();
        let mut keys: Vec<TokenKey> = Vec::new();
        for (at, entry) in set.keys.into_iter().enumerate() {
            let Some(public) = entry.public() else { continue };
            let name = entry.kid;
            if keys.iter().any(|k| k.name == name) || (name.is_none() && all > 1) {
                return Err(TokenKeysError::NoName(at + 1));
            }
            keys.push(TokenKey { name, public });
        }
        Ok(TokenKeys { n_passed_over: all - keys.len(), keys })
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none, so that no token is believed.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many entries are of another kind.
    pub fn n_passed_over(&self) -> usize {
        self.n_passed_over
    }

    /// The key of this name; without a name the only one there is.
    pub(crate) fn find(&self, name: Option<&str>) -> Option<KeyRef<'_>> {
        let found = match (name, self.keys.as_slice()) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (Some(name), keys) => keys.iter().find(|k| k.name.as_deref() == Some(name)),
        };
        found.map(|key| KeyRef(&key.public))
    }
}

/// A key that was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyRef<'a>(&'a Public);

impl KeyRef<'_> {
    /// The one algorithm that it is for.
    pub(crate) fn algorithm(self) -> &'static str {
        self.0.algorithm()
    }

    /// Whether this signature of this text is by the owner of the key.
    pub(crate) fn signed(self, text: &[u8], signature: &[u8]) -> bool {
        match self.0 {
            Public::Rsa { n, e } => {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(&signature::RSA_PKCS1_2048_8192_SHA256, text, signature).is_ok()
            }
            Public::P256(point) => {
                UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).verify(text, signature).is_ok()
            }
            Public::Ed25519(key) => UnparsedPublicKey::new(&signature::ED25519, key).verify(text, signature).is_ok(),
        }
    }
}

impl Public {
    fn algorithm(&self) -> &'static str {
        match self {
            Public::Rsa { .. } => "RS256",
            Public::P256(_) => "ES256",
            Public::Ed25519(_) => "EdDSA",
        }
    }
}

impl Entry {
    /// The key, where it is for signatures of a kind that is known here.
    fn public(&self) -> Option<Public> {
        let is_for_signatures = self.usage.as_deref().is_none_or(|u| u == "sig")
            && self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        let number = |text: &Option<String>| decoded(text.as_deref()?);
        let sized = |text: &Option<String>| number(text).filter(|bytes| bytes.len() == CURVE_BYTES);
        let public = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => {
                let plain = |bytes: Vec<u8>| bytes.into_iter().skip_while(|b| *b == 0).collect::<Vec<u8>>();
                let (n, e) = (plain(number(&self.n)?), plain(number(&self.e)?));
                (n.len() >= RSA_BYTES).then_some(Public::Rsa { n, e })?
            }
            ("EC", Some("P-256")) => {
                let (x, y) = (sized(&self.x)?, sized(&self.y)?);
                Public::P256([vec![UNCOMPRESSED], x, y].concat())
            }
            ("OKP", Some("Ed25519")) => Public::Ed25519(sized(&self.x)?),
            _ => return None,
        };
        let is_named_so = self.alg.as_deref().is_none_or(|alg| alg == public.algorithm());
        (is_for_signatures && is_named_so).then_some(public)
    }
}

/// Bytes of base64 as tokens use it: without padding, and with one text for every bytes.
pub(crate) fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(entry: &str) -> TokenKeys {
        TokenKeys::parse(&format!(r#"{{"keys":[{entry}]}}"#)).expect("a key set")
    }

    /// A key and a token of an RFC: believed as they stand there, and not with any letter changed.
    fn check(entry: &str, token: &str, algorithm: &str) {
        let keys = only(entry);
        let key = keys.find(None).expect("one key");
        assert_eq!(key.algorithm(), algorithm);
        let (text, signature) = token.rsplit_once('.').expect("three parts");
        let signature = decoded(signature).expect("base64");
        assert!(key.signed(text.as_bytes(), &signature), "{algorithm}");
        for at in [0, text.len() / 2, text.len() - 1] {
            let mut other = text.as_bytes().to_vec();
            other[at] ^= 1;
            assert!(!key.signed(&other, &signature), "{algorithm} {at}");
        }
        assert!(!key.signed(text.as_bytes(), &signature[1..]) && !key.signed(text.as_bytes(), b""));
    }

    #[test]
    fn the_tokens_of_the_rfcs_are_believed() {
        // RFC 7515, A.2
        check(
            r#"{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}"#,
            "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
            "RS256",
        );
        // RFC 7515, A.3
        check(
            r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
            "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
            "ES256",
        );
        // RFC 8037, A.4
        check(
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
            "EdDSA",
        );
    }

    const ED: &str = r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;

    #[test]
    fn a_key_for_something_else_is_passed_over() {
        for other in [
            format!(r#"{{{ED},"use":"enc"}}"#),
            format!(r#"{{{ED},"key_ops":["sign"]}}"#),
            format!(r#"{{{ED},"alg":"ES256"}}"#),
            r#"{"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#.to_owned(),
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qY"}"#.to_owned(),
            r#"{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}"#.to_owned(),
            // too short to be believed
            r#"{"kty":"RSA","n":"ofgWCuLjybRl","e":"AQAB"}"#.to_owned(),
            r#"{"kty":"new"}"#.to_owned(),
        ] {
            let keys = only(&other);
            assert!(keys.is_empty() && keys.n_passed_over() == 1, "{other}");
        }
        assert_eq!(only(&format!(r#"{{{ED},"use":"sig","alg":"EdDSA","key_ops":["verify"],"x5c":["a"]}}"#)).len(), 1);
    }

    #[test]
    fn secrets_and_names_that_tell_nothing_are_refused() {
        let of = |text: &str| TokenKeys::parse(text).expect_err("refused");
        for text in ["", "[]", "{}", r#"{"keys":[{}]}"#, "-----BEGIN PUBLIC KEY-----"] {
            assert_eq!(of(text), TokenKeysError::Damaged, "{text}");
        }
        assert_eq!(of(&format!(r#"{{"keys":[{{{ED},"kid":"a"}},{{{ED},"d":"AAAA"}}]}}"#)), TokenKeysError::Secret(2));
        assert_eq!(of(&format!(r#"{{"keys":[{{{ED},"kid":"a"}},{{{ED},"kid":"a"}}]}}"#)), TokenKeysError::NoName(2));
        assert_eq!(of(&format!(r#"{{"keys":[{{{ED}}},{{{ED},"kid":"a"}}]}}"#)), TokenKeysError::NoName(1));
        let two =
            TokenKeys::parse(&format!(r#"{{"keys":[{{{ED},"kid":"a"}},{{{ED},"kid":"b"}}]}}"#)).expect("two keys");
        assert!(two.find(Some("b")).is_some() && two.find(None).is_none() && two.find(Some("c")).is_none());
        assert!(TokenKeys::parse(r#"{"keys":[]}"#).expect("no key at all").is_empty());
    }
}
