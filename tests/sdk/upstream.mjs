// An upstream of a few lines that remembers each request byte for byte and answers as the test says: for
// what the sandbox can't show from outside, such as the bytes that arrived or a client that has left.

import { once } from 'node:events';
import { createServer } from 'node:http';

export const KEY = 'upstream-key';

/// Answers every request by `answer(request, response, arrival)`. `{ url, account, arrivals, port }`.
export async function upstream(t, answer) {
  const arrivals = [];
  const server = createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const arrival = {
      method: request.method,
      path: request.url,
      headers: request.headers,
      body: Buffer.concat(pieces),
      left: new Promise((done) => response.on('close', () => done(!response.writableFinished))),
    };
    arrivals.push(arrival);
    answer(request, response, arrival);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = `http://127.0.0.1:${server.address().port}`;
  return { url, arrivals, account: { name: 'Recorded', priority: 0, key: KEY, url } };
}

/// One event of a stream.
export function event(data) {
  return `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
}

/// The events with which every answer begins.
export function beginning(text) {
  const usage = { input_tokens: 10, output_tokens: 1 };
  const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'claude-opus-5-5', content: [] };
  return [
    { type: 'message_start', message: { ...message, stop_reason: null, stop_sequence: null, usage } },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } },
  ];
}

/// The events with which it ends.
export function end() {
  return [
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 5 } },
    { type: 'message_stop' },
  ];
}

/// An answer that is not streamed.
export function message(content, stop_reason = 'end_turn') {
  const usage = { input_tokens: 10, output_tokens: 5 };
  const fixed = { id: 'msg_1', type: 'message', role: 'assistant', model: 'claude-opus-5-5', stop_sequence: null };
  return JSON.stringify({ ...fixed, content, stop_reason, usage });
}
