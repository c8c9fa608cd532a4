//! Planning: calls that go together into one commit.

use std::sync::Arc;

use crate::authority::call::{Call, PlannedCall, Planning};
use crate::authority::draft::Draft;
use crate::authority::error::Error;
use crate::authority::event::Event;
use crate::authority::manager::queue::Queue;
use crate::authority::shared::Shared;
use crate::store::{Position, Record};

/// Calls that were planned one after another, for one commit.
pub(super) struct Batch {
    /// Where the index was. The store must be there, too.
    pub(super) expected: Position,
    /// What the calls change. Empty where they change nothing.
    pub(super) records: Vec<Record>,
    /// What the observer is told after the commit.
    pub(super) events: Vec<Event>,
    pub(super) calls: Vec<Planned>,
}

/// A call that is part of the commit, or is refused. Its caller gets either answer only when it is certain that the call was
/// planned on what is in the store.
pub(super) enum Planned {
    Part(Box<dyn PlannedCall>),
    Refused(Box<dyn Call>, Error),
}

impl Batch {
    /// Plans the next calls of the queue, up to one that has to wait for the next commit.
    pub(super) fn plan(shared: &Arc<Shared>, queue: &mut Queue) -> Self {
        let expected = shared.index.position();
        let mut draft = Draft::new(shared);
        let (mut events, mut calls) = (Vec::new(), Vec::new());
        while let Some(call) = queue.pop() {
            match call.plan(&mut draft) {
                Planning::Planned(call, part) => {
                    let (at, actor) = (draft.now, call.actor());
                    let event = |(token, kind)| Event { at, actor: actor.clone(), kind, token, revision: None };
                    events.extend(part.events.into_iter().map(event));
                    calls.push(Planned::Part(call));
                }
                Planning::Waits(call) => {
                    queue.put_back(call);
                    break;
                }
                Planning::Refused(call, error) => calls.push(Planned::Refused(call, error)),
            }
        }
        let records = if draft.is_empty() { Vec::new() } else { draft.into_records() };
        Self { expected, records, events, calls }
    }
}

impl Planned {
    /// Returns the call as it was before it was planned.
    pub(super) fn into_call(self) -> Box<dyn Call> {
        match self {
            Self::Part(call) => call.into_call(),
            Self::Refused(call, _) => call,
        }
    }
}
