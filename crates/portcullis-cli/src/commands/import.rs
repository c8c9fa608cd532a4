//! `portcullis import`.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;
use portcullis::{OrgId, Reason, Status, Timestamp, TokenKind, UserId};
use serde_json::json;

use crate::backend::{Backend, New};
use crate::expiry::Expiry;
use crate::failure::{Exit, Failure, Result};
use crate::screen::Screen;
use crate::token::{Issued, Token};

/// Create tokens as they were exported, with new ids and new secrets
///
/// An export has no secrets, so the old ones cannot live on: every line becomes a new token that may do the same, belongs to the
/// same owner and organization, expires at the same time and is suspended if that one was. It is suspended, too, if its owner or
/// organization was: activate it when those are back. Ids, secrets, times and who created whom are new. Tokens that were revoked,
/// whose time is over, or whose owner or organization was deleted are left out. All lines are read before the first token is created.
///
/// The new secrets go into a new file, which on Unix only you can read, a line of JSON each: `from` is the exported id, `id` the new
/// one.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  portcullis --file new.redb import tokens.jsonl --secrets secrets.jsonl")]
pub struct Import {
    /// What was exported; `-` is standard input
    #[arg(value_name = "FILE")]
    from: PathBuf,
    /// The file to make for the new secrets
    #[arg(long, value_name = "FILE", required_unless_present = "dry_run")]
    secrets: Option<PathBuf>,
    /// Only say what would be created
    #[arg(long)]
    dry_run: bool,
}

impl Import {
    pub fn run(self, backend: &dyn Backend, screen: &Screen) -> Result<()> {
        let lines = read(&self.from)?;
        let exported = lines.len();
        let gone = Gone::of(&lines);
        let wanted: Vec<_> = lines.into_iter().filter(|(token, _)| !gone.has(token)).collect();
        let (found, left_out) = (wanted.len(), exported - wanted.len());
        let suspended = wanted.iter().filter(|(token, _)| token.status == Status::Active && !is_active(token)).count();
        let mut created = 0;
        if let Some(path) = self.secrets.as_deref().filter(|_| !self.dry_run) {
            let mut secrets = Secrets::create(path)?;
            for (token, kind) in wanted {
                let from = token.id;
                let issued = backend.create(new(token, kind)).map_err(|failure| {
                    failure.within(format!("stopped at token `{from}` after {created} of {found} were created"))
                })?;
                created += 1;
                secrets.write(from, &issued)?;
            }
        }
        let answer = json!({ "found": found, "created": created, "suspended": suspended, "leftOut": left_out });
        screen.answer(&answer, || {
            let done = if self.dry_run { format!("would create {found}") } else { format!("created {created}") };
            let suspended = match suspended {
                0 => String::new(),
                some => format!(", {some} of them suspended as their owner or organization was"),
            };
            format!("{done}{suspended}, left out {left_out} that were revoked, had expired, or lost their owner or organization")
        })
    }
}

/// What is refused for good.
struct Gone {
    now: Timestamp,
    /// A token tells one reason only: an inactive one says nothing of its owner. Others of the same owner may.
    owners: HashSet<UserId>,
    organizations: HashSet<OrgId>,
}

impl Gone {
    fn of(lines: &[(Token, TokenKind)]) -> Self {
        let refused = |reason: &'static str| {
            lines.iter().map(|(token, _)| token).filter(move |token| token.refused.as_deref() == Some(reason))
        };
        Self {
            now: SystemTime::now().into(),
            owners: refused(Reason::OwnerDeleted.as_str()).map(|token| token.owner).collect(),
            organizations: refused(Reason::OrganizationDeleted.as_str())
                .filter_map(|token| token.organization)
                .collect(),
        }
    }

    fn has(&self, token: &Token) -> bool {
        token.status == Status::Revoked
            || token.expires_at.is_some_and(|end| end <= self.now)
            || self.owners.contains(&token.owner)
            || token.organization.is_some_and(|organization| self.organizations.contains(&organization))
    }
}

/// Nothing is accepted that was refused.
fn is_active(token: &Token) -> bool {
    token.status == Status::Active && token.refused.is_none()
}

/// Every line, each a token that can be.
fn read(path: &Path) -> Result<Vec<(Token, TokenKind)>> {
    let unreadable = |error| Failure::usage(format!("`{}` cannot be read", path.display())).because(error);
    let from: Box<dyn Read> = match path.to_str() {
        Some("-") => Box::new(std::io::stdin()),
        _ => Box::new(File::open(path).map_err(unreadable)?),
    };
    let mut tokens = Vec::new();
    for (line, number) in BufReader::new(from).lines().zip(1..) {
        let line = line.map_err(unreadable)?;
        if line.trim().is_empty() {
            continue;
        }
        let wrong = || format!("line {number} of `{}` is no exported token; nothing was created", path.display());
        let token: Token = serde_json::from_str(&line).map_err(|error| Failure::usage(wrong()).because(error))?;
        let kind = token.kind().map_err(|failure| failure.within(wrong()))?;
        tokens.push((token, kind));
    }
    Ok(tokens)
}

fn new(token: Token, kind: TokenKind) -> New {
    New {
        active: is_active(&token),
        kind,
        owner: Some(token.owner),
        description: token.description,
        expires: token.expires_at.map_or(Expiry::Never, Expiry::At),
        secret: None,
    }
}

/// The file of new secrets.
struct Secrets<'a> {
    path: &'a Path,
    file: File,
}

impl<'a> Secrets<'a> {
    fn create(path: &'a Path) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let advice = || format!("`{}` cannot be made; name a file that does not exist yet", path.display());
        let file = options.open(path).map_err(|error| Failure::usage(advice()).because(error))?;
        Ok(Self { path, file })
    }

    /// On the disk, before the next token is created.
    fn write(&mut self, from: portcullis::TokenId, Issued { token, secret }: &Issued) -> Result<()> {
        let line = json!({ "from": from, "id": token.id, "description": token.description, "secret": secret.expose() });
        let written = writeln!(self.file, "{line}").and_then(|()| self.file.sync_data());
        written.map_err(|error| {
            let (path, id) = (self.path.display(), token.id);
            let advice = format!("`{path}` cannot be written; delete token `{id}`, whose secret is lost");
            Failure::new(Exit::Failed, advice).because(error)
        })
    }
}
