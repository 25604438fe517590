//! Where a database is: an address that prints without its secret.

use std::fmt;

use crate::error::DbError;

/// Kinds of database server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// MySQL and MariaDB.
    MySql,
    /// PostgreSQL.
    Postgres,
    /// MongoDB.
    MongoDb,
}

/// Beginnings of addresses, with what they stand for.
const SCHEMES: [(&str, System); 6] = [
    ("mysql://", System::MySql),
    ("mariadb://", System::MySql),
    ("postgres://", System::Postgres),
    ("postgresql://", System::Postgres),
    ("mongodb://", System::MongoDb),
    ("mongodb+srv://", System::MongoDb),
];

/// A server and one of its databases: `mysql://reader@db.shop:3306/erp?ssl-mode=VERIFY_IDENTITY`.
///
/// Printed, it shows system, user, host and database, and neither password nor settings.
///
/// # Example
/// ```
/// use guike_db::Location;
///
/// let shop = Location::parse("mysql://reader:s3cret@db.shop/erp?timezone=%2B08:00").unwrap().unwrap();
/// assert_eq!(shop.to_string(), "mysql://reader@db.shop/erp");
/// assert_eq!(format!("{shop:?}"), "Location(mysql://reader@db.shop/erp)");
/// assert!(Location::parse("orders.csv").is_none(), "a file");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Location {
    system: System,
    /// The whole address, as the driver wants it, without the password and without `timezone`.
    address: String,
    shown: String,
    password: Option<String>,
    database: Option<String>,
    timezone: Option<String>,
    /// Whether the address says how to encrypt.
    says_tls: bool,
    /// Whether every host is this machine.
    is_here: bool,
}

impl Location {
    /// The database that `text` names; `None` when it is no address of a database.
    ///
    /// # Errors
    /// Inside, when it begins like one and is not whole.
    pub fn parse(text: &str) -> Option<Result<Location, DbError>> {
        let (scheme, system) = SCHEMES.into_iter().find(|(scheme, _)| starts_with(text, scheme))?;
        Some(Location::whole(scheme, system, &text[scheme.len()..]))
    }

    fn whole(scheme: &str, system: System, rest: &str) -> Result<Location, DbError> {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        let (who, hosts) = authority.rsplit_once('@').map_or((None, authority), |(who, hosts)| (Some(who), hosts));
        let (user, password) = who.map_or((None, None), |who| {
            let (user, password) = who.split_once(':').map_or((who, None), |(u, p)| (u, Some(p)));
            (Some(user), password)
        });
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        let path = path.trim_matches('/');
        let user_at = user.map(|u| format!("{u}@")).unwrap_or_default();
        let shown = format!("{scheme}{user_at}{hosts}/{path}");
        let bad = |rule: &str| DbError::Address { address: shown.clone(), rule: rule.to_owned() };
        if hosts.is_empty() {
            return Err(bad("it names no host; write system://user@host/database"));
        }
        let decoded =
            |text: &str| decode(text).ok_or_else(|| bad("a % in it is not followed by two hexadecimal digits"));
        let password = password.map(decoded).transpose()?;
        let database = if path.is_empty() { None } else { Some(decoded(path)?) };
        let (mut kept, mut timezone, mut says_tls) = (Vec::new(), None, false);
        for pair in query.split('&').filter(|p| !p.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match key {
                "timezone" | "time-zone" => timezone = Some(decoded(value)?),
                "password" => return Err(bad("a password belongs behind the user's name, or in the environment")),
                _ => {
                    says_tls |= matches!(key, "sslmode" | "ssl-mode" | "tls" | "ssl");
                    kept.push(pair);
                }
            }
        }
        let driver_scheme = if system == System::MySql { "mysql://" } else { scheme };
        let settings = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
        let is_here = hosts.split(',').all(is_loopback) && scheme != "mongodb+srv://";
        let address = format!("{driver_scheme}{user_at}{hosts}/{path}{settings}");
        Ok(Location { system, address, shown, password, database, timezone, says_tls, is_here })
    }

