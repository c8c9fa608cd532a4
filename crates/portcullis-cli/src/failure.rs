//! Why a command failed, and what the process then exits with.

use std::error::Error;
use std::io;
use std::process::ExitCode;

use portcullis::store::RedbError;
use portcullis::{OpenError, Reason};

/// What the process exits with, if not 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The answer is no: denied, different, not confirmed.
    No = 1,
    /// The command, or what it was given, is not as it should be. Also clap's.
    Usage = 2,
    /// The token in use is not accepted, or may not do this.
    Refused = 3,
    /// There is no such token, or none that may be seen.
    NotFound = 4,
    /// It is there already, is revoked, or has changed meanwhile.
    Conflict = 5,
    /// The server or the file cannot be reached or used now.
    Unavailable = 6,
    /// Anything else.
    Failed = 7,
    /// Whoever reads stdout has gone: as if by `SIGPIPE`.
    Gone = 141,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command failed, and what to do next.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub exit: Exit,
    /// Whether what was asked for may have been done all the same.
    in_doubt: bool,
    message: String,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, in_doubt: false, message: message.into(), source: None }
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same failure, of a part of something.
    pub fn within(self, message: impl Into<String>) -> Self {
        Self { exit: self.exit, in_doubt: self.in_doubt, message: message.into(), source: Some(self.into()) }
    }

    /// A server was asked, and did not say what it did.
    pub const fn in_doubt(mut self, in_doubt: bool) -> Self {
        self.in_doubt = in_doubt;
        self
    }

    /// The same failure and, where it is in doubt, what may have been done, and what to do then.
    pub fn perhaps(self, done: impl Into<String>) -> Self {
        if self.in_doubt { self.within(done) } else { self }
    }
}

/// Of the authority on a file.
impl From<portcullis::Error> for Failure {
    fn from(error: portcullis::Error) -> Self {
        use portcullis::Error as E;
        let exit = match &error {
            error if error.is_not_found() => Exit::NotFound,
            error if error.is_conflict() => Exit::Conflict,
            error if error.is_refusal() => Exit::Refused,
            error if error.is_temporary() => Exit::Unavailable,
            E::NewerFormat(_) | E::Closed | E::Unfinished { .. } => Exit::Failed,
            _ => Exit::Usage,
        };
        let message = error.to_string();
        match error {
            // They say it all, or their sources do.
            E::Store(source) | E::InDoubt(source) => Self::new(exit, message).because(source),
            E::Unfinished { source, .. } => Self::new(exit, message).because(source),
            E::NoOwner => Self::new(exit, "whose token is it? say `--owner ID`"),
            E::AlreadySetUp => {
                Self::new(exit, "setup was done before; `portcullis recover` makes another operator token on a file")
            }
            _ => Self::new(exit, message),
        }
    }
}

/// Of opening the authority on a file.
impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let message = error.to_string();
        match error {
            OpenError::Store(source) => Self::new(Exit::Unavailable, message).because(source),
            OpenError::NewerFormat(_) | OpenError::Thread(_) | OpenError::Ended => Self::new(Exit::Failed, message),
            _ => Self::new(Exit::Usage, message),
        }
    }
}

impl From<RedbError> for Failure {
    fn from(error: RedbError) -> Self {
        match &error {
            RedbError::Locked(file) => Self::new(
                Exit::Unavailable,
                format!(
                    "`{}` is in use; stop the server that has it open, or talk to that server: --url",
                    file.display()
                ),
            ),
            RedbError::NotAStore(_) => Self::usage(error.to_string()),
            _ => {
                let source = error.source().map(ToString::to_string);
                let failure = Self::new(Exit::Unavailable, error.to_string());
                match source {
                    Some(source) => failure.because(source),
                    None => failure,
                }
            }
        }
    }
}

/// A secret that was asked about, or that was brought along, is not accepted.
impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Self::new(Exit::Refused, format!("the token is not accepted: {reason}"))
    }
}

/// Of writing to stdout.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Exit::Gone, "whoever reads the output has gone"),
            _ => Self::new(Exit::Failed, "the output could not be written").because(error),
        }
    }
}
