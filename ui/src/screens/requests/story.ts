// What happened to a request, in sentences a person would say.
import type { Request } from "../../api/types.ts";
import { endingMeaning, verdictWord } from "../../words/endings.ts";

export function story(request: Request): string {
  const failed = request.attempts.filter((attempt) => attempt.verdict !== "fine");
  const before = failed.map((attempt) => `${attempt.account}: ${verdictWord(attempt)}.`);
  return [...before, finish(request, failed.length > 0)].join(" ");
}

function finish(request: Request, afterFailures: boolean): string {
  const { account, ending, error } = request;
  if (!ending) return request.first_byte_ms == null ? "Waiting for an answer." : `${account ?? "An account"} is answering.`;
  if (ending !== "complete") return error ?? endingMeaning[ending];
  if (!account) return endingMeaning.complete;
  return afterFailures ? `${account} took over and answered in full.` : `${account} answered in full.`;
}
