//! HTTP for [Portcullis](portcullis): authentication for any tower server, and InfluxDB's routes for tokens as an axum router.
//!
//! - [`AuthenticateLayer`] authenticates requests, and puts a [`Principal<'static>`](portcullis::Principal) into their
//!   extensions. In axum's handlers the [`Caller`] is an argument, and a [`Refusal`] is the error.
//! - [`Api`] is a router that InfluxDB's clients manage tokens with. A [`Directory`] tells it the host's names.
//!
//! What clients are told is a [`Rejection`] or an [`ApiError`]; what they are not told is in the response's extensions, as a
//! [`Refusal`] or a [`Fault`], for the host's log.

#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::print_stdout,
        clippy::print_stderr
    )
)]

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
pub use extract::Caller;
pub use layer::{Authenticate, AuthenticateLayer, Authenticated};
pub use refusal::{Refusal, Rejection};
