//! What one would write first, and InfluxDB 3's way of finding a token, to compare with.
#![allow(dead_code, unreachable_pub)] // Each bench uses its part.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use sha2::{Digest, Sha256, Sha512};

/// A token in the straightforward designs: the permissions in a list.
pub struct Plain {
    pub active: bool,
    pub expires_at: Option<u64>,
    pub org: u128,
    /// Bucket and actions.
    pub grants: Vec<(u128, u8)>,
}

impl Plain {
    fn allows(&self, org: u128, bucket: u128, actions: u8) -> bool {
        let unexpired = self.expires_at.is_none_or(|end| now() < end);
        self.active
            && unexpired
            && self.org == org
            && self.grants.iter().any(|(id, granted)| *id == bucket && granted & actions == actions)
    }
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// A map from digest to token behind a lock.
#[derive(Default)]
pub struct Straightforward(RwLock<HashMap<[u8; 32], Arc<Plain>>>);

impl Straightforward {
    pub fn insert(&self, secret: impl AsRef<[u8]>, token: Plain) {
        self.0.write().unwrap().insert(Sha256::digest(secret).into(), Arc::new(token));
    }

    pub fn allows(&self, secret: impl AsRef<[u8]>, org: u128, bucket: u128, actions: u8) -> bool {
        let digest: [u8; 32] = Sha256::digest(secret).into();
        let token = self.0.read().unwrap().get(&digest).cloned();
        token.is_some_and(|token| token.allows(org, bucket, actions))
    }
}

/// SHA-512, a map from the digest as bytes to an id, and one from the id to the token, as InfluxDB 3 keeps them.
#[derive(Default)]
pub struct TwoMaps(RwLock<Maps>);

#[derive(Default)]
struct Maps {
    ids: HashMap<Vec<u8>, u64>,
    tokens: HashMap<u64, Arc<Plain>>,
}

impl TwoMaps {
    pub fn insert(&self, secret: impl AsRef<[u8]>, token: Plain) {
        let mut maps = self.0.write().unwrap();
        let id = maps.ids.len() as u64;
        maps.ids.insert(Sha512::digest(secret).to_vec(), id);
        maps.tokens.insert(id, Arc::new(token));
    }

    pub fn allows(&self, secret: impl AsRef<[u8]>, org: u128, bucket: u128, actions: u8) -> bool {
        let digest = Sha512::digest(secret).to_vec();
        let maps = self.0.read().unwrap();
        let token = maps.ids.get(&digest).and_then(|id| maps.tokens.get(id)).cloned();
        drop(maps);
        token.is_some_and(|token| token.allows(org, bucket, actions))
    }
}
