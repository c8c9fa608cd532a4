//! HTTP: authentication for any tower server, and InfluxDB's routes for tokens as an axum router. Feature `http`.
//!
//! - [`AuthenticateLayer`] authenticates requests, and puts a [`Principal<'static>`](crate::Principal) into their extensions. In
//!   axum's handlers the principal is an argument, and a [`Denial`](crate::Denial) or [`Refusal`] may be returned.
//! - [`Api`] is a router that InfluxDB's clients manage tokens with. A [`Directory`] tells it the host's names.
//!
//! What clients are told is a [`Rejection`] or an [`ApiError`]; what they are not told is in the response's extensions, as a
//! [`Refusal`] or a [`Fault`], for the host's log.

mod api;
mod credentials;
mod error_body;
mod extract;
mod layer;
mod refusal;

pub use api::Api;
pub use api::directory::{Answer, Directory, DirectoryError};
pub use api::error::{ApiError, Fault};
pub use credentials::HeaderError;
pub use layer::{Authenticate, AuthenticateLayer, Authenticated};
pub use refusal::{Refusal, Rejection};
