// The real `claude` command line works through Headgate and recovers from what an upstream does to it. It is
// no dependency of the project: without one on the PATH (or in HEADGATE_CLAUDE) these journeys are skipped.
// Nothing leaves the machine: its base URL is Headgate, and everything else it might call is switched off.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';

import { proxied, proxy, sandbox } from './harness.mjs';
import { beginning, end, event, message, upstream } from './upstream.mjs';

const claude = process.env.HEADGATE_CLAUDE ?? 'claude';
const skip = spawnSync(claude, ['--version']).status === 0 ? false : `there is no ${claude}: it is optional`;
const real = (name, body) => test(name, { skip, timeout: 180_000 }, body);

/// Runs `claude -p` in a folder and a home of its own. `{ code, out }`.
async function prompt(t, url, words, { flags = [], files = {} } = {}) {
  const place = await mkdtemp(join(tmpdir(), 'headgate-claude-'));
  t.after(() => rm(place, { recursive: true, maxRetries: 5 }));
  const [home, config, project] = ['home', 'config', 'project'].map((name) => join(place, name));
  for (const folder of [home, config, project]) await mkdir(folder);
  for (const [name, text] of Object.entries(files)) await writeFile(join(project, name), text);
  const env = {
    PATH: process.env.PATH,
    HOME: home,
    CLAUDE_CONFIG_DIR: config,
    ANTHROPIC_BASE_URL: url,
    ANTHROPIC_AUTH_TOKEN: 'headgate',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    DISABLE_TELEMETRY: '1',
    DISABLE_AUTOUPDATER: '1',
  };
  return new Promise((done) => {
    const child = execFile(claude, ['-p', words, ...flags], { cwd: project, env, timeout: 100_000 }, (error, out) =>
      done({ code: error ? error.code : 0, out: out.trim() }),
    );
    child.stdin.end();
  });
}

const lastBlock = (arrival) => JSON.parse(arrival.body).messages.flatMap(({ content }) => content).at(-1);

function stream(response, events) {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.end(events.map(event).join(''));
}

/// An upstream that first answers so, and then as it should, streamed or not.
async function faulty(t, fault) {
  const { account, arrivals } = await upstream(t, (request, response, arrival) => {
    if (arrivals.length === 1) fault(response);
    else if (JSON.parse(arrival.body).stream) stream(response, [...beginning('All is well.'), ...end()]);
    else {
      const answer = message([{ type: 'text', text: 'All is well.' }]);
      response.writeHead(200, { 'content-type': 'application/json' }).end(answer);
    }
  });
  return { headgate: await proxy(t, [account]), arrivals };
}

real('it gets its answer, and the session is on record', async (t) => {
  const headgate = await proxied(t, 'limits');

  const { code, out } = await prompt(t, headgate.url, 'hi');

  assert.equal(code, 0, out);
  assert.match(out, /one request at a time/);
  const [record] = await headgate.requests(1);
  assert.equal(record.ending, 'complete');
  assert.equal(record.stream, true);
  assert.match(record.session, /^[0-9a-f-]{36}$/);
  assert.match(record.client, /^claude-cli/);
  assert.equal(record.usage.output, 24);
});

real('its JSON stream ends in success while the first account is overloaded', async (t) => {
  const headgate = await proxied(t, 'weather');

  const { code, out } = await prompt(t, headgate.url, 'hi', { flags: ['--output-format', 'stream-json', '--verbose'] });

  assert.equal(code, 0, out);
  const result = out.split('\n').map((line) => JSON.parse(line)).find(({ type }) => type === 'result');
  assert.equal(result.subtype, 'success');
  assert.equal(result.usage.output_tokens, 24);
  const records = await headgate.requests(1);
  assert.equal(records.length, 1, 'it noticed nothing and asked once');
  assert.deepEqual(
    records[0].attempts.map(({ account, status }) => [account, status]),
    [
      ['First', 529],
      ['First', 500],
      ['Second', 200],
    ],
  );
});

real('it reads a file by a tool and answers with what stands in it', async (t) => {
  const { account, arrivals } = await upstream(t, (_, response, arrival) => {
    const last = lastBlock(arrival);
    if (last?.type === 'tool_result') {
      const read = JSON.stringify(last.content).includes('forty-two') ? 'It says forty-two.' : 'It was not read.';
      return stream(response, [...beginning(read), ...end()]);
    }
    const [path] = arrival.body.toString().match(/\/[^"\\ ]*\/project/);
    const input = JSON.stringify({ file_path: `${path}/answer.txt` });
    const [start] = beginning('');
    const use = { type: 'tool_use', id: 'toolu_1', name: 'Read', input: {} };
    const [stop, delta, last_] = end();
    stream(response, [
      start,
      { type: 'content_block_start', index: 0, content_block: use },
      { type: 'content_block_delta', index: 0, delta: { type: 'input_json_delta', partial_json: input } },
      stop,
      { ...delta, delta: { stop_reason: 'tool_use', stop_sequence: null } },
      last_,
    ]);
  });
  const headgate = await proxy(t, [account]);

  const { code, out } = await prompt(t, headgate.url, 'What does it say?', { files: { 'answer.txt': 'forty-two' } });

  assert.equal(code, 0, out);
  assert.equal(out, 'It says forty-two.');
  assert.equal(arrivals.length, 2);
  const records = await headgate.requests(2);
  assert.equal(records[0].session, records[1].session, 'both belong to one session');
});

for (const [what, fault] of [
  ['cut', (response) => response.socket.end()],
  ['reset', (response) => response.socket.resetAndDestroy()],
]) {
  real(`it asks again, streaming, after its stream was ${what}`, async (t) => {
    const { headgate, arrivals } = await faulty(t, (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(beginning('Half an ').map(event).join(''), () => fault(response));
    });

    const { code, out } = await prompt(t, headgate.url, 'hi');

    assert.equal(code, 0, out);
    assert.equal(out, 'All is well.');
    const asked = arrivals.map(({ body }) => JSON.parse(body).stream);
    assert.deepEqual(asked, [true, true]);
    const endings = (await headgate.requests(2)).map(({ ending }) => ending);
    assert.deepEqual(endings, ['upstream_cut', 'complete']);
  });
}

real('it asks again without a stream after an error event', async (t) => {
  const { headgate, arrivals } = await faulty(t, (response) => {
    const error = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } };
    stream(response, [...beginning('Half an '), error]);
  });

  const { code, out } = await prompt(t, headgate.url, 'hi');

  assert.equal(code, 0, out);
  assert.equal(out, 'All is well.');
  assert.notEqual(JSON.parse(arrivals.at(-1).body).stream, true);
  const endings = (await headgate.requests(2)).map(({ ending }) => ending);
  assert.deepEqual(endings, ['upstream_error', 'complete']);
});

real('it shows which account is spent and until when, and does not ask again', async (t) => {
  const { accounts } = await sandbox(t, 'limits');
  const headgate = await proxy(t, [accounts[0]]);
  const answers = [];
  while (answers.at(-1)?.code !== 1) answers.push(await prompt(t, headgate.url, 'hi'));

  const { code, out } = await prompt(t, headgate.url, 'hi');

  assert.equal(code, 1);
  assert.match(out, /First: its 5h window is spent, back in (59|60) min/);
  const records = await headgate.requests(1);
  assert.deepEqual(
    records.slice(-2).map(({ ending }) => ending),
    ['upstream_error', 'refused'],
    'one request each',
  );
});
