//! `portcullis suspend` and `portcullis activate`.

use std::fmt;

use clap::Args;
use portcullis::{OrgId, Standing, TokenId, UserId};
use serde_json::json;

use crate::backend::{Backend, Change, Holder};
use crate::failure::{Failure, Result};
use crate::screen::Screen;

/// A token or, on a file, whoever has many.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Subjects {
    #[arg(value_name = "TOKEN")]
    id: Option<TokenId>,
    /// A user with all tokens, on a file
    #[arg(long, value_name = "USER")]
    owner: Option<UserId>,
    /// An organization with all tokens, on a file
    #[arg(long, value_name = "ORG")]
    org: Option<OrgId>,
}

/// Which of them is named.
#[derive(Debug, Clone, Copy)]
pub enum Chosen {
    Token(TokenId),
    Holder(Holder),
}

impl Subjects {
    pub fn chosen(&self) -> Result<Chosen> {
        match self {
            Self { id: Some(id), .. } => Ok(Chosen::Token(*id)),
            Self { owner: Some(id), .. } => Ok(Chosen::Holder(Holder::Owner(*id))),
            Self { org: Some(id), .. } => Ok(Chosen::Holder(Holder::Organization(*id))),
            _ => Err(Failure::usage("name a token, an --owner or an --org")),
        }
    }
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(id) => write!(f, "token `{id}`"),
            Self::Holder(Holder::Owner(id)) => write!(f, "owner `{id}` with all its tokens"),
            Self::Holder(Holder::Organization(id)) => write!(f, "organization `{id}` with all its tokens"),
        }
    }
}

/// Refuse a token until it is activated
///
/// On a file also all tokens of an owner or an organization.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis suspend 3333333333333333
  portcullis --file tokens.redb suspend --org 1111111111111111")]
pub struct Suspend {
    #[command(flatten)]
    what: Subjects,
}

impl Suspend {
    pub fn run(self, backend: &dyn Backend, screen: &Screen) -> Result<()> {
        set(backend, screen, self.what.chosen()?, Standing::Suspended)
    }
}

/// Accept a suspended token again
///
/// On a file also those of an owner or an organization. Tokens that were suspended by themselves stay so when their owner or organization is activated.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis activate 3333333333333333
  portcullis --file tokens.redb activate --org 1111111111111111")]
pub struct Activate {
    #[command(flatten)]
    what: Subjects,
}

impl Activate {
    pub fn run(self, backend: &dyn Backend, screen: &Screen) -> Result<()> {
        set(backend, screen, self.what.chosen()?, Standing::Active)
    }
}

fn set(backend: &dyn Backend, screen: &Screen, what: Chosen, standing: Standing) -> Result<()> {
    let active = standing == Standing::Active;
    let refused = match what {
        Chosen::Token(id) => {
            let change = Change::Rest { description: None, expires: None, active: Some(active) };
            backend.update(id, change, None)?.refused
        }
        Chosen::Holder(holder) => {
            backend.set_standing(holder, standing)?;
            None
        }
    };
    let done = if active { "activated" } else { "suspended" };
    screen.answer(&json!({ done: what.to_string(), "refused": refused }), || match refused {
        Some(reason) if active => format!("{done} {what}; it is still refused: {reason}"),
        _ => format!("{done} {what}"),
    })
}
