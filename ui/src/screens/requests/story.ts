// What happened to a request, in sentences a person would say.
import type { Request } from "../../api/types.ts";
import { endingMeaning, isRescued, verdictWord } from "../../words/endings.ts";

export function story(request: Request): string {
  const failed = request.attempts.filter((attempt) => attempt.verdict !== "fine");
  const before = failed.map((attempt) => `${attempt.account}: ${verdictWord(attempt)}.`);
  return [...before, finish(request, failed.length > 0)].join(" ");
}

/** What Headgate changed on the way; `null` while more may come. */
export function changed(request: Request): string | null {
  if (request.changes.length) return request.changes.join(", ");
  return request.ending ? "Nothing: identical to the byte" : null;
}

function finish(request: Request, afterFailures: boolean): string {
  const { account, ending, error } = request;
  if (!ending) return request.first_byte_ms == null ? "Waiting for an answer." : `${account ?? "An account"} is answering.`;
  if (ending !== "complete") return error ?? endingMeaning[ending];
  if (!account) return endingMeaning.complete;
  if (afterFailures && !isRescued(request)) return `${account} was asked once more and answered in full.`;
  return afterFailures ? `${account} took over and answered in full.` : `${account} answered in full.`;
}