    /// The same place with a password from elsewhere, where the address has none.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Location {
        self.password.get_or_insert_with(|| password.to_owned());
        self
    }

    /// The kind of server.
    pub fn system(&self) -> System {
        self.system
    }

    /// The database, where the address names one.
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// What stays the same when a database moves to another host or is read by another user: system and database.
    pub fn identity(&self) -> String {
        let system = match self.system {
            System::MySql => "mysql",
            System::Postgres => "postgresql",
            System::MongoDb => "mongodb",
        };
        format!("{system}:{}", self.database.as_deref().unwrap_or_default())
    }

    /// The address that the driver reads, without the password.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// The time zone in which moments are told; UTC where none is named.
    pub(crate) fn timezone(&self) -> Option<&str> {
        self.timezone.as_deref()
    }

    /// Whether a connection must be encrypted although the address does not ask: it leaves this machine.
    pub(crate) fn wants_tls(&self) -> bool {
        !self.says_tls && !self.is_here
    }

    /// `text` without the password, whoever put it there.
    pub(crate) fn without_secret(&self, text: &str) -> String {
        match &self.password {
            Some(secret) if secret.len() > 2 => text.replace(secret.as_str(), "…"),
            _ => text.to_owned(),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({})", self.shown)
    }
}

fn starts_with(text: &str, scheme: &str) -> bool {
    text.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme))
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(v6),
        None => host.split(':').next().unwrap_or(host),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.starts_with('/')
        || name.to_ascii_lowercase().starts_with("%2f")
        || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The text behind `%41` and the like.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(text: &str) -> Location {
        Location::parse(text).expect("an address").expect("whole")
    }

    #[test]
    fn no_form_of_an_address_prints_its_secret() {
        for text in [
            "mysql://u:p%40ss@h/db",
            "postgres://u:p%40ss@h:5432/db?sslmode=require",
            "mongodb://u:p%40ss@a:27017,b:27018/db?replicaSet=r",
            "MariaDB://u:p%40ss@h/db",
        ] {
            let place = location(text);
            assert_eq!(place.password(), Some("p@ss"));
            for shown in [place.to_string(), format!("{place:?}"), place.address().to_owned()] {
                assert!(!shown.contains("p%40ss") && !shown.contains("p@ss"), "{shown}");
            }
            assert_eq!(place.without_secret("login p@ss failed"), "login … failed");
        }
        let error = Location::parse("mysql://u@h/db?password=hush").expect("an address").expect_err("refused");
        assert!(!error.to_string().contains("hush"), "{error}");
    }

    #[test]
    fn what_leaves_this_machine_is_encrypted_unless_the_address_says_otherwise() {
        for (text, wanted) in [
            ("mysql://u@db.shop/erp", true),
            ("mysql://u@127.0.0.1:3307/erp", false),
            ("postgres://u@[::1]/erp", false),
            ("postgres://u@db.shop/erp?sslmode=disable", false),
            ("mongodb://localhost,127.0.0.2/erp", false),
            ("mongodb://localhost,db.shop/erp", true),
            ("mongodb+srv://cluster/erp", true),
        ] {
            assert_eq!(location(text).wants_tls(), wanted, "{text}");
        }
    }

    #[test]
    fn a_time_zone_is_ours_and_not_the_drivers() {
        let place = location("postgres://u@localhost/erp?timezone=Asia%2FShanghai&sslmode=disable");
        assert_eq!((place.timezone(), place.database()), (Some("Asia/Shanghai"), Some("erp")));
        assert_eq!(place.address(), "postgres://u@localhost/erp?sslmode=disable");
        assert!(Location::parse("mysql:///erp").expect("an address").is_err());
        assert!(Location::parse("mysql://u@h/%zz").expect("an address").is_err());
    }
}
