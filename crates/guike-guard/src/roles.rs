//! Who may do what: one table of resources and actions, with the roles of persons and the scopes of keys that each is open to.
//!
//! The one idea: [`TABLE`] is the only place where something is allowed. What is not in it is refused, to everybody; a role
//! and a scope are nothing but the lines that name them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::keys::Scope;

/// What a person does in the shop, and so what she may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks at results; never learns who a customer is.
    Viewer,
    /// Builds and judges models; never learns who a customer is.
    Analyst,
    /// Plans campaigns, and takes lists of customers out for them.
    Marketer,
    /// Serves one customer at a time.
    Agent,
    /// Runs the system; may do everything.
    Admin,
    /// Checks who did what; sees no customer and changes nothing.
    Auditor,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 6] = [Role::Viewer, Role::Analyst, Role::Marketer, Role::Agent, Role::Admin, Role::Auditor];

    /// Its name in files and flags.
    pub fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Analyst => "analyst",
            Role::Marketer => "marketer",
            Role::Agent => "agent",
            Role::Admin => "admin",
            Role::Auditor => "auditor",
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Role, String> {
        let names = Role::ALL.map(Role::name).join(", ");
        Role::ALL.into_iter().find(|r| r.name() == text).ok_or_else(|| format!("a role is one of {names}"))
    }
}

/// Something that is there to be seen or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// Answers of models to rows that the asker brings along.
    Predictions,
    /// Models: what they read and say, how good they are, which of them is in use.
    Models,
    /// The shop as a whole: totals, tiers, quality, drift.
    Results,
    /// Single customers.
    Customers,
    /// What happened: orders and visits.
    Events,
    /// Long work: training, refreshing.
    Jobs,
    /// Counters of the server.
    Metrics,
    /// Persons who may log in, and their roles.
    Users,
    /// Keys of programs.
    Keys,
    /// The record of who did what.
    Audit,
}

impl Resource {
    /// Every resource.
    pub const ALL: [Resource; 10] = [
        Resource::Predictions,
        Resource::Models,
        Resource::Results,
        Resource::Customers,
        Resource::Events,
        Resource::Jobs,
        Resource::Metrics,
        Resource::Users,
        Resource::Keys,
        Resource::Audit,
    ];

    /// Its name in records and messages.
    pub fn name(self) -> &'static str {
        match self {
            Resource::Predictions => "predictions",
            Resource::Models => "models",
            Resource::Results => "results",
            Resource::Customers => "customers",
            Resource::Events => "events",
            Resource::Jobs => "jobs",
            Resource::Metrics => "metrics",
            Resource::Users => "users",
            Resource::Keys => "keys",
            Resource::Audit => "audit",
        }
    }
}

/// What is done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Look at it, without what tells who somebody is.
    Read,
    /// See who it is about: ids and attributes as they are.
    Reveal,
    /// Take it out as a file.
    Export,
    /// Make, change or remove it.
    Change,
}

impl Action {
    /// Every action.
    pub const ALL: [Action; 4] = [Action::Read, Action::Reveal, Action::Export, Action::Change];

    /// Its name in records and messages.
    pub fn name(self) -> &'static str {
        match self {
            Action::Read => "read",
            Action::Reveal => "reveal",
            Action::Export => "export",
            Action::Change => "change",
        }
    }
}

/// A line of the table.
#[derive(Debug, Clone, Copy)]
struct Line(Resource, Action, &'static [Role], &'static [Scope]);

use Role::{Admin, Agent, Analyst, Auditor, Marketer, Viewer};

