//! What crosses the wire: ids, permissions, kinds, secrets. Exact texts, and the exact error of each bad input.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use portcullis::{
    Action, Authority, Grant, IdError, KindName, MemoryStore, OrgId, Pattern, Permission, PermissionSet, Reason,
    Resource, ResourceId, ResourceType, Standing, Status, Timestamp, TokenId, TokenKind, UserId, resource_type, verb,
};

const ORG: &str = "0a1b2c3d4e5f6071";
const UUID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn org() -> OrgId {
    ORG.parse().unwrap()
}

fn bucket() -> ResourceId {
    "1111111111111111".parse().unwrap()
}

#[test]
fn ids_round_trip_in_both_forms() {
    for text in [ORG, "0000000000000001", "ffffffffffffffff", UUID, "00000000-0000-0001-0000-000000000000"] {
        let json = format!("\"{text}\"");
        macro_rules! round_trips {
            ($($id:ty),*) => {$(
                let id: $id = text.parse().unwrap();
                assert_eq!(id.to_string(), text);
                assert_eq!(serde_json::to_string(&id).unwrap(), json);
                assert_eq!(serde_json::from_str::<$id>(&json).unwrap(), id);
                assert_eq!(<$id>::try_from(id.as_uuid()).unwrap(), id);
            )*};
        }
        round_trips!(OrgId, UserId, TokenId, ResourceId);
    }
    assert_eq!(format!("{:?}", org()), "OrgId(0a1b2c3d4e5f6071)");
}

#[test]
fn a_resource_that_was_found_is_an_organization_or_a_user() {
    assert_eq!(OrgId::from(ResourceId::from(org())), org());
    let user = UserId::generate().unwrap();
    assert_eq!(UserId::from(ResourceId::from(user)), user);
}

#[test]
fn ids_are_read_in_either_case_and_printed_in_lower_case() {
    assert_eq!("0A1B2C3D4E5F6071".parse::<OrgId>().unwrap().to_string(), ORG);
    assert_eq!(UUID.to_uppercase().parse::<OrgId>().unwrap().to_string(), UUID);
    // The same id written as a UUID, as a number, and as 16 digits.
    assert_eq!("00000000-0000-0000-0a1b-2c3d4e5f6071".parse::<OrgId>().unwrap(), org());
    assert_eq!(OrgId::try_from(0x0a1b_2c3d_4e5f_6071).unwrap(), org());
}

#[test]
fn malformed_ids_are_refused() {
    let malformed = |shown: &str| format!("`{shown}` is neither 16 hexadecimal digits nor a hyphenated UUID");
    for (text, error) in [
        ("", "an id cannot be empty".to_owned()),
        ("0000000000000000", "an id cannot be zero".to_owned()),
        ("00000000-0000-0000-0000-000000000000", "an id cannot be zero".to_owned()),
        ("0", malformed("0")),
        ("0a1b2c3d4e5f607", malformed("0a1b2c3d4e5f607")),
        ("0a1b2c3d4e5f60711", malformed("0a1b2c3d4e5f60711")),
        ("0a1b2c3d4e5f607g", malformed("0a1b2c3d4e5f607g")),
        ("+a1b2c3d4e5f6071", malformed("+a1b2c3d4e5f6071")),
        (" a1b2c3d4e5f6071", malformed(" a1b2c3d4e5f6071")),
        ("0a1b2c3d4e5f6071 ", malformed("0a1b2c3d4e5f6071 ")),
        // Sixteen bytes, but not digits; control characters are shown escaped.
        ("éééééééé", malformed("\\u{e9}\\u{e9}\\u{e9}\\u{e9}\\u{e9}\\u{e9}\\u{e9}\\u{e9}")),
        ("0a1b2c3d4e5f\n071", malformed("0a1b2c3d4e5f\\n071")),
        ("0a1b2c3d4e5f6\0\0\0", malformed("0a1b2c3d4e5f6\\u{0}\\u{0}\\u{0}")),
        ("01890a5dac96774bbcceb302099a8057", malformed("01890a5dac96774bbcceb302099a8057")),
        ("01890a5d-ac96-774b-bcce-b302099a805", malformed("01890a5d-ac96-774b-bcce-b302099a805")),
        ("01890a5d-ac96-774b-bcce-b302099a805g", malformed("01890a5d-ac96-774b-bcce-b302099a805g")),
        ("01890a5da-c96-774b-bcce-b302099a8057", malformed("01890a5da-c96-774b-bcce-b302099a8057")),
        ("{01890a5d-ac96-774b-bcce-b302099a8057}", malformed("{01890a5d-ac96-774b-bcce-b302099a8057}")),
        // What is as long as a secret is not shown whole.
        (&"0a1b2c3d".repeat(5), malformed(&"0a1b2c3d".repeat(5))),
        ("pcs_08tErwcFscAKHw8JZArznwrp4fb9vq5VbNhpbE7Z87f6kmins", malformed("pcs_08tE...")),
    ] {
        assert_eq!(text.parse::<OrgId>().unwrap_err().to_string(), error);
        let json = serde_json::to_string(text).unwrap();
        let refused = serde_json::from_str::<ResourceId>(&json).unwrap_err().to_string();
        assert!(refused.starts_with(&error), "{refused}");
    }
    let long = "a".repeat(1_000_000);
    assert_eq!(long.parse::<OrgId>().unwrap_err().to_string(), malformed("aaaaaaaa..."));
    assert_eq!(OrgId::try_from(0).unwrap_err(), IdError::Nil);
    assert_eq!(OrgId::try_from(uuid::Uuid::nil()).unwrap_err(), IdError::Nil);
}

