// A program that uses the Anthropic TypeScript SDK notices nothing of Headgate: messages, streams, tools,
// token counts and models are what the upstream itself would have said.

import assert from 'node:assert/strict';
import test from 'node:test';

import { ask, client, gather, model, tools } from './client.mjs';
import { proxied, proxy, sandbox } from './harness.mjs';
import { message, upstream } from './upstream.mjs';

test('a message is answered as by the upstream itself, and written down', async (t) => {
  const direct = await sandbox(t, 'calm');
  const headgate = await proxied(t, 'calm');

  const expected = await client(direct.url, direct.accounts[0].key).messages.create(ask());
  const answer = await client(headgate.url).messages.create(ask());

  assert.deepEqual(answer, expected);
  const [record] = await headgate.requests(1);
  assert.equal(record.ending, 'complete');
  assert.equal(record.status, 200);
  assert.equal(record.account, 'Calm');
  assert.equal(record.model, model);
  assert.equal(record.stream, false);
  assert.deepEqual(record.usage, {
    input: answer.usage.input_tokens,
    output: answer.usage.output_tokens,
    cache_read: answer.usage.cache_read_input_tokens,
    cache_write: answer.usage.cache_creation_input_tokens,
    cache_write_1h: answer.usage.cache_creation?.ephemeral_1h_input_tokens,
  });
  assert.ok(record.first_byte_ms <= record.duration_ms, 'the first byte comes before the end');
});

test('a stream brings the same events in the same order', async (t) => {
  const direct = await sandbox(t, 'calm');
  const headgate = await proxied(t, 'calm');
  const events = async (of) => gather(await of.messages.create(ask('hi', { stream: true })));

  const expected = await events(client(direct.url, direct.accounts[0].key));
  const seen = await events(client(headgate.url));

  assert.equal(seen[0].type, 'message_start');
  assert.equal(seen.at(-1).type, 'message_stop');
  assert.deepEqual(seen, expected);
  const [record] = await headgate.requests(1);
  assert.equal(record.stream, true);
  assert.equal(record.ending, 'complete');
  assert.equal(record.usage.output, expected.at(-2).usage.output_tokens);
});

test("the SDK's own gathering of a stream gives the text of a direct call", async (t) => {
  const direct = await sandbox(t, 'calm');
  const headgate = await proxied(t, 'calm');
  let typed = '';

  const expected = await client(direct.url, direct.accounts[0].key).messages.stream(ask()).finalText();
  const stream = client(headgate.url).messages.stream(ask());
  stream.on('text', (piece) => (typed += piece));

  assert.equal(await stream.finalText(), expected);
  assert.equal(typed, expected);
});

test('a tool is called, its result goes back, and the answer follows', async (t) => {
  const { account, arrivals } = await upstream(t, (_, response, arrival) => {
    const last = JSON.parse(arrival.body).messages.at(-1).content;
    const result = Array.isArray(last) && last.find((block) => block.type === 'tool_result');
    const answer = result
      ? message([{ type: 'text', text: `${result.tool_use_id} said ${result.content}` }])
      : message([{ type: 'tool_use', id: 'toolu_1', name: 'Bash', input: { command: 'pwd' } }], 'tool_use');
    response.writeHead(200, { 'content-type': 'application/json' }).end(answer);
  });
  const headgate = await proxy(t, [account]);
  const claude = client(headgate.url);

  const first = ask('Where am I?', { tools });
  const call = await claude.messages.create(first);
  assert.equal(call.stop_reason, 'tool_use');
  assert.deepEqual(call.content[0].input, { command: 'pwd' });
  const result = { type: 'tool_result', tool_use_id: call.content[0].id, content: '/home/you' };
  const messages = [
    ...first.messages,
    { role: 'assistant', content: call.content },
    { role: 'user', content: [result] },
  ];
  const answer = await claude.messages.create({ ...first, messages });

  assert.equal(answer.content[0].text, 'toolu_1 said /home/you');
  assert.deepEqual(JSON.parse(arrivals[1].body).messages, messages);
});

test('streamed tool calls arrive with their input whole, one and then two at once', async (t) => {
  const direct = await sandbox(t, 'tools');
  const headgate = await proxied(t, 'tools');
  const loop = async (of) => {
    const messages = [...ask('Run the tests.').messages];
    const turns = [];
    do {
      const turn = await of.messages.stream(ask('', { tools, messages: [...messages] })).finalMessage();
      turns.push(turn);
      const results = turn.content
        .filter(({ type }) => type === 'tool_use')
        .map(({ id }) => ({ type: 'tool_result', tool_use_id: id, content: 'done' }));
      messages.push({ role: 'assistant', content: turn.content }, { role: 'user', content: results });
    } while (turns.at(-1).stop_reason === 'tool_use');
    return turns;
  };

  const expected = await loop(client(direct.url, direct.accounts[0].key));
  const turns = await loop(client(headgate.url));

  const calls = turns.map(({ content }) => content.filter(({ type }) => type === 'tool_use').length);
  assert.deepEqual(calls, [1, 2, 0]);
  assert.deepEqual(turns, expected);
});

test('tokens are counted by the upstream', async (t) => {
  const direct = await sandbox(t, 'calm');
  const headgate = await proxied(t, 'calm');
  const { max_tokens: _, ...question } = ask('How long is this?', { tools });

  const expected = await client(direct.url, direct.accounts[0].key).messages.countTokens(question);
  const count = await client(headgate.url).messages.countTokens(question);

  assert.ok(count.input_tokens > 0);
  assert.deepEqual(count, expected);
});

test("the models are the upstream's", async (t) => {
  const headgate = await proxied(t, 'calm');
  const ids = [];

  for await (const known of client(headgate.url).models.list({ limit: 1000 })) ids.push(known.id);

  assert.ok(ids.includes(model), `${ids} has ${model}`);
});

test('a bearer token is as good as a key, and neither reaches the upstream', async (t) => {
  const { account, arrivals } = await upstream(t, (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(message([{ type: 'text', text: 'yes' }]));
  });
  const headgate = await proxy(t, [account]);
  const own = (url) => client(url, null).withOptions({ authToken: 'my-own-secret' });
  const headers = { 'anthropic-beta': 'one,two', 'x-mine': 'kept' };

  const answer = await own(headgate.url).messages.create(ask(), { headers });
  await own(account.url).messages.create(ask(), { headers });

  assert.equal(answer.content[0].text, 'yes');
  const [through, direct] = arrivals.map((arrival) => arrival.headers);
  assert.equal(through['x-api-key'], account.key);
  assert.ok(!JSON.stringify(through).includes('my-own-secret'), 'the credential for Headgate stays here');
  for (const name of Object.keys(direct)) {
    if (['authorization', 'host', 'connection', 'accept-encoding'].includes(name)) continue;
    assert.equal(through[name], direct[name], `${name} goes on as it was sent`);
  }
});