/// Everything that is allowed.
const TABLE: [Line; 21] = [
    Line(Resource::Predictions, Action::Read, &[Analyst, Marketer, Agent, Admin], &[Scope::Predict]),
    // whole files of rows; who serves one customer at a time has none
    Line(Resource::Predictions, Action::Export, &[Analyst, Marketer, Admin], &[Scope::Predict]),
    Line(Resource::Models, Action::Read, &[Viewer, Analyst, Marketer, Admin, Auditor], &[Scope::Read]),
    Line(Resource::Models, Action::Change, &[Analyst, Admin], &[]),
    Line(Resource::Results, Action::Read, &[Viewer, Analyst, Marketer, Agent, Admin], &[Scope::Read]),
    Line(Resource::Results, Action::Export, &[Analyst, Marketer, Admin], &[Scope::Read]),
    Line(Resource::Results, Action::Change, &[Marketer, Admin], &[]),
    Line(Resource::Customers, Action::Read, &[Viewer, Analyst, Marketer, Agent, Admin], &[Scope::Read]),
    Line(Resource::Customers, Action::Reveal, &[Marketer, Agent, Admin], &[Scope::Read]),
    Line(Resource::Customers, Action::Export, &[Analyst, Marketer, Admin], &[Scope::Read]),
    Line(Resource::Events, Action::Read, &[Analyst, Agent, Admin], &[Scope::Read]),
    Line(Resource::Events, Action::Change, &[Admin], &[Scope::Events]),
    Line(Resource::Jobs, Action::Read, &[Viewer, Analyst, Marketer, Admin, Auditor], &[Scope::Read]),
    Line(Resource::Jobs, Action::Change, &[Analyst, Admin], &[]),
    Line(Resource::Metrics, Action::Read, &[Admin], &[Scope::Metrics]),
    Line(Resource::Users, Action::Read, &[Admin, Auditor], &[]),
    Line(Resource::Users, Action::Change, &[Admin], &[]),
    Line(Resource::Keys, Action::Read, &[Admin, Auditor], &[]),
    Line(Resource::Keys, Action::Change, &[Admin], &[]),
    Line(Resource::Audit, Action::Read, &[Admin, Auditor], &[]),
    Line(Resource::Audit, Action::Export, &[Auditor], &[]),
];

/// What somebody may do: a set of pairs of resource and action.
///
/// # Example
/// ```
/// use guike_guard::{Action, Resource, Rights, Role, Scope};
/// let agent = Rights::of_role(Role::Agent);
/// assert!(agent.allow(Resource::Customers, Action::Reveal));
/// assert!(!agent.allow(Resource::Customers, Action::Export));
/// assert!(Rights::of_scopes(&[Scope::Predict]).allow(Resource::Predictions, Action::Read));
/// assert!(!Rights::NONE.allow(Resource::Results, Action::Read));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rights(u64);

impl Rights {
    /// Nothing.
    pub const NONE: Rights = Rights(0);
    /// Everything that the table knows: programs of this machine, where nobody else can ask.
    pub const ALL: Rights = Rights::of_lines(&[], &[], true);

    /// What a role may do.
    pub const fn of_role(role: Role) -> Rights {
        Rights::of_lines(&[role], &[], false)
    }

    /// What a key with these scopes may do.
    pub const fn of_scopes(scopes: &[Scope]) -> Rights {
        Rights::of_lines(&[], scopes, false)
    }

    /// Whether they hold this.
    pub const fn allow(self, resource: Resource, action: Action) -> bool {
        self.0 & bit(resource, action) != 0
    }

    const fn of_lines(roles: &[Role], scopes: &[Scope], all: bool) -> Rights {
        let (mut bits, mut at) = (0, 0);
        while at < TABLE.len() {
            let Line(resource, action, of_roles, of_scopes) = TABLE[at];
            let mut named = all;
            let (mut i, mut j) = (0, 0);
            while i < of_roles.len() * roles.len() {
                named |= of_roles[i / roles.len()] as u8 == roles[i % roles.len()] as u8;
                i += 1;
            }
            while j < of_scopes.len() * scopes.len() {
                named |= of_scopes[j / scopes.len()] as u8 == scopes[j % scopes.len()] as u8;
                j += 1;
            }
            if named {
                bits |= bit(resource, action);
            }
            at += 1;
        }
        Rights(bits)
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = Resource::ALL.into_iter().flat_map(|r| Action::ALL.map(|a| (r, a)));
        let held = pairs.filter(|(r, a)| self.allow(*r, *a));
        f.debug_set().entries(held.map(|(r, a)| format!("{} {}", a.name(), r.name()))).finish()
    }
}

