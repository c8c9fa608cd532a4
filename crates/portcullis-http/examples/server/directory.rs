//! Organizations, users and buckets, in one file, with a copy in memory.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use portcullis::{OrgId, Permit, Read, Resource, ResourceId, ResourceType, UserId, Write};
use portcullis_http::{Answer, ApiError};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

/// `orgs/ID`, `users/ID`, `buckets/ID`, each as JSON.
const RECORDS: TableDefinition<'_, &str, &str> = TableDefinition::new("records");
/// Lines by bucket and number.
const POINTS: TableDefinition<'_, (&str, u64), &str> = TableDefinition::new("points");

#[derive(Clone, Serialize, Deserialize)]
pub struct Organization {
    pub name: String,
    pub members: Vec<UserId>,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    pub name: String,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Bucket {
    pub name: String,
    pub organization: OrgId,
}

/// Everything but the points.
#[derive(Clone, Default)]
pub struct Known {
    pub organizations: BTreeMap<OrgId, Organization>,
    pub users: BTreeMap<UserId, User>,
    pub buckets: BTreeMap<ResourceId, Bucket>,
}

/// The file and the copy of it. Cheap to clone.
#[derive(Clone)]
pub struct Directory {
    inner: Arc<Inner>,
}

struct Inner {
    file: Database,
    /// Replaced as a whole: who reads it never waits for the disk.
    known: ArcSwap<Known>,
    changing: Mutex<()>,
}

/// What a change puts into the file, by key; `None` removes.
type Changes = Vec<(String, Option<String>)>;

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

impl Directory {
    pub fn open(path: &Path) -> Fallible<Self> {
        let file = Database::create(path)?;
        let writing = file.begin_write()?;
        let mut known = Known::default();
        for row in writing.open_table(RECORDS)?.iter()? {
            let (key, value) = row?;
            known.read(key.value(), value.value())?;
        }
        writing.open_table(POINTS)?;
        writing.commit()?;
        let inner = Inner { file, known: ArcSwap::from_pointee(known), changing: Mutex::default() };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub fn known(&self) -> Arc<Known> {
        self.inner.known.load_full()
    }

    /// Changes what is known, in the file first, and one change after the other, on a thread that may block.
    pub async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Draft) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let inner = Arc::clone(&self.inner);
        blocking(move || {
            let _alone = inner.changing.blocking_lock();
            let mut draft = Draft { known: Known::clone(&inner.known.load()), changes: Vec::new() };
            let answer = change(&mut draft)?;
            save(&inner.file, &draft.changes).map_err(ApiError::internal)?;
            inner.known.store(Arc::new(draft.known));
            Ok(answer)
        })
        .await
    }

    /// Appends lines to the bucket that the permit is for. There is no way to write to another one.
    pub async fn write(&self, permit: Permit<Write>, lines: Vec<String>) -> Result<(), ApiError> {
        let inner = Arc::clone(&self.inner);
        blocking(move || append(&inner.file, permit.resource(), &lines).map_err(ApiError::internal)).await
    }

    /// The lines of the bucket that the permit is for.
    pub async fn read(&self, permit: Permit<Read>) -> Result<Vec<String>, ApiError> {
        let inner = Arc::clone(&self.inner);
        blocking(move || lines(&inner.file, permit.resource()).map_err(ApiError::internal)).await
    }
}

/// What is known, with a change to it.
pub struct Draft {
    pub known: Known,
    changes: Changes,
}

impl Draft {
    pub fn put_organization(&mut self, id: OrgId, organization: Organization) {
        self.put(format!("orgs/{id}"), &organization);
        self.known.organizations.insert(id, organization);
    }

    pub fn put_user(&mut self, id: UserId, user: User) {
        self.put(format!("users/{id}"), &user);
        self.known.users.insert(id, user);
    }

    pub fn put_bucket(&mut self, id: ResourceId, bucket: Bucket) {
        self.put(format!("buckets/{id}"), &bucket);
        self.known.buckets.insert(id, bucket);
    }

    pub fn remove_organization(&mut self, id: OrgId) {
        self.changes.push((format!("orgs/{id}"), None));
        self.known.organizations.remove(&id);
        let theirs = self.known.buckets.iter().filter(|(_, bucket)| bucket.organization == id);
        let theirs: Vec<_> = theirs.map(|(bucket, _)| *bucket).collect();
        theirs.into_iter().for_each(|bucket| self.remove_bucket(bucket));
    }

    pub fn remove_user(&mut self, id: UserId) {
        self.changes.push((format!("users/{id}"), None));
        self.known.users.remove(&id);
    }

