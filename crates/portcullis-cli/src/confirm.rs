//! Questions before what cannot be undone.

use std::io::{IsTerminal as _, Write as _};

use clap::Args;

use crate::failure::{Exit, Failure, Result};

#[derive(Debug, Args)]
pub struct Confirmation {
    /// Do not ask before what cannot be undone
    #[arg(long, short)]
    yes: bool,
}

impl Confirmation {
    /// Goes on only if whoever sits there says so, or said so with `--yes`.
    pub fn ask(&self, what: &str) -> Result<()> {
        if self.yes {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            return Err(Failure::usage(format!("{what}? this cannot be undone, and nobody is here to ask: say --yes")));
        }
        let mut stderr = anstream::stderr().lock();
        write!(stderr, "{what}? This cannot be undone. [y/N] ")?;
        stderr.flush()?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        match answer.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(Failure::new(Exit::No, "not confirmed; nothing was changed")),
        }
    }
}
