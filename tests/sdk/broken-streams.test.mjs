// A stream that the upstream breaks is broken for the client too: never a finished message that is not
// one, and each kind of break stays what it was, because clients recover from each in another way.

import assert from 'node:assert/strict';
import test from 'node:test';

import Anthropic from '@anthropic-ai/sdk';

import { ask, client } from './client.mjs';
import { proxied, proxy } from './harness.mjs';
import { beginning, event, upstream } from './upstream.mjs';

/// Often enough to meet a cut that arrives together with what stands before it.
const OFTEN = 12;

/// How the SDK's gathering of a stream ended: with a message or an error.
async function outcome(url) {
  const stream = client(url).messages.stream(ask());
  let events = 0;
  stream.on('streamEvent', () => events++);
  const end = await stream.finalMessage().then(
    (message) => ({ message }),
    (error) => ({ error }),
  );
  return { ...end, events };
}

test('a cut, a reset and an error event each surface as an error', async (t) => {
  const headgate = await proxied(t, 'cuts');

  const whole = await outcome(headgate.url);
  const cut = await outcome(headgate.url);
  const reset = await outcome(headgate.url);
  const failed = await outcome(headgate.url);

  assert.equal(whole.message.stop_reason, 'end_turn');
  for (const { error, message } of [cut, reset, failed]) {
    assert.ok(error instanceof Anthropic.AnthropicError, `an error, not ${JSON.stringify(message)}`);
  }
  assert.equal(failed.error.type, 'overloaded_error');
  assert.notEqual(cut.error.type, 'overloaded_error', 'a cut is no error event');
  const records = await headgate.requests(4);
  assert.deepEqual(
    records.map((record) => record.ending),
    ['complete', 'upstream_cut', 'upstream_cut', 'upstream_error'],
  );
  assert.match(records[3].error, /overloaded_error: Overloaded/);
  for (const record of records) assert.equal(record.attempts.length, 1, 'nothing is asked twice after a byte');
});

for (const [how, cut] of [
  ['closed', (socket) => socket.end()],
  ['reset', (socket) => socket.resetAndDestroy()],
]) {
  test(`what came before the connection was ${how} has arrived each time`, async (t) => {
    const { account } = await upstream(t, (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (const each of beginning('half an ')) response.write(event(each));
      setImmediate(() => cut(response.socket));
    });
    const headgate = await proxy(t, [account]);

    for (let time = 1; time <= OFTEN; time++) {
      const { error, events } = await outcome(headgate.url);
      assert.ok(error, 'half a message is no message');
      assert.equal(events, 3, `time ${time}: ${error}`);
    }
  });
}

test('a stream that ends in order but without its last event is recorded as cut', async (t) => {
  const { account } = await upstream(t, (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(beginning('half an ').map(event).join(''));
  });
  const headgate = await proxy(t, [account]);

  const { error } = await outcome(headgate.url);

  assert.ok(error, 'half a message is no message');
  assert.equal((await headgate.requests(1))[0].ending, 'upstream_cut');
});

test('a message that is not streamed and is cut is an error', async (t) => {
  const { account } = await upstream(t, (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
    response.write('{"id":"msg_1","type":"message",', () => response.destroy());
  });
  const headgate = await proxy(t, [account]);

  const error = await client(headgate.url).messages.create(ask()).catch((error) => error);

  assert.ok(error instanceof Error, 'half a document is no message');
  assert.equal((await headgate.requests(1))[0].ending, 'upstream_cut');
});
