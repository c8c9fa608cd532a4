//! The management calls: who may make each, and what it changes.
//!
//! Each is planned on a [`Draft`], possibly several times. Its outcome tells what to answer after the commit.

use std::sync::Arc;

use crate::authority::acting::Acting;
use crate::authority::actor::Actor;
use crate::authority::call::{Next, Operation, Outcome};
use crate::authority::draft::{Draft, Stop};
use crate::authority::error::Error;
use crate::authority::event::{CallName, EventKind};
use crate::authority::new_token::{Details, NewToken};
use crate::authority::request::{Issued, Receipt, Rotation, Update, Updated};
use crate::index::Index;
use crate::model::expiry::Expiry;
use crate::model::id::{OrgId, TokenId, UserId};
use crate::model::kind::{KindError, KindName, TokenKind};
use crate::model::status::{Standing, Status};
use crate::model::time::Timestamp;
use crate::model::token::Token;
use crate::secret::Secret;
use crate::store::record::{Body, Mark, Stand, TokenRecord, Tombstone};

/// How many earlier digests of a token are remembered.
const REMEMBERED: usize = 8;

/// A token with a new secret.
pub(crate) struct NewSecret {
    id: TokenId,
    secret: Secret,
}

impl Outcome<Issued> for NewSecret {
    fn answer(self, index: &Index, receipt: Receipt) -> Result<Next<Issued>, Error> {
        let Self { id, secret } = self;
        Ok(Next::Done(Issued { token: read_back(index, id)?, secret, receipt: Receipt { changed: 1, ..receipt } }))
    }
}

/// A token after an update.
pub(crate) enum After {
    Changed(TokenId),
    /// Nothing was to be changed.
    Same(Box<Token>),
}

impl Outcome<Updated> for After {
    fn answer(self, index: &Index, receipt: Receipt) -> Result<Next<Updated>, Error> {
        let (token, changed) = match self {
            Self::Changed(id) => (read_back(index, id)?, 1),
            Self::Same(token) => (*token, 0),
        };
        Ok(Next::Done(Updated { token, receipt: Receipt { changed, ..receipt } }))
    }
}

/// How many records were changed.
pub(crate) struct Changed(usize);

impl Outcome<Receipt> for Changed {
    fn answer(self, _: &Index, receipt: Receipt) -> Result<Next<Receipt>, Error> {
        Ok(Next::Done(Receipt { changed: self.0, ..receipt }))
    }
}

/// How many records were changed so far, and whether more are to be changed, in another commit.
pub(crate) struct Progress {
    changed: usize,
    more: bool,
}

impl Outcome<Receipt> for Progress {
    fn answer(self, _: &Index, receipt: Receipt) -> Result<Next<Receipt>, Error> {
        let Self { changed, more } = self;
        Ok(if more { Next::Again(changed) } else { Next::Done(Receipt { changed, ..receipt }) })
    }
}

fn read_back(index: &Index, id: TokenId) -> Result<Token, Error> {
    index.token(id)?.ok_or(Error::NotFound(id))
}

/// Creates the first Operator token, once (design rule 9).
pub(crate) struct Setup(Create);

impl Setup {
    pub(crate) fn new(owner: UserId) -> Self {
        let (kind, details) = NewToken::operator().owner(owner).build();
        Self(Create { actor: Actor::host("setup"), kind, details })
    }
}

impl Operation for Setup {
    const NAME: CallName = CallName::Setup;
    type Answer = Issued;
    type Outcome = NewSecret;

    fn actor(&self) -> &Actor {
        &self.0.actor
    }

    fn plan(&self, draft: &mut Draft<'_>) -> Result<NewSecret, Stop> {
        if draft.set_up()?.is_some() {
            return Err(Error::AlreadySetUp.into());
        }
        self.0.plan(draft)
    }
}

/// Creates a token, no more powerful than its creator (design rule 10).
pub(crate) struct Create {
    pub(crate) actor: Actor,
    /// Checked when it is planned, so that a bad one is told as any refusal.
    pub(crate) kind: Result<TokenKind, KindError>,
    pub(crate) details: Details,
}

impl Operation for Create {
    const NAME: CallName = CallName::Create;
    type Answer = Issued;
    type Outcome = NewSecret;

    fn actor(&self) -> &Actor {
        &self.actor
    }

