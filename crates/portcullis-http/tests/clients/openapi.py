"""What schemathesis needs to know: which token requests come with, which one must survive them, and what there is to ask for.

URL, TOKEN: the server, and its operator's token. AS: `operator`, `allAccess`, or `nobody`.
"""

import atexit
import json
import os
import urllib.error
import urllib.request
from collections import Counter
from itertools import cycle

import schemathesis

URL, ROOT, AS = os.environ["URL"], os.environ["TOKEN"], os.environ["AS"]
TOKENS = f"{URL}/api/v2/authorizations"


def as_root(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, {"Authorization": f"Token {ROOT}"})
    with urllib.request.urlopen(request) as response:
        return json.load(response)


ROOT_ID = as_root("/api/v2/authorizations/me")["id"]
ORG = as_root("/api/v2/orgs?org=acme")["orgs"][0]["id"]


def fresh():
    """A token of that kind: requests revoke, rotate and delete the one that they come with."""
    where = {"type": "*"} if AS == "operator" else {"type": "*", "orgID": ORG}
    permissions = [{"action": "*", "resource": where}]
    created = as_root("/api/v2/authorizations", {"orgID": ORG, "permissions": permissions})
    assert created["kind"] == AS, created
    return created["token"]


if AS != "nobody":
    current = fresh()

    @schemathesis.auth(refresh_interval=None)
    class Token:
        def get(self, case, context):
            return current

        def set(self, case, data, context):
            case.headers["Authorization"] = f"Token {data}"


# What is generated knows no id that there is, so every other one becomes such an id.
tokens = cycle([None, "me", None, as_root("/api/v2/authorizations", {
    "orgID": ORG, "permissions": [{"action": "read", "resource": {"type": "buckets", "orgID": ORG}}],
})["id"]])
organizations = cycle([None, ORG])


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    if path_parameters and "id" in path_parameters:
        path_parameters["id"] = next(tokens) or path_parameters["id"]
    return path_parameters


@schemathesis.hook
def map_body(context, body):
    known(body, next(organizations))
    return body


def known(part, organization):
    """Everything generated is in that organization."""
    if isinstance(part, dict) and organization:
        if "type" in part:
            part.pop("id", None), part.pop("name", None), part.pop("org", None)
            part["orgID"] = organization
        elif "orgID" in part:
            part["orgID"] = organization
            part.pop("userID", None)
        for each in part.values():
            known(each, organization)
    elif isinstance(part, list):
        for each in part:
            known(each, organization)


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.path_parameters.get("id") == ROOT_ID:
        case.path_parameters["id"] = "me"


answered = Counter()
atexit.register(lambda: print("answered:", dict(sorted(answered.items()))))


@schemathesis.hook
def after_call(context, case, response):
    global current
    answered[response.status_code] += 1
    if AS != "nobody" and response.status_code == 401 and b"unauthorized access" in response.content:
        try:
            request = urllib.request.Request(f"{TOKENS}/me", headers={"Authorization": f"Token {current}"})
            urllib.request.urlopen(request).close()
        except urllib.error.HTTPError:
            current = fresh()
