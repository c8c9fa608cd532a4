//! `POST /api/v2/authorizations/{id}/check`: may it, and why not, without doing it.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use portcullis::{Permission, Reason};
use serde::{Deserialize, Serialize};

use super::{Context, json};
use crate::api::body::{Body, Object, PostedPermission};
use crate::api::error::ApiError;
use crate::api::permissions::parse;
use crate::api::target::Target;
use crate::authority::principal::Principal;
use crate::extract::Caller;
use crate::http::api::body::{Body, Object, PostedPermission};
use crate::http::api::error::ApiError;
use crate::http::api::permissions::parse;
use crate::http::api::target::Target;
use crate::model::permission::Permission;
use crate::model::reason::Reason;

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
        let resource = permission.pattern().resource();
        let resource = resource.ok_or_else(|| ApiError::invalid("a request names the type of its resource"))?;
        let denial = context.authority.explain(&caller, id, permission.action(), &resource)?.denial();
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