    fn plan(&self, draft: &mut Draft<'_>) -> Result<NewSecret, Stop> {
        let Self { actor, kind, details: new } = self;
        let acting = draft.acting(actor)?;
        let kind = kind.clone()?;
        check_description(&new.description)?;
        let expires_at = new.lifetime.ends(draft.now);
        check_future(expires_at, draft.now)?;

        acting.writes(&kind, None)?;
        acting.covers(&kind)?;
        acting.outlasts(expires_at)?;
        let owner = match (&acting, new.owner) {
            (Acting::Host(_), None) => return Err(Error::NoOwner.into()),
            (Acting::Token(token), None) => token.owner,
            (Acting::Token(token), Some(owner)) if owner != token.owner && !acting.is_operator() => {
                return Err(Error::OperatorsOnly("managing a token of another owner").into());
            }
            (_, Some(owner)) => owner,
        };
        if draft.owner_standing(owner)? == Standing::Deleted {
            return Err(Error::OwnerDeleted(owner).into());
        }
        if let Some(organization) = kind.organization() {
            if draft.organization_standing(organization)? == Standing::Deleted {
                return Err(Error::OrganizationDeleted(organization).into());
            }
        }
        let creator = acting.creator();
        if creator.lineage().len() > NewToken::MAX_LINEAGE {
            return Err(Error::LongLineage.into());
        }
        let first_operator = is_first_operator(draft, &kind)?;
        let (secret, credential) = draft.secret(new.secret.as_ref())?;

        let now = draft.now;
        let id = TokenId::generate_at(now)?;
        if first_operator {
            draft.put(Body::Mark(Mark::SetUp(now)), None);
        }
        let record = TokenRecord {
            id,
            kind,
            owner,
            description: Arc::clone(&new.description),
            status: new.status,
            creator,
            created_at: now,
            updated_at: now,
            expires_at,
            credential,
            overlap: None,
            former: Vec::new(),
        };
        draft.put(Body::Token(Box::new(record)), Some(EventKind::Created));
        Ok(NewSecret { id, secret })
    }
}

/// Changes a token's description, status, expiry or kind (design rule 13).
pub(crate) struct UpdateToken {
    pub(crate) actor: Actor,
    pub(crate) id: TokenId,
    pub(crate) update: Update,
}

impl Operation for UpdateToken {
    const NAME: CallName = CallName::Update;
    type Answer = Updated;
    type Outcome = After;

    fn actor(&self) -> &Actor {
        &self.actor
    }

    fn plan(&self, draft: &mut Draft<'_>) -> Result<After, Stop> {
        let (actor, id, update) = (&self.actor, self.id, &self.update);
        let (acting, revision, before) = target(draft, actor, id)?;
        if let Some(expected) = update.revision.filter(|expected| *expected != revision) {
            return Err(Error::RevisionMismatch { token: id, expected, found: revision }.into());
        }
        acting.writes(&before.kind, Some(id))?;
        acting.covers(&before.kind)?;
        check_not_revoked(&before)?;

        let mut after = before.clone();
        if let Some(description) = &update.description {
            check_description(description)?;
            after.description = Arc::clone(description);
        }
        if let Some(active) = update.active {
            after.status = if active { Status::Active } else { Status::Inactive };
        }
        if let Some(lifetime) = update.lifetime {
            after.expires_at = lifetime.ends(draft.now);
            if after.expires_at != before.expires_at {
                check_future(after.expires_at, draft.now)?;
            }
        }
        if let Some(kind) = &update.kind {
            check_same_place(kind, &before.kind)?;
            acting.covers(kind)?;
            after.kind = kind.clone();
        }
        let reactivated = after.status == Status::Active && before.status != Status::Active;
        let extended = after.expires_at > before.expires_at;
        if reactivated || extended || after.kind != before.kind {
            acting.outlasts(after.expires_at)?;
        }

        if after == before {
            // It is read now: a later call may delete the token in the same commit.
            draft.standings_unchanged(&before)?;
            return Ok(After::Same(Box::new(read_back(draft.index(), id)?)));
        }
        if is_first_operator(draft, &after.kind)? {
            draft.put(Body::Mark(Mark::SetUp(draft.now)), None);
        }
        after.updated_at = draft.now;
        draft.put(Body::Token(Box::new(after)), Some(EventKind::Updated));
        Ok(After::Changed(id))
    }
}

