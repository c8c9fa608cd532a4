//! What people and programs see: answers on stdout, everything else on stderr.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::io::{IsTerminal as _, Write};
use std::process::ExitCode;

use clap::error::ContextValue;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use portcullis::{Secret, Timestamp};
use serde::Serialize;

use crate::failure::{Exit, Failure, Result};
use crate::token::{Issued, Token};

pub struct Screen {
    json: bool,
}

impl Screen {
    pub const fn new(json: bool) -> Self {
        Self { json }
    }

    /// An answer: as JSON for programs, as text for people.
    pub fn answer(&self, json: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        line(&if self.json { pretty(json) } else { text() })
    }

    /// One token.
    pub fn token(&self, token: &Token) -> Result<()> {
        self.answer(&BTreeMap::from([("token", token)]), || card(token, None))
    }

    /// A token with its secret.
    pub fn issued(&self, Issued { token, secret }: &Issued, secret_only: bool) -> Result<()> {
        self.secret(Some(token), secret, secret_only)
    }

    /// A secret, which is shown here and never again: to people with the token, if that could be read; through a pipe alone, so
    /// that it can go where it is needed.
    pub fn secret(&self, token: Option<&Token>, secret: &Secret, secret_only: bool) -> Result<()> {
        let alone = secret.expose();
        let written = if secret_only {
            line(alone)
        } else if self.json {
            line(&pretty(&TokenAndSecret { token, secret: alone }))
        } else if std::io::stdout().is_terminal() {
            let shown = line(&token.map_or_else(|| alone.to_owned(), |token| card(token, Some(secret))));
            note("Keep the secret now: it is never shown again.");
            shown
        } else {
            token.iter().for_each(|token| note(&card(token, None)));
            line(alone)
        };
        written.map_err(|lost| {
            let which = token.map_or_else(|| "the new token".into(), |token| format!("token `{}`", token.id));
            let advice = format!("{which} was given a secret that could not be written: rotate it, or delete it");
            Failure::new(Exit::Failed, advice).because(lost)
        })
    }
}

/// A line of the answer.
pub fn line(line: &str) -> Result<()> {
    let mut stdout = anstream::stdout().lock();
    writeln!(stdout, "{line}")?;
    Ok(stdout.flush()?)
}

/// What is not part of the answer.
fn note(note: &str) {
    // Nobody is there to be told that this failed.
    _ = writeln!(anstream::stderr(), "{note}");
}

pub fn failure(failure: &Failure) {
    if failure.exit != Exit::Gone {
        note(&format!("{RED}error:{PLAIN} {}", in_full(failure)));
    }
}

/// An argument that is as long may be a secret, given by mistake.
const SHORTEST_SECRET: usize = 32;

/// What is wrong with the arguments, or the help that they ask for.
pub fn misused(error: &clap::Error) -> ExitCode {
    let mut text = error.render().ansi().to_string();
    for (_, argument) in error.context() {
        if let ContextValue::String(argument) = argument
            && argument.len() >= SHORTEST_SECRET
        {
            // As it was given, and as errors of ids and permissions show it.
            for secret in [argument.clone(), argument.escape_default().to_string()] {
                text = text.replace(&secret, "(not shown, as it may be a secret)");
            }
        }
    }
    // Nobody is there to be told that this failed.
    _ = if error.use_stderr() { write!(anstream::stderr(), "{text}") } else { write!(anstream::stdout(), "{text}") };
    u8::try_from(error.exit_code()).unwrap_or(Exit::Failed as u8).into()
}

/// What failed beside what was asked for.
pub fn warning(failure: &Failure) {
    note(&format!("warning: {}", in_full(failure)));
}

/// With all its sources.
fn in_full(failure: &Failure) -> String {
    let mut text = failure.to_string();
    let mut source = failure.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    printable(&text)
}

#[derive(Serialize)]
struct TokenAndSecret<'a> {
    token: Option<&'a Token>,
    secret: &'a str,
}

const RED: &str = "\x1b[1;31m";
const PLAIN: &str = "\x1b[0m";

fn pretty(json: &impl Serialize) -> String {
    // Nothing that is shown here has keys that are no strings, which is all that can go wrong.
    serde_json::to_string_pretty(json).unwrap_or_default()
}

/// Text of others, without what would move a terminal's cursor.
fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut shown, each| {
        if each.is_control() {
            shown.extend(each.escape_default());
        } else {
            shown.push(each);
        }
        shown
    })
}

/// Columns that line up.
pub fn table(header: Option<&[&str]>, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    if let Some(header) = header {
        table.set_header(header);
    }
    for row in rows {
        table.add_row(row.iter().map(|cell| printable(cell)));
    }
    table.column_iter_mut().for_each(|column| _ = column.set_padding((0, 2)));
    table.trim_fmt()
}

/// To the second: more is noise to people.
pub fn time(time: Timestamp) -> String {
    humantime::format_rfc3339_seconds(time.into()).to_string()
}

fn time_or_never(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "never".into(), time)
}

/// A name where there is one, and always the id.
fn named(name: Option<&str>, id: impl ToString) -> String {
    let id = id.to_string();
    name.map_or_else(|| id.clone(), |name| format!("{name} ({id})"))
}

fn card(token: &Token, secret: Option<&Secret>) -> String {
    let mut rows = vec![
        ("id", token.id.to_string()),
        ("kind", token.kind.to_string()),
        ("status", token.state().to_owned()),
        ("description", token.description.clone()),
    ];
    if let Some(id) = token.organization {
        rows.push(("organization", named(token.organization_name.as_deref(), id)));
    }
    rows.push(("owner", named(token.owner_name.as_deref(), token.owner)));
    let mut label = "permissions";
    for permission in token.permissions.iter() {
        rows.push((label, permission.to_string()));
        label = "";
    }
    rows.extend([
        ("created", format!("{} by {}", time(token.created_at), token.created_by)),
        ("updated", time(token.updated_at)),
        ("expires", time_or_never(token.expires_at)),
        ("last used", time_or_never(token.last_used_at)),
        ("revision", token.revision.to_string()),
    ]);
    rows.extend(secret.map(|secret| ("secret", secret.expose().to_owned())));
    table(None, rows.into_iter().map(|(label, text)| vec![label.to_owned(), text]))
}

/// Many tokens, a line each.
pub fn list(tokens: &[Token], wide: bool) -> String {
    let mut header = vec!["ID", "KIND", "STATUS", "ORGANIZATION", "EXPIRES", "DESCRIPTION"];
    if wide {
        header.extend(["OWNER", "CREATED BY", "CREATED", "LAST USED"]);
    }
    let row = |token: &Token| {
        let id = token.organization.map(|id| id.to_string());
        let organization = token.organization_name.clone().or(id).unwrap_or_else(|| "-".into());
        let mut row = vec![
            token.id.to_string(),
            token.kind.to_string(),
            token.state().to_owned(),
            organization,
            time_or_never(token.expires_at),
            token.description.clone(),
        ];
        if wide {
            row.extend([
                token.owner_name.clone().unwrap_or_else(|| token.owner.to_string()),
                token.created_by.clone(),
                time(token.created_at),
                time_or_never(token.last_used_at),
            ]);
        }
        row
    };
    table(Some(&header), tokens.iter().map(row))
}
