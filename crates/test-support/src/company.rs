//! An organization with a few tokens, on a store that fails when it is told to: what one sees of it, and calls on it.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::time::Duration;

use portcullis::testing::FaultyStore;
use portcullis::{
    Authority, MemoryStore, NewToken, OrgId, Principal, Read, Resource, ResourceId, Standing, TokenId, TokenStore,
    Update, UserId, Write,
};

use crate::fixture::{NEVER, World, all, following, head, host};

pub struct Token {
    pub id: TokenId,
    pub secret: String,
}

impl Token {
    pub fn new(issued: &portcullis::Issued) -> Self {
        Self { id: issued.token.id(), secret: issued.secret.expose().to_owned() }
    }
}

pub struct Company {
    pub world: World,
    pub organization: OrgId,
    pub bucket: ResourceId,
    /// Who owns all but [`root`](Self::root).
    pub owner: UserId,
    pub root: Token,
    /// All-Access, made by root.
    pub admin: Token,
    /// Writes the bucket; made by admin, like the rest.
    pub sensor: Token,
    /// Inactive.
    pub idle: Token,
    /// Expires in an hour.
    pub brief: Token,
    /// Principals of all those that were accepted when the company was made.
    pub held: Vec<Principal<'static>>,
}

impl Deref for Company {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

/// What one sees of an authority, but for when tokens were last used.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    pub tokens: Vec<serde_json::Value>,
    pub standings: (Standing, Standing),
    /// Which secret may do which of the requests of `Company::requests`.
    pub allowed: BTreeSet<(usize, usize)>,
}

impl Company {
    /// A company in which nothing fails yet.
    pub fn new(follow: Duration) -> Self {
        Self::on(follow, |store| store)
    }

    /// A company whose store is behind another one.
    pub fn on<S: TokenStore + 'static>(follow: Duration, behind: impl FnOnce(FaultyStore<MemoryStore>) -> S) -> Self {
        let world = World::on(|builder| builder.follow(follow), behind);
        let authority = &world.authority;
        let organization = OrgId::generate().unwrap();
        let bucket = ResourceId::generate().unwrap();
        let owner = UserId::generate().unwrap();

        let root = Token::new(&authority.setup(UserId::generate().unwrap()).wait().unwrap());
        let operator = authority.authenticate(&root.secret).unwrap();
        let create = |actor: &Principal<'_>, new: NewToken| {
            Token::new(&authority.create(actor, new.owner(owner)).wait().unwrap())
        };
        let writes = || NewToken::read_write(organization).write(bucket).checked().unwrap();
        let admin = create(&operator, NewToken::all_access(organization));
        let administrator = authority.authenticate(&admin.secret).unwrap();
        let sensor = create(&administrator, writes());
        let idle = create(&administrator, writes());
        let brief = create(&operator, writes().expires_in(Duration::from_hours(1)));
        authority.update(&administrator, idle.id, Update::new().deactivate()).wait().unwrap();
        let held = [&root, &admin, &sensor, &brief];
        let held = held.map(|token| authority.authenticate(&token.secret).unwrap().into_owned()).into();
        Self { world, organization, bucket, owner, root, admin, sensor, idle, brief, held }
    }

    /// Makes that many more tokens in admin's name, which expire in an hour.
    pub fn crowd(&self, count: usize) {
        let admin = self.authority.authenticate(&self.admin.secret).unwrap();
        let new = || NewToken::read_write(self.organization).read(self.bucket).expires_in(Duration::from_hours(1));
        let pending: Vec<_> = (0..count).map(|_| self.authority.create(&admin, new())).collect();
        pending.into_iter().for_each(|pending| _ = pending.wait().unwrap());
    }

    pub fn operator(&self) -> Principal<'_> {
        self.authority.authenticate(&self.root.secret).unwrap()
    }

    pub fn tokens(&self) -> [&Token; 5] {
        [&self.root, &self.admin, &self.sensor, &self.idle, &self.brief]
    }

    /// Another authority on the same store, on which nothing fails.
    pub fn another(&self) -> Authority {
        following(NEVER).clock(self.clock.clone()).open(self.store.clone()).wait().unwrap()
    }

    pub fn write(&self) -> Resource {
        Resource::bucket(self.organization, self.bucket)
    }

    /// Whether a principal may do a few telling things.
    fn requests(&self, principal: &Principal<'_>) -> [bool; 4] {
        [
            principal.authorize(Write, self.write()).is_ok(),
            principal.authorize(Read, self.write()).is_ok(),
            principal.authorize(Write, Resource::authorizations(self.organization)).is_ok(),
            principal.authorize(Write, Resource::bucket("020f755c3c082000".parse().unwrap(), self.bucket)).is_ok(),
        ]
    }

    pub fn allowed(&self, authority: &Authority) -> BTreeSet<(usize, usize)> {
        let tokens = self.tokens().into_iter().enumerate();
        let principals = tokens.filter_map(|(at, token)| Some((at, authority.authenticate(&token.secret).ok()?)));
        let requests = principals.flat_map(|(at, principal)| {
            self.requests(&principal).into_iter().enumerate().filter(|(_, allowed)| *allowed).map(move |(n, _)| (at, n))
        });
        requests.collect()
    }

    pub fn see(&self, authority: &Authority) -> View {
        let but_for_use = |token: &portcullis::Token| {
            let mut token = serde_json::to_value(token).unwrap();
            token.as_object_mut().unwrap().remove("lastUsedAt");
            token
        };
        let tokens = all(authority).iter().map(but_for_use).collect();
        let standings = (
            authority.owner_standing(self.owner).unwrap(),
            authority.organization_standing(self.organization).unwrap(),
        );
        View { tokens, standings, allowed: self.allowed(authority) }
    }

    /// What one sees of the company's own authority, with the principals held before.
    #[track_caller]
    pub fn look(&self) -> View {
        let view = self.see(&self.authority);
        // Held principals may do nothing that their secrets may not.
        for (principal, token) in self.held.iter().zip([&self.root, &self.admin, &self.sensor, &self.brief]) {
            let fresh = self.authority.authenticate(&token.secret).map(|fresh| self.requests(&fresh));
            let held = self.requests(principal);
            assert!(held == [false; 4] || fresh == Ok(held), "held {held:?}, but {fresh:?}");
        }
        view
    }

    /// What one sees of the store when it is opened again.
    pub fn reopened(&self) -> View {
        self.see(&self.another())
    }

    /// A change beside all others, after which what was in doubt is settled.
    #[track_caller]
    pub fn next_call(&self) {
        self.authority.set_owner_standing(host(), UserId::generate().unwrap(), Standing::Suspended).wait().unwrap();
    }

    /// How many commits the store saw.
    pub fn revision(&self) -> u64 {
        head(&self.store).revision
    }
}
