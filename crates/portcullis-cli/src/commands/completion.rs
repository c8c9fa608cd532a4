//! `portcullis completion`.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::failure::Result;
use crate::screen;

/// Print a script that completes commands in a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis completion bash > /etc/bash_completion.d/portcullis
  portcullis completion zsh > \"${fpath[1]}/_portcullis\"
  portcullis completion fish > ~/.config/fish/completions/portcullis.fish")]
pub struct Completion {
    shell: Shell,
}

impl Completion {
    pub fn run(self) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "portcullis", &mut script);
        screen::line(String::from_utf8_lossy(&script).trim_end())
    }
}
