//! The calls, and the small world that they are about.

use std::time::Duration;

use portcullis::{
    Action, Actor, Authority, Error, Grant, Issued, NewKind, NewReadWrite, NewToken, OrgId, Pattern, Pending,
    Permission, Receipt, Resource, ResourceId, ResourceType, Rotation, Secret, Standing, Timestamp, TokenId, TokenKind,
    Update, Updated, UserId, Verb, verb,
};

use crate::naive::{Kind, parts};

const EXECUTE: Verb = verb!("execute");

pub const START: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
pub const HOUR: Duration = Duration::from_hours(1);

pub fn organization(number: usize) -> OrgId {
    OrgId::try_from(0xa1 + number as u64 % 2).unwrap()
}

pub fn user(number: usize) -> UserId {
    UserId::try_from(0xe1 + number as u64 % 3).unwrap()
}

/// The owner of nothing, whose standing changes so that there is something to commit.
pub fn nobody() -> UserId {
    UserId::try_from(0xff_u64).unwrap()
}

pub fn bucket(number: usize) -> ResourceId {
    ResourceId::try_from(0xb1 + number as u64 % 2).unwrap()
}

/// What is asked of every principal after every step.
pub fn resources() -> Vec<Resource> {
    let (first, second) = (organization(0), organization(1));
    vec![
        Resource::bucket(first, bucket(0)),
        Resource::bucket(first, bucket(1)),
        Resource::bucket(second, bucket(0)),
        Resource::buckets(first),
        Resource::authorizations(first),
        Resource::authorizations(second),
        Resource::global(ResourceType::BUCKETS).with_id(bucket(0)),
        Resource::global(ResourceType::USERS),
        Resource::INSTANCE,
    ]
}

/// A new token's kind, or the permissions that make none. `one` is some token's id.
pub fn kind(number: usize, one: TokenId) -> Kind {
    let (first, second) = (organization(0), organization(1));
    let of = |organization, named| Pattern::from(Resource::within(organization, named));
    let authorizations = of(first, ResourceType::AUTHORIZATIONS);
    let buckets = of(first, ResourceType::BUCKETS);
    match number % 18 {
        0 => Kind::Operator,
        1 | 2 => Kind::AllAccess(first),
        3 => Kind::AllAccess(second),
        4 | 5 => Kind::ReadWrite(first, vec![(bucket(0), Action::READ)]),
        6 => Kind::ReadWrite(first, vec![(bucket(0), Action::READ_WRITE), (bucket(1), Action::READ)]),
        7 => Kind::ReadWrite(second, vec![(bucket(0), Action::WRITE)]),
        8 => Kind::Custom(
            Some(first),
            vec![
                Permission::write(authorizations),
                Permission::read(authorizations),
                Permission::read(buckets),
                Permission::read(Resource::bucket(first, bucket(0))),
            ],
        ),
        9 => Kind::Custom(
            Some(first),
            vec![Permission::write(authorizations), Permission::write(buckets), Permission::new(EXECUTE, buckets)],
        ),
        10 => Kind::Custom(Some(first), vec![Permission::read(authorizations)]),
        11 => {
            Kind::Custom(Some(first), vec![Permission::read(Pattern::all_of(first)), Permission::write(authorizations)])
        }
        12 => Kind::Custom(None, Permission::read_write(Pattern::ANY).to_vec()),
        13 => {
            let everywhere = Pattern::from(ResourceType::AUTHORIZATIONS);
            Kind::Custom(None, Permission::read_write(everywhere).to_vec())
        }
        14 => Kind::Custom(None, vec![Permission::read(Resource::INSTANCE)]),
        15 => {
            let its = Pattern::from(Resource::authorizations(first).with_id(one));
            Kind::Custom(Some(first), vec![Permission::read(its), Permission::write(its), Permission::read(buckets)])
        }
        // Not of its organization.
        16 => Kind::Custom(Some(first), vec![Permission::read(Resource::buckets(second))]),
        _ => Kind::ReadWrite(first, Vec::new()),
    }
}

/// A secret that a caller chooses: some may be, some may never be.
pub fn chosen(number: usize) -> String {
    match number % 10 {
        6 => "too-short".into(),
        7 => "pcs_looks-like-one-of-ours-but-is-not-one".into(),
        8 => "$looks-like$a-stored-hash-of-another-secret".into(),
        9 => "has a space in it, which no secret may have".into(),
        number => format!("a-secret-that-somebody-chose-000{number}"),
    }
}

