//! Logins that have begun here and go on at an identity provider, until they come back.
//!
//! The one idea: what comes back is believed only by who sent it away. The provider is told `state`, the browser keeps
//! `binding`, and both must come back together, once, within ten minutes; whoever has only one of them has nothing.
//!
//! The clock is handed in as seconds since any fixed moment, and random bytes are, too.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq as _;

use crate::hash::{bytes, sha256};
use crate::keys::Secret;

/// Seconds within which a login must come back.
const WITHIN: u64 = 10 * 60;
/// Logins on their way of one network; the oldest of it makes room. An office may share one address.
const OF_ONE: usize = 200;
/// Logins on their way of all; the oldest makes room.
const OF_ALL: usize = 10_000;

/// A login that has gone to the provider.
#[derive(Debug)]
pub struct Begun {
    /// What the ID token must repeat.
    pub nonce: Secret,
    /// What shows to the provider that who asks for the token is who sent the browser (PKCE, RFC 7636).
    pub verifier: Secret,
    /// Where to go afterwards.
    pub next: String,
    /// In which language to talk.
    pub lang: &'static str,
    binding: [u8; 32],
    network: [u8; 32],
    begun: u64,
}

/// What leaves the server when a login begins.
#[derive(Debug)]
pub struct Leaving {
    /// For the provider, which gives it back.
    pub state: Secret,
    /// For the browser alone.
    pub binding: Secret,
    /// For the provider, which writes it into the ID token.
    pub nonce: String,
    /// For the provider, which holds the verifier against it.
    pub challenge: String,
}

/// All logins on their way.
#[derive(Debug, Default)]
pub struct Logins {
    by_hash: BTreeMap<[u8; 32], Begun>,
}

impl Logins {
    /// Begins a login from this network; `random` is for state, binding, nonce and verifier.
    ///
    /// # Example
    /// ```
    /// use guike_guard::Logins;
    /// let mut logins = Logins::default();
    /// let random = [[1; 32], [2; 32], [3; 32], [4; 32]];
    /// let leaving = logins.begin("10.0.0.7", ("/tiers".to_owned(), "en"), 0, &random);
    /// let (state, binding) = (leaving.state.reveal(), leaving.binding.reveal());
    /// assert_eq!(logins.back(state, Some(binding), 599).unwrap().next, "/tiers");
    /// assert!(logins.back(state, Some(binding), 599).is_none());
    /// ```
    pub fn begin(
        &mut self,
        network: &str,
        (next, lang): (String, &'static str),
        now: u64,
        random: &[[u8; 32]; 4],
    ) -> Leaving {
        let [state, binding, nonce, verifier] = random;
        let network = sha256(&[b"guike network", network.as_bytes()]);
        self.by_hash.retain(|_, b| !b.is_over(now));
        let of_it = || self.by_hash.iter().filter(|(_, b)| b.network == network);
        let oldest_of_it =
            (of_it().count() >= OF_ONE).then(|| of_it().min_by_key(|(_, b)| b.begun).map(|(hash, _)| *hash)).flatten();
        let oldest = || {
            let all = self.by_hash.iter();
            (self.by_hash.len() >= OF_ALL).then(|| all.min_by_key(|(_, b)| b.begun).map(|(hash, _)| *hash))?
        };
        if let Some(hash) = oldest_of_it.or_else(oldest) {
            self.by_hash.remove(&hash);
        }
        let (nonce, verifier) = (Secret::from_random(nonce), Secret::from_random(verifier));
        let leaving = Leaving {
            state: Secret::from_random(state),
            binding: Secret::from_random(binding),
            nonce: nonce.reveal().to_owned(),
            challenge: challenge(verifier.reveal()),
        };
        let begun = Begun { nonce, verifier, next, lang, binding: hash_of(binding), network, begun: now };
        self.by_hash.insert(hash_of(state), begun);
        leaving
    }

    /// The login that comes back with this state to a browser with this binding. The state is used up, whatever is said.
    pub fn back(&mut self, state: &str, binding: Option<&str>, now: u64) -> Option<Begun> {
        let begun = self.by_hash.remove(&hash_of(&bytes(state)?))?;
        let is_hers = bool::from(begun.binding.ct_eq(&hash_of(&bytes(binding?)?)));
        (is_hers && !begun.is_over(now)).then_some(begun)
    }
}

impl Begun {
    fn is_over(&self, now: u64) -> bool {
        now >= self.begun.saturating_add(WITHIN)
    }
}

fn hash_of(random: &[u8; 32]) -> [u8; 32] {
    sha256(&[b"guike login", random])
}

/// What the provider is told of a verifier before it learns it (`S256`).
fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(sha256(&[verifier.as_bytes()]))
}

/// The value of a header `authorization` with a name and a password, both of which were encoded for a form before.
///
/// # Source
/// RFC 6749, section 2.3.1, with its example.
///
/// # Example
/// ```
/// assert_eq!(guike_guard::basic("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw"), "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3");
/// ```
pub fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(logins: &mut Logins, network: &str, now: u64, n: u16) -> Leaving {
        let random = [0_u8, 1, 2, 3].map(|part| {
            let mut random = [part; 32];
            random[..2].copy_from_slice(&n.to_le_bytes());
            random
        });
        logins.begin(network, ("/".to_owned(), "en"), now, &random)
    }

    #[test]
    fn a_login_comes_back_once_in_time_and_to_who_began_it() {
        let mut logins = Logins::default();
        for (binding_of, now, comes) in [(0, 599, true), (0, 600, false), (1, 1, false)] {
            let leaving = [begin(&mut logins, "a", 0, 1), begin(&mut logins, "a", 0, 2)];
            let binding = leaving[binding_of].binding.reveal();
            assert_eq!(logins.back(leaving[0].state.reveal(), Some(binding), now).is_some(), comes);
            let right = leaving[0].binding.reveal();
            assert!(logins.back(leaving[0].state.reveal(), Some(right), now).is_none(), "the state is used up");
        }
        let leaving = begin(&mut logins, "a", 0, 3);
        assert!(logins.back("", Some(leaving.binding.reveal()), 0).is_none());
        assert!(logins.back(leaving.binding.reveal(), Some(leaving.state.reveal()), 0).is_none());
        assert!(logins.back(leaving.state.reveal(), None, 0).is_none());
    }

    #[test]
    fn memory_is_bounded_and_a_network_pushes_out_its_own_first() {
        let mut logins = Logins::default();
        let other = begin(&mut logins, "other", 0, u16::MAX);
        let first = begin(&mut logins, "a", 1, 0);
        (1..=OF_ONE as u16).for_each(|n| drop(begin(&mut logins, "a", 2, n)));
        assert_eq!(logins.by_hash.len(), OF_ONE + 1);
        assert!(logins.back(first.state.reveal(), Some(first.binding.reveal()), 2).is_none());
        assert!(logins.back(other.state.reveal(), Some(other.binding.reveal()), 2).is_some());
        (0..OF_ALL as u16 + 9).for_each(|n| drop(begin(&mut logins, &n.to_string(), 3, 300 + n)));
        assert_eq!(logins.by_hash.len(), OF_ALL);
        drop(begin(&mut logins, "late", 2_000, 0));
        assert_eq!(logins.by_hash.len(), 1, "those that are over make room");
    }

    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        // RFC 7636, appendix B
        assert_eq!(
            challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }
}
