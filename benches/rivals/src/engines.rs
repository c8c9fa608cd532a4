//! Engines, each set up as its own documentation would for this question. A request is its place among those that the
//! case asks.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use biscuit_auth::builder::AuthorizerBuilder;
use biscuit_auth::{AuthorizerLimits, Biscuit, KeyPair};
use casbin::{CachedApi, CachedEnforcer, CoreApi, DefaultCache, DefaultModel, Enforcer, MemoryAdapter, MgmtApi};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, PolicySet, Request, RestrictedExpression,
};
use regorus::rvm::{Program, RegoVM};
use regorus::{Engine, Value};

use crate::Case;

type Allows = Box<dyn Fn(&usize) -> bool>;

const MODEL: &str = "
[request_definition]
r = org, type, id, act
[policy_definition]
p = org, type, id, act
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.id == p.id && r.org == p.org && r.type == p.type && r.act == p.act
";

async fn enforcer<E: CoreApi + MgmtApi>(case: &Case) -> E {
    let model = DefaultModel::from_str(MODEL).await.expect("the model is valid");
    let mut enforcer = E::new(model, MemoryAdapter::default()).await.expect("the enforcer starts");
    let policy = |id: &portcullis::ResourceId| {
        [case.org.to_string(), "buckets".to_owned(), id.to_string(), "read".to_owned()].to_vec()
    };
    enforcer.add_policies(case.ids.iter().map(policy).collect()).await.expect("the policies are valid");
    enforcer
}

