//! What can be wrong with an identity provider, in words for the log: nothing that it sent is repeated.

use std::fmt;

/// Why a provider could not be asked, or what is wrong with its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// No connection.
    Unreachable,
    /// No connection that is encrypted with a certificate that is believed.
    Certificate,
    /// The connection ended early, or what came is no HTTP.
    Broken,
    /// No whole answer in time.
    Slow,
    /// More bytes than an answer may have.
    TooLarge,
    /// It sends on to another address.
    Elsewhere,
    /// Another status than 200.
    Status(u16),
    /// The answer is no JSON.
    NotJson,
    /// It describes another issuer.
    Issuer,
    /// It names an address that may not be asked.
    Address,
    /// It has no way to show who asks that is known here.
    Authentication,
    /// Its keys are none, or none that can be used.
    Keys,
    /// It refused the code, and said why in a word of the standard.
    Refused(&'static str),
    /// It gave no ID token.
    NoToken,
    /// The system gives no random numbers.
    Random,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Trouble::Unreachable => "it cannot be reached; is the address right, and does the network allow it?",
            Trouble::Certificate => {
                "its certificate is not believed; where your company has an authority of its own, name it with --oidc-ca"
            }
            Trouble::Broken => "it broke the connection off, or speaks no HTTP",
            Trouble::Slow => "it did not answer within 5 seconds",
            Trouble::TooLarge => "its answer has more than 256 KiB",
            Trouble::Elsewhere => "it sends on to another address, which is not followed; give the final one",
            Trouble::Status(status) => return write!(f, "it answers with status {status}"),
            Trouble::NotJson => "its answer is not the JSON that is expected",
            Trouble::Issuer => "its description is of another issuer than --oidc-issuer says, letter by letter",
            Trouble::Address => "it names an address that is not https (or http on this machine)",
            Trouble::Authentication => {
                "it takes a client secret neither in the header (client_secret_basic) nor in the form (client_secret_post); \
                 set one of them for this client"
            }
            Trouble::Keys => "its keys are none for RS256 (from 2,048 bits), ES256 or EdDSA, or no key set",
            Trouble::Refused(word) => return write!(f, "it refuses the code: {word}"),
            Trouble::NoToken => "it gave no ID token; is `openid` among the scopes that this client may have?",
            Trouble::Random => "the system gives no random numbers",
        })
    }
}

/// A word of the standards for what went wrong; what is none of them is not repeated.
pub(super) fn standard(word: &str) -> &'static str {
    // RFC 6749, sections 4.1.2.1 and 5.2; OpenID Connect Core 1.0, section 3.1.2.6
    const KNOWN: [&str; 18] = [
        "access_denied",
        "invalid_request",
        "unauthorized_client",
        "unsupported_response_type",
        "invalid_scope",
        "server_error",
        "temporarily_unavailable",
        "invalid_client",
        "invalid_grant",
        "unsupported_grant_type",
        "interaction_required",
        "login_required",
        "account_selection_required",
        "consent_required",
        "invalid_request_uri",
        "invalid_request_object",
        "request_not_supported",
        "registration_not_supported",
    ];
    KNOWN.into_iter().find(|known| *known == word).unwrap_or("another error")
}
