//! Compares everything that can be seen of the authorities with what the model says.

use portcullis::{
    Action, Actor, AuthorizeError, Denial, Error, Filter, Permit, Reason, Resource, Standing, Status, TokenId,
};

use super::calls::{organization, resources, user};
use super::compare::{Seen, denying, differs, ensure, same};
use super::node::seconds;
use super::rules::{self, Objection};
use super::run::{Run, Who};
use super::state;
use crate::naive::Answer;

const ACTIONS: [Action; 3] = [Action::READ, Action::WRITE, Action::READ_WRITE];

impl Run {
    pub fn compare_list(&self, seat: usize, who: Who, filter: &Filter, mut after: Option<TokenId>, limit: usize) {
        let (node, now) = (&self.seats[seat].node, self.now());
        let acting = node.check(&self.clock).map_err(denying).and_then(|()| self.acting(seat, who));
        let expected = acting.map(|acting| {
            let tokens = rules::list(&node.view, &acting, filter, after);
            tokens.into_iter().map(|token| Seen::by_the_rules(&node.view, token, now)).collect::<Vec<_>>()
        });
        let mut found = Ok(Vec::new());
        let actor = self.actor(seat, who);
        while let Ok(tokens) = &mut found {
            match self.authority(seat).list(&actor, filter, after, limit) {
                Ok(page) => {
                    ensure(page.tokens.len() <= limit, || format!("{} tokens, not {limit}", page.tokens.len()));
                    tokens.extend(page.tokens.iter().map(|token| Seen::really(token, now)));
                    after = page.next;
                }
                Err(error) => found = Err(Objection::of(&error)),
            }
            if after.is_none() {
                break;
            }
        }
        same(&found, &expected, &format!("authority {seat}: what {who:?} sees with {filter:?}"));
    }

    /// Compares everything that can be seen.
    pub fn look(&mut self) {
        for seat in [0, 1] {
            self.compare_list(seat, Who::Host, &Filter::default(), None, 3);
            self.compare_tokens(seat);
            self.compare_secrets(seat);
            for number in 0..self.seats[seat].node.held.len() {
                self.compare_principal(seat, number);
                self.compare_list(seat, Who::Held(number), &Filter::default(), None, 100);
            }
            let denies = self.seats[seat].node.check(&self.clock).err();
            same(&self.authority(seat).health().denies, &denies, "why everything is denied");
            if !self.seats[seat].node.lost {
                same(&self.authority(seat).position(), &self.seats[seat].node.view.at, "how far it followed");
            }
        }
        for principal in &self.closed {
            let decision = principal.authorize(Action::READ, resources()[0]).map_err(|denial| denial.reason());
            let checks = [principal.check(), decision.map(|_| ())];
            same(&checks, &[Err(Reason::Unavailable); 2], "a principal of an authority that was closed");
        }
    }

    /// Every token that ever was, one by one, and the standings.
    fn compare_tokens(&self, seat: usize) {
        let (node, authority, now) = (&self.seats[seat].node, self.authority(seat), self.now());
        let (host, denies) = (Actor::host("model"), node.check(&self.clock).err());
        for id in &self.ids {
            let expected = match node.view.tokens.get(id) {
                _ if denies.is_some() => Err(denying(denies.unwrap())),
                Some(token) => Ok(Seen::by_the_rules(&node.view, token, now)),
                None => Err(rules::not_found(*id)),
            };
            let found = authority.get(&host, *id);
            same(
                &found.as_ref().map(|token| Seen::really(token, now)).map_err(Objection::of),
                &expected,
                &format!("authority {seat}: token {id}"),
            );
            if let Ok(token) = found {
                self.compare_explanation(seat, *id);
                let last = token.last_used_at().map(seconds);
                match (last, node.used.get(id)) {
                    (None, None) => {}
                    (Some(last), Some((first, until))) if (*first..=*until).contains(&last) => {}
                    (last, used) => {
                        differs(format!("authority {seat}: {id} was last used at {last:?}, not {used:?}"));
                    }
                }
            }
        }
        let standings = |expected, found: Result<Standing, Error>| {
            let expected = denies.map_or(Ok(expected), |reason| Err(denying(reason)));
            same(&found.as_ref().copied().map_err(Objection::of), &expected, "standings");
        };
        let set_up = authority.is_set_up().map_err(|error| Objection::of(&error));
        let expected = denies.map_or(Ok(node.view.set_up), |reason| Err(denying(reason)));
        same(&set_up, &expected, "whether setup was done");
        (0..3).for_each(|n| standings(node.view.owner(user(n)), authority.owner_standing(user(n))));
        (0..2).for_each(|n| {
            standings(node.view.organization(organization(n)), authority.organization_standing(organization(n)));
        });
        let in_use = |token: &&state::Token| token.status != Status::Revoked;
        let secrets = node
            .view
            .tokens
            .values()
            .filter(in_use)
            .map(|token| 1 + usize::from(token.overlap.as_ref().is_some_and(|(_, end)| now < *end)));
        let counted = authority.secrets_by_pepper().map(|counts| counts[&'0']).map_err(|error| Objection::of(&error));
        let expected = denies.map_or(Ok(secrets.sum::<usize>()), |reason| Err(denying(reason)));
        same(&counted, &expected, "secrets by pepper");
    }

