//! The management calls: what each is allowed to do, and what it changes.
//!
//! Each is planned on a [`Draft`], possibly several times, and says what to answer once it is committed.

use std::sync::Arc;

use crate::authority::actor::Actor;
use crate::authority::draft::{Acting, Draft, Stop};
use crate::authority::error::Error;
use crate::authority::event::EventKind;
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

/// What to answer after the commit, given its receipt, which does not say yet how much the call changed.
pub(crate) type Finish<T> = Box<dyn FnOnce(&Index, Receipt) -> Result<Next<T>, Error> + Send>;

/// Whether a call is done.
pub(crate) enum Next<T> {
    Done(T),
    /// It has more to do than fits into one commit, and is planned again, knowing how much was changed so far.
    Again(usize),
}

type Plan<T> = Result<Finish<T>, Stop>;

/// How many earlier digests of a token are remembered.
const REMEMBERED: usize = 8;

fn done<T>(changed: usize, answer: impl FnOnce(&Index, Receipt) -> Result<T, Error> + Send + 'static) -> Finish<T> {
    Box::new(move |index, receipt| answer(index, Receipt { changed, ..receipt }).map(Next::Done))
}

fn read_back(index: &Index, id: TokenId) -> Result<Token, Error> {
    index.token(id)?.ok_or(Error::NotFound(id))
}

fn issued(id: TokenId, secret: Secret) -> Finish<Issued> {
    done(1, move |index, receipt| Ok(Issued { token: read_back(index, id)?, secret, receipt }))
}

fn receipt(changed: usize) -> Finish<Receipt> {
    done(changed, |_, receipt| Ok(receipt))
}

fn done_or_again(changed: usize, more: bool) -> Finish<Receipt> {
    Box::new(move |_, receipt| Ok(if more { Next::Again(changed) } else { Next::Done(Receipt { changed, ..receipt }) }))
}

/// The first Operator token, once (design rule 9).
pub(crate) fn setup(draft: &mut Draft<'_>, owner: UserId) -> Plan<Issued> {
    if draft.set_up()?.is_some() {
        return Err(Error::AlreadySetUp.into());
    }
    let (kind, details) = NewToken::operator().owner(owner).build();
    create(draft, &Actor::host("setup"), &kind, &details)
}

/// A new token, no more powerful than its creator (design rule 10).
pub(crate) fn create(
    draft: &mut Draft<'_>,
    actor: &Actor,
    kind: &Result<TokenKind, KindError>,
    new: &Details,
) -> Plan<Issued> {
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
    Ok(issued(id, secret))
}

/// Another description, status, end or kind (design rule 13).
pub(crate) fn update(draft: &mut Draft<'_>, actor: &Actor, id: TokenId, update: &Update) -> Plan<Updated> {
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
        // As it is now: a later call may delete it in the same commit.
        draft.standings_unchanged(&before)?;
        let token = read_back(draft.index(), id)?;
        return Ok(done(0, move |_, receipt| Ok(Updated { token, receipt })));
    }
    if is_first_operator(draft, &after.kind)? {
        draft.put(Body::Mark(Mark::SetUp(draft.now)), None);
    }
    after.updated_at = draft.now;
    draft.put(Body::Token(Box::new(after)), Some(EventKind::Updated));
    Ok(done(1, move |index, receipt| Ok(Updated { token: read_back(index, id)?, receipt })))
}

/// A new secret (design rule 15).
pub(crate) fn rotate(draft: &mut Draft<'_>, actor: &Actor, id: TokenId, rotation: &Rotation) -> Plan<Issued> {
    let (acting, _, mut token) = target(draft, actor, id)?;
    acting.writes(&token.kind, Some(id))?;
    acting.covers(&token.kind)?;
    acting.outlasts(token.expires_at)?;
    // What it creates has itself and all before it in its lineage.
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
    Ok(issued(id, secret))
}

/// Refused for good (design rules 11 and 17).
pub(crate) fn revoke(draft: &mut Draft<'_>, actor: &Actor, id: TokenId) -> Plan<Receipt> {
    let (acting, _, token) = target(draft, actor, id)?;
    if !acting.is(id) {
        dominates(&acting, &token)?;
    }
    let changed = usize::from(put_revoked(draft, token));
    Ok(receipt(changed))
}

