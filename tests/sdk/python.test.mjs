// A program that uses the Anthropic Python SDK notices nothing of Headgate either: each journey is run
// against the upstream itself and through Headgate, and both see the same.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import test, { after, before } from 'node:test';
import { promisify } from 'node:util';

import { inTime, proxied, proxy, sandbox } from './harness.mjs';
import { beginning, event, upstream } from './upstream.mjs';

const folder = join(import.meta.dirname, 'python');
let python;
let answers;

before(async () => {
  const { stdout } = await promisify(execFile)(join(folder, 'setup.sh'));
  python = spawn(stdout.trim(), [join(folder, 'journey.py')], { stdio: ['pipe', 'pipe', 'inherit'] });
  answers = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
});

after(() => python?.kill());

/// What the Python SDK made of a journey at this address.
async function journey(name, url, key = 'headgate') {
  python.stdin.write(`${JSON.stringify({ name, url, key })}\n`);
  const { value, done } = await inTime(`the Python SDK's ${name}`, answers.next());
  assert.ok(!done, 'journey.py has broken off; what it said stands above');
  return JSON.parse(value);
}

for (const [name, scenario, requests] of [
  ['message', 'calm', 1],
  ['stream', 'calm', 1],
  ['tools', 'tools', 3],
  ['count_tokens', 'calm', 1],
]) {
  test(`${name}: the Python SDK sees what it would see without Headgate`, async (t) => {
    const direct = await sandbox(t, scenario);
    const headgate = await proxied(t, scenario);

    const expected = await journey(name, direct.url, direct.accounts[0].key);
    const seen = await journey(name, headgate.url);

    assert.deepEqual(seen, expected);
    const records = await headgate.requests(requests);
    assert.equal(records.length, requests);
    for (const record of records) {
      assert.equal(record.ending, 'complete');
      assert.match(record.client, /Python/);
    }
  });
}

test('models: the Python SDK sees what the upstream has, and what Headgate knows of besides', async (t) => {
  const direct = await sandbox(t, 'calm');
  const headgate = await proxied(t, 'calm');

  const expected = await journey('models', direct.url, direct.accounts[0].key);
  const seen = await journey('models', headgate.url);

  for (const model of expected) assert.ok(seen.includes(model), `${model} of ${seen}`);
});

test('failover is invisible to the Python SDK', async (t) => {
  const headgate = await proxied(t, 'weather');

  const { message } = await journey('stream', headgate.url);

  assert.equal(message.stop_reason, 'end_turn');
  const [record] = await headgate.requests(1);
  assert.deepEqual(
    record.attempts.map(({ account, status }) => [account, status]),
    [
      ['First', 529],
      ['First', 500],
      ['Second', 200],
    ],
  );
});

test('without any account the Python SDK shows how to add one', async (t) => {
  const headgate = await proxy(t, []);

  const { kind, message, status } = await journey('error', headgate.url);

  assert.equal(status, 402);
  assert.equal(kind, 'PaymentRequiredError');
  assert.match(message, /headgate accounts add/);
});

test('a refused key is an authentication error of the Python SDK', async (t) => {
  const { accounts } = await sandbox(t, 'calm');
  const headgate = await proxy(t, [{ ...accounts[0], key: 'no-such-key' }]);

  const { kind, status } = await journey('error', headgate.url);

  assert.equal(status, 401);
  assert.equal(kind, 'AuthenticationError');
});

test('a cut stream is an error in the Python SDK, never a message', async (t) => {
  const { account } = await upstream(t, (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(beginning('half an ').map(event).join(''), () => response.destroy());
  });
  const headgate = await proxy(t, [account]);

  const { finished, kind } = await journey('broken_stream', headgate.url);

  assert.equal(finished, undefined, 'half a message is no message');
  assert.ok(kind);
  assert.equal((await headgate.requests(1))[0].ending, 'upstream_cut');
});

test('an error event is an error in the Python SDK, in its own words', async (t) => {
  const overloaded = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } };
  const { account } = await upstream(t, (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end([...beginning('half an '), overloaded].map(event).join(''));
  });
  const headgate = await proxy(t, [account]);

  const { finished, message } = await journey('broken_stream', headgate.url);

  assert.equal(finished, undefined, 'half a message is no message');
  assert.match(message, /Overloaded/);
  assert.equal((await headgate.requests(1))[0].ending, 'upstream_error');
});
