// An account that can't answer is passed over before the client has seen a byte; when none is left, the
// client is told why, and when to come back.

import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import test from 'node:test';

import Anthropic from '@anthropic-ai/sdk';

import { ask, client } from './client.mjs';
import { proxied, proxy, sandbox } from './harness.mjs';
import { message, upstream } from './upstream.mjs';

const tried = (record) => record.attempts.map(({ account, verdict }) => `${account} ${verdict}`);

test('a rate-limited account is passed over, and so is one whose window is spent', async (t) => {
  const headgate = await proxied(t, 'limits');
  const claude = client(headgate.url);

  const first = await claude.messages.create(ask());
  const second = await claude.messages.create(ask());

  assert.equal(first.stop_reason, 'end_turn');
  assert.equal(second.stop_reason, 'end_turn');
  const records = await headgate.requests(2);
  assert.deepEqual(tried(records[0]), ['First fine']);
  assert.deepEqual(tried(records[1]), ['First throttled', 'Second fine']);
  assert.equal(records[1].account, 'Second');
  assert.deepEqual(
    records[1].attempts.map((attempt) => attempt.status),
    [429, 200],
  );
});

test('every kind of bad weather is invisible to the SDK', async (t) => {
  const headgate = await proxied(t, 'weather');
  const claude = client(headgate.url);

  for (let question = 1; question <= 3; question++) {
    const { response } = await claude.messages.create(ask()).withResponse();
    assert.equal(response.status, 200, `question ${question}`);
  }

  const records = await headgate.requests(3);
  for (const record of records) assert.equal(record.account, 'Second');
  // An overloaded account is asked once more in place; its second answer is a 500.
  assert.deepEqual(tried(records[0]), ['First weather', 'First weather', 'Second fine']);
  assert.deepEqual(tried(records[1]), ['First throttled', 'Second fine']);
  assert.equal(tried(records[2]).at(-1), 'Second fine', 'whether the first one still rests or not');
});

test('a refused key takes its account out of service, and says so', async (t) => {
  const { accounts } = await sandbox(t, 'calm');
  const wrong = { ...accounts[0], name: 'Wrong', key: 'no-such-key', priority: -1 };
  const headgate = await proxy(t, [wrong, ...accounts]);

  await client(headgate.url).messages.create(ask());
  await client(headgate.url).messages.create(ask());

  const records = await headgate.requests(2);
  assert.deepEqual(tried(records[0]), ['Wrong credential_refused', 'Calm fine']);
  assert.deepEqual(tried(records[1]), ['Calm fine'], 'nobody asks it again');
  const standing = (await headgate.accounts()).find(({ name }) => name === 'Wrong').standing;
  assert.equal(standing.state, 'needs_sign_in');
});

test('a stream fails over as well, and no half answer is seen', async (t) => {
  const headgate = await proxied(t, 'weather');

  const answer = await client(headgate.url).messages.stream(ask()).finalMessage();

  assert.equal(answer.stop_reason, 'end_turn');
  const [record] = await headgate.requests(1);
  assert.deepEqual(tried(record), ['First weather', 'First weather', 'Second fine']);
  assert.equal(record.stream, true);
});

test('counting tokens fails over as well', async (t) => {
  const { accounts } = await sandbox(t, 'calm');
  const dead = { ...accounts[0], name: 'Dead', url: await closedPort(), priority: -1 };
  const headgate = await proxy(t, [dead, ...accounts]);
  const { max_tokens: _, ...question } = ask();

  const count = await client(headgate.url).messages.countTokens(question);

  assert.ok(count.input_tokens > 0);
  const [record] = await headgate.requests(1);
  assert.deepEqual(tried(record), ['Dead weather', 'Calm fine']);
  assert.equal(record.attempts[0].status, null, 'there was no head');
});

test('when every account is spent, Headgate names each and tells until when, also to the one who spent the last', async (t) => {
  const reset = Math.floor(Date.now() / 1000) + 3600;
  const words = "This request would exceed your account's rate limit.";
  const { account, arrivals } = await upstream(t, (_, response) => {
    const unified = 'anthropic-ratelimit-unified';
    response.writeHead(429, {
      'content-type': 'application/json',
      'retry-after': '3600',
      [`${unified}-status`]: 'rejected',
      [`${unified}-5h-status`]: 'rejected',
      [`${unified}-5h-utilization`]: '1.0',
      [`${unified}-5h-reset`]: String(reset),
    });
    response.end(JSON.stringify({ type: 'error', error: { type: 'rate_limit_error', message: words } }));
  });
  const headgate = await proxy(t, [
    { ...account, name: 'Work' },
    { ...account, name: 'Home', priority: 1 },
  ]);
  const refused = async () => {
    const error = await client(headgate.url).messages.create(ask()).catch((error) => error);
    assert.ok(error instanceof Anthropic.RateLimitError, String(error));
    assert.equal(error.type, 'rate_limit_error');
    assert.match(error.headers.get('retry-after'), /^\d+$/, 'whole seconds, never a date');
    return error;
  };

  for (const refusal of [await refused(), await refused()]) {
    assert.match(refusal.message, /Work.*Home/, 'both accounts are named');
    const wait = Number(refusal.headers.get('retry-after'));
    assert.ok(wait > 3500 && wait <= 3601, `${wait} s are the hour of the window`);
    assert.equal(refusal.headers.get('x-should-retry'), 'false', 'an hour is too long to wait for');
  }
  assert.equal(arrivals.length, 2, 'a spent account is not asked again');
  const records = await headgate.requests(2);
  assert.deepEqual(tried(records[0]), ['Work quota_spent', 'Home quota_spent']);
  assert.deepEqual(records[1].attempts, []);
  assert.equal(records[1].ending, 'refused');
});

test('the SDK waits out a short pause by itself', async (t) => {
  let asked = 0;
  const { account } = await upstream(t, (_, response) => {
    const head = { 'content-type': 'application/json' };
    if (++asked === 1) {
      const error = { type: 'rate_limit_error', message: 'Slow down.' };
      response.writeHead(429, { ...head, 'retry-after': '1' }).end(JSON.stringify({ type: 'error', error }));
    } else {
      response.writeHead(200, head).end(message([{ type: 'text', text: 'now' }]));
    }
  });
  const headgate = await proxy(t, [account]);

  const answer = await client(headgate.url).withOptions({ maxRetries: 2 }).messages.create(ask());

  assert.equal(answer.content[0].text, 'now');
  assert.equal((await headgate.requests(2))[0].status, 429);
});

test('without any account the answer says how to add one', async (t) => {
  const headgate = await proxy(t, []);

  const error = await client(headgate.url).messages.create(ask()).catch((error) => error);

  assert.equal(error.status, 402, String(error));
  assert.match(error.message, /headgate accounts add/);
  assert.equal(error.headers.get('x-should-retry'), 'false');
  assert.match(error.requestID, /^req_/);
});

/// The address of a port on which nobody listens.
async function closedPort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return `http://127.0.0.1:${port}`;
}
