//! HTTP: authentication for any tower server, and InfluxDB's routes for tokens as an axum router.

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
