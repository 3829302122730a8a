// Large and many: a first word to Claude Code weighs 90 KB, pictures weigh megabytes, and one `/context`
// counts tokens 34 times at once.

import assert from 'node:assert/strict';
import test from 'node:test';

import { ask, client } from './client.mjs';
import { proxied, proxy } from './harness.mjs';
import { beginning, end, event, message, upstream } from './upstream.mjs';

for (const [what, bytes] of [
  ['90 KB', 90 << 10],
  ['5 MB', 5 << 20],
]) {
  test(`a question of ${what} arrives whole`, async (t) => {
    const { account, arrivals } = await upstream(t, (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(message([{ type: 'text', text: 'read' }]));
    });
    const headgate = await proxy(t, [account]);
    const text = 'äöü and so on. '.repeat(bytes / 18);

    const answer = await client(headgate.url).messages.create(ask(text));

    assert.equal(answer.content[0].text, 'read');
    assert.equal(JSON.parse(arrivals[0].body).messages[0].content, text);
    const [record] = await headgate.requests(1);
    assert.equal(record.request_bytes, arrivals[0].body.length);
  });
}

test('an answer of 5 MB arrives whole, streamed and not', async (t) => {
  const text = 'a word and another. '.repeat(5 << 20 >> 4);
  const { account } = await upstream(t, (_, response, { body }) => {
    if (!JSON.parse(body).stream) {
      response.writeHead(200, { 'content-type': 'application/json' }).end(message([{ type: 'text', text }]));
      return;
    }
    const [start, open] = beginning('');
    const pieces = text.match(/.{1,20000}/gs).map((piece) => ({
      type: 'content_block_delta',
      index: 0,
      delta: { type: 'text_delta', text: piece },
    }));
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end([start, open, ...pieces, ...end()].map(event).join(''));
  });
  const headgate = await proxy(t, [account]);
  const claude = client(headgate.url);

  assert.equal(await claude.messages.stream(ask()).finalText(), text);
  assert.equal((await claude.messages.create(ask())).content[0].text, text);
  for (const record of await headgate.requests(2)) assert.equal(record.ending, 'complete');
});

test('34 counts at once are all answered', async (t) => {
  const headgate = await proxied(t, 'calm');
  const claude = client(headgate.url);

  const counts = await Promise.all(
    Array.from({ length: 34 }, (_, number) => {
      const { max_tokens: _most, ...question } = ask('x'.repeat(number * 400));
      return claude.messages.countTokens(question);
    }),
  );

  counts.forEach(({ input_tokens }, number) => {
    if (number > 0) assert.equal(input_tokens - counts[number - 1].input_tokens, 100, 'each got its own answer');
  });
  const records = await headgate.requests(34);
  assert.equal(records.length, 34);
  assert.equal(new Set(records.map((record) => record.id)).size, 34);
  for (const record of records) assert.equal(record.status, 200);
});

test('twenty streams at once do not mix', async (t) => {
  const { account } = await upstream(t, (_, response, { body }) => {
    const text = JSON.parse(body).messages[0].content;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const events = [...beginning(`You said ${text}.`), ...end()].map(event);
    const next = () => {
      if (events.length === 1) response.end(events[0]);
      else response.write(events.shift(), () => setImmediate(next));
    };
    next();
  });
  const headgate = await proxy(t, [account]);
  const claude = client(headgate.url);
  const words = Array.from({ length: 20 }, (_, number) => `word ${number}`);

  const answers = await Promise.all(words.map((word) => claude.messages.stream(ask(word)).finalText()));

  assert.deepEqual(answers, words.map((word) => `You said ${word}.`));
});