#[test]
fn permissions_have_the_json_and_the_text_of_influxdb() {
    let tasks = Resource::within(org(), ResourceType::TASKS);
    let uuid: ResourceId = UUID.parse().unwrap();
    let pattern = |kind, org, id| Pattern::new(org, kind, id).unwrap();
    for (permission, json, text) in [
        (
            Permission::read(Resource::bucket(org(), bucket())),
            r#"{"action":"read","resource":{"type":"buckets","orgID":"0a1b2c3d4e5f6071","id":"1111111111111111"}}"#,
            "read:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111",
        ),
        (
            Permission::write(tasks),
            r#"{"action":"write","resource":{"type":"tasks","orgID":"0a1b2c3d4e5f6071"}}"#,
            "write:orgs/0a1b2c3d4e5f6071/tasks",
        ),
        (
            Permission::read(Resource::global(ResourceType::USERS).with_id(uuid)),
            r#"{"action":"read","resource":{"type":"users","id":"01890a5d-ac96-774b-bcce-b302099a8057"}}"#,
            "read:users/01890a5d-ac96-774b-bcce-b302099a8057",
        ),
        (
            Permission::write(Resource::INSTANCE),
            r#"{"action":"write","resource":{"type":"instance"}}"#,
            "write:instance",
        ),
        (
            Permission::read(Resource::organization_itself(org())),
            r#"{"action":"read","resource":{"type":"orgs","orgID":"0a1b2c3d4e5f6071","id":"0a1b2c3d4e5f6071"}}"#,
            "read:orgs/0a1b2c3d4e5f6071/orgs/0a1b2c3d4e5f6071",
        ),
        (
            Permission::read(pattern(Some(ResourceType::ORGS), None, Some(org().into()))),
            r#"{"action":"read","resource":{"type":"orgs","id":"0a1b2c3d4e5f6071"}}"#,
            "read:orgs/0a1b2c3d4e5f6071",
        ),
        (Permission::read(Pattern::ANY), r#"{"action":"read","resource":{"type":"*"}}"#, "read:*"),
        (
            Permission::write(Pattern::all_of(org())),
            r#"{"action":"write","resource":{"type":"*","orgID":"0a1b2c3d4e5f6071"}}"#,
            "write:orgs/0a1b2c3d4e5f6071/*",
        ),
        (
            Permission::read(pattern(None, None, Some(bucket()))),
            r#"{"action":"read","resource":{"type":"*","id":"1111111111111111"}}"#,
            "read:*/1111111111111111",
        ),
        (
            Permission::read(Resource::global(resource_type!("my-own_type2"))),
            r#"{"action":"read","resource":{"type":"my-own_type2"}}"#,
            "read:my-own_type2",
        ),
    ] {
        assert_eq!(serde_json::to_string(&permission).unwrap(), json);
        assert_eq!(serde_json::from_str::<Permission>(json).unwrap(), permission);
        assert_eq!(permission.to_string(), text);
        assert_eq!(text.parse::<Permission>().unwrap(), permission);
        assert_eq!(format!("{permission:?}"), format!("Permission({text})"));
        assert_eq!(text.split_once(':').unwrap().1, permission.pattern().to_string());
        assert_eq!(format!("{:?}", permission.pattern()), format!("Pattern({})", permission.pattern()));
    }
}

#[test]
fn sets_are_lists_in_canonical_order() {
    let json = r#"[
        {"action":"write","resource":{"type":"buckets","orgID":"0a1b2c3d4e5f6071","id":"1111111111111111"}},
        {"action":"read","resource":{"type":"tasks"}},
        {"action":"read","resource":{"type":"buckets","orgID":"0a1b2c3d4e5f6071","id":"1111111111111111"}},
        {"action":"read","resource":{"type":"tasks","orgID":"0a1b2c3d4e5f6071"}}
    ]"#;
    let set: PermissionSet = serde_json::from_str(json).unwrap();
    assert_eq!(
        serde_json::to_string(&set).unwrap(),
        "[{\"action\":\"read\",\"resource\":{\"type\":\"tasks\"}},\
         {\"action\":\"read\",\"resource\":{\"type\":\"buckets\",\"orgID\":\"0a1b2c3d4e5f6071\",\"id\":\"1111111111111111\"}},\
         {\"action\":\"write\",\"resource\":{\"type\":\"buckets\",\"orgID\":\"0a1b2c3d4e5f6071\",\"id\":\"1111111111111111\"}}]"
    );
    assert_eq!(
        set.to_string(),
        "`read:tasks`, `read:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111`, \
         `write:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111`"
    );
    assert_eq!(serde_json::to_string(&PermissionSet::empty()).unwrap(), "[]");
}

