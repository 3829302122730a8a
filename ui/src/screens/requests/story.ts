// What happened to a request, in sentences a person would say.
import type { Request } from "../../api/types.ts";
import { endingMeaning, isRescued, verdictWord } from "../../words/endings.ts";

export function story(request: Request): string {
  const failed = request.attempts.filter((attempt) => attempt.verdict !== "fine");
  const before = failed.map((attempt) => `${attempt.account}: ${verdictWord(attempt)}.`);
  return [...before, finish(request, failed.length > 0)].join(" ");
}

/** What Headgate changed on the way; `null` while more may come, or where no answer was passed on at all. */
export function changed({ changes, ending, account }: Pick<Request, "changes" | "ending" | "account">): string | null {
  if (changes.length) return changes.join(", ");
  if (!ending) return null;
  // An error of its own that an upstream has said to the end is its answer, too.
  if (account) return ending === "complete" || ending === "upstream_error" ? "Nothing: identical to the byte" : "Nothing, as far as the answer came";
  return ending === "client_left" || ending === "interrupted" ? null : "Headgate wrote the answer itself";
}

function finish(request: Request, afterFailures: boolean): string {
  const { account, ending, error } = request;
  if (!ending) return request.first_byte_ms == null ? "Waiting for an answer." : `${account ?? "An account"} is answering.`;
  if (ending !== "complete") return error ?? endingMeaning[ending];
  if (!account) return endingMeaning.complete;
  if (afterFailures && !isRescued(request)) return `${account} was asked once more and answered in full.`;
  return afterFailures ? `${account} took over and answered in full.` : `${account} answered in full.`;
}
