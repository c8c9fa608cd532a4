//! InfluxDB's routes for tokens.

mod body;
mod change;
mod check;
mod create;
pub(crate) mod directory;
pub(crate) mod error;
mod etag;
mod list;
mod permissions;
mod read;
mod receipt;
mod representation;
mod target;

use std::fmt;
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Extension, Router};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::{HeaderValue, StatusCode};
use portcullis::{Authority, Receipt, Secret, Token};
use serde::Serialize;

use crate::api::directory::{Directory, DirectoryError};
use crate::api::error::{ApiError, Fault};
use crate::api::representation::{AUTHORIZATIONS, Names, Representation};
use crate::error_body::JSON;
use crate::layer::AuthenticateLayer;

/// The OpenAPI document of the routes.
pub(crate) const OPENAPI: &str = include_str!("openapi.json");

/// InfluxDB's routes for tokens, and those that it lacks, as a router to merge into a host's own.
///
/// | route | does |
/// | --- | --- |
/// | `POST /api/v2/authorizations` | create; the only answer with a secret, but for `rotate` |
/// | `GET /api/v2/authorizations` | list, filter, page |
/// | `GET /api/v2/authorizations/{id}` | one |
/// | `PATCH /api/v2/authorizations/{id}` | status, description, expiry; conditional with `If-Match` |
/// | `DELETE /api/v2/authorizations/{id}` | delete |
/// | `GET`, `PUT /api/v2/authorizations/{id}/permissions` | what it may do, expanded too; change it |
/// | `POST /api/v2/authorizations/{id}/rotate` | a new secret |
/// | `POST /api/v2/authorizations/{id}/revoke` | refused for good, and still listed |
/// | `POST /api/v2/authorizations/{id}/check` | what it may do, and why not, without doing it |
/// | `GET /api/v2/authorizations/openapi.json` | this, as an OpenAPI document |
///
/// `{id}` can be `me`: the token that the request comes with.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Arc;
/// use portcullis_http::{Answer, Api, Directory};
/// use portcullis::{Authority, MemoryStore, Resource, ResourceId};
///
/// struct Nameless;
///
/// impl Directory for Nameless {
///     fn names<'a>(&'a self, of: &'a [Resource]) -> Answer<'a, HashMap<Resource, String>> {
///         Box::pin(async { Ok(of.iter().map(|each| (*each, String::new())).collect()) })
///     }
///     fn find<'a>(&'a self, _: Resource, _: &'a str) -> Answer<'a, Option<ResourceId>> {
///         Box::pin(async { Ok(None) })
///     }
/// }
///
/// let authority = Arc::new(Authority::open(MemoryStore::new()).wait()?);
/// let app: axum::Router = axum::Router::new().merge(Api::new(authority, Nameless).router());
/// # Ok::<(), portcullis::Error>(())
/// ```
#[must_use]
pub struct Api {
    authority: Arc<Authority>,
    directory: Arc<dyn Directory>,
    layer: AuthenticateLayer<axum::body::Body>,
    body_limit: usize,
}

/// What every handler has.
#[derive(Clone)]
struct Context {
    authority: Arc<Authority>,
    directory: Arc<dyn Directory>,
    body_limit: u64,
}

impl Api {
    /// The largest body that is read, unless [`body_limit`](Self::body_limit) says otherwise: room for some thousand
    /// permissions.
    pub const DEFAULT_BODY_LIMIT: usize = 1 << 20;

    /// Creates the routes on this authority, with names from that directory.
    pub fn new(authority: Arc<Authority>, directory: impl Directory) -> Self {
        let layer = AuthenticateLayer::new(Arc::clone(&authority)).influxdb();
        Self { authority, directory: Arc::new(directory), layer, body_limit: Self::DEFAULT_BODY_LIMIT }
    }

    /// Sets the layer that the routes are behind, if not the default one, which answers as InfluxDB does and does not tell why
    /// a token is not accepted.
    pub fn layer(mut self, layer: AuthenticateLayer<axum::body::Body>) -> Self {
        self.layer = layer;
        self
    }

    /// Sets the largest body that is read, in bytes. Larger ones are refused (413).
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Returns the router: to merge, not to nest, because its answers name its paths.
    pub fn router(self) -> Router {
        let Self { authority, directory, layer, body_limit } = self;
        let one = get(read::one).patch(change::update).delete(change::delete);
        let routes: [(&str, MethodRouter<Context>); 6] = [
            ("", get(list::list).post(create::create)),
            ("/{id}", one),
            ("/{id}/permissions", get(read::permissions).put(change::permissions)),
            ("/{id}/rotate", post(change::rotate)),
            ("/{id}/revoke", post(change::revoke)),
            ("/{id}/check", post(check::check)),
        ];
        let mut router = Router::new();
        for (path, methods) in routes {
            let path = format!("{AUTHORIZATIONS}{path}");
            // Some clients end a path with a slash.
            router = router.route(&format!("{path}/"), methods.clone()).route(&path, methods);
        }
        let context = Context { authority, directory, body_limit: body_limit as u64 };
        let document = get(|| async { ([(CONTENT_TYPE, JSON)], OPENAPI) });
        router
            .route_layer(layer)
            .layer(DefaultBodyLimit::max(body_limit))
            .route(&format!("{AUTHORIZATIONS}/openapi.json"), document)
            .with_state(context)
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("layer", &self.layer).field("body_limit", &self.body_limit).finish_non_exhaustive()
    }
}

impl Context {
    /// The answer to a change of one token. It is made, and its secret is shown here or never: where the directory fails,
    /// only the names are missing.
    async fn changed(
        &self,
        status: StatusCode,
        token: &Token,
        secret: Option<&Secret>,
        receipt: &Receipt,
    ) -> Result<Response, ApiError> {
        let (names, fault) = match self.names(std::slice::from_ref(token)).await {
            Ok(names) => (names, None),
            Err(error) => (Names::default(), Some(Extension(Fault(Arc::new(error))))),
        };
        let answer = self.answer(status, token, &names, secret)?;
        Ok((receipt::headers(receipt), fault, answer).into_response())
    }

    /// The answer that is about one token.
    fn answer(
        &self,
        status: StatusCode,
        token: &Token,
        names: &Names,
        secret: Option<&Secret>,
    ) -> Result<Response, ApiError> {
        let body = Representation::new(token, names, self.authority.now(), secret);
        let mut response = json(status, &body)?;
        response.headers_mut().insert(ETAG, etag::of(token));
        Ok(response)
    }

    /// The names that are in an answer about these tokens.
    async fn names(&self, tokens: &[Token]) -> Result<Names, DirectoryError> {
        Names::of(&*self.directory, tokens).await
    }
}

fn json(status: StatusCode, body: &impl Serialize) -> Result<Response, ApiError> {
    let body = serde_json::to_string(body).map_err(ApiError::internal)?;
    let headers = [(CONTENT_TYPE, JSON), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((status, headers, body).into_response())
}
