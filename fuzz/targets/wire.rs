//! Permissions and sets of them as JSON and as text: what is read is exactly what is written there, is printed and read
//! again as the same, and neither a set nor the kind that it makes is wider than it says.
//!
//! The JSON is read here a second time, field by field.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::{Action, Grant, Permission, PermissionSet, Resource, TokenKind, verb};
use serde_json::Value;
use test_support::naive::{self, Domain};

/// Action, type, organization and id as JSON has them, `*` and what is left out as `None`.
type Fields = (String, Option<String>, Option<String>, Option<String>);

fn fields(json: &Value) -> Fields {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let resource = json["resource"].as_object().expect("a resource is an object");
    assert!(json.as_object().is_some_and(|fields| fields.len() == 2));
    assert!(resource.keys().all(|key| ["type", "orgID", "id"].contains(&key.as_str())));
    let id = |name| match resource.get(name) {
        None | Some(Value::Null) => None,
        Some(id) => Some(canonical(&text(id).expect("an id is a text"))),
    };
    let kind = text(&resource["type"]).expect("a type is a text");
    (text(&json["action"]).expect("an action is a text"), Some(kind).filter(|kind| kind != "*"), id("orgID"), id("id"))
}

/// In lower case, and in 16 digits where these are enough.
fn canonical(id: &str) -> String {
    let id = id.to_ascii_lowercase();
    match id.strip_prefix("00000000-0000-0000-") {
        Some(rest) => rest.replace('-', ""),
        None => id,
    }
}

fn fields_of(permission: &Permission) -> Fields {
    let action = match permission.grant() {
        Grant::Read => "read".to_owned(),
        Grant::Write => "write".to_owned(),
        Grant::Any => "*".to_owned(),
        Grant::Verb(verb) => verb.as_str().to_owned(),
    };
    let pattern = permission.pattern();
    let kind = pattern.resource_type().map(|kind| kind.as_str().to_owned());
    (action, kind, pattern.organization().map(|org| org.to_string()), pattern.id().map(|id| id.to_string()))
}

/// Requests on and around what a permission is for.
fn requests(permission: &Permission) -> Vec<Resource> {
    let world = Domain::new(1, 1, &[portcullis::ResourceType::BUCKETS, portcullis::ResourceType::INSTANCE]);
    let pattern = permission.pattern();
    let mut all = Vec::new();
    for kind in world.types.iter().copied().chain(pattern.resource_type()) {
        for org in world.orgs.iter().copied().chain(pattern.organization()).map(Some).chain([None]) {
            let whole = org.map_or(Resource::global(kind), |org| Resource::within(org, kind));
            all.push(whole);
            all.extend(world.ids.iter().copied().chain(pattern.id()).map(|id| whole.with_id(id)));
        }
    }
    all
}

fn check_permission(permission: Permission) {
    let json = serde_json::to_string(&permission).unwrap();
    assert_eq!(serde_json::from_str::<Permission>(&json).unwrap(), permission);
    assert_eq!(permission.to_string().parse::<Permission>().unwrap(), permission);
}

/// Reading, writing, both, the list's verbs, and one that it has hardly.
fn actions(list: &[Permission]) -> Vec<Action> {
    let verb = |permission: &Permission| match permission.grant() {
        Grant::Verb(verb) => Some(verb),
        _ => None,
    };
    naive::actions(&list.iter().filter_map(verb).chain([verb!("unheard-of")]).collect::<Vec<_>>())
}

fn check_set(list: &[Permission], set: &PermissionSet) {
    let json = serde_json::to_string(set).unwrap();
    assert_eq!(serde_json::from_str::<PermissionSet>(&json).unwrap(), *set);
    for resource in list.iter().flat_map(requests) {
        for action in actions(list) {
            assert_eq!(set.allows(action, &resource), naive::allows(list, action, &resource), "{action} {resource}");
        }
    }
}

fn check_kind(kind: &TokenKind) {
    assert!(TokenKind::operator().covers(kind));
    if let Some(organization) = kind.organization() {
        assert!(TokenKind::all_access(organization).covers(kind));
    }
    // What is shown of a kind is never more than it.
    assert!(kind.permissions().covers(&kind.expanded().into_iter().collect()));
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(permission) = text.parse::<Permission>() {
        check_permission(permission);
        // Nothing was left out or guessed: the text comes back, ids in their one form.
        assert_eq!(permission.to_string().len(), canonical_text(text).len());
        assert_eq!(permission.to_string(), canonical_text(text));
    }
    if let Ok(permission) = serde_json::from_str::<Permission>(text) {
        check_permission(permission);
        assert_eq!(fields_of(&permission), fields(&serde_json::from_str(text).unwrap()));
    }
    if let Ok(list) = serde_json::from_str::<Vec<Permission>>(text) {
        let set = serde_json::from_str::<PermissionSet>(text).expect("what is a list of permissions is a set");
        let json: Vec<Value> = serde_json::from_str(text).unwrap();
        assert!(list.iter().map(fields_of).eq(json.iter().map(fields)));
        check_set(&list, &set);
        for organization in [list.first().and_then(|permission| permission.pattern().organization()), None] {
            if let Ok(kind) = TokenKind::of(organization, set.clone()) {
                // What names no organization is read as in the token's (rule 7).
                assert!(set.covers(kind.permissions()));
                if organization.is_none() {
                    assert_eq!(*kind.permissions(), set);
                }
                check_kind(&kind);
            }
        }
    }
});

fn canonical_text(text: &str) -> String {
    let (action, pattern) = text.split_once(':').unwrap();
    let mut parts: Vec<String> = pattern.split('/').map(str::to_owned).collect();
    // The type keeps its case; what comes after it, and an organization's id, are ids.
    let names = if parts.len() > 2 { vec![0, 2] } else { vec![0] };
    for (at, part) in parts.iter_mut().enumerate() {
        if !names.contains(&at) {
            *part = canonical(part);
        }
    }
    format!("{action}:{}", parts.join("/"))
}