/// The error of this JSON, without the position that `serde_json` adds.
fn json_error(json: &str) -> String {
    let error = serde_json::from_str::<PermissionSet>(&format!("[{json}]")).unwrap_err().to_string();
    error.split(" at line ").next().unwrap().to_owned()
}

#[test]
fn bad_permissions_are_refused() {
    for (json, error) in [
        (
            r#"{"action":"Read","resource":{"type":"*"}}"#,
            "unknown action `Read`, expected `read`, `write` or a verb: \
             `read` and `write` are no verbs; they are `Action::READ` and `Action::WRITE`",
        ),
        (
            r#"{"action":"","resource":{"type":"*"}}"#,
            "unknown action ``, expected `read`, `write` or a verb: a verb cannot be empty",
        ),
        (
            r#"{"action":"read\u0000","resource":{"type":"*"}}"#,
            &unknown("read\\u{0}", "the character at position 4 is none of these"),
        ),
        (r#"{"resource":{"type":"*"}}"#, "missing field `action`"),
        (r#"{"action":"read"}"#, "missing field `resource`"),
        (r#"{"action":"read","resource":{}}"#, "missing field `type`"),
        (
            r#"{"action":"read","resource":{"type":"buckets","name":"mine"}}"#,
            "unknown field `name`, expected one of `type`, `orgID`, `id`",
        ),
        (
            r#"{"action":"read","resource":{"type":"buckets","orgId":"0a1b2c3d4e5f6071"}}"#,
            "unknown field `orgId`, expected one of `type`, `orgID`, `id`",
        ),
        (
            r#"{"action":"read","resource":{"type":"buckets"},"allow":true}"#,
            "unknown field `allow`, expected `action` or `resource`",
        ),
        (r#"{"action":"read","resource":{"type":"*","type":"buckets"}}"#, "duplicate field `type`"),
        (r#"{"action":"read","resource":{"type":""}}"#, "a resource type's name cannot be empty"),
        (
            r#"{"action":"read","resource":{"type":"**"}}"#,
            "a resource type's name is a letter followed by letters, digits, `-` and `_`; \
             the character at position 0 is none of these",
        ),
        (
            r#"{"action":"read","resource":{"type":"two words"}}"#,
            "a resource type's name is a letter followed by letters, digits, `-` and `_`; \
             the character at position 3 is none of these",
        ),
        (
            r#"{"action":"read","resource":{"type":"a234567890123456789012345"}}"#,
            "a resource type's name has at most 24 characters, this one has 25",
        ),
        (
            r#"{"action":"read","resource":{"type":"instance","orgID":"0a1b2c3d4e5f6071"}}"#,
            "`instance` is not part of any organization",
        ),
        (r#"{"action":"read","resource":{"type":"buckets","orgID":""}}"#, "an id cannot be empty"),
        (r#"{"action":"read","resource":{"type":"buckets","id":""}}"#, "an id cannot be empty"),
        (r#"{"action":"read","resource":{"type":"buckets","id":"0000000000000000"}}"#, "an id cannot be zero"),
        (
            r#"{"action":"read","resource":{"type":"buckets","id":"mine"}}"#,
            "`mine` is neither 16 hexadecimal digits nor a hyphenated UUID",
        ),
        (r#"{"action":1,"resource":{"type":"*"}}"#, "invalid type: integer `1`, expected a string"),
        // The values alone, without the names of their fields.
        (r#"["read",{"type":"*"}]"#, "invalid type: sequence, expected an object"),
        (r#"{"action":"read","resource":["*"]}"#, "invalid type: sequence, expected an object"),
        (r#""read:*""#, "invalid type: string \"read:*\", expected an object"),
        ("null", "invalid type: null, expected an object"),
    ] {
        assert_eq!(json_error(json), error, "{json}");
    }
}

#[test]
fn bad_permission_texts_are_refused() {
    let form = "a permission is written `action:[orgs/ORG/]type[/ID]`";
    for (text, error) in [
        ("", form),
        ("read", form),
        ("read:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111/more", form),
        ("read:tasks/0a1b2c3d4e5f6071/buckets", form),
        ("read,write:buckets", &unknown("read,write", "the character at position 4 is none of these")),
        ("**:buckets", &unknown("**", "the character at position 0 is none of these")),
        ("read:", "a resource type's name cannot be empty"),
        ("read:buckets/", "an id cannot be empty"),
        ("read:orgs//buckets", "an id cannot be empty"),
        ("read:orgs/0a1b2c3d4e5f6071/instance", "`instance` is not part of any organization"),
    ] {
        assert_eq!(text.parse::<Permission>().unwrap_err().to_string(), error, "{text}");
    }
}

#[test]
fn actions_and_grants_are_read_by_name() {
    let buckets = Resource::buckets(org());
    let execute = verb!("execute");
    for (name, action) in [("read", Action::READ), ("write", Action::WRITE), ("execute", execute.into())] {
        assert_eq!(name.parse(), Ok(action));
    }
    for (name, grant) in
        [("read", Grant::Read), ("write", Grant::Write), ("*", Grant::Any), ("execute", Grant::Verb(execute))]
    {
        assert_eq!(name.parse(), Ok(grant));
        let permission = Permission::new(grant, buckets);
        assert_eq!(permission.to_string(), format!("{name}:{buckets}"));
        let json = serde_json::to_string(&permission).unwrap();
        assert!(json.starts_with(&format!("{{\"action\":\"{name}\",")), "{json}");
        assert_eq!(serde_json::from_str::<Permission>(&json).unwrap(), permission);
    }
    let refused = "*".parse::<Action>().unwrap_err().to_string();
    assert_eq!(refused, unknown("*", "the character at position 0 is none of these"));
}

/// The error of a text that is no action.
fn unknown(text: &str, why: &str) -> String {
    let verb = "a verb is a letter followed by letters, digits, `-` and `_`";
    format!("unknown action `{text}`, expected `read`, `write` or a verb: {verb}; {why}")
}

#[test]
fn resource_types_are_checked_by_name() {
    for name in ["a", "B2", "notificationEndpoints", "x-_9", "a23456789012345678901234"] {
        assert_eq!(ResourceType::new(name).unwrap().as_str(), name);
        assert_eq!(serde_json::to_string(&ResourceType::new(name).unwrap()).unwrap(), format!("\"{name}\""));
    }
    for (name, error) in [
        ("2b", "the character at position 0 is none of these"),
        ("-b", "the character at position 0 is none of these"),
        ("b\u{e9}", "the character at position 1 is none of these"),
        ("b\0", "the character at position 1 is none of these"),
        ("b/c", "the character at position 1 is none of these"),
        ("*", "the character at position 0 is none of these"),
    ] {
        let refused = ResourceType::new(name).unwrap_err().to_string();
        assert!(refused.ends_with(error), "{refused}");
    }
    let names: Vec<_> = ResourceType::INFLUXDB.iter().map(ResourceType::as_str).collect();
    assert_eq!(
        names.join(" "),
        "authorizations buckets dashboards orgs sources tasks telegrafs users variables scrapers secrets labels \
         views documents notificationRules notificationEndpoints checks dbrp notebooks annotations remotes \
         replications instance"
    );
    let kind = ResourceType::BUCKETS;
    assert_eq!(format!("{kind}|{kind:>9}|{kind:?}"), "buckets|  buckets|ResourceType(buckets)");
    assert_eq!(format!("{:?}", Resource::INSTANCE), "Resource(instance)");
    assert_eq!(Resource::within(org(), ResourceType::INSTANCE), Resource::INSTANCE);
    let error = Pattern::new(Some(org()), Some(ResourceType::INSTANCE), None).unwrap_err();
    assert_eq!(error.to_string(), "`instance` is not part of any organization");
}

/// A kind of each name.
fn kinds() -> [TokenKind; 5] {
    let set = |permission| PermissionSet::from_iter([permission]);
    [
        TokenKind::operator(),
        TokenKind::all_access(org()),
        TokenKind::read_write(org(), [(bucket(), Action::READ), (bucket(), Action::WRITE)]).unwrap(),
        TokenKind::custom(Some(org()), set(Permission::read(Pattern::all_of(org())))).unwrap(),
        TokenKind::custom(None, set(Permission::write(Resource::INSTANCE))).unwrap(),
    ]
}

#[test]
fn kinds_have_the_names_of_the_wire() {
    let names = kinds().map(|kind| kind.name());
    assert_eq!(names.map(KindName::as_str), ["operator", "allAccess", "readWrite", "custom", "custom"]);
    for name in names {
        assert_eq!(name.as_str().parse::<KindName>().unwrap(), name);
        assert_eq!(serde_json::to_string(&name).unwrap(), format!("\"{}\"", name.as_str()));
    }
    for (name, title) in names.into_iter().zip(["Operator", "All-Access", "Read/Write", "Custom", "Custom"]) {
        assert_eq!((name.to_string(), title.parse()), (title.into(), Ok(name)));
    }
    assert_eq!(
        "root".parse::<KindName>().unwrap_err().to_string(),
        "unknown kind of token, expected `operator`, `allAccess`, `readWrite` or `custom`"
    );
}

#[test]
fn kinds_refuse_what_makes_no_token() {
    let other: OrgId = "2222222222222222".parse().unwrap();
    let error = |kind: Result<TokenKind, portcullis::KindError>| kind.unwrap_err().to_string();
    let verb = TokenKind::read_write(org(), [(bucket(), verb!("execute").into())]);
    let text = "a read/write token only reads and writes; bucket `1111111111111111` is granted `execute`";
    assert_eq!(error(verb), text);
    assert_eq!(error(TokenKind::read_write(org(), [])), "a token needs at least one permission");
    for custom in [None, Some(org())] {
        let none = TokenKind::custom(custom, PermissionSet::empty());
        assert_eq!(error(none), "a token needs at least one permission");
    }
    let foreign = PermissionSet::from_iter([
        Permission::read(Resource::bucket(org(), bucket())),
        Permission::write(Resource::bucket(other, bucket())),
    ]);
    assert_eq!(
        error(TokenKind::custom(Some(org()), foreign.clone())),
        "permission `write:orgs/2222222222222222/buckets/1111111111111111` is not for organization `0a1b2c3d4e5f6071`"
    );
    assert!(TokenKind::custom(None, foreign).is_ok());
    // On an id alone, InfluxDB ignores the organization. Here it is read as one in the token's.
    let by_id = PermissionSet::from_iter([Permission::read(Pattern::new(None, None, Some(bucket())).unwrap())]);
    let narrowed = TokenKind::custom(Some(org()), by_id).unwrap();
    assert_eq!(narrowed.permissions().to_string(), "`read:orgs/0a1b2c3d4e5f6071/*/1111111111111111`");
    let instance = PermissionSet::from_iter([Permission::read(Resource::INSTANCE)]);
    assert_eq!(
        error(TokenKind::custom(Some(org()), instance)),
        "permission `read:instance` is not for organization `0a1b2c3d4e5f6071`"
    );
    let many = |count: u64| (1..=count).map(|id| (ResourceId::try_from(id).unwrap(), Action::READ));
    assert!(TokenKind::read_write(org(), many(10_000)).is_ok());
    assert_eq!(
        error(TokenKind::read_write(org(), many(10_001))),
        "a token has permissions on at most 10000 patterns, this one has 10001"
    );
}

#[test]
fn kinds_expand_to_the_permissions_that_influxdb_lists() {
    let [operator, all_access, read_write, ..] = kinds();
    assert_eq!(operator.expanded().len(), 46);
    assert!(operator.expanded().contains(&Permission::read(Resource::INSTANCE)));
    assert_eq!(all_access.expanded().len(), 44);
    assert!(all_access.expanded().iter().all(|each| {
        each.pattern().organization() == Some(org()) && each.pattern().resource_type() != Some(ResourceType::INSTANCE)
    }));
    assert_eq!(read_write.expanded(), Permission::read_write(Resource::bucket(org(), bucket())));
    for kind in kinds() {
        assert!(kind.permissions().covers(&kind.expanded().into_iter().collect()));
    }
}

#[test]
fn kinds_cover_as_their_permissions_do() {
    let [operator, all_access, read_write, custom, instance] = kinds();
    for kind in kinds() {
        assert!(operator.covers(&kind));
        assert_eq!(kind.covers(&operator), kind == operator);
    }
    assert!(all_access.covers(&read_write) && all_access.covers(&custom));
    assert!(!all_access.covers(&instance) && !instance.covers(&all_access));
    assert!(!custom.covers(&read_write) && !read_write.covers(&custom));
}

#[test]
fn times_and_standings_are_read_as_written() {
    let time = Timestamp::from_micros(1_700_000_000_123_456);
    assert_eq!(serde_json::to_string(&time).unwrap(), "\"2023-11-14T22:13:20.123456Z\"");
    assert_eq!(serde_json::from_str::<Timestamp>("\"2023-11-14T22:13:20.123456Z\"").unwrap(), time);
    assert_eq!("2023-11-14T22:13:20.123456Z".parse(), Ok(time));
    assert_eq!("yesterday".parse::<Timestamp>().unwrap_err().to_string(), "timestamp format is invalid");
    assert!(serde_json::from_str::<Timestamp>("\"yesterday\"").is_err());
    assert!(serde_json::from_str::<Timestamp>("1700000000").is_err());
    assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999999Z");
    assert_eq!(format!("{:?}", Timestamp::EPOCH), "Timestamp(1970-01-01T00:00:00.000000Z)");
    let after = Timestamp::MAX.as_micros() + 1;
    for micros in [after, u64::MAX] {
        assert_eq!(Timestamp::from_micros(micros), Timestamp::MAX);
    }
    assert_eq!(time.saturating_add(Duration::MAX), Timestamp::MAX);
    assert_eq!(time.saturating_sub(Duration::MAX), Timestamp::EPOCH);
    for (status, name) in [(Status::Active, "active"), (Status::Inactive, "inactive"), (Status::Revoked, "revoked")] {
        assert_eq!(serde_json::to_string(&status).unwrap(), format!("\"{name}\""));
        assert_eq!(name.parse::<Status>().unwrap(), status);
        assert_eq!(status.to_string(), name);
    }
    assert_eq!(
        "".parse::<Status>().unwrap_err().to_string(),
        "unknown status, expected `active`, `inactive` or `revoked`"
    );
    assert_eq!(serde_json::to_string(&Standing::Suspended).unwrap(), "\"suspended\"");
}

#[test]
fn a_token_serializes_for_people_in_influxdbs_field_names() {
    let clock = portcullis::testing::ManualClock::new(portcullis::Timestamp::from_micros(1_800_000_000_000_000));
    let host = portcullis::Actor::host("test");
    let settings = portcullis::Authority::builder().clock(clock.clone());
    let authority = settings.open(portcullis::MemoryStore::new()).wait().unwrap();
    let new = portcullis::NewToken::read_write(OrgId::try_from(1).unwrap())
        .owner(portcullis::UserId::try_from(2).unwrap())
        .read(ResourceId::try_from(3).unwrap())
        .description("a sensor")
        .expires_in(std::time::Duration::from_mins(1));
    let issued = authority.create(&host, new).wait().unwrap();
    let expected = serde_json::json!({
        "id": issued.token.id().to_string(),
        "kind": "readWrite",
        "status": "active",
        "description": "a sensor",
        "orgID": "0000000000000001",
        "userID": "0000000000000002",
        "permissions": [
            { "action": "read", "resource": { "type": "buckets", "orgID": "0000000000000001", "id": "0000000000000003" } },
        ],
        "createdBy": "host: test",
        "createdAt": "2027-01-15T08:00:00.000000Z",
        "updatedAt": "2027-01-15T08:00:00.000000Z",
        "expiresAt": "2027-01-15T08:01:00.000000Z",
        "lastUsedAt": null,
        "revision": 1,
        "refused": null,
    });
    assert_eq!(serde_json::to_value(&issued.token).unwrap(), expected);
    // Why it is refused, but for its time, which everybody sees.
    let refused = || serde_json::to_value(authority.get(&host, issued.token.id()).unwrap()).unwrap()["refused"].clone();
    clock.advance(Duration::from_mins(2));
    assert_eq!(refused(), serde_json::Value::Null);
    authority.revoke(&host, issued.token.id()).wait().unwrap();
    assert_eq!(refused(), "revoked");
    // Ids are in the order of creation: they begin with the authority's time in milliseconds.
    let id = issued.token.id().to_string().replace('-', "");
    assert_eq!(u64::from_str_radix(&id[..12], 16), Ok(1_800_000_000_000));
}

/// Scanners and clients know it, and stored digests are of it.
#[test]
fn secrets_keep_their_form() {
    let authority = Authority::open(MemoryStore::new()).wait().unwrap();
    let refused = |secret: &str| authority.authenticate(secret).unwrap_err().reason();
    let secret = "pcs_08tErwcFscAKHw8JZArznwrp4fb9vq5VbNhpbE7Z87f6kmins";
    assert_eq!(refused(secret), Reason::Unknown);
    assert_eq!(refused(&secret.replace("kmins", "kmint")), Reason::Malformed);
    // An HTTP header or a line of text around it is not part of it.
    assert_eq!(refused(&format!("{secret}\n")), Reason::Malformed);
    let issued = authority.setup(UserId::generate().unwrap()).wait().unwrap();
    let form = |secret: &str| (secret.len(), secret.starts_with("pcs_0"));
    assert_eq!(form(issued.secret.expose()), form(secret));
}
