//! What a store holds, at one revision.

use std::collections::{BTreeMap, BTreeSet};

use portcullis::store::Position;
use portcullis::{Liveness, OrgId, Pattern, Permission, Reason, Standing, Status, Timestamp, TokenId, UserId};

use crate::naive::{self, Kind};

#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    pub id: TokenId,
    pub kind: Kind,
    pub owner: UserId,
    pub description: String,
    pub status: Status,
    pub creator: Creator,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub expires: Option<Timestamp>,
    pub secret: String,
    /// The one before, and until when it is accepted too.
    pub overlap: Option<(String, Timestamp)>,
    /// Earlier ones that are remembered, the latest last.
    pub former: Vec<String>,
    /// The revision that wrote it.
    pub revision: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Creator {
    Host(String),
    /// The token that created it is the last; each before created the next.
    Tokens(Vec<TokenId>),
}

impl Creator {
    pub fn lineage(&self) -> &[TokenId] {
        match self {
            Self::Host(_) => &[],
            Self::Tokens(lineage) => lineage,
        }
    }
}

/// What is left of a deleted token.
#[derive(Debug, Clone, PartialEq)]
pub struct Grave {
    pub id: TokenId,
    pub secrets: Vec<String>,
    pub deleted: Timestamp,
    pub revision: u64,
}

#[derive(Debug, Clone)]
pub struct State {
    pub at: Position,
    pub set_up: bool,
    pub tokens: BTreeMap<TokenId, Token>,
    pub graves: Vec<Grave>,
    pub owners: BTreeMap<UserId, Standing>,
    pub organizations: BTreeMap<OrgId, Standing>,
    /// Graves of this revision and older ones were forgotten.
    pub horizon: u64,
}

impl State {
    pub fn new() -> Self {
        Self {
            at: Position::ORIGIN,
            set_up: false,
            tokens: BTreeMap::new(),
            graves: Vec::new(),
            owners: BTreeMap::new(),
            organizations: BTreeMap::new(),
            horizon: 0,
        }
    }

    pub fn owner(&self, owner: UserId) -> Standing {
        self.owners.get(&owner).copied().unwrap_or(Standing::Active)
    }

    pub fn organization(&self, organization: OrgId) -> Standing {
        self.organizations.get(&organization).copied().unwrap_or(Standing::Active)
    }

    pub fn liveness(&self, token: &Token) -> Liveness {
        let organization = token.kind.organization().map_or(Standing::Active, |id| self.organization(id));
        Liveness::ACTIVE
            .status(token.status)
            .expires_at(token.expires)
            .owner(self.owner(token.owner))
            .organization(organization)
    }

    /// Rule 2: whether a token is accepted. The token's own status is told first, its expiry last.
    pub fn accepts(&self, token: &Token, now: Timestamp) -> Result<(), Reason> {
        match token.status {
            Status::Inactive => return Err(Reason::Inactive),
            Status::Revoked => return Err(Reason::Revoked),
            Status::Active => {}
        }
        match self.owner(token.owner) {
            Standing::Suspended => return Err(Reason::OwnerSuspended),
            Standing::Deleted => return Err(Reason::OwnerDeleted),
            Standing::Active => {}
        }
        match self.liveness(token).organization {
            Standing::Suspended => return Err(Reason::OrganizationSuspended),
            Standing::Deleted => return Err(Reason::OrganizationDeleted),
            Standing::Active => {}
        }
        if token.expires.is_some_and(|end| now >= end) {
            return Err(Reason::Expired);
        }
        Ok(())
    }

    /// Whether a secret of a token is in use: it is the current one, or the one before and not over yet (rule 15).
    pub fn in_use(token: &Token, secret: &str, now: Timestamp) -> bool {
        token.secret == secret || token.overlap.as_ref().is_some_and(|(before, end)| before == secret && now < *end)
    }

    /// Whose secret it is, if it is accepted.
    pub fn authenticate(&self, secret: &str, now: Timestamp) -> Result<TokenId, Reason> {
        let token = self.tokens.values().find(|token| Self::in_use(token, secret, now)).ok_or(Reason::Unknown)?;
        self.accepts(token, now).map(|()| token.id)
    }

    /// Rule 14: whether any token has this secret, or is remembered to have had it.
    pub fn knows(&self, secret: &str) -> bool {
        let of_token = |token: &Token| {
            token.secret == secret
                || token.overlap.as_ref().is_some_and(|(before, _)| before == secret)
                || token.former.iter().any(|former| former == secret)
        };
        self.tokens.values().any(of_token)
            || self.graves.iter().any(|grave| grave.secrets.iter().any(|former| former == secret))
    }
}

impl Kind {
    pub fn organization(&self) -> Option<OrgId> {
        match self {
            Self::Operator => None,
            Self::AllAccess(organization) | Self::ReadWrite(organization, _) => Some(*organization),
            Self::Custom(organization, _) => *organization,
        }
    }

    /// All that it may do, as a list.
    pub fn permissions(&self) -> Vec<Permission> {
        match self {
            Self::Operator => vec![Permission::any(Pattern::ANY)],
            Self::AllAccess(organization) => vec![Permission::any(Pattern::all_of(*organization))],
            Self::ReadWrite(organization, buckets) => {
                let of_bucket = |(bucket, action): &(portcullis::ResourceId, portcullis::Action)| {
                    let bucket = portcullis::Resource::bucket(*organization, *bucket);
                    naive::parts(*action).into_iter().map(move |part| Permission::new(part, bucket))
                };
                buckets.iter().flat_map(of_bucket).collect()
            }
            Self::Custom(None, permissions) => permissions.clone(),
            // Rule 7.
            Self::Custom(organization, permissions) => {
                let read = |each: &Permission| {
                    let pattern = each.pattern();
                    let pattern = Pattern::new(*organization, pattern.resource_type(), pattern.id()).unwrap();
                    Permission::new(each.grant(), pattern)
                };
                permissions.iter().map(read).collect()
            }
        }
    }

    /// What the other has and this has not: the widest of it.
    pub fn lacks(&self, other: &Self) -> BTreeSet<String> {
        let own = self.permissions();
        let wanted = naive::minimal(&other.permissions());
        wanted.iter().filter(|each| !naive::covers(&own, &[**each])).map(ToString::to_string).collect()
    }

    /// Two that say the same are the same kind.
    pub fn is(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
            && self.organization() == other.organization()
            && texts(&self.permissions()) == texts(&other.permissions())
    }
}

/// The widest of them, as text.
pub fn texts(permissions: &[Permission]) -> BTreeSet<String> {
    naive::minimal(permissions).iter().map(ToString::to_string).collect()
}