/// Gives a token a new secret (design rule 15).
pub(crate) struct Rotate {
    pub(crate) actor: Actor,
    pub(crate) id: TokenId,
    pub(crate) rotation: Rotation,
}

impl Operation for Rotate {
    const NAME: CallName = CallName::Rotate;
    type Answer = Issued;
    type Outcome = NewSecret;

    fn actor(&self) -> &Actor {
        &self.actor
    }

    fn plan(&self, draft: &mut Draft<'_>) -> Result<NewSecret, Stop> {
        let (actor, id, rotation) = (&self.actor, self.id, &self.rotation);
        let (acting, _, mut token) = target(draft, actor, id)?;
        acting.writes(&token.kind, Some(id))?;
        acting.covers(&token.kind)?;
        acting.outlasts(token.expires_at)?;
        // The lineage of what the actor creates is the actor itself and all tokens above it.
        if acting.creator().lineage().contains(&id) {
            return Err(Error::RotatesItself.into());
        }
        check_not_revoked(&token)?;
        let (secret, credential) = draft.secret(rotation.secret.as_ref())?;

        let former = std::mem::replace(&mut token.credential, credential);
        let ended = token.overlap.take().map(|(credential, _)| credential);
        token.former.extend(ended.map(|credential| credential.digest));
        if rotation.overlap.is_zero() {
            token.former.push(former.digest);
        } else {
            let end = draft.now.saturating_add(rotation.overlap);
            token.overlap = Some((former, token.expires_at.at_latest(end)));
        }
        let forgotten = token.former.len().saturating_sub(REMEMBERED);
        token.former.drain(..forgotten);
        token.updated_at = draft.now;
        draft.put(Body::Token(Box::new(token)), Some(EventKind::Rotated));
        Ok(NewSecret { id, secret })
    }
}

/// Revokes a token, for good (design rules 11 and 17).
pub(crate) struct Revoke {
    pub(crate) actor: Actor,
    pub(crate) id: TokenId,
}

impl Operation for Revoke {
    const NAME: CallName = CallName::Revoke;
    type Answer = Receipt;
    type Outcome = Changed;

    fn actor(&self) -> &Actor {
        &self.actor
    }

    fn plan(&self, draft: &mut Draft<'_>) -> Result<Changed, Stop> {
        let (actor, id) = (&self.actor, self.id);
        let (acting, _, token) = target(draft, actor, id)?;
        if !acting.is(id) {
            dominates(&acting, &token)?;
        }
        Ok(Changed(usize::from(put_revoked(draft, token))))
    }
}

/// Revokes a token and everything created under it: first the token itself, then the others, as many at a time as fit
/// into a commit (design rules 11 and 17).
pub(crate) struct RevokeAll {
    pub(crate) actor: Actor,
    pub(crate) id: TokenId,
}

impl Operation for RevokeAll {
    const NAME: CallName = CallName::RevokeAll;
    type Answer = Receipt;
    type Outcome = Progress;

    fn actor(&self) -> &Actor {
        &self.actor
    }

    fn plan(&self, draft: &mut Draft<'_>) -> Result<Progress, Stop> {
        let (actor, id) = (&self.actor, self.id);
        draft.alone()?;
        let token = match target(draft, actor, id) {
            Ok((acting, _, token)) => {
                dominates(&acting, &token)?;
                if !acting.is_operator() {
                    let index = draft.index();
                    let mut under = index.created_under(id).into_iter().filter_map(|id| index.record(id));
                    under.try_for_each(|(_, token)| match dominates(&acting, &token) {
                        // An error that names what the actor lacks would tell of a token that it may not see.
                        refused @ Err(_) if !acting.sees(token.id, token.kind.organization()) => {
                            acting.reads_all(&token.kind).and(refused)
                        }
                        answer => answer,
                    })?;
                }
                Some(token)
            }
            // What was created under a deleted token can still be revoked.
            Err(_) if draft.acting(actor)?.is_operator() && draft.index().remembers(id) => None,
            Err(stop) => return Err(stop),
        };
        let changed = token.is_some_and(|token| put_revoked(draft, token));
        Ok(revoke_under(draft, id, usize::from(changed)))
    }

