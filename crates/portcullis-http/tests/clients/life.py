"""The whole life of tokens by InfluxDB's own Python client, unmodified, on a fresh server that is set up.

URL, TOKEN: the server, and its operator's token.
"""

import json
import os
import time
import unittest
import urllib.request
from datetime import datetime, timedelta, timezone

from influxdb_client import Authorization, InfluxDBClient, Permission, PermissionResource
from influxdb_client.rest import ApiException

URL, OPERATOR = os.environ["URL"], os.environ["TOKEN"]


def client(token, org="acme"):
    return InfluxDBClient(url=URL, token=token, org=org)


def post(path, body, token=OPERATOR):
    """What the client has no words for."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def permission(action, org_id, kind="buckets", **resource):
    return Permission(action=action, resource=PermissionResource(type=kind, org_id=org_id, **resource))


def ids(authorizations):
    return {each.id for each in authorizations}


class Life(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.operator = client(OPERATOR)
        cls.tokens = cls.operator.authorizations_api()
        orgs = cls.operator.organizations_api()
        [cls.org] = orgs.find_organizations(org="acme")
        cls.other = orgs.create_organization(name="globex")
        cls.user = cls.operator.users_api().create_user(name="bob")
        cls.bucket = post("/api/v2/buckets", {"name": "python", "orgID": cls.org.id})["id"]
        cls.foreign_bucket = post("/api/v2/buckets", {"name": "python", "orgID": cls.other.id})["id"]

    def reader(self):
        return self.tokens.create_authorization(self.org.id, [permission("read", self.org.id, id=self.bucket)])

    def all_access(self):
        return self.tokens.create_authorization(self.org.id, [permission("*", self.org.id, kind="*")])

    def refused(self, status, call, *arguments, **named):
        with self.assertRaises(ApiException) as raised:
            call(*arguments, **named)
        self.assertEqual(raised.exception.status, status, raised.exception.body)
        return json.loads(raised.exception.body)

    def test_create_and_find_by_id(self):
        created = self.reader()
        self.assertTrue(created.token.startswith("pcs_"))
        self.assertEqual((created.status, created.org, created.user), ("active", "acme", "alice"))
        found = self.tokens.find_authorization_by_id(created.id)
        self.assertEqual(found.token, "", "a secret is shown once")
        [granted] = found.permissions
        self.assertEqual((granted.action, granted.resource.id), ("read", self.bucket))
        self.assertEqual((granted.resource.name, granted.resource.org), ("python", "acme"))
        self.assertEqual(client(created.token).authorizations_api().find_authorization_by_id("me").id, created.id)

    def test_create_for_another_user_with_all_that_the_model_has(self):
        wanted = Authorization(
            org_id=self.org.id,
            user_id=self.user.id,
            description="a sensor",
            status="inactive",
            permissions=[permission("write", self.org.id, id=self.bucket)],
        )
        created = self.tokens.create_authorization(authorization=wanted)
        self.assertEqual((created.user, created.description, created.status), ("bob", "a sensor", "inactive"))

    def test_find_by_every_filter(self):
        ours, theirs = self.reader(), self.tokens.create_authorization(
            authorization=Authorization(
                org_id=self.other.id,
                user_id=self.user.id,
                permissions=[permission("read", self.other.id, id=self.foreign_bucket)],
            )
        )
        both = {ours.id, theirs.id}
        self.assertLessEqual(both, ids(self.tokens.find_authorizations()))
        alice = self.operator.users_api().me()
        for found in [
            self.tokens.find_authorizations_by_org(self.org),
            self.tokens.find_authorizations_by_org_id(self.org.id),
            self.tokens.find_authorizations_by_org_name("acme"),
            self.tokens.find_authorizations_by_user(alice),
            self.tokens.find_authorizations_by_user_id(alice.id),
            self.tokens.find_authorizations_by_user_name("alice"),
            self.tokens.find_authorizations(org="acme", user="alice"),
        ]:
            self.assertEqual(ids(found) & both, {ours.id})
        self.assertEqual(ids(self.tokens.find_authorizations(org="acme", user="bob")) & both, set())
        self.refused(404, self.tokens.find_authorizations, org="nobody")
        self.refused(404, self.tokens.find_authorizations, user="nobody")
        self.refused(400, self.tokens.find_authorizations, org_id="not an id")

    def test_update_sends_the_whole_object_and_changes_status_and_description(self):
        created = self.all_access()
        created.status, created.description = "inactive", "on leave"
        updated = self.tokens.update_authorization(created)
        self.assertEqual((updated.status, updated.description), ("inactive", "on leave"))
        error = self.refused(401, client(created.token).authorizations_api().find_authorizations)
        self.assertEqual(error, {"code": "unauthorized", "message": "unauthorized access"})
        created.status = "active"
        self.tokens.update_authorization(created)
        shown = client(created.token).authorizations_api().find_authorization_by_id("me")
        # Its expanded list came back with each update, and did not make it a custom token.
        self.assertGreater(len(shown.permissions), 40)
        self.assertEqual(kind(created.id), "allAccess")

    def test_clone(self):
        original = self.reader()
        clone = self.tokens.clone_authorization(original.id)
        self.assertNotEqual((clone.id, clone.token), (original.id, original.token))
        self.assertEqual(clone.permissions, self.tokens.find_authorization_by_id(original.id).permissions)
        self.assertTrue(self.tokens.clone_authorization(original).token)

    def test_delete(self):
        for by_id in (True, False):
            created = self.reader()
            self.tokens.delete_authorization(created.id if by_id else created)
            self.refused(404, self.tokens.find_authorization_by_id, created.id)
            self.refused(404, self.tokens.delete_authorization, created.id)
            self.refused(401, client(created.token).authorizations_api().find_authorization_by_id, "me")

    def test_points_go_where_the_token_says(self):
        writer = self.tokens.create_authorization(self.org.id, [permission("write", self.org.id, id=self.bucket)])
        from influxdb_client.client.write_api import SYNCHRONOUS

        with client(writer.token) as writing:
            writing.write_api(write_options=SYNCHRONOUS).write(bucket="python", record="temperature value=20.5")
            with self.assertRaises(ApiException):
                writing.query_api().query_raw('from(bucket:"python")')
        raw = client(self.reader().token).query_api().query_raw('from(bucket:"python")')
        self.assertIn("temperature value=20.5", raw.data.decode() if hasattr(raw, "data") else str(raw))

    def test_another_organization(self):
        mine = client(self.all_access().token).authorizations_api()
        theirs = self.tokens.create_authorization(
            self.other.id, [permission("read", self.other.id, id=self.foreign_bucket)]
        )
        for call in (mine.find_authorization_by_id, mine.delete_authorization):
            self.refused(404, call, theirs.id)
        self.assertEqual(self.tokens.find_authorization_by_id(theirs.id).status, "active")
        self.assertEqual(mine.find_authorizations_by_org_id(self.other.id), [])
        self.refused(404, mine.find_authorizations, org="globex")
        self.refused(401, mine.create_authorization, self.other.id, [permission("read", self.other.id)])
        # InfluxDB gives this one away: a bucket of another organization, by its id.
        self.refused(400, mine.create_authorization, self.org.id, [permission("read", self.org.id, id=self.foreign_bucket)])

    def test_escalation(self):
        admin = client(self.all_access().token).authorizations_api()
        for everything in (
            Permission(action="*", resource=PermissionResource(type="*")),
            Permission(action="write", resource=PermissionResource(type="instance")),
            permission("read", self.other.id),
        ):
            with self.assertRaises(ApiException) as raised:
                admin.create_authorization(self.org.id, [everything])
            self.assertIn(raised.exception.status, (400, 401, 403))
        # What names no organization is read as in the token's.
        narrowed = admin.create_authorization(
            self.org.id, [Permission(action="read", resource=PermissionResource(type="buckets"))]
        )
        self.assertEqual([each.resource.org_id for each in narrowed.permissions], [self.org.id])
        self.refused(
            401,
            client(self.reader().token).authorizations_api().create_authorization,
            self.org.id,
            [permission("read", self.org.id, id=self.bucket)],
        )
        few = [permission(action, self.org.id, kind="authorizations") for action in ("read", "write")]
        clerk = client(self.tokens.create_authorization(self.org.id, few).token).authorizations_api()
        error = self.refused(403, clerk.create_authorization, self.org.id, [permission("read", self.org.id)])
        self.assertIn("is not allowed", error["message"])
        self.assertNotIn("operator", {kind(each.id) for each in admin.find_authorizations()})

    def test_revoked(self):
        created = self.reader()
        self.assertEqual(post(f"/api/v2/authorizations/{created.id}/revoke", {})["revoked"], 1)
        self.refused(401, client(created.token).authorizations_api().find_authorization_by_id, "me")
        self.assertEqual(self.tokens.find_authorization_by_id(created.id).status, "inactive")
        created.status = "active"
        self.refused(422, self.tokens.update_authorization, created)

    def test_expired(self):
        end = datetime.now(timezone.utc) + timedelta(seconds=2)
        created = post(
            "/api/v2/authorizations",
            {
                "orgID": self.org.id,
                "expiresAt": end.isoformat().replace("+00:00", "Z"),
                "permissions": [{"action": "read", "resource": {"type": "buckets", "orgID": self.org.id}}],
            },
        )
        tokens = client(created["token"]).authorizations_api()
        self.assertEqual(tokens.find_authorization_by_id("me").id, created["id"])
        while datetime.now(timezone.utc) < end:
            time.sleep(0.1)
        self.refused(401, tokens.find_authorization_by_id, "me")

    def test_malformed(self):
        for token in ("", "x", "pcs_0", OPERATOR[:-1], OPERATOR + "x", OPERATOR.upper(), "$influxdb2-sha256$abc", "a.b.c"):
            self.refused(401, client(token).authorizations_api().find_authorizations)
        self.refused(400, self.tokens.find_authorization_by_id, "not an id")
        self.refused(400, self.tokens.create_authorization, self.org.id, [])
        wrong = Permission(action="read", resource=PermissionResource(type="no such type!", org_id=self.org.id))
        self.refused(400, self.tokens.create_authorization, self.org.id, [wrong])


def kind(token_id):
    """Which the client's model does not have."""
    request = urllib.request.Request(
        f"{URL}/api/v2/authorizations/{token_id}", headers={"Authorization": f"Token {OPERATOR}"}
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)["kind"]


if __name__ == "__main__":
    unittest.main(verbosity=2)