    /// What a token may do, as whoever may see it is told.
    fn compare_explanation(&self, seat: usize, id: TokenId) {
        let (view, now) = (&self.seats[seat].node.view, self.now());
        for resource in resources() {
            let explained = self.authority(seat).explain(Actor::host("model"), id, Action::READ_WRITE, &resource);
            let explained = explained.unwrap().denial();
            let explained =
                explained.map_or(Ok(()), |denial| Err((denial.reason(), denial.missing().collect::<Vec<_>>())));
            let expected = match rules::decide(view, &view.tokens[&id], Action::READ_WRITE, &resource, now) {
                Answer::Allowed => Ok(()),
                Answer::Refused(reasons) => Err((reasons[0], Vec::new())),
                Answer::Missing(missing) => Err((Reason::NotPermitted, missing)),
            };
            same(&explained, &expected, &format!("what {id} may do to {resource}"));
        }
    }

    /// Every secret that ever was.
    fn compare_secrets(&mut self, seat: usize) {
        for secret in &self.secrets {
            let expected = self.seats[seat].node.authenticate(secret, &self.clock);
            let authority = self.seats[seat].authority.as_ref().unwrap();
            let found = authority.authenticate(secret).map_err(|error| error.reason());
            let found = found.and_then(|principal| principal.token().map(|token| token.id()));
            same(&found, &expected, &format!("authority {seat}: whose `{secret}` is"));
            self.compare_one_call(seat, secret, expected);
            if let Ok(id) = expected {
                self.seats[seat].node.use_token(id);
            }
        }
    }

    /// What a secret may do, asked at once.
    fn compare_one_call(&self, seat: usize, secret: &str, accepted: Result<TokenId, Reason>) {
        let (view, now) = (&self.seats[seat].node.view, self.now());
        for resource in resources() {
            let actions = Action::READ_WRITE;
            let decision = match self.authority(seat).authorize(secret, actions, resource) {
                Ok(permit) => Ok(Ok(permit)),
                Err(AuthorizeError::Denied(denial)) => Ok(Err(denial)),
                Err(AuthorizeError::Unauthenticated(error)) => Err(error.reason()),
            };
            let right = match (accepted, decision) {
                (Ok(id), Ok(decision)) => {
                    let expected = rules::decide(view, &view.tokens[&id], actions, &resource, now);
                    agree(&expected, &decision, (actions, resource, view.at.revision))
                }
                (Err(expected), Err(reason)) => reason == expected,
                _ => false,
            };
            ensure(right, || format!("authority {seat}: what `{secret}` may do to {resource}, of {accepted:?}"));
        }
    }

    /// What a principal may do.
    fn compare_principal(&self, seat: usize, number: usize) {
        let (node, now) = (&self.seats[seat].node, self.now());
        let (held, revision) = (&node.held[number], node.view.at.revision);
        let expected = node.token_of(held, &self.clock);
        let what = format!("authority {seat}: principal {number} of {} with `{}`", held.token, held.secret);
        same(&held.real.check(), &expected.map(|_| ()), &what);
        let token = held.real.token();
        let by_the_rules = expected.map(|token| Seen::by_the_rules(&node.view, token, now));
        same(&token.map(|token| Seen::really(&token, now)), &by_the_rules, &what);
        for resource in resources() {
            for actions in ACTIONS {
                let decision = held.real.authorize(actions, resource);
                let expected = match expected {
                    Err(reason) => Answer::Refused(vec![reason]),
                    Ok(token) => rules::decide(&node.view, token, actions, &resource, now),
                };
                let right = agree(&expected, &decision, (actions, resource, revision));
                ensure(right, || format!("{what}, {actions} of {resource}: {decision:?}, not {expected:?}"));
            }
        }
    }
}

/// Whether a decision, on this request and at this revision, is the one that the rules say.
fn agree(
    expected: &Answer,
    decision: &Result<Permit<Action>, Denial>,
    (actions, resource, revision): (Action, Resource, u64),
) -> bool {
    match (expected, decision) {
        (Answer::Allowed, Ok(permit)) => {
            permit.action() == actions && *permit.resource() == resource && permit.revision() == revision
        }
        (Answer::Refused(reasons), Err(denial)) => reasons.contains(&denial.reason()),
        (Answer::Missing(missing), Err(denial)) => {
            denial.reason() == Reason::NotPermitted && denial.missing().eq(missing.iter().copied())
        }
        _ => false,
    }
}
