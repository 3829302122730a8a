// A client that leaves takes its upstream request with it at once: nobody pays for words that nobody reads.

import assert from 'node:assert/strict';
import test from 'node:test';

import { ask, client } from './client.mjs';
import { inTime, proxy } from './harness.mjs';
import { beginning, end, event, message, upstream } from './upstream.mjs';

/// An upstream that begins an answer and never ends it.
function endless(t) {
  return upstream(t, (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const each of beginning('The first ')) response.write(event(each));
  });
}

test('an abort in the middle of a stream reaches the upstream', async (t) => {
  const { account, arrivals } = await endless(t);
  const headgate = await proxy(t, [account]);

  const stream = await client(headgate.url).messages.create(ask('hi', { stream: true }));
  for await (const { type } of stream) if (type === 'content_block_delta') break;
  const began = Date.now();

  assert.equal(await inTime('the upstream to see it', arrivals[0].left), true);
  assert.ok(Date.now() - began < 2000, 'within moments');
  const [record] = await headgate.requests(1);
  assert.equal(record.ending, 'client_left');
  assert.equal(record.usage.input, 10, 'what was said until then is counted');
});

test('an abort before the first byte reaches the upstream', async (t) => {
  let asked;
  const arrived = new Promise((done) => (asked = done));
  const { account, arrivals } = await upstream(t, () => asked());
  const headgate = await proxy(t, [account]);
  const controller = new AbortController();

  const answer = client(headgate.url).messages.create(ask(), { signal: controller.signal });
  const aborted = assert.rejects(answer);
  await inTime('the request to arrive', arrived);
  controller.abort();
  await aborted;

  assert.equal(await inTime('the upstream to see it', arrivals[0].left), true);
  const [record] = await headgate.requests(1);
  assert.equal(record.ending, 'client_left');
  assert.equal(record.attempts.length, 1, 'a client that hung up is not retried');
});

test('a client that hangs up after the last event has not left early', async (t) => {
  let finish;
  const { account } = await upstream(t, (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const each of [...beginning('Done.'), ...end()]) response.write(event(each));
    finish = () => response.end();
  });
  const headgate = await proxy(t, [account]);

  const stream = await client(headgate.url).messages.create(ask('hi', { stream: true }));
  for await (const { type } of stream) if (type === 'message_stop') break;

  const [record] = await headgate.requests(1);
  assert.equal(record.ending, 'complete');
  finish();
});

test('the proxy goes on after a client has left', async (t) => {
  const { account } = await upstream(t, (_, response, { body }) => {
    if (JSON.parse(body).stream) {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': on\n\n');
    } else {
      response.writeHead(200, { 'content-type': 'application/json' }).end(message([{ type: 'text', text: 'here' }]));
    }
  });
  const headgate = await proxy(t, [account]);
  const claude = client(headgate.url);

  const stream = await claude.messages.create(ask('hi', { stream: true }));
  stream.controller.abort();
  const answer = await claude.messages.create(ask());

  assert.equal(answer.content[0].text, 'here');
  assert.deepEqual((await headgate.requests(2)).map((record) => record.ending), ['client_left', 'complete']);
});
