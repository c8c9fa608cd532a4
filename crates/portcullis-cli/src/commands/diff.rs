//! `portcullis diff`.

use std::process::ExitCode;

use clap::Args;
use portcullis::{PermissionSet, TokenId};
use serde_json::json;

use super::yes_or_no;
use crate::backend::{Backend, Subject};
use crate::failure::Result;
use crate::screen::Screen;

/// Say what one token may do that another may not
///
/// The exit code is 0 if they may do the same, 1 if not. It is about permissions: whether a token is accepted now, `portcullis show` says.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  portcullis diff 3333333333333333 4444444444444444")]
pub struct Diff {
    #[arg(value_name = "TOKEN")]
    one: TokenId,
    #[arg(value_name = "OTHER")]
    other: TokenId,
}

impl Diff {
    pub fn run(self, backend: &dyn Backend, screen: &Screen) -> Result<ExitCode> {
        let one = backend.get(&Subject::Id(self.one))?.permissions;
        let other = backend.get(&Subject::Id(self.other))?.permissions;
        let (only_one, only_other) = (one.not_covered_by(&other), other.not_covered_by(&one));
        let same = only_one.is_empty() && only_other.is_empty();
        screen.answer(&json!({ "same": same, "onlyFirst": only_one, "onlySecond": only_other }), || {
            let marked = |mark, set: &PermissionSet| -> Vec<String> {
                set.iter().map(|permission| format!("{mark} {permission}")).collect()
            };
            if same {
                return "both may do the same".into();
            }
            [marked('-', &only_one), marked('+', &only_other)].concat().join("\n")
        })?;
        Ok(yes_or_no(same))
    }
}