/// The same for everything created under it, too: first the token itself, then the others, as many at a time as fit
/// into a commit. `so_far` counts them.
pub(crate) fn revoke_all(draft: &mut Draft<'_>, actor: &Actor, id: TokenId, so_far: usize) -> Plan<Receipt> {
    draft.alone()?;
    if so_far > 0 {
        // Decided when the first of them were revoked; the actor itself may be among them.
        return Ok(revoke_under(draft, id, so_far));
    }
    let token = match target(draft, actor, id) {
        Ok((acting, _, token)) => {
            dominates(&acting, &token)?;
            if !acting.is_operator() {
                let index = draft.index();
                let mut under = index.created_under(id).into_iter().filter_map(|id| index.record(id));
                under.try_for_each(|(_, token)| match dominates(&acting, &token) {
                    // What it lacks would tell of one that it may not see.
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

fn revoke_under(draft: &mut Draft<'_>, root: TokenId, so_far: usize) -> Finish<Receipt> {
    let index = draft.index();
    let mut under = index.created_under(root).into_iter().filter_map(|id| index.record(id)).peekable();
    let mut changed = so_far;
    while let Some((_, token)) = under.next_if(|(_, token)| draft.has_room(token)) {
        changed += usize::from(put_revoked(draft, token));
    }
    done_or_again(changed, under.peek().is_some())
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

/// Gone but for a tombstone (design rules 11 and 17).
pub(crate) fn delete(draft: &mut Draft<'_>, actor: &Actor, id: TokenId) -> Plan<Receipt> {
    let (acting, _, token) = target(draft, actor, id)?;
    dominates(&acting, &token)?;
    put_deleted(draft, token);
    Ok(receipt(1))
}

fn put_deleted(draft: &mut Draft<'_>, token: TokenRecord) {
    let TokenRecord { id, credential, overlap, mut former, .. } = token;
    former.extend(overlap.map(|(credential, _)| credential.digest));
    former.push(credential.digest);
    draft.put(Body::Tombstone(Tombstone { id, deleted_at: draft.now, digests: former }), Some(EventKind::Deleted));
}

/// Where an owner stands (design rule 16).
pub(crate) fn set_owner(draft: &mut Draft<'_>, actor: &Actor, owner: UserId, standing: Standing) -> Plan<Receipt> {
    if !draft.acting(actor)?.is_operator() {
        return Err(Error::OperatorsOnly("changing an owner's standing").into());
    }
    let before = draft.owner_standing(owner)?;
    if before == standing {
        return Ok(receipt(0));
    }
    if before == Standing::Deleted {
        return Err(Error::OwnerDeleted(owner).into());
    }
    let stand = Stand { standing, since: draft.now };
    draft.put(Body::Owner(owner, stand), Some(EventKind::Owner(owner, standing)));
    Ok(receipt(1))
}

/// Where an organization stands (design rule 16).
pub(crate) fn set_organization(
    draft: &mut Draft<'_>,
    actor: &Actor,
    organization: OrgId,
    standing: Standing,
) -> Plan<Receipt> {
    if !draft.acting(actor)?.is_operator() {
        return Err(Error::OperatorsOnly("changing an organization's standing").into());
    }
    let before = draft.organization_standing(organization)?;
    if before == standing {
        return Ok(receipt(0));
    }
    if before == Standing::Deleted {
        return Err(Error::OrganizationDeleted(organization).into());
    }
    let stand = Stand { standing, since: draft.now };
    draft.put(Body::Organization(organization, stand), Some(EventKind::Organization(organization, standing)));
    Ok(receipt(1))
}

/// Forgets the tombstones of deletions by a time, and deletes the tokens that expired by then, as many at a time as fit
/// into a commit. `so_far` counts both.
pub(crate) fn purge(draft: &mut Draft<'_>, actor: &Actor, by: Timestamp, so_far: usize) -> Plan<Receipt> {
    if !draft.acting(actor)?.is_operator() {
        return Err(Error::OperatorsOnly("purging").into());
    }
    draft.alone()?;
    let index = draft.index();
    let expired = index.expired_by(by.min(draft.now)).into_iter();
    let mut expired = expired.filter_map(|id| index.record(id)).peekable();
    let mut changed = so_far;
    if so_far == 0 {
        // Only now: what this call itself deletes is remembered, however many commits it takes.
        let (horizon, count) = index.forgettable(by);
        if count > 0 {
            draft.put(Body::Mark(Mark::Horizon(horizon)), Some(EventKind::Forgotten(count)));
            changed += count;
        }
    }
    while let Some((_, token)) = expired.next_if(|(_, token)| draft.has_room(token)) {
        put_deleted(draft, token);
        changed += 1;
    }
    Ok(done_or_again(changed, expired.peek().is_some()))
}

/// The actor and the token that it asks about, if it may see it, or else end it (design rules 11 and 12): otherwise there is
/// none, or why it may not would tell what is there.
fn target(draft: &Draft<'_>, actor: &Actor, id: TokenId) -> Result<(Acting, u64, TokenRecord), Stop> {
    let acting = draft.acting(actor)?;
    let (revision, token) = draft.find(id)?.ok_or(Error::NotFound(id))?;
    let hidden = !acting.sees(id, token.kind.organization()) && dominates(&acting, &token).is_err();
    if hidden { Err(Error::NotFound(id).into()) } else { Ok((acting, revision, token)) }
}

/// Whether this is the first Operator token that the store ever holds: then it closes setup (design rule 9).
fn is_first_operator(draft: &Draft<'_>, kind: &TokenKind) -> Result<bool, Stop> {
    Ok(kind.name() == KindName::Operator && draft.set_up()?.is_none())
}

/// That the actor may deactivate, revoke or delete the token (design rule 11). Expiry does not matter.
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
