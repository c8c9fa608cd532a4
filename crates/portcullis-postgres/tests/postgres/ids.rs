//! Ids in a host's own tables.

use std::fmt::Debug;

use portcullis::{IdError, OrgId, ResourceId, TokenId, UserId};
use portcullis_postgres::Sql;
use portcullis_postgres::sqlx::{self, ConnectOptions, Row};
use uuid::{NonNilUuid, Uuid};

use crate::place::told;
use crate::server::{Server, run};
use crate::{Test, all};

pub(crate) const ALL: &[(&str, Test)] = all![ids_come_back_from_columns_of_uuids, the_nil_uuid_is_no_id];

async fn comes_back<T>(server: &Server, ids: [T; 2])
where
    T: Copy + PartialEq + Debug + Send + Sync + Unpin + Into<NonNilUuid> + TryFrom<Uuid, Error = IdError> + 'static,
{
    let mut connection = server.options().connect().await.unwrap();
    let all = ids.map(Sql).to_vec();
    let query = "SELECT $1 AS id, $1::text AS text, pg_typeof($1)::text AS type, $2 AS all, pg_typeof($2)::text AS types, $3 AS none, $1 = ANY ($2) AS contains";
    let row = sqlx::query(query).bind(Sql(ids[0])).bind(&all).bind(None::<Sql<T>>);
    let row = row.fetch_one(&mut connection).await.unwrap();
    assert_eq!(row.get::<Sql<T>, _>("id"), Sql(ids[0]));
    assert_eq!(row.get::<Option<Sql<T>>, _>("id"), Some(Sql::from(ids[0])));
    assert_eq!(row.get::<String, _>("text"), ids[0].into().get().to_string());
    assert_eq!((row.get("type"), row.get("types")), ("uuid", "uuid[]"));
    assert_eq!(row.get::<Vec<Sql<T>>, _>("all"), all);
    assert_eq!(row.get::<Option<Sql<T>>, _>("none"), None);
    assert!(row.get::<bool, _>("contains"));
}

fn ids_come_back_from_columns_of_uuids(server: &Server) {
    run(async {
        comes_back(server, [OrgId::generate().unwrap(), OrgId::try_from(7).unwrap()]).await;
        comes_back(server, [UserId::try_from(u64::MAX).unwrap(), UserId::generate().unwrap()]).await;
        comes_back(server, [TokenId::generate().unwrap(), TokenId::generate().unwrap()]).await;
        comes_back(server, [ResourceId::generate().unwrap(), ResourceId::try_from(1).unwrap()]).await;
        // As text, too.
        let mut connection = server.options().connect().await.unwrap();
        let row = sqlx::raw_sql("SELECT '00000000-0000-0000-0a1b-2c3d4e5f6071'::uuid").fetch_one(&mut connection).await;
        let Sql(id) = row.unwrap().get::<Sql<OrgId>, _>(0);
        assert_eq!(id.to_string(), "0a1b2c3d4e5f6071");
    });
}

fn the_nil_uuid_is_no_id(server: &Server) {
    run(async {
        let mut connection = server.options().connect().await.unwrap();
        let row = sqlx::query("SELECT '00000000-0000-0000-0000-000000000000'::uuid")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        let error = row.try_get::<Sql<UserId>, _>(0).unwrap_err();
        assert!(told(&error).ends_with("an id cannot be zero"), "{}", told(&error));
        let error = sqlx::query("SELECT 'text'").fetch_one(&mut connection).await.unwrap().try_get::<Sql<UserId>, _>(0);
        assert!(told(&error.unwrap_err()).contains("not compatible with SQL type"));
    });
}
