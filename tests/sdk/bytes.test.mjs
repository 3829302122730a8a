// What passes through is not touched: the upstream gets the client's bytes and the client the upstream's,
// compared with a direct call by curl. Rewritten JSON would change the prompt cache's prefix and break the
// check of signed thinking.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import test from 'node:test';
import { gzipSync } from 'node:zlib';

import { proxy } from './harness.mjs';
import { message, upstream } from './upstream.mjs';

/// Runs curl, hands it a body, and returns status, bytes and exit code.
function curl(url, { body, headers = {}, method } = {}) {
  const flags = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  if (method === 'HEAD') flags.push('-I');
  else if (method) flags.push('-X', method);
  if (body !== undefined) flags.push('--data-binary', '@-');
  return new Promise((done, failed) => {
    const child = spawn('curl', ['-sS', '-m', '20', '-i', ...flags, url]);
    const pieces = [];
    child.stdout.on('data', (piece) => pieces.push(piece));
    child.on('error', failed);
    child.on('close', (code) => {
      const bytes = Buffer.concat(pieces);
      const split = bytes.indexOf('\r\n\r\n');
      const head = bytes.subarray(0, split).toString().split('\r\n');
      done({ code, status: Number(head[0].split(' ')[1]), head: head.slice(1), body: bytes.subarray(split + 4) });
    });
    child.stdin.end(body);
  });
}

const json = { 'content-type': 'application/json' };
const plain = (_, response) => response.writeHead(200, json).end(message([{ type: 'text', text: 'ok' }]));

const deep = '['.repeat(300) + ']'.repeat(300);
const odd = {
  'a key that stands there twice': '{"model":"claude-opus-5-5","a":1,"a":2,"model":"claude-opus-5-5","messages":[]}',
  'numbers beyond what a double holds':
    '{"model":"claude-opus-5-5","n":[123456789012345678901234567890,1e999,-0.0,1E+2,0.1000000000000000055]}',
  'unusual white space': '\r\n\t {\t"model"  :\r\n"claude-opus-5-5" ,\n\n"messages" : [ ] }\n\n ',
  'escapes that could be written otherwise':
    '{"model":"claude\\u002dopus-5-5","text":"\\u00e9\\/é \\ud83d\\ude00 😀 \\u0000"}',
  'half a surrogate pair': '{"model":"claude-opus-5-5","messages":[{"role":"user","content":"cut \\ud83d"}]}',
  'fields that nobody knows': '{"zz":null,"model":"claude-opus-5-5","x_new":{"deep":[{}]},"":""}',
  'three hundred levels': `{"model":"claude-opus-5-5","schema":${deep}}`,
  'a stream flag that is not at the top': '{"metadata":{"stream":true,"model":"x"},"model":"claude-opus-5-5"}',
  'types that are not the usual ones': '{"model":7,"stream":"yes","messages":{},"metadata":{"user_id":12}}',
};

for (const [what, body] of Object.entries(odd)) {
  test(`a body with ${what} arrives byte for byte`, async (t) => {
    const { url, account, arrivals } = await upstream(t, plain);
    const headgate = await proxy(t, [account]);

    const direct = await curl(`${url}/v1/messages?beta=true`, { body, headers: json });
    const through = await curl(`${headgate.url}/v1/messages?beta=true`, { body, headers: json });

    assert.equal(through.status, 200, through.body.toString());
    assert.ok(through.body.equals(direct.body), 'the answer is the same');
    const [sent, passed] = arrivals.map((arrival) => arrival.body);
    assert.equal(passed.toString('latin1'), sent.toString('latin1'));
    assert.ok(sent.equals(Buffer.from(body)));
  });
}

test('path and query go on as they were sent', async (t) => {
  const { account, arrivals } = await upstream(t, plain);
  const headgate = await proxy(t, [account]);
  const paths = ['/v1/messages?beta=true&x=%20a+b', '/v1/files?limit=1000', '/v1/files/a%2Fb?', '/v1/new/thing/'];

  for (const path of paths) await curl(headgate.url + path, path.includes('messages') ? { body: '{}' } : {});

  assert.deepEqual(
    arrivals.map((arrival) => arrival.path),
    paths,
  );
});

test('bodies that are no JSON pass on other paths', async (t) => {
  const { account, arrivals } = await upstream(t, plain);
  const headgate = await proxy(t, [account]);
  const body = Buffer.from(Array.from({ length: 70_000 }, (_, at) => (at * 7) % 256));

  const headers = { 'content-type': 'application/octet-stream' };
  const { status } = await curl(`${headgate.url}/v1/files`, { body, headers });

  assert.equal(status, 200);
  assert.ok(arrivals[0].body.equals(body));
  assert.equal(arrivals[0].headers['content-type'], 'application/octet-stream');
});

