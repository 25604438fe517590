//! Who asks: a person, a key, a token, a program of this machine, or nobody in particular; and what that one may do.
//!
//! The one idea: a handler or a page never asks for a role or a scope, only [`Who::may`], which is answered by the one table
//! of `guike-guard`. Hiding what somebody may not see and refusing it are then the same question.

use std::sync::Arc;

use guike_guard::{Action, Resource, Rights, Role};

/// What a route needs: a resource, and what is done with it.
pub(crate) type Needs = (Resource, Action);

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    kind: Kind,
    rights: Rights,
}

#[derive(Debug, Clone)]
enum Kind {
    /// Nobody in particular: the route is open to everybody.
    Anybody,
    /// A program of this machine, where no keys are asked for.
    Local,
    /// The key of this name.
    Key(Arc<str>),
    /// The program of this name, which came with a token.
    Bearer(Arc<str>, Role),
    /// The user of this name, who is logged in.
    User(Arc<str>, Role),
    /// Who is known by this name elsewhere, and may do nothing here.
    Stranger(Arc<str>),
}

impl Who {
    /// Nobody in particular, who may do nothing.
    pub(crate) const ANYBODY: Who = Who { kind: Kind::Anybody, rights: Rights::NONE };
    /// A program of this machine, who may do everything.
    pub(crate) const LOCAL: Who = Who { kind: Kind::Local, rights: Rights::ALL };

    pub(crate) fn key(name: Arc<str>, rights: Rights) -> Who {
        Who { kind: Kind::Key(name), rights }
    }

    pub(crate) fn user(name: Arc<str>, role: Role) -> Who {
        Who { kind: Kind::User(name, role), rights: Rights::of_role(role) }
    }

    pub(crate) fn bearer(name: Arc<str>, role: Role) -> Who {
        Who { kind: Kind::Bearer(name, role), rights: Rights::of_role(role) }
    }

    /// Who is known elsewhere and may do nothing here.
    pub(crate) fn stranger(name: Arc<str>) -> Who {
        Who { kind: Kind::Stranger(name), rights: Rights::NONE }
    }

    /// Whether this may be done.
    pub(crate) fn may(&self, resource: Resource, action: Action) -> bool {
        self.rights.allow(resource, action)
    }

    /// What kind of asker it is, and by which name, for the audit log.
    pub(crate) fn kind(&self) -> (&'static str, Option<&str>) {
        match &self.kind {
            Kind::Anybody => ("nobody", None),
            Kind::Local => ("local", None),
            Kind::Key(name) => ("key", Some(name)),
            Kind::Bearer(name, _) => ("token", Some(name)),
            Kind::User(name, _) | Kind::Stranger(name) => ("user", Some(name)),
        }
    }

    /// Whether it is known by a name.
    pub(crate) fn is_named(&self) -> bool {
        self.kind().1.is_some()
    }

    /// The role of a user, or of who came with a token.
    pub(crate) fn role(&self) -> Option<Role> {
        match &self.kind {
            Kind::User(_, role) | Kind::Bearer(_, role) => Some(*role),
            Kind::Anybody | Kind::Local | Kind::Key(_) | Kind::Stranger(_) => None,
        }
    }

    /// The name of the key that was used.
    pub(crate) fn key_name(&self) -> Option<&str> {
        match &self.kind {
            Kind::Key(name) => Some(name),
            Kind::Anybody | Kind::Local | Kind::Bearer(..) | Kind::User(..) | Kind::Stranger(_) => None,
        }
    }

    /// The name of who came with a token.
    pub(crate) fn bearer_name(&self) -> Option<&str> {
        match &self.kind {
            Kind::Bearer(name, _) => Some(name),
            Kind::Anybody | Kind::Local | Kind::Key(_) | Kind::User(..) | Kind::Stranger(_) => None,
        }
    }

    /// The name and role of the user who is logged in.
    pub(crate) fn logged_in(&self) -> Option<(&str, Role)> {
        match &self.kind {
            Kind::User(name, role) => Some((name, *role)),
            Kind::Anybody | Kind::Local | Kind::Key(_) | Kind::Bearer(..) | Kind::Stranger(_) => None,
        }
    }
}
