// What is wrong with a request reaches the program as the SDK's own kind of error, with a sentence.

import assert from 'node:assert/strict';
import test from 'node:test';

import Anthropic from '@anthropic-ai/sdk';

import { ask, client, model } from './client.mjs';
import { proxied, proxy, sandbox } from './harness.mjs';
import { upstream } from './upstream.mjs';

/// What the SDK makes of an answer to this body, however wrong it is.
function post(url, body, path = '/v1/messages') {
  const sent = { body: Buffer.from(body), headers: { 'content-type': 'application/json' } };
  return client(url)
    .post(path, sent)
    .then(
      () => assert.fail('it was accepted'),
      (error) => error,
    );
}

for (const [what, body] of [
  ['half a document', '{"model": "claude-opus-5-5", '],
  ['no object', '[1, 2, 3]'],
  ['nothing', ''],
  ['bytes that are no text', Buffer.from([0xff, 0xfe, 0x7b])],
]) {
  test(`a body that is ${what} is an invalid request`, async (t) => {
    const headgate = await proxied(t, 'calm');

    const error = await post(headgate.url, body);

    assert.ok(error instanceof Anthropic.BadRequestError, String(error));
    assert.equal(error.type, 'invalid_request_error');
    assert.match(error.message, /not a JSON object/);
    const [record] = await headgate.requests(1);
    assert.equal(record.ending, 'refused');
    assert.equal(record.status, 400);
    assert.deepEqual(record.attempts, [], 'no account was bothered');
  });
}

test("a fault of the request is told in the upstream's own words and blames no account", async (t) => {
  const words = 'prompt is too long: 212042 tokens > 200000 maximum';
  const body = JSON.stringify({ type: 'error', error: { type: 'invalid_request_error', message: words } });
  const { account, arrivals } = await upstream(t, (_, response) => {
    response.writeHead(400, { 'content-type': 'application/json', 'request-id': 'req_theirs' }).end(body);
  });
  const headgate = await proxy(t, [account, { ...account, name: 'Other', priority: 1 }]);

  const error = await client(headgate.url).messages.create(ask()).catch((error) => error);

  assert.ok(error instanceof Anthropic.BadRequestError, String(error));
  assert.equal(error.apiMessage, words);
  assert.equal(error.requestID, 'req_theirs');
  assert.equal(arrivals.length, 1, 'another account would say the same');
  const [record] = await headgate.requests(1);
  assert.equal(record.attempts[0].verdict, 'context_too_long');
  assert.equal((await headgate.accounts())[0].standing.state, 'ready');
});

test("a key that the only account's upstream refuses is an authentication error", async (t) => {
  const { accounts } = await sandbox(t, 'calm');
  const headgate = await proxy(t, [{ ...accounts[0], key: 'no-such-key' }]);

  const first = await client(headgate.url).messages.create(ask()).catch((error) => error);
  assert.ok(first instanceof Anthropic.AuthenticationError, String(first));
  assert.match(first.message, /invalid x-api-key/);

  const second = await client(headgate.url).messages.create(ask()).catch((error) => error);
  assert.match(second.message, /Calm.*headgate accounts set-key/, 'the next one says what to do');
});

test('a body over the limit is too large, and says what the limit is', async (t) => {
  const headgate = await proxied(t, 'calm');
  const body = JSON.stringify({ ...ask('x'.repeat(33 << 20)), model });

  const error = await post(headgate.url, body);

  assert.ok(error instanceof Anthropic.ContentTooLargeError, String(error));
  assert.equal(error.type, 'request_too_large');
  assert.match(error.message, /32 MiB/);
  const [record] = await headgate.requests(1);
  assert.equal(record.status, 413);
  assert.deepEqual(record.attempts, []);
});

test("an unknown path is the upstream's to refuse", async (t) => {
  const headgate = await proxied(t, 'calm');

  const error = await post(headgate.url, '{}', '/v1/no-such-thing');

  assert.ok(error instanceof Anthropic.NotFoundError, String(error));
  const [record] = await headgate.requests(1);
  assert.equal(record.attempts[0].status, 404);
});

test('an upstream out of reach is an error that names it', async (t) => {
  const { account } = await upstream(t, (_, response) => response.destroy());
  const headgate = await proxy(t, [account]);

  const error = await client(headgate.url).messages.create(ask()).catch((error) => error);

  assert.ok(error instanceof Anthropic.InternalServerError, String(error));
  assert.match(error.message, /127\.0\.0\.1 closed the connection before it answered/);
  const [record] = await headgate.requests(1);
  assert.equal(record.ending, 'upstream_error');
});