    pub fn remove_bucket(&mut self, id: ResourceId) {
        self.changes.push((format!("buckets/{id}"), None));
        self.known.buckets.remove(&id);
    }

    fn put(&mut self, key: String, value: &impl Serialize) {
        // Names and ids are always JSON.
        self.changes.push((key, serde_json::to_string(value).ok()));
    }
}

impl Known {
    fn read(&mut self, key: &str, value: &str) -> Fallible<()> {
        fn parse<T: DeserializeOwned>(value: &str) -> Fallible<T> {
            Ok(serde_json::from_str(value)?)
        }
        match key.split_once('/') {
            Some(("orgs", id)) => _ = self.organizations.insert(id.parse()?, parse(value)?),
            Some(("users", id)) => _ = self.users.insert(id.parse()?, parse(value)?),
            Some(("buckets", id)) => _ = self.buckets.insert(id.parse()?, parse(value)?),
            _ => return Err(format!("unknown record `{key}`").into()),
        }
        Ok(())
    }

    pub fn organization(&self, name: &str) -> Option<OrgId> {
        self.organizations.iter().find(|(_, known)| known.name == name).map(|(id, _)| *id)
    }

    pub fn user(&self, name: &str) -> Option<UserId> {
        self.users.iter().find(|(_, known)| known.name == name).map(|(id, _)| *id)
    }

    pub fn bucket(&self, organization: OrgId, name: &str) -> Option<ResourceId> {
        let mut buckets = self.buckets.iter();
        buckets.find(|(_, known)| known.organization == organization && known.name == name).map(|(id, _)| *id)
    }

    fn name(&self, of: &Resource) -> Option<String> {
        let id = of.id()?;
        match (of.resource_type(), of.organization()) {
            (ResourceType::ORGS, Some(organization)) if organization == id.into() => {
                Some(self.organizations.get(&organization)?.name.clone())
            }
            (ResourceType::USERS, None) => Some(self.users.get(&id.into())?.name.clone()),
            (ResourceType::BUCKETS, Some(organization)) => {
                let bucket = self.buckets.get(&id).filter(|bucket| bucket.organization == organization);
                Some(bucket?.name.clone())
            }
            _ => None,
        }
    }

    fn find(&self, among: &Resource, name: &str) -> Option<ResourceId> {
        match (among.resource_type(), among.organization()) {
            (ResourceType::ORGS, None) => self.organization(name).map(Into::into),
            (ResourceType::USERS, None) => self.user(name).map(Into::into),
            (ResourceType::BUCKETS, Some(organization)) => self.bucket(organization, name),
            _ => None,
        }
    }
}

impl portcullis_http::Directory for Directory {
    fn names<'a>(&'a self, of: &'a [Resource]) -> Answer<'a, HashMap<Resource, String>> {
        let known = self.known();
        let names = of.iter().filter_map(|each| Some((*each, known.name(each)?))).collect();
        Box::pin(async { Ok(names) })
    }

    fn find<'a>(&'a self, among: Resource, name: &'a str) -> Answer<'a, Option<ResourceId>> {
        let found = self.known().find(&among, name);
        Box::pin(async move { Ok(found) })
    }
}

fn save(file: &Database, changes: &Changes) -> Fallible<()> {
    let writing = file.begin_write()?;
    {
        let mut records = writing.open_table(RECORDS)?;
        for (key, value) in changes {
            match value {
                Some(value) => _ = records.insert(key.as_str(), value.as_str())?,
                None => _ = records.remove(key.as_str())?,
            }
        }
    }
    Ok(writing.commit()?)
}

fn append(file: &Database, bucket: &Resource, lines: &[String]) -> Fallible<()> {
    let bucket = bucket.to_string();
    let writing = file.begin_write()?;
    {
        let mut points = writing.open_table(POINTS)?;
        let last = points.range((bucket.as_str(), 0)..=(bucket.as_str(), u64::MAX))?.next_back().transpose()?;
        let next = last.map_or(0, |(key, _)| key.value().1 + 1);
        for (number, line) in (next..).zip(lines) {
            points.insert((bucket.as_str(), number), line.as_str())?;
        }
    }
    Ok(writing.commit()?)
}

fn lines(file: &Database, bucket: &Resource) -> Fallible<Vec<String>> {
    let bucket = bucket.to_string();
    let points = file.begin_read()?.open_table(POINTS)?;
    let rows = points.range((bucket.as_str(), 0)..=(bucket.as_str(), u64::MAX))?;
    rows.map(|row| Ok(row?.1.value().to_owned())).collect()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)?
}
