#!/usr/bin/env bash
# The curl recipes of InfluxDB's documentation, and wrong ones, on a fresh server that is set up.
#
# URL, TOKEN: the server, and its operator's token.
set -euo pipefail

INFLUX_HOST=$URL INFLUX_TOKEN=$TOKEN
body=$(mktemp)
trap 'rm -f "$body"' EXIT

# expect STATUS curl-arguments...: the status that is answered, and its body in the file.
expect() {
    local status=$1 answered
    shift
    answered=$(curl --silent --show-error --max-time 10 --output "$body" --write-out '%{http_code}' "$@")
    if [ "$answered" != "$status" ]; then
        echo "expected $status, was answered $answered: $(cat "$body")" >&2
        echo "  curl $*" | sed -E 's/pcs_[0-9A-Za-z]+/pcs_.../g' >&2
        exit 1
    fi
}

field() { python3 -c 'import json, sys; print(eval("a" + sys.argv[1], {"a": json.load(open(sys.argv[2]))}))' "$1" "$body"; }

is() { [ "$(field "$1")" = "$2" ] || { echo "$1 is $(field "$1"), not $2" >&2; exit 1; }; }

auth="Authorization: Token $INFLUX_TOKEN"
json='Content-type: application/json'

expect 200 "$INFLUX_HOST/health"
expect 204 "$INFLUX_HOST/ping"
expect 200 "$INFLUX_HOST/api/v2/setup"
is "['allowed']" False
expect 422 "$INFLUX_HOST/api/v2/setup" --data '{"username":"eve","org":"evil","bucket":"b"}'

expect 200 --request GET "$INFLUX_HOST/api/v2/orgs?org=acme" --header "$auth"
INFLUX_ORG_ID=$(field "['orgs'][0]['id']")
expect 200 --request GET "$INFLUX_HOST/api/v2/buckets?org=acme&name=metrics" --header "$auth"
BUCKET_ID=$(field "['buckets'][0]['id']")

# Create a token.
expect 201 --request POST "$INFLUX_HOST/api/v2/authorizations" --header "$auth" --header "$json" --data '{
    "status": "active",
    "description": "iot-center-device",
    "orgID": "'"$INFLUX_ORG_ID"'",
    "permissions": [
      {"action": "read", "resource": {"orgID": "'"$INFLUX_ORG_ID"'", "type": "authorizations"}},
      {"action": "read", "resource": {"orgID": "'"$INFLUX_ORG_ID"'", "type": "buckets"}},
      {"action": "write", "resource": {"orgID": "'"$INFLUX_ORG_ID"'", "type": "buckets", "name": "metrics"}}
    ]
  }'
AUTH_ID=$(field "['id']") SECRET=$(field "['token']")
# The name was resolved to its bucket; in InfluxDB it covers all of them.
is "['permissions'][2]['resource']['id']" "$BUCKET_ID"

# Create a token for another user.
expect 201 --request POST "$INFLUX_HOST/api/v2/users" --header "$auth" --header "$json" --data '{"name": "dave"}'
USER_ID=$(field "['id']")
expect 201 --request POST "$INFLUX_HOST/api/v2/authorizations" --header "$auth" --header "$json" --data '{
    "orgID": "'"$INFLUX_ORG_ID"'", "userID": "'"$USER_ID"'",
    "permissions": [{"action": "read", "resource": {"orgID": "'"$INFLUX_ORG_ID"'", "type": "buckets"}}]}'
is "['user']" dave

# View tokens: all, one, of a user, of an organization; with the token in either scheme.
expect 200 --request GET "$INFLUX_HOST/api/v2/authorizations" --header "$auth"
expect 200 --request GET "$INFLUX_HOST/api/v2/authorizations/" --header "Authorization: Bearer $INFLUX_TOKEN"
expect 200 --request GET "$INFLUX_HOST/api/v2/authorizations/$AUTH_ID" --header "authorization: token $INFLUX_TOKEN"
is "['token']" ""
expect 200 --get "$INFLUX_HOST/api/v2/authorizations" --header "$auth" --data-urlencode "userID=$USER_ID"
is ".get('authorizations')[0]['user']" dave
expect 200 --get "$INFLUX_HOST/api/v2/authorizations" --header "$auth" --data-urlencode 'org=acme' --data-urlencode 'user=alice'
expect 200 --get "$INFLUX_HOST/api/v2/authorizations" --header "Authorization: Token $SECRET"

