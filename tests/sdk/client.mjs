// The Anthropic TypeScript SDK as a user of Headgate sets it up. Never retries, so that a journey sees
// what the first request got.

import Anthropic from '@anthropic-ai/sdk';

export const model = 'claude-opus-5-5';

/// A client at this address; through Headgate its key is nobody's.
export function client(baseURL, apiKey = 'headgate') {
  return new Anthropic({ baseURL, apiKey, maxRetries: 0 });
}

/// The smallest question.
export function ask(text = 'hi', more = {}) {
  return { model, max_tokens: 1000, messages: [{ role: 'user', content: text }], ...more };
}

export const tools = [
  {
    name: 'Bash',
    description: 'Runs a command in a shell.',
    input_schema: { type: 'object', properties: { command: { type: 'string' } }, required: ['command'] },
  },
];

/// Every event of a stream, in order.
export async function gather(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}