    fn resume(&self, draft: &mut Draft<'_>, so_far: usize) -> Result<Progress, Stop> {
        draft.alone()?;
        // The rights were checked when the first of them were revoked. By now the actor itself may be among them.
        Ok(revoke_under(draft, self.id, so_far))
    }
}

fn revoke_under(draft: &mut Draft<'_>, root: TokenId, so_far: usize) -> Progress {
    let index = draft.index();
    let mut under = index.created_under(root).into_iter().filter_map(|id| index.record(id)).peekable();
    let mut changed = so_far;
    while let Some((_, token)) = under.next_if(|(_, token)| draft.has_room(token)) {
        changed += usize::from(put_revoked(draft, token));
    }
    Progress { changed, more: under.peek().is_some() }
}

/// Revokes a token, unless it already is.
fn put_revoked(draft: &mut Draft<'_>, mut token: TokenRecord) -> bool {
    if token.status == Status::Revoked {
        return false;
    }
    token.status = Status::Revoked;
    token.updated_at = draft.now;
    draft.put(Body::Token(Box::new(token)), Some(EventKind::Revoked));
    true
}

/// Deletes a token, but for a tombstone (design rules 11 and 17).
pub(crate) struct Delete {
    pub(crate) actor: Actor,
    pub(crate) id: TokenId,
}

impl Operation for Delete {
    const NAME: CallName = CallName::Delete;
    type Answer = Receipt;
    type Outcome = Changed;

    fn actor(&self) -> &Actor {
        &self.actor
    }

    fn plan(&self, draft: &mut Draft<'_>) -> Result<Changed, Stop> {
        let (actor, id) = (&self.actor, self.id);
        let (acting, _, token) = target(draft, actor, id)?;
        dominates(&acting, &token)?;
        put_deleted(draft, token);
        Ok(Changed(1))
    }
}

fn put_deleted(draft: &mut Draft<'_>, token: TokenRecord) {
    let TokenRecord { id, credential, overlap, mut former, .. } = token;
    former.extend(overlap.map(|(credential, _)| credential.digest));
    former.push(credential.digest);
    draft.put(Body::Tombstone(Tombstone { id, deleted_at: draft.now, digests: former }), Some(EventKind::Deleted));
}

/// Suspends, restores or deletes an owner (design rule 16).
pub(crate) struct SetOwner {
    pub(crate) actor: Actor,
    pub(crate) owner: UserId,
    pub(crate) standing: Standing,
}

impl Operation for SetOwner {
    const NAME: CallName = CallName::SetOwner;
    type Answer = Receipt;
    type Outcome = Changed;

    fn actor(&self) -> &Actor {
        &self.actor
    }

    fn plan(&self, draft: &mut Draft<'_>) -> Result<Changed, Stop> {
        let (actor, owner, standing) = (&self.actor, self.owner, self.standing);
        if !draft.acting(actor)?.is_operator() {
            return Err(Error::OperatorsOnly("changing an owner's standing").into());
        }
        let before = draft.owner_standing(owner)?;
        if before == standing {
            return Ok(Changed(0));
        }
        if before == Standing::Deleted {
            return Err(Error::OwnerDeleted(owner).into());
        }
        let stand = Stand { standing, since: draft.now };
        draft.put(Body::Owner(owner, stand), Some(EventKind::Owner(owner, standing)));
        Ok(Changed(1))
    }
}

/// Suspends, restores or deletes an organization (design rule 16).
pub(crate) struct SetOrganization {
    pub(crate) actor: Actor,
    pub(crate) organization: OrgId,
    pub(crate) standing: Standing,
}

impl Operation for SetOrganization {
    const NAME: CallName = CallName::SetOrganization;
    type Answer = Receipt;
    type Outcome = Changed;

    fn actor(&self) -> &Actor {
        &self.actor
    }

    fn plan(&self, draft: &mut Draft<'_>) -> Result<Changed, Stop> {
        let (actor, organization, standing) = (&self.actor, self.organization, self.standing);
        if !draft.acting(actor)?.is_operator() {
            return Err(Error::OperatorsOnly("changing an organization's standing").into());
        }
        let before = draft.organization_standing(organization)?;
        if before == standing {
            return Ok(Changed(0));
        }
        if before == Standing::Deleted {
            return Err(Error::OrganizationDeleted(organization).into());
        }
        let stand = Stand { standing, since: draft.now };
        draft.put(Body::Organization(organization, stand), Some(EventKind::Organization(organization, standing)));
        Ok(Changed(1))
    }
}

