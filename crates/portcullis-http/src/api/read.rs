//! `GET /api/v2/authorizations/{id}` and `GET /api/v2/authorizations/{id}/permissions`.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::{Context, json};
use crate::api::error::ApiError;
use crate::api::representation::Grants;
use crate::api::target::Target;
use crate::extract::Caller;

pub(super) async fn one(State(context): State<Context>, caller: Caller, target: Target) -> Result<Response, ApiError> {
    let token = context.authority.get(&caller, target.id(&caller)?)?;
    let names = context.names(std::slice::from_ref(&token)).await?;
    context.answer(StatusCode::OK, &token, &names, None)
}

pub(super) async fn permissions(
    State(context): State<Context>,
    caller: Caller,
    target: Target,
) -> Result<Response, ApiError> {
    let token = context.authority.get(&caller, target.id(&caller)?)?;
    let names = context.names(std::slice::from_ref(&token)).await?;
    json(StatusCode::OK, &Grants::new(&token, &names))
}
