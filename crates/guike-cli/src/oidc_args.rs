//! The flags of `guike serve` with which persons log in at an identity provider.
//!
//! The one idea: everything but the secret is a flag. The secret comes from a file or a variable, since others on the machine
//! see what a command was started with.

use std::path::PathBuf;

use clap::Args;
use guike::Error;
use guike_guard::Role;
use guike_server::{ClientSecret, Oidc};

/// The variable with the client secret.
const SECRET: &str = "GUIKE_OIDC_SECRET";

/// Over these flags in the help.
const HEADING: &str = "Login at an identity provider";

/// How persons log in at an identity provider.
#[derive(Debug, Args)]
pub(crate) struct OidcFlags {
    /// Identity provider (OpenID Connect) at which persons log in: what it calls itself, letter by letter.
    #[arg(
        long,
        value_name = "ADDRESS",
        requires_all = ["oidc_client", "oidc_origin", "oidc_role"],
        help_heading = HEADING
    )]
    oidc_issuer: Option<String>,
    /// Client id that the provider gave this server.
    #[arg(long, value_name = "ID", requires = "oidc_issuer", help_heading = HEADING)]
    oidc_client: Option<String>,
    /// Where browsers reach this server, as `https://guike.example`; the provider sends them back to
    /// `/login/oidc/back` there.
    #[arg(long, value_name = "ORIGIN", requires = "oidc_issuer", help_heading = HEADING)]
    oidc_origin: Option<String>,
    /// Which value of the claim gives which role, as `shop-analysts=analyst`; once for each. Whoever has none of them, or of
    /// two roles, is refused.
    #[arg(long, value_name = "VALUE=ROLE", requires = "oidc_issuer", value_parser = role_of, help_heading = HEADING)]
    oidc_role: Vec<(String, Role)>,
    /// Claim of the ID token that tells roles or groups; points lead into objects.
    #[arg(long, value_name = "CLAIM", requires = "oidc_issuer", default_value = "roles", help_heading = HEADING)]
    oidc_role_claim: String,
    /// File with the client secret, which others than its owner and group may not read; or the variable GUIKE_OIDC_SECRET.
    /// Without either this server is a public client.
    #[arg(long, value_name = "FILE", requires = "oidc_issuer", help_heading = HEADING)]
    oidc_secret: Option<PathBuf>,
    /// Scope that is asked for besides `openid`; once for each.
    #[arg(long, value_name = "SCOPE", requires = "oidc_issuer", help_heading = HEADING)]
    oidc_scope: Vec<String>,
    /// What stands on the button of the login page.
    #[arg(long, value_name = "TEXT", requires = "oidc_issuer", help_heading = HEADING)]
    oidc_label: Option<String>,
    /// Certificates, as PEM, of the only authorities that are believed on the way to the provider; default those that browsers
    /// believe.
    #[arg(long, value_name = "FILE", requires = "oidc_issuer", help_heading = HEADING)]
    oidc_ca: Option<PathBuf>,
    /// Minutes after which such a session is over in any case, 5 to 720: what the provider takes away is gone then.
    #[arg(
        long,
        value_name = "N",
        requires = "oidc_issuer",
        default_value_t = 720,
        value_parser = clap::value_parser!(u32).range(5..=720),
        help_heading = HEADING
    )]
    oidc_minutes: u32,
}

impl OidcFlags {
    /// The configuration; `None` without a provider.
    ///
    /// # Errors
    /// [`Error`] for a secret that cannot be read.
    pub(crate) fn config(self) -> Result<Option<Oidc>, Error> {
        let (Some(issuer), Some(client), Some(origin)) = (self.oidc_issuer, self.oidc_client, self.oidc_origin) else {
            return Ok(None);
        };
        let secret = match (self.oidc_secret, std::env::var(SECRET)) {
            (Some(file), _) => Some(ClientSecret::read(&file)?),
            (None, Ok(text)) => ClientSecret::new(&text),
            (None, Err(_)) => None,
        };
        Ok(Some(Oidc {
            issuer,
            client,
            secret,
            origin,
            scopes: self.oidc_scope,
            role_claim: self.oidc_role_claim,
            roles: self.oidc_role,
            label: self.oidc_label,
            authorities: self.oidc_ca,
            session_seconds: self.oidc_minutes * 60,
        }))
    }
}

/// `shop-analysts=analyst`; the value may hold `=`, as a group of a directory does.
fn role_of(text: &str) -> Result<(String, Role), String> {
    let (value, role) = text.rsplit_once('=').ok_or("say VALUE=ROLE, as `shop-analysts=analyst`")?;
    if value.is_empty() {
        return Err("the value before `=` is empty; say VALUE=ROLE, as `shop-analysts=analyst`".to_owned());
    }
    Ok((value.to_owned(), role.parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_and_a_role_are_told_apart_by_the_last_sign() {
        assert_eq!(role_of("CN=shop,DC=example=admin"), Ok(("CN=shop,DC=example".to_owned(), Role::Admin)));
        for bad in ["analyst", "=analyst", "shop=root", ""] {
            assert!(role_of(bad).is_err(), "{bad}");
        }
    }
}
