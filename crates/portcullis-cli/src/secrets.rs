//! Secrets that come in: never as arguments, where the process list and the shell's history would have them.

use std::io::Read as _;
use std::path::Path;

use clap::Args;
use portcullis::Secret;

use crate::failure::{Failure, Result};

/// The environment variable with the token for a server.
const TOKEN: &str = "PORTCULLIS_TOKEN";

/// More than any secret has.
const MOST: u64 = 4_096;

/// Where a secret comes from.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct SecretInput {
    /// The secret is on standard input
    #[arg(long)]
    secret_stdin: bool,
    /// Ask for the secret, without echo
    #[arg(long)]
    secret_prompt: bool,
}

impl SecretInput {
    /// A secret that is to be a token's; without one, it is generated.
    pub fn chosen(&self) -> Result<Option<Secret>> {
        let secret = self.presented()?;
        if let Some(secret) = &secret
            && self.secret_prompt
            && prompt("Again: ", NO_TERMINAL)?.expose() != secret.expose()
        {
            return Err(Failure::usage("the two secrets differ; nothing was changed"));
        }
        Ok(secret)
    }

    /// A secret that is asked about.
    pub fn presented(&self) -> Result<Option<Secret>> {
        match self {
            Self { secret_stdin: true, .. } => read(std::io::stdin().lock(), "standard input").map(Some),
            Self { secret_prompt: true, .. } => prompt("Secret: ", NO_TERMINAL).map(Some),
            _ => Ok(None),
        }
    }
}

/// The token for a server: from a file, from the environment, or asked for.
pub fn token(file: Option<&Path>) -> Result<Secret> {
    if let Some(file) = file {
        // Its name may be a token, given by mistake.
        let unreadable = |error| Failure::usage("the file that --token-file names cannot be read").because(error);
        let opened = std::fs::File::open(file).map_err(unreadable)?;
        return read(opened, &format!("`{}`", file.display()));
    }
    match std::env::var(TOKEN) {
        Ok(token) if !token.is_empty() => Ok(Secret::new(token)),
        _ => prompt("Token: ", &format!("no token: set {TOKEN}, or say --token-file")),
    }
}

/// The first line; there must be no other.
fn read(from: impl std::io::Read, name: &str) -> Result<Secret> {
    let mut text = String::new();
    let read = from.take(MOST).read_to_string(&mut text);
    read.map_err(|error| Failure::usage(format!("{name} cannot be read")).because(error))?;
    let secret = Secret::new(text);
    let line = secret.expose().trim_end_matches(['\r', '\n']);
    if line.is_empty() || line.contains('\n') {
        return Err(Failure::usage(format!("{name} must hold one secret, on one line")));
    }
    Ok(Secret::new(line))
}

/// What to do where nobody can be asked.
const NO_TERMINAL: &str = "no terminal to ask for a secret; say --secret-stdin";

fn prompt(question: &str, otherwise: &str) -> Result<Secret> {
    let secret = rpassword::prompt_password(question).map(Secret::new);
    let secret = secret.map_err(|error| Failure::usage(otherwise).because(error))?;
    if secret.expose().is_empty() {
        return Err(Failure::usage("no secret was given"));
    }
    Ok(secret)
}
