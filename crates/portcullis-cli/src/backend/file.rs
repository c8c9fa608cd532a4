//! Tokens in a file, which this process has to itself: as the host, whom no permission limits.

use std::path::Path;
use std::time::Duration;

use portcullis::{
    Actor, Authority, Filter, NewToken, Permission, RedbStore, Rotation, Secret, Standing, TokenId, Update, UserId,
};

use crate::backend::{Backend, Change, Decision, First, Holder, New, Subject};
use crate::commands::check::asked;
use crate::expiry::Expiry;
use crate::failure::{Exit, Failure, Result};
use crate::token::{Issued, Token};

/// How many tokens are read at once.
const PAGE: usize = 1_000;

pub struct File {
    authority: Authority,
    host: Actor,
}

impl File {
    pub fn open(path: &Path) -> Result<Self> {
        match path.try_exists() {
            Ok(false) => Err(Failure::new(
                // Not that a token is missing, which scripts may take for deleted.
                Exit::Unavailable,
                format!(
                    "`{0}` does not exist; make a token file with `portcullis --file {0} setup --owner ID`",
                    path.display()
                ),
            )),
            _ => Self::open_or_make(path),
        }
    }

    pub fn open_or_make(path: &Path) -> Result<Self> {
        let authority = Authority::open(RedbStore::open(path)?).wait()?;
        Ok(Self { authority, host: Actor::host("portcullis") })
    }

    pub fn setup(&self, owner: UserId) -> Result<First> {
        let Issued { token, secret } = self.issued(self.authority.setup(owner).wait()?);
        Ok(First { token: Ok(token), secret })
    }

    fn shown(&self, token: &portcullis::Token) -> Token {
        Token::new(token, self.authority.now())
    }

    fn issued(&self, issued: portcullis::Issued) -> Issued {
        Issued { token: self.shown(&issued.token), secret: issued.secret }
    }
}

impl Backend for File {
    fn create(&self, new: New) -> Result<Issued> {
        let mut token = NewToken::of_kind(new.kind).description(new.description);
        if let Some(owner) = new.owner {
            token = token.owner(owner);
        }
        if !new.active {
            token = token.inactive();
        }
        token = match new.expires {
            Expiry::Never => token,
            Expiry::At(time) => token.expires_at(time),
            Expiry::In(duration) => token.expires_in(duration),
        };
        if let Some(secret) = new.secret {
            token = token.secret(secret);
        }
        Ok(self.issued(self.authority.create(&self.host, token).wait()?))
    }

    fn page(&self, filter: &Filter, after: Option<TokenId>) -> Result<(Vec<Token>, Option<TokenId>)> {
        let page = self.authority.list(&self.host, filter, after, PAGE)?;
        Ok((page.tokens.iter().map(|token| self.shown(token)).collect(), page.next))
    }

    fn get(&self, subject: &Subject) -> Result<Token> {
        match subject {
            Subject::Own => Err(own()),
            Subject::Id(id) => Ok(self.shown(&self.authority.get(&self.host, *id)?)),
            Subject::Secret(secret) => {
                let principal = self.authority.authenticate(secret.expose()).map_err(|error| error.reason())?;
                Ok(self.shown(&principal.token()?))
            }
        }
    }

    fn update(&self, id: TokenId, change: Change, if_revision: Option<u64>) -> Result<Token> {
        let mut update = Update::new();
        match change {
            Change::Kind(kind) => update = update.kind(kind),
            Change::Rest { description, expires, active } => {
                if let Some(description) = description {
                    update = update.description(description);
                }
                update = match expires {
                    None => update,
                    Some(Expiry::Never) => update.never_expires(),
                    Some(Expiry::At(time)) => update.expires_at(time),
                    Some(Expiry::In(duration)) => update.expires_in(duration),
                };
                update = match active {
                    None => update,
                    Some(true) => update.activate(),
                    Some(false) => update.deactivate(),
                };
            }
        }
        if let Some(revision) = if_revision {
            update = update.if_revision(revision);
        }
        let updated = self.authority.update(&self.host, id, update).wait()?;
        Ok(self.shown(&updated.token))
    }

    fn rotate(&self, id: TokenId, overlap: Duration, secret: Option<Secret>) -> Result<Issued> {
        let mut rotation = Rotation::new().overlap(overlap);
        if let Some(secret) = secret {
            rotation = rotation.secret(secret);
        }
        Ok(self.issued(self.authority.rotate(&self.host, id, rotation).wait()?))
    }

    fn revoke(&self, id: TokenId, all: bool) -> Result<usize> {
        let receipt = if all {
            self.authority.revoke_all(&self.host, id).wait()?
        } else {
            self.authority.revoke(&self.host, id).wait()?
        };
        Ok(receipt.changed)
    }

    fn delete(&self, id: TokenId) -> Result<()> {
        self.authority.delete(&self.host, id).wait()?;
        Ok(())
    }

    fn set_standing(&self, holder: Holder, standing: Standing) -> Result<()> {
        match holder {
            Holder::Owner(owner) => self.authority.set_owner_standing(&self.host, owner, standing).wait()?,
            Holder::Organization(id) => self.authority.set_organization_standing(&self.host, id, standing).wait()?,
        };
        Ok(())
    }

    fn check(&self, subject: &Subject, requests: &[Permission]) -> Result<Vec<Decision>> {
        let id = match subject {
            Subject::Own => return Err(own()),
            Subject::Id(id) => *id,
            Subject::Secret(secret) => match self.authority.authenticate(secret.expose()) {
                Ok(principal) => principal.token()?.id(),
                Err(error) => {
                    let (name, message) = (error.reason().as_str(), error.reason().to_string());
                    let denied = |request: &Permission| Decision::not_accepted(*request, name, &message);
                    return Ok(requests.iter().map(denied).collect());
                }
            },
        };
        let decide = |request: &Permission| {
            let (action, resource) = asked(*request).map_err(|what| Failure::usage(format!("`{request}` {what}")))?;
            let denial = self.authority.explain(&self.host, id, action, &resource)?.denial();
            Ok(Decision {
                permission: *request,
                allowed: denial.is_none(),
                reason: denial.map(|denial| denial.reason().as_str().to_owned()),
                message: denial.map(|denial| denial.to_string()),
                missing: denial.and_then(|denial| denial.missing().next()),
            })
        };
        requests.iter().map(decide).collect()
    }
}

fn own() -> Failure {
    Failure::usage("on a file no token is in use; name one by its id, or say --secret-stdin or --secret-prompt")
}