/// Forgets the tombstones of deletions by a time, and deletes the tokens that expired by then, as many at a time as fit
/// into a commit.
pub(crate) struct Purge {
    pub(crate) actor: Actor,
    pub(crate) by: Timestamp,
}

impl Operation for Purge {
    const NAME: CallName = CallName::Purge;
    type Answer = Receipt;
    type Outcome = Progress;

    fn actor(&self) -> &Actor {
        &self.actor
    }

    fn plan(&self, draft: &mut Draft<'_>) -> Result<Progress, Stop> {
        self.check(draft)?;
        // Only in the first commit. The traces of what this call itself deletes stay, however many commits it takes.
        let (horizon, forgotten) = draft.index().forgettable(self.by);
        if forgotten > 0 {
            draft.put(Body::Mark(Mark::Horizon(horizon)), Some(EventKind::Forgotten(forgotten)));
        }
        Ok(self.delete_expired(draft, forgotten))
    }

    fn resume(&self, draft: &mut Draft<'_>, so_far: usize) -> Result<Progress, Stop> {
        self.check(draft)?;
        Ok(self.delete_expired(draft, so_far))
    }
}

impl Purge {
    fn check(&self, draft: &Draft<'_>) -> Result<(), Stop> {
        if !draft.acting(&self.actor)?.is_operator() {
            return Err(Error::OperatorsOnly("purging").into());
        }
        draft.alone()
    }

    fn delete_expired(&self, draft: &mut Draft<'_>, so_far: usize) -> Progress {
        let index = draft.index();
        let expired = index.expired_by(self.by.min(draft.now)).into_iter();
        let mut expired = expired.filter_map(|id| index.record(id)).peekable();
        let mut changed = so_far;
        while let Some((_, token)) = expired.next_if(|(_, token)| draft.has_room(token)) {
            put_deleted(draft, token);
            changed += 1;
        }
        Progress { changed, more: expired.peek().is_some() }
    }
}

/// Returns the actor, and the token that it asks about with its revision, if the actor may see or end that token (design
/// rules 11 and 12). For any other actor there is no such token: another error would tell that there is.
fn target(draft: &Draft<'_>, actor: &Actor, id: TokenId) -> Result<(Acting, u64, TokenRecord), Stop> {
    let acting = draft.acting(actor)?;
    let (revision, token) = draft.find(id)?.ok_or(Error::NotFound(id))?;
    let hidden = !acting.sees(id, token.kind.organization()) && dominates(&acting, &token).is_err();
    if hidden { Err(Error::NotFound(id).into()) } else { Ok((acting, revision, token)) }
}

/// Reports whether this would be the first Operator token that the store ever holds. It closes setup (design rule 9).
fn is_first_operator(draft: &Draft<'_>, kind: &TokenKind) -> Result<bool, Stop> {
    Ok(kind.name() == KindName::Operator && draft.set_up()?.is_none())
}

/// Checks that the actor may deactivate, revoke or delete the token (design rule 11). Expiry does not matter.
fn dominates(acting: &Acting, token: &TokenRecord) -> Result<(), Error> {
    acting.writes(&token.kind, Some(token.id))?;
    acting.covers(&token.kind)
}

fn check_not_revoked(token: &TokenRecord) -> Result<(), Error> {
    if token.status == Status::Revoked { Err(Error::Revoked(token.id)) } else { Ok(()) }
}

fn check_same_place(new: &TokenKind, old: &TokenKind) -> Result<(), Error> {
    if new.organization() == old.organization() { Ok(()) } else { Err(Error::Moves) }
}

fn check_description(description: &str) -> Result<(), Error> {
    if description.len() > NewToken::MAX_DESCRIPTION {
        return Err(Error::LongDescription(description.len()));
    }
    match description.char_indices().find(|(_, character)| character.is_control()) {
        Some((at, _)) => Err(Error::ControlCharacter(at)),
        None => Ok(()),
    }
}

fn check_future(end: Expiry, now: Timestamp) -> Result<(), Error> {
    match end {
        Expiry::At(time) if end.has_passed(|| now) => Err(Error::Past(time)),
        _ => Ok(()),
    }
}
