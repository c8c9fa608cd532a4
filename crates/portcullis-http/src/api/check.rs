//! `POST /api/v2/authorizations/{id}/check`: may it, and why not, without doing it.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use portcullis::{Action, Grant, Permission, Reason, Resource};
use serde::{Deserialize, Serialize};

use super::{Context, json};
use crate::api::body::{Body, Object, PostedPermission};
use crate::api::error::ApiError;
use crate::api::permissions::parse;
use crate::api::target::Target;
use crate::extract::Caller;

/// Requests in the form of permissions, each on one resource or on one whole type.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Questions {
    permissions: Vec<Object<PostedPermission>>,
}

#[derive(Serialize)]
struct Answers {
    /// Whether all of them are.
    allowed: bool,
    decisions: Vec<Decision>,
}

#[derive(Serialize)]
struct Decision {
    permission: Permission,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// The smallest permission that would allow it.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<Permission>,
}

/// What a permission that is in the place of a request asks.
fn request(permission: Permission) -> Result<(Action, Resource), ApiError> {
    let no_type = |_| ApiError::invalid("a request names the type of its resource");
    let action = match permission.grant() {
        Grant::Read => Action::READ,
        Grant::Write => Action::WRITE,
        Grant::Verb(verb) => verb.into(),
        Grant::Any => return Err(ApiError::invalid("a request asks for one action, not for any")),
    };
    Ok((action, Resource::try_from(permission.pattern()).map_err(no_type)?))
}

pub(super) async fn check(
    State(context): State<Context>,
    caller: Caller,
    target: Target,
    Body(Object(questions)): Body<Object<Questions>>,
) -> Result<Response, ApiError> {
    let parsed = parse(questions.permissions)?;
    let id = target.id(&caller)?;
    let mut decisions = Vec::with_capacity(parsed.len());
    for parsed in parsed {
        // By ids only: otherwise whoever may see nothing could find out what there is.
        let permission = parsed.without_names()?;
        let (action, resource) = request(permission)?;
        let denial = context.authority.explain(&caller, id, action, &resource)?.denial();
        decisions.push(Decision {
            permission,
            allowed: denial.is_none(),
            reason: denial.map(|denial| denial.reason()),
            message: denial.map(|denial| denial.to_string()),
            missing: denial.and_then(|denial| denial.missing().next()),
        });
    }
    json(StatusCode::OK, &Answers { allowed: decisions.iter().all(|decision| decision.allowed), decisions })
}
