// How requests end and what attempts taught, in words.
import type { Ending, Request } from "../api/types.ts";

export const endingWord: Record<Ending, string> = {
  complete: "Complete",
  client_left: "Client left",
  upstream_error: "Error",
  upstream_cut: "Cut short",
  upstream_stalled: "Stalled",
  refused: "Refused",
  interrupted: "Interrupted",
};

export const endingMeaning: Record<Ending, string> = {
  complete: "The answer was delivered whole.",
  client_left: "The client went away before the end.",
  upstream_error: "The upstream answered with an error.",
  upstream_cut: "The upstream's answer stopped before its end.",
  upstream_stalled: "The upstream fell silent for too long.",
  refused: "Headgate refused it.",
  interrupted: "Headgate stopped while it was running.",
};

export const endings = Object.keys(endingWord) as Ending[];

export type Outcome = { word: string; meaning: string; tone: "quiet" | "live" | "good" | "care" | "bad" };

/** Complete only because a second account took over. */
export function isRescued(request: Request): boolean {
  return request.ending === "complete" && request.attempts.some((a) => a.account !== request.account);
}

/** The ending as the list says it; a running request says how far it is. */
export function outcome(request: Request): Outcome {
  if (!request.ending) {
    return request.first_byte_ms == null
      ? { word: "Waiting", meaning: "No byte of the answer is there yet.", tone: "live" }
      : { word: "Streaming", meaning: "The answer is on its way.", tone: "live" };
  }
  if (isRescued(request)) {
    return { word: "Rescued", meaning: "Complete, because another account took over.", tone: "good" };
  }
  const meaning = request.error ?? endingMeaning[request.ending];
  const tone = request.ending === "complete" ? "quiet" : request.ending === "client_left" ? "care" : "bad";
  return { word: endingWord[request.ending] + refusal(request), meaning, tone };
}

/** The status says more than the word where the client got one that means failure. */
function refusal({ status }: Request): string {
  return status != null && status >= 400 ? ` ${status}` : "";
}

const verdicts: Record<string, string> = {
  fine: "answered",
  throttled: "asked to slow down",
  quota_spent: "usage window spent",
  own_limit: "this request was over a limit of its own",
  extra_usage_spent: "extra usage spent",
  credential_refused: "key refused",
  organisation_disabled: "organisation disabled",
  forbidden: "not allowed with this account",
  model_missing: "has no such model",
  weather: "upstream overloaded or failing",
  request_fault: "the request itself was at fault",
  context_too_long: "conversation too long for the model",
  abandoned: "the request ended first",
};

const thens: Partial<Record<Ending, string>> = {
  upstream_cut: ", then cut short",
  upstream_stalled: ", then silent",
  upstream_error: ", then an error",
  client_left: ", then the client left",
  interrupted: ", then Headgate stopped",
};

/** How an answer ended that had begun well: ", then cut short". */
export function thenWord({ ending }: Request): string {
  return (ending && thens[ending]) ?? "";
}

/** "usage window spent", "answered". A verdict that we do not know is shown as it came. */
export function verdictWord(attempt: { verdict: string }): string {
  return verdicts[attempt.verdict] ?? attempt.verdict.replaceAll("_", " ");
}
