//! What a host would write itself.

use std::collections::HashSet;

use portcullis::{OrgId, Pattern, Permission, Resource, ResourceId, ResourceType};

use crate::Case;

/// InfluxDB 2's matching: its types, its order of comparisons, its linear scan.
pub struct InfluxDb {
    permissions: Vec<InfluxPermission>,
}

#[derive(Clone)]
pub struct InfluxPermission {
    action: String,
    kind: String,
    org: Option<Box<u64>>,
    id: Option<Box<u64>>,
}

impl InfluxDb {
    pub fn new(case: &Case) -> Self {
        Self { permissions: case.ids.iter().map(|id| InfluxPermission::read(case.org, *id)).collect() }
    }

    pub fn requests(case: &Case) -> Vec<InfluxPermission> {
        case.asked.iter().map(|id| InfluxPermission::read(case.org, *id)).collect()
    }

    pub fn allows(&self, request: &InfluxPermission) -> bool {
        self.permissions.iter().any(|permission| permission.matches(request))
    }
}

impl InfluxPermission {
    fn read(org: OrgId, id: ResourceId) -> Self {
        let low = |uuid: uuid::Uuid| Some(Box::new(uuid.as_u64_pair().1));
        Self { action: "read".into(), kind: "buckets".into(), org: low(org.as_uuid()), id: low(id.as_uuid()) }
    }

    fn matches(&self, request: &Self) -> bool {
        if self.action != request.action {
            return false;
        }
        if self.kind == "instance" {
            return true;
        }
        if self.kind != request.kind {
            return false;
        }
        match (&self.org, &self.id) {
            (None, None) => true,
            (Some(org), None) => request.org.as_ref() == Some(org),
            // An id that agrees is enough for it, whatever the organization.
            (_, Some(id)) => request.id.as_ref() == Some(id),
        }
    }
}

/// A linear scan over what a bucket's permission needs.
pub struct Scan {
    grants: Vec<(OrgId, ResourceId)>,
}

impl Scan {
    pub fn new(case: &Case) -> Self {
        Self { grants: case.ids.iter().map(|id| (case.org, *id)).collect() }
    }

    pub fn allows(&self, request: &Resource) -> bool {
        let fits = |(org, id): &(OrgId, ResourceId)| request.id() == Some(*id) && request.organization() == Some(*org);
        request.resource_type() == ResourceType::BUCKETS && self.grants.iter().any(fits)
    }
}

pub fn permissions(case: &Case) -> HashSet<Permission> {
    case.ids.iter().map(|id| Permission::read(Resource::bucket(case.org, *id))).collect()
}

/// The resource, its type, its id, its organization.
pub fn probe(permissions: &HashSet<Permission>, request: &Resource) -> bool {
    let holds = |kind, id| {
        Pattern::new(request.organization(), kind, id).is_ok_and(|each| permissions.contains(&Permission::read(each)))
    };
    holds(Some(request.resource_type()), request.id())
        || holds(Some(request.resource_type()), None)
        || holds(None, request.id())
        || holds(None, None)
}