pub fn description(number: usize) -> String {
    match number % 8 {
        0 => "x".repeat(1_025),
        1 => "a\tb".into(),
        2 | 3 => String::new(),
        number => "described ".repeat(number),
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct New {
    pub kind: Kind,
    pub owner: Option<UserId>,
    pub description: String,
    pub expires: Option<Timestamp>,
    pub secret: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Never,
    At(Timestamp),
}

/// What is not said stays.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Change {
    pub description: Option<String>,
    pub active: Option<bool>,
    pub end: Option<End>,
    pub kind: Option<Kind>,
    pub revision: Option<u64>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    Setup(UserId),
    Create(New),
    Update(TokenId, Change),
    Rotate(TokenId, Duration, Option<String>),
    Revoke(TokenId),
    RevokeAll(TokenId),
    Delete(TokenId),
    SetOwner(UserId, Standing),
    SetOrganization(OrgId, Standing),
    Purge(Timestamp),
}

impl Call {
    /// Whether only its answer tells something that lasts: an id, a secret.
    pub fn chooses(&self) -> bool {
        matches!(self, Self::Setup(_) | Self::Create(_) | Self::Rotate(_, _, None))
    }
}

/// A call's answer.
#[derive(Debug)]
pub enum Reply {
    Issued(Issued),
    Updated(Updated),
    Receipt(Receipt),
}

/// A call under way.
pub enum Waiting {
    Issued(Pending<Issued>),
    Updated(Pending<Updated>),
    Receipt(Pending<Receipt>),
}

impl Waiting {
    pub fn wait(self) -> Result<Reply, Error> {
        match self {
            Self::Issued(pending) => pending.wait().map(Reply::Issued),
            Self::Updated(pending) => pending.wait().map(Reply::Updated),
            Self::Receipt(pending) => pending.wait().map(Reply::Receipt),
        }
    }
}

/// Makes the call of a real authority.
pub fn start(authority: &Authority, actor: &Actor, call: &Call) -> Waiting {
    match call {
        Call::Setup(owner) => Waiting::Issued(authority.setup(*owner)),
        Call::Create(new) => Waiting::Issued(create(authority, actor, new)),
        Call::Update(id, change) => Waiting::Updated(authority.update(actor, *id, update(change))),
        Call::Rotate(id, overlap, secret) => {
            let rotation = Rotation::new().overlap(*overlap);
            let rotation = match secret {
                Some(secret) => rotation.secret(Secret::new(secret.as_str())),
                None => rotation,
            };
            Waiting::Issued(authority.rotate(actor, *id, rotation))
        }
        Call::Revoke(id) => Waiting::Receipt(authority.revoke(actor, *id)),
        Call::RevokeAll(id) => Waiting::Receipt(authority.revoke_all(actor, *id)),
        Call::Delete(id) => Waiting::Receipt(authority.delete(actor, *id)),
        Call::SetOwner(owner, standing) => Waiting::Receipt(authority.set_owner_standing(actor, *owner, *standing)),
        Call::SetOrganization(id, standing) => {
            Waiting::Receipt(authority.set_organization_standing(actor, *id, *standing))
        }
        Call::Purge(by) => Waiting::Receipt(authority.purge(actor, *by)),
    }
}

fn create(authority: &Authority, actor: &Actor, new: &New) -> Pending<Issued> {
    match &new.kind {
        Kind::Operator => create_of(authority, actor, NewToken::operator(), new),
        Kind::AllAccess(organization) => create_of(authority, actor, NewToken::all_access(*organization), new),
        Kind::ReadWrite(organization, buckets) => {
            let each =
                buckets.iter().flat_map(|(bucket, action)| parts(*action).into_iter().map(|part| (*bucket, part)));
            let grant = |token: NewToken<NewReadWrite>, (bucket, part)| {
                if part == Grant::Read { token.read(bucket) } else { token.write(bucket) }
            };
            create_of(authority, actor, each.fold(NewToken::read_write(*organization), grant), new)
        }
        Kind::Custom(Some(organization), permissions) => {
            let token = NewToken::custom(*organization).permissions(permissions.iter().copied());
            create_of(authority, actor, token, new)
        }
        Kind::Custom(None, permissions) => {
            let kind = TokenKind::custom(None, permissions.iter().copied().collect()).unwrap();
            create_of(authority, actor, NewToken::of_kind(kind), new)
        }
    }
}

fn create_of<K: NewKind>(authority: &Authority, actor: &Actor, token: NewToken<K>, new: &New) -> Pending<Issued> {
    let mut token = token.description(new.description.as_str());
    if let Some(owner) = new.owner {
        token = token.owner(owner);
    }
    if let Some(end) = new.expires {
        token = token.expires_at(end);
    }
    if let Some(secret) = &new.secret {
        token = token.secret(Secret::new(secret.as_str()));
    }
    authority.create(actor, token)
}

fn update(change: &Change) -> Update {
    let mut update = Update::new();
    if let Some(description) = &change.description {
        update = update.description(description.as_str());
    }
    if let Some(active) = change.active {
        update = if active { update.activate() } else { update.deactivate() };
    }
    update = match change.end {
        Some(End::Never) => update.never_expires(),
        Some(End::At(end)) => update.expires_at(end),
        None => update,
    };
    if let Some(kind) = &change.kind {
        update = update.kind(built(kind));
    }
    if let Some(revision) = change.revision {
        update = update.if_revision(revision);
    }
    update
}

fn built(kind: &Kind) -> TokenKind {
    kind.build()
}