fn casbin_with(case: &Case, enforcer: impl CoreApi + 'static) -> Allows {
    let org = case.org.to_string();
    let asked: Vec<_> = case.asked.iter().map(ToString::to_string).collect();
    Box::new(move |place| {
        enforcer.enforce((org.as_str(), "buckets", asked[*place].as_str(), "read")).expect("the request is valid")
    })
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

pub fn casbin(case: &Case) -> Allows {
    casbin_with(case, block_on(enforcer::<Enforcer>(case)))
}

pub fn casbin_cached(case: &Case) -> Allows {
    let mut enforcer = block_on(enforcer::<CachedEnforcer>(case));
    // Room for every answer; its own default is 200.
    enforcer.set_cache(Box::new(DefaultCache::new(100_000)));
    let allows = casbin_with(case, enforcer);
    for place in 0..case.asked.len() {
        allows(&place);
    }
    allows
}

pub fn regorus(case: &Case) -> Allows {
    const POLICY: &str = "
        package tokens
        default allow := false
        allow if data.grants[input.org][input.type][input.id][input.action]
    ";
    let buckets: serde_json::Map<_, _> =
        case.ids.iter().map(|id| (id.to_string(), serde_json::json!({ "read": true }))).collect();
    let data = serde_json::json!({ "grants": { case.org.to_string(): { "buckets": buckets } } });
    let data = Value::from_json_str(&data.to_string()).expect("valid JSON");
    let mut engine = Engine::new();
    engine.add_policy("tokens.rego".into(), POLICY.into()).expect("the policy is valid");
    let compiled = engine.compile_with_entrypoint(&"data.tokens.allow".into()).expect("the policy compiles");
    let program: Arc<Program> =
        regorus::languages::rego::compiler::Compiler::compile_from_policy(&compiled, &["data.tokens.allow"])
            .expect("the policy compiles");
    let mut vm = RegoVM::new();
    vm.load_program(program);
    vm.set_data(data).expect("the data is valid");
    let input = |id: &portcullis::ResourceId| {
        let input = serde_json::json!({
            "org": case.org.to_string(), "type": "buckets", "id": id.to_string(), "action": "read",
        });
        Value::from_json_str(&input.to_string()).expect("valid JSON")
    };
    let asked: Vec<_> = case.asked.iter().map(input).collect();
    let vm = RefCell::new(vm);
    Box::new(move |place| {
        let mut vm = vm.borrow_mut();
        vm.set_input(asked[*place].clone());
        vm.execute().expect("the program runs") == Value::Bool(true)
    })
}

fn uid(kind: &str, id: impl std::fmt::Display) -> EntityUid {
    format!("{kind}::\"{id}\"").parse().expect("a valid name")
}

fn cedar(case: &Case, policies: PolicySet, token: Entity) -> Allows {
    let buckets: HashSet<_> = case.asked.iter().chain(&case.ids).copied().collect();
    let bucket = |id| {
        let org = RestrictedExpression::new_string(case.org.to_string());
        Entity::new(uid("Bucket", id), [("org".to_owned(), org)].into(), HashSet::new()).expect("a valid entity")
    };
    let entities = Entities::from_entities(buckets.into_iter().map(bucket).chain([token]), None).expect("distinct");
    let request = |id| {
        Request::new(uid("Token", "t"), uid("Action", "read"), uid("Bucket", id), Context::empty(), None)
            .expect("a valid request")
    };
    let asked: Vec<_> = case.asked.iter().map(request).collect();
    let authorizer = Authorizer::new();
    Box::new(move |place| authorizer.is_authorized(&asked[*place], &policies, &entities).decision() == Decision::Allow)
}

pub fn cedar_sets(case: &Case) -> Allows {
    const POLICIES: &str = r#"
        permit(principal, action == Action::"read", resource)
        when { resource.org == principal.org && principal.readable.contains(resource) };
        permit(principal, action == Action::"write", resource)
        when { resource.org == principal.org && principal.writable.contains(resource) };
    "#;
    let readable = case.ids.iter().map(|id| RestrictedExpression::new_entity_uid(uid("Bucket", id)));
    let attributes = [
        ("org".to_owned(), RestrictedExpression::new_string(case.org.to_string())),
        ("readable".to_owned(), RestrictedExpression::new_set(readable)),
        ("writable".to_owned(), RestrictedExpression::new_set([])),
    ];
    let token = Entity::new(uid("Token", "t"), attributes.into(), HashSet::new()).expect("a valid entity");
    cedar(case, POLICIES.parse().expect("the policies are valid"), token)
}

pub fn cedar_policies(case: &Case) -> Allows {
    let policy =
        |id| format!(r#"permit(principal == Token::"t", action == Action::"read", resource == Bucket::"{id}");"#);
    let policies: String = case.ids.iter().map(policy).collect();
    let token = Entity::new(uid("Token", "t"), [].into(), HashSet::new()).expect("a valid entity");
    cedar(case, policies.parse().expect("the policies are valid"), token)
}

pub fn biscuit(case: &Case) -> Allows {
    let keys = KeyPair::new();
    let org = case.org;
    let rights: String =
        case.ids.iter().map(|id| format!("right(\"{org}\", \"buckets\", \"{id}\", \"read\");")).collect();
    let token = Biscuit::builder().code(rights).and_then(|builder| builder.build(&keys)).expect("a valid token");
    let limits =
        AuthorizerLimits { max_facts: 100_000, max_iterations: u64::MAX, max_time: Duration::from_secs(3_600) };
    let authorizer = |id: &portcullis::ResourceId| {
        let code = format!(
            "resource(\"{org}\", \"buckets\", \"{id}\"); operation(\"read\");
            allow if resource($org, $type, $id), operation($act), right($org, $type, $id, $act);
            deny if true;"
        );
        let mut authorizer = AuthorizerBuilder::new()
            .code(code)
            .map(|builder| builder.set_limits(limits.clone()))
            .and_then(|builder| builder.build(&token))
            .expect("a valid authorizer");
        // The rules have run; what is measured asks the policies.
        let _ = authorizer.authorize();
        RefCell::new(authorizer)
    };
    // Each holds all the token's facts, so there are fewer of them.
    let asked: Vec<_> = case.asked.iter().take(16).map(authorizer).collect();
    Box::new(move |place| asked[place % asked.len()].borrow_mut().authorize().is_ok())
}
