//! `portcullis explain`.

use std::process::ExitCode;

use clap::Args;
use portcullis::{Pattern, Permission, PermissionSet};
use serde::Serialize;

use super::check::{Who, request};
use super::yes_or_no;
use crate::arguments::Place;
use crate::backend::{self, Decision};
use crate::failure::{Exit, Failure, Result};
use crate::screen::{Screen, table};
use crate::token::Token;

/// Say why a token may do something or not, what is missing, and what would do
///
/// Nothing is done. The exit code is 0 if it may, 1 if not.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  portcullis explain --id 3333333333333333 write:orgs/1111111111111111/buckets/2222222222222222")]
pub struct Explain {
    #[arg(value_name = "REQUEST", value_parser = request)]
    request: Permission,
    #[command(flatten)]
    who: Who,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Explanation {
    #[serde(flatten)]
    decision: Decision,
    /// The permissions of the token that allow it.
    granted_by: Vec<Permission>,
    /// What would allow it, the smallest first.
    would_do: Vec<String>,
    /// `None` for a secret that is no token's, or of one that is not accepted.
    token: Option<Token>,
}

impl Explain {
    pub fn run(self, place: &Place, screen: &Screen) -> Result<ExitCode> {
        let subject = self.who.subject()?;
        let backend = backend::open_to_ask(place, &subject)?;
        let mut decisions = backend.check(&subject, &[self.request])?;
        let decision = decisions.pop().ok_or_else(|| Failure::new(Exit::Failed, "no decision was answered"))?;
        let token = match backend.get(&subject) {
            Ok(token) => Some(token),
            Err(refused) if refused.exit == Exit::Refused && !decision.allowed => None,
            Err(failure) => return Err(failure),
        };
        let allowed = decision.allowed;
        let explanation = Explanation {
            granted_by: token.iter().flat_map(|token| granting(&token.permissions, self.request)).collect(),
            would_do: if allowed { Vec::new() } else { remedies(&decision, token.as_ref()) },
            decision,
            token,
        };
        screen.answer(&explanation, || explanation.text())?;
        Ok(yes_or_no(allowed))
    }
}

/// Those that allow it by themselves.
fn granting(permissions: &PermissionSet, request: Permission) -> Vec<Permission> {
    let request: PermissionSet = [request].into_iter().collect();
    let allows = |permission: &Permission| [*permission].into_iter().collect::<PermissionSet>().covers(&request);
    permissions.iter().filter(allows).collect()
}

fn remedies(decision: &Decision, token: Option<&Token>) -> Vec<String> {
    if let (Some(missing), Some(token)) = (decision.missing, token) {
        return wider(missing, token);
    }
    // A secret that is refused for a reason of its token's does not say which token that is.
    let id = token.map_or_else(|| "TOKEN".into(), |token| token.id.to_string());
    let owner = token.map_or_else(|| "USER".into(), |token| token.owner.to_string());
    let organization = token.and_then(|token| token.organization).map_or_else(|| "ORG".into(), |id| id.to_string());
    let remedy = match decision.reason.as_deref() {
        Some("inactive") => format!("portcullis activate {id}"),
        Some("expired") => format!("portcullis update {id} --expires 90d"),
        Some("ownerSuspended") => format!("portcullis activate --owner {owner}"),
        Some("organizationSuspended") => format!("portcullis activate --org {organization}"),
        Some("revoked" | "ownerDeleted" | "organizationDeleted") => "another token; that is for good".into(),
        Some("stale" | "unavailable") => "trying again later".into(),
        _ => "the secret of a token that is in use; this one may be mistyped, or was replaced".into(),
    };
    vec![remedy]
}

/// What has the missing permission, the smallest first.
fn wider(missing: Permission, token: &Token) -> Vec<String> {
    let pattern = missing.pattern();
    let mut remedies = vec![format!("`{missing}`, that and nothing else")];
    if let (Some(named), Some(_)) = (pattern.resource_type(), pattern.id()) {
        let whole = Pattern::new(pattern.organization(), Some(named), None);
        let whole = whole.map(|whole| Permission::new(missing.grant(), whole));
        remedies.extend(whole.map(|whole| format!("`{whole}`, later ones too")));
    }
    remedies.extend(
        pattern.organization().map(|organization| format!("an all-access token of organization `{organization}`")),
    );
    remedies.push("an operator token".into());
    if let Some(own) = token.organization
        && pattern.organization() != Some(own)
    {
        remedies.push(format!("but in another token: this one is of organization `{own}` for good"));
    }
    remedies
}

impl Explanation {
    fn text(&self) -> String {
        let Decision { permission, message, .. } = &self.decision;
        let mut rows = vec![("answer", self.decision.word().to_owned()), ("request", permission.to_string())];
        let mut add = |label, texts: Vec<String>| {
            let labels = std::iter::once(label).chain(std::iter::repeat(""));
            rows.extend(labels.zip(texts));
        };
        add(
            "because",
            message.iter().cloned().chain(self.granted_by.iter().map(|by| format!("it has `{by}`"))).collect(),
        );
        add("would do", self.would_do.clone());
        if let Some(token) = &self.token {
            add("token", vec![format!("{} ({}), {}", token.id, token.kind, token.state())]);
            add("it has", token.permissions.iter().map(|permission| permission.to_string()).collect());
        }
        table(None, rows.into_iter().map(|(label, text)| vec![label.to_owned(), text]))
    }
}
