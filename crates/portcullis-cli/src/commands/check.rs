//! `portcullis check`.

use std::process::ExitCode;

use clap::Args;
use portcullis::{Action, Grant, Permission, PermissionError, Resource, TokenId};
use serde::Serialize;

use super::yes_or_no;
use crate::arguments::Place;
use crate::backend::{self, Decision, Subject};
use crate::failure::Result;
use crate::screen::{Screen, table};
use crate::secrets::SecretInput;

/// Which token is asked about.
#[derive(Debug, Args)]
pub struct Who {
    /// About this token, instead of the one in use
    #[arg(long, value_name = "TOKEN")]
    id: Option<TokenId>,
    #[command(flatten)]
    secret: SecretInput,
}

impl Who {
    pub fn subject(&self) -> Result<Subject> {
        Subject::given(self.id, &self.secret)
    }
}

/// Returns what a permission that is in the place of a request asks.
pub fn asked(permission: Permission) -> std::result::Result<(Action, Resource), &'static str> {
    let action = match permission.grant() {
        Grant::Read => Action::READ,
        Grant::Write => Action::WRITE,
        Grant::Verb(verb) => verb.into(),
        Grant::Any => return Err("is for one action, not `*`"),
    };
    let resource = Resource::try_from(permission.pattern()).map_err(|_| "is about one type of resource, not `*`")?;
    Ok((action, resource))
}

/// Reads a request: a permission for one action that names one type.
pub fn request(text: &str) -> std::result::Result<Permission, String> {
    let permission: Permission = text.parse().map_err(|error: PermissionError| error.to_string())?;
    asked(permission).map(|_| permission).map_err(|what| format!("a request {what}"))
}

/// Say whether a token may do something, in the exit code too
///
/// It is 0 if the token may do all of it, 1 if not. Nothing is done. A request is `action:[orgs/ORG/]type[/ID]`, as a permission, and names one type.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis check write:orgs/1111111111111111/buckets/2222222222222222
  portcullis check --id 3333333333333333 read:orgs/1111111111111111/tasks
  portcullis check --secret-stdin read:orgs/1111111111111111/buckets < token && echo yes")]
pub struct Check {
    #[arg(required = true, value_name = "REQUEST", value_parser = request)]
    requests: Vec<Permission>,
    #[command(flatten)]
    who: Who,
}

#[derive(Serialize)]
struct Answers<'a> {
    allowed: bool,
    decisions: &'a [Decision],
}

impl Check {
    pub fn run(self, place: &Place, screen: &Screen) -> Result<ExitCode> {
        let subject = self.who.subject()?;
        let decisions = backend::open_to_ask(place, &subject)?.check(&subject, &self.requests)?;
        let allowed = decisions.iter().all(|decision| decision.allowed);
        screen.answer(&Answers { allowed, decisions: &decisions }, || {
            let row = |decision: &Decision| {
                // What is missing is the request itself.
                let message = decision.message.clone().filter(|_| decision.missing.is_none()).unwrap_or_default();
                vec![decision.word().to_owned(), decision.permission.to_string(), message]
            };
            table(None, decisions.iter().map(row))
        })?;
        Ok(yes_or_no(allowed))
    }
}
