// The whole life of tokens by InfluxDB's own JavaScript client, unmodified, on a fresh server that is set up.
//
// URL, TOKEN: the server, and its operator's token.

import assert from 'node:assert/strict'
import {test} from 'node:test'

import {HttpError, InfluxDB} from '@influxdata/influxdb-client'
import {AuthorizationsAPI, BucketsAPI, OrgsAPI, UsersAPI} from '@influxdata/influxdb-client-apis'

const {URL: url, TOKEN: operator} = process.env

const tokensOf = token => new AuthorizationsAPI(new InfluxDB({url, token}))
const root = new InfluxDB({url, token: operator})
const tokens = new AuthorizationsAPI(root)

const [{id: orgID}] = (await new OrgsAPI(root).getOrgs({org: 'acme'})).orgs
const {id: otherID} = await new OrgsAPI(root).postOrgs({body: {name: 'initech'}})
const {id: userID} = await new UsersAPI(root).postUsers({body: {name: 'carol'}})
const bucketIn = async org => (await new BucketsAPI(root).postBuckets({body: {name: 'node', orgID: org, retentionRules: []}})).id
const bucket = await bucketIn(orgID)
const foreignBucket = await bucketIn(otherID)

const read = (org, id) => ({action: 'read', resource: {type: 'buckets', orgID: org, id}})
const everything = org => [{action: '*', resource: {type: '*', orgID: org}}]
const create = (permissions, more = {}) => tokens.postAuthorizations({body: {orgID, permissions, ...more}})

const refused = (status, promise) =>
  assert.rejects(promise, error => {
    assert.ok(error instanceof HttpError, String(error))
    assert.equal(error.statusCode, status, error.body)
    assert.equal(typeof JSON.parse(error.body).message, 'string')
    return true
  })

test('create, get', async () => {
  const created = await create([read(orgID, bucket)], {description: 'a sensor', userID})
  assert.match(created.token, /^pcs_/)
  assert.deepEqual([created.status, created.org, created.user], ['active', 'acme', 'carol'])
  const found = await tokens.getAuthorizationsID({authID: created.id})
  assert.equal(found.token, '')
  assert.deepEqual(found.permissions, [{action: 'read', resource: {type: 'buckets', id: bucket, name: 'node', orgID, org: 'acme'}}])
  assert.equal((await tokensOf(created.token).getAuthorizationsID({authID: 'me'})).id, created.id)
})

test('list by every filter', async () => {
  const {id} = await create([read(orgID, bucket)], {userID})
  const listed = async filter => (await tokens.getAuthorizations(filter)).authorizations.some(each => each.id === id)
  for (const filter of [{}, {orgID}, {org: 'acme'}, {userID}, {user: 'carol'}, {org: 'acme', user: 'carol'}]) {
    assert.ok(await listed(filter), JSON.stringify(filter))
  }
  for (const filter of [{orgID: otherID}, {org: 'initech'}, {user: 'alice'}]) {
    assert.ok(!(await listed(filter)), JSON.stringify(filter))
  }
  await refused(404, tokens.getAuthorizations({org: 'nobody'}))
})

test('update', async () => {
  const created = await create(everything(orgID))
  const mine = tokensOf(created.token)
  const updated = await tokens.patchAuthorizationsID({authID: created.id, body: {status: 'inactive', description: 'on leave'}})
  assert.deepEqual([updated.status, updated.description], ['inactive', 'on leave'])
  await refused(401, mine.getAuthorizations())
  await tokens.patchAuthorizationsID({authID: created.id, body: {status: 'active'}})
  assert.ok((await mine.getAuthorizations()).authorizations.length > 0)
  await refused(400, tokens.patchAuthorizationsID({authID: created.id, body: {status: 'asleep'}}))
})

test('delete', async () => {
  const created = await create([read(orgID, bucket)])
  await tokens.deleteAuthorizationsID({authID: created.id})
  await refused(404, tokens.deleteAuthorizationsID({authID: created.id}))
  await refused(401, tokensOf(created.token).getAuthorizations())
})

test('a posted list of everything, one by one, is a custom token', async () => {
  const {permissions} = await create(everything(orgID))
  assert.equal(permissions.length, 44)
  assert.equal((await create(permissions)).kind, 'custom')
})

test('another organization', async () => {
  const mine = tokensOf((await create(everything(orgID))).token)
  const theirs = await tokens.postAuthorizations({body: {orgID: otherID, permissions: [read(otherID, foreignBucket)]}})
  await refused(404, mine.getAuthorizationsID({authID: theirs.id}))
  await refused(404, mine.patchAuthorizationsID({authID: theirs.id, body: {status: 'inactive'}}))
  await refused(404, mine.deleteAuthorizationsID({authID: theirs.id}))
  assert.deepEqual((await mine.getAuthorizations({orgID: otherID})).authorizations, [])
  await refused(401, mine.postAuthorizations({body: {orgID: otherID, permissions: [read(otherID)]}}))
  await refused(400, mine.postAuthorizations({body: {orgID, permissions: [read(orgID, foreignBucket)]}}))
})

test('escalation', async () => {
  const reader = tokensOf((await create([read(orgID, bucket)])).token)
  await refused(401, reader.postAuthorizations({body: {orgID, permissions: [read(orgID, bucket)]}}))
  const few = ['read', 'write'].map(action => ({action, resource: {type: 'authorizations', orgID}}))
  const clerk = tokensOf((await create(few)).token)
  await refused(403, clerk.postAuthorizations({body: {orgID, permissions: [read(orgID)]}}))
})

test('malformed', async () => {
  for (const token of ['', 'x', 'pcs_0', operator.slice(0, -1), `${operator}x`, '$influxdb2-sha256$abc']) {
    await refused(401, tokensOf(token).getAuthorizations())
  }
  await refused(400, tokens.getAuthorizationsID({authID: 'no-id'}))
  await refused(400, create([]))
  await refused(400, create([{action: 'no such action!', resource: {type: 'buckets', orgID}}]))
})