const answers = {
  'oddly written JSON': [
    'application/json',
    '{"type" :\t"message","a":1,"a":2,"n":1e999,\r\n"usage":{"input_tokens":3}}\n',
  ],
  'a stream of unusual lines': [
    'text/event-stream',
    ': hello\r\n\r\nevent:ping\ndata:{}\n\ndata: {"type":"message_stop"}\rid: 7\r\r\n' +
      'event: new_kind\ndata: a\ndata: é😀\n\n',
  ],
  'bytes that are no text': ['application/octet-stream', Buffer.from([0, 255, 254, 13, 10, 0, 128])],
  'nothing': ['application/json', ''],
};

for (const [what, [type, body]] of Object.entries(answers)) {
  test(`an answer of ${what} comes back byte for byte`, async (t) => {
    const { url, account } = await upstream(t, (_, response) => {
      const known = { 'content-type': type, 'content-length': Buffer.byteLength(body), 'request-id': 'req_1' };
      response.writeHead(200, { ...known, 'X-Odd': 'a, b;c', 'anthropic-ratelimit-unified-new': 'x' }).end(body);
    });
    const headgate = await proxy(t, [account]);

    const direct = await curl(`${url}/v1/messages`, { body: '{}' });
    const through = await curl(`${headgate.url}/v1/messages`, { body: '{}' });

    assert.equal(through.body.toString('latin1'), direct.body.toString('latin1'));
    assert.deepEqual(headers(through), headers(direct));
  });
}

test('an error keeps its status, headers and bytes', async (t) => {
  const body = '{"type":"error" ,"error":{"type":"invalid_request_error","message":"Input tag \'x\'"},"more":[1]}';
  const { url, account } = await upstream(t, (_, response) => {
    response.writeHead(418, { ...json, 'x-should-retry': 'false', 'retry-after': '7' }).end(body);
  });
  const headgate = await proxy(t, [account]);

  const direct = await curl(`${url}/v1/messages`, { body: '{}' });
  const through = await curl(`${headgate.url}/v1/messages`, { body: '{}' });

  assert.equal(through.status, 418);
  assert.equal(through.body.toString(), direct.body.toString());
  assert.deepEqual(headers(through), headers(direct));
});

test('an answer that is compressed all the same stays compressed', async (t) => {
  const body = gzipSync(message([{ type: 'text', text: 'small' }]));
  const { account, arrivals } = await upstream(t, (_, response) => {
    response.writeHead(200, { ...json, 'content-encoding': 'gzip', 'content-length': body.length }).end(body);
  });
  const headgate = await proxy(t, [account]);

  const headers = { 'accept-encoding': 'gzip, br' };
  const { body: got } = await curl(`${headgate.url}/v1/messages`, { body: '{}', headers });

  assert.ok(got.equals(body));
  assert.equal(arrivals[0].headers['accept-encoding'], 'identity', 'nobody asked for it');
});

test('each event is passed on as it comes, not gathered', async (t) => {
  const gate = [];
  const { account } = await upstream(t, async (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const piece of ['data: one\n\n', 'data: two\n\n']) {
      response.write(piece);
      await new Promise((go) => gate.push(go));
    }
    response.end();
  });
  const headgate = await proxy(t, [account]);

  const response = await fetch(`${headgate.url}/v1/messages`, { method: 'POST', body: '{"stream":true}' });
  const reader = response.body.getReader();
  const read = async () => Buffer.from((await reader.read()).value ?? []).toString();

  assert.equal(await read(), 'data: one\n\n', 'it is here before the second one is sent');
  gate.shift()();
  assert.equal(await read(), 'data: two\n\n');
  gate.shift()();
  assert.equal(await read(), '');
});

test('the greeting of Claude Code is answered here', async (t) => {
  const { account, arrivals } = await upstream(t, plain);
  const headgate = await proxy(t, [account]);

  const { status } = await curl(`${headgate.url}/api/hello`, { method: 'HEAD' });

  assert.equal(status, 200);
  assert.equal(arrivals.length, 0, 'no upstream hears of it');
  assert.deepEqual(await headgate.requests(0), []);
});

/// Headers as name and value, without those that belong to one connection.
function headers({ head }) {
  const ofConnection = ['connection', 'keep-alive', 'transfer-encoding', 'date'];
  return head
    .map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()])
    .filter(([name]) => !ofConnection.includes(name))
    .sort();
}
