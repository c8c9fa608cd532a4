//! Where the tokens are: on a running server, or in a file.

mod file;
mod server;

use std::path::PathBuf;
use std::time::Duration;

use portcullis::{Filter, OrgId, Permission, Secret, Standing, TokenId, TokenKind, UserId};
use serde::{Deserialize, Serialize};

use crate::arguments::Place;
use crate::backend::file::File;
use crate::backend::server::Server;
use crate::expiry::Expiry;
use crate::failure::{Failure, Result};
use crate::secrets::SecretInput;
use crate::token::{Issued, Token};

/// Both can do the same, but for what a server has no route for.
pub trait Backend {
    fn create(&self, new: New) -> Result<Issued>;
    /// The tokens after that one, and where to go on.
    fn page(&self, filter: &Filter, after: Option<TokenId>) -> Result<(Vec<Token>, Option<TokenId>)>;
    fn get(&self, subject: &Subject) -> Result<Token>;
    fn update(&self, id: TokenId, change: Change, if_revision: Option<u64>) -> Result<Token>;
    fn rotate(&self, id: TokenId, overlap: Duration, secret: Option<Secret>) -> Result<Issued>;
    /// How many tokens were revoked; with `all`, those created under it too.
    fn revoke(&self, id: TokenId, all: bool) -> Result<usize>;
    fn delete(&self, id: TokenId) -> Result<()>;
    fn set_standing(&self, holder: Holder, standing: Standing) -> Result<()>;
    /// A decision for each permission. A secret that is not accepted is denied everything.
    fn check(&self, subject: &Subject, requests: &[Permission]) -> Result<Vec<Decision>>;
}

/// What the first operator token needs: on a file its owner's id, on a server the names of what is set up with it.
#[derive(Debug)]
pub enum Setup {
    Owner(UserId),
    Names { username: String, organization: String, bucket: String },
}

/// The first operator token. Setup is done once and its secret is shown once, whether the token itself can be read or not.
pub struct First {
    pub token: Result<Token>,
    pub secret: Secret,
}

/// A token to be created.
#[derive(Debug)]
pub struct New {
    pub kind: TokenKind,
    pub owner: Option<UserId>,
    pub description: String,
    pub active: bool,
    pub expires: Expiry,
    pub secret: Option<Secret>,
}

/// What is to change about a token.
#[derive(Debug)]
pub enum Change {
    Kind(TokenKind),
    /// What is not said stays.
    Rest {
        description: Option<String>,
        expires: Option<Expiry>,
        active: Option<bool>,
    },
}

/// Which token is meant.
#[derive(Debug)]
pub enum Subject {
    /// The one that the command itself uses.
    Own,
    Id(TokenId),
    Secret(Secret),
}

impl Subject {
    /// What the arguments name or, if they name nothing, the token in use.
    pub fn given(id: Option<TokenId>, secret: &SecretInput) -> Result<Self> {
        match (id, secret.presented()?) {
            (Some(id), None) => Ok(Self::Id(id)),
            (None, Some(secret)) => Ok(Self::Secret(secret)),
            (None, None) => Ok(Self::Own),
            (Some(_), Some(_)) => Err(Failure::usage("name a token by its id or by its secret, not both")),
        }
    }
}

/// What has a standing that all its tokens share.
#[derive(Debug, Clone, Copy)]
pub enum Holder {
    Owner(UserId),
    Organization(OrgId),
}

/// May it, and why not.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Decision {
    pub permission: Permission,
    pub allowed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The smallest permission that would allow it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Permission>,
}

impl Decision {
    /// For people.
    pub const fn word(&self) -> &'static str {
        if self.allowed { "allowed" } else { "denied" }
    }

    /// The secret itself is not accepted.
    fn not_accepted(permission: Permission, reason: &str, message: &str) -> Self {
        let (reason, message) = (Some(reason.to_owned()), Some(message.to_owned()));
        Self { permission, allowed: false, reason, message, missing: None }
    }
}

/// All the tokens that fit.
pub fn list(backend: &dyn Backend, filter: &Filter, limit: usize) -> Result<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut after = None;
    loop {
        let (page, next) = backend.page(filter, after)?;
        tokens.extend(page);
        after = next;
        if after.is_none() || tokens.len() >= limit {
            tokens.truncate(limit);
            return Ok(tokens);
        }
    }
}

/// What the arguments name or, if they name nothing, the environment.
enum Named {
    Url(String),
    File(PathBuf),
}

fn named(place: &Place) -> Result<Named> {
    let environment = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let given = (place.url.clone(), place.file.clone());
    let (url, file) = match given {
        (None, None) => {
            let url = environment("PORTCULLIS_URL").map(|url| url.to_string_lossy().into_owned());
            (url, environment("PORTCULLIS_FILE").map(PathBuf::from))
        }
        given => given,
    };
    match (url, file) {
        (Some(url), None) => Ok(Named::Url(url)),
        (None, Some(file)) => Ok(Named::File(file)),
        (None, None) => Err(Failure::usage("which tokens? say --url for a running server, or --file for a token file")),
        (Some(_), Some(_)) => {
            Err(Failure::usage("PORTCULLIS_URL and PORTCULLIS_FILE are both set; say which with --url or --file"))
        }
    }
}

/// Reaches what the arguments name, to use it with a token or as the host.
pub fn open(place: &Place) -> Result<Box<dyn Backend>> {
    Ok(match named(place)? {
        Named::Url(url) => Box::new(Server::with_token(&url, place.token_file.as_deref())?),
        Named::File(file) => Box::new(File::open(&file)?),
    })
}

/// The same, to ask about that token. One that is named by its secret can ask itself, and no other is needed.
pub fn open_to_ask(place: &Place, about: &Subject) -> Result<Box<dyn Backend>> {
    match (named(place)?, about) {
        (Named::Url(url), Subject::Secret(_)) => Ok(Box::new(Server::without_token(&url)?)),
        _ => open(place),
    }
}

/// Makes the first operator token: on a server there is none yet to use, and a file may be new.
pub fn setup(place: &Place, setup: &Setup) -> Result<First> {
    match (named(place)?, setup) {
        (Named::File(file), Setup::Owner(owner)) => File::open_or_make(&file)?.setup(*owner),
        (Named::Url(url), Setup::Names { username, organization, bucket }) => {
            Server::set_up(&url, username, organization, bucket)
        }
        (Named::File(_), Setup::Names { .. }) => Err(Failure::usage("on a file, setup takes --owner")),
        (Named::Url(_), Setup::Owner(_)) => {
            Err(Failure::usage("on a server, setup takes --username, --org and --bucket"))
        }
    }
}

/// The file that the arguments name.
pub fn open_file(place: &Place, command: &str) -> Result<Box<dyn Backend>> {
    match named(place)? {
        Named::File(file) => Ok(Box::new(File::open(&file)?)),
        Named::Url(_) => Err(Failure::usage(format!(
            "`{command}` needs no token, so it works on a file only: stop the server and say --file"
        ))),
    }
}