const fn bit(resource: Resource, action: Action) -> u64 {
    1 << (resource as u32 * Action::ALL.len() as u32 + action as u32)
}

/// The scopes of keys that open this.
pub fn scopes_for(resource: Resource, action: Action) -> &'static [Scope] {
    TABLE.iter().find(|l| l.0 == resource && l.1 == action).map_or(&[], |l| l.3)
}

/// The roles that may do this.
pub fn roles_for(resource: Resource, action: Action) -> &'static [Role] {
    TABLE.iter().find(|l| l.0 == resource && l.1 == action).map_or(&[], |l| l.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table once more, in the form in which people read it: a letter per action (r, R for reveal, e, c).
    const PRINTED: &str = "
                 viewer analyst marketer agent admin auditor predict read metrics events
    predictions  -      re      re       r     re    -       re      -    -       -
    models       r      rc      r        -     rc    r       -       r    -       -
    results      r      re      rec      r     rec   -       -       re   -       -
    customers    r      re      rRe      rR    rRe   -       -       rRe  -       -
    events       -      r       -        r     rc    -       -       r    -       c
    jobs         r      rc      r        -     rc    r       -       r    -       -
    metrics      -      -       -        -     r     -       -       -    r       -
    users        -      -       -        -     rc    r       -       -    -       -
    keys         -      -       -        -     rc    r       -       -    -       -
    audit        -      -       -        -     r     re      -       -    -       -
    ";

    #[test]
    fn the_table_allows_what_is_printed_here_and_nothing_else() {
        let mut lines = PRINTED.lines().map(|l| l.split_whitespace().collect::<Vec<_>>()).filter(|l| !l.is_empty());
        let head = lines.next().expect("a head");
        let mut n = 0;
        for (line, resource) in lines.by_ref().zip(Resource::ALL) {
            assert_eq!(line[0], resource.name());
            for (who, cell) in head.iter().zip(&line[1..]) {
                let rights = match who.parse::<Role>() {
                    Ok(role) => Rights::of_role(role),
                    Err(_) => Rights::of_scopes(&[who.parse::<Scope>().expect("a role or a scope")]),
                };
                for (action, letter) in Action::ALL.into_iter().zip(['r', 'R', 'e', 'c']) {
                    let expected = cell.contains(letter);
                    assert_eq!(rights.allow(resource, action), expected, "{who} {} {}", action.name(), resource.name());
                    n += usize::from(expected);
                }
            }
        }
        let in_table: usize = TABLE.iter().map(|l| l.2.len() + l.3.len()).sum();
        assert_eq!(n, in_table, "a line is there twice");
    }

    #[test]
    fn nobody_who_has_no_role_may_do_anything_and_this_machine_everything_of_the_table() {
        for resource in Resource::ALL {
            for action in Action::ALL {
                assert!(!Rights::NONE.allow(resource, action) && !Rights::of_scopes(&[]).allow(resource, action));
                assert_eq!(Rights::ALL.allow(resource, action), !roles_for(resource, action).is_empty());
            }
        }
        assert_eq!(scopes_for(Resource::Customers, Action::Reveal), [Scope::Read]);
        assert!(scopes_for(Resource::Users, Action::Change).is_empty());
    }

    #[test]
    fn names_are_read_back() {
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(role));
        }
        assert!("root".parse::<Role>().is_err_and(|e| e.contains("auditor")));
        assert_eq!(format!("{:?}", Rights::of_scopes(&[Scope::Metrics])), "{\"read metrics\"}");
    }
}
