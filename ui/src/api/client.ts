// Typed calls over whichever transport the page has. An answer that is not a success becomes a
// ProblemError whose message is a sentence for the user.
import createClient, { type Client } from "openapi-fetch";
import type { paths } from "./schema.d.ts";
import type { Transport } from "./transport.ts";
import type { Problem } from "./types.ts";

export type Api = Client<paths>;

export function apiOver(transport: Transport): Api {
  return createClient<paths>({ baseUrl: transport.base, fetch: (request) => transport.call(request) });
}

export class ProblemError extends Error {
  constructor(readonly status: number, readonly code: string, message: string) {
    super(message);
  }
}

type Result<T> = { data?: T; error?: unknown; response: Response };

/** The answer's content, or the problem thrown. */
export async function answer<T>(call: Promise<Result<T>>): Promise<T> {
  const { data, error, response } = await call.catch(() => {
    throw new ProblemError(0, "unreachable", "Headgate does not answer. Is it still running?");
  });
  if (response.ok) return data as T;
  const problem = (error ?? {}) as Partial<Problem>;
  throw new ProblemError(
    response.status,
    problem.code ?? "unknown",
    problem.message ?? `Headgate answered with status ${response.status} and no explanation.`,
  );
}