# Use it.
expect 204 "$INFLUX_HOST/api/v2/write?org=acme&bucket=metrics" --header "Authorization: Token $SECRET" --data-binary 'cpu load=1'
expect 200 "$INFLUX_HOST/api/v2/query?org=acme" --header "Authorization: Token $SECRET" --data '{"query": "from(bucket:\"metrics\")"}'
grep -q 'cpu load=1' "$body"

# Update it: inactive, then active again.
expect 200 --request PATCH "$INFLUX_HOST/api/v2/authorizations/$AUTH_ID" --header "$auth" --header "$json" \
    --data '{"description": "deactivated_auth", "status": "inactive"}'
is "['status']" inactive
expect 401 "$INFLUX_HOST/api/v2/authorizations" --header "Authorization: Token $SECRET"
expect 401 "$INFLUX_HOST/api/v2/write?org=acme&bucket=metrics" --header "Authorization: Token $SECRET" --data-binary 'cpu load=2'
expect 200 --request PATCH "$INFLUX_HOST/api/v2/authorizations/$AUTH_ID" --header "$auth" --data '{"status": "active"}'

# Beyond InfluxDB: whoami, may I, rotate, revoke.
expect 200 "$INFLUX_HOST/api/v2/authorizations/me" --header "Authorization: Token $SECRET"
is "['id']" "$AUTH_ID"
expect 200 "$INFLUX_HOST/api/v2/authorizations/me/check" --header "Authorization: Token $SECRET" --data \
    '{"permissions": [{"action": "write", "resource": {"type": "tasks", "orgID": "'"$INFLUX_ORG_ID"'"}}]}'
is "['allowed']" False
expect 200 --request POST "$INFLUX_HOST/api/v2/authorizations/$AUTH_ID/rotate" --header "$auth"
expect 401 "$INFLUX_HOST/api/v2/authorizations/me" --header "Authorization: Token $SECRET"
expect 200 --request POST "$INFLUX_HOST/api/v2/authorizations/$AUTH_ID/revoke" --header "$auth"
expect 422 --request PATCH "$INFLUX_HOST/api/v2/authorizations/$AUTH_ID" --header "$auth" --data '{"status": "active"}'

# Delete it.
expect 204 --request DELETE "$INFLUX_HOST/api/v2/authorizations/$AUTH_ID" --header "$auth"
expect 404 --request DELETE "$INFLUX_HOST/api/v2/authorizations/$AUTH_ID" --header "$auth"

# Wrong requests are told so, and change nothing.
expect 200 "$INFLUX_HOST/api/v2/authorizations" --header "$auth"
before=$(cat "$body")
tokens="$INFLUX_HOST/api/v2/authorizations"
for header in 'X: y' 'Authorization:' 'Authorization: Token' 'Authorization: Basic YWxpY2U6eA==' "Authorization: Token alice:$INFLUX_TOKEN" \
    "Authorization: Token  $INFLUX_TOKEN" 'Authorization: Token wrong' 'Authorization: Token $influxdb2-sha256$abc'; do
    expect 401 "$tokens" --header "$header"
    is "['code']" unauthorized
done
expect 401 "$tokens?token=$INFLUX_TOKEN"
expect 401 "$tokens" --header "$auth" --header "Authorization: Token wrong"
for wrong in '' '{' '[]' 'null' '{"orgID": 7}' '{"orgID": "'"$INFLUX_ORG_ID"'"}' '{"orgID": "'"$INFLUX_ORG_ID"'", "permissions": []}' \
    '{"permissions": [{"action": "read", "resource": {"type": "buckets", "orgID": "'"$INFLUX_ORG_ID"'", "name": "no such bucket"}}], "orgID": "'"$INFLUX_ORG_ID"'"}'; do
    expect 400 --request POST "$tokens" --header "$auth" --data "$wrong"
    is "['code']" invalid
done
expect 400 "$tokens/zzz" --header "$auth"
expect 404 "$tokens/0123456789abcdef" --header "$auth"
expect 405 --request PUT "$tokens" --header "$auth"
head -c 2000000 /dev/zero | tr '\0' ' ' | expect 413 --request POST "$tokens" --header "$auth" --header 'Expect:' --data-binary @-
expect 200 "$INFLUX_HOST/api/v2/authorizations" --header "$auth"
python3 - "$before" "$body" <<'PYTHON'
import json, sys

before, after = json.loads(sys.argv[1]), json.load(open(sys.argv[2]))
for tokens in (before, after):
    for token in tokens["authorizations"]:
        del token["lastUsedAt"]
assert before == after, "wrong requests changed something"
PYTHON
echo "curl: all as documented"
