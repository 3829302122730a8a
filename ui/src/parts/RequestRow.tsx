// One request as one line, for the flow on the overview and for the list of requests. Its first cell is
// a link, so that a row is one stop for the keyboard; a click anywhere on the row follows it.
import { memo, type MouseEvent } from "react";
import type { Request } from "../api/types.ts";
import { outcome, type Outcome } from "../words/endings.ts";
import { dollars, exact, plural, short } from "../words/numbers.ts";
import { clockSeconds, duration, exactTime } from "../words/times.ts";
import { Steps } from "./Steps.tsx";
import { TokenBar, tokensIn } from "./TokenBar.tsx";

const tones: Record<Outcome["tone"], string> = {
  quiet: "text-soft", live: "text-accent", good: "text-ready", care: "text-cooling", bad: "text-bad",
};

type Props = {
  request: Request;
  href: string;
  open?: boolean;
  /** The present, for rows that still run; others do not depend on it. */
  now?: number;
  /** The largest number of tokens in the list. */
  most: number;
};

export const RequestRow = memo(function RequestRow({ request, href, open, now, most }: Props) {
  const end = outcome(request);
  const cached = request.usage.cache_read;
  return (
    <div role="row" className={`req-row ${open ? "req-open" : ""}`} data-ending={request.ending ?? "running"} onClick={follow}>
      <span role="cell" className="text-soft">
        <a href={href} data-row={request.id} aria-current={open || undefined} className="req-link" title={exactTime(request.started_at)}>
          {clockSeconds(request.started_at)}
        </a>
      </span>
      <span role="cell" className="req-session truncate text-soft" title={request.session ?? "The client named no session."}>
        {request.session?.slice(0, 8) ?? "–"}
      </span>
      <span role="cell" className="req-agent truncate text-soft" title={request.client ?? "The client gave no name."}>
        {request.agent ?? clientName(request.client)}
      </span>
      <span role="cell" className="req-model truncate"><Model request={request} /></span>
      <span role="cell" className="overflow-hidden"><Steps request={request} /></span>
      <span role="cell" className={`truncate ${tones[end.tone]}`} title={end.meaning}>
        {end.tone === "live" && <Live />}
        {end.word}
      </span>
      <span role="cell" className="req-first num text-soft" title="Until the first byte of the answer">{duration(request.first_byte_ms)}</span>
      <span role="cell" className="num">{duration(request.duration_ms ?? lasting(request, now))}</span>
      <span role="cell" className="req-in num" title={`${plural(tokensIn(request.usage), "token")} in`}>{short(tokensIn(request.usage))}</span>
      <span role="cell" className="req-cached num text-soft" title={`${exact(cached)} of them from the cache`}>{short(cached)}</span>
      <span role="cell" className="num" title={`${plural(request.usage.output, "token")} out`}>{short(request.usage.output)}</span>
      <span role="cell" className="req-cost num text-soft" title={costTitle(request)}>{dollars(request.cost_usd)}</span>
      <span role="cell" className="req-bar"><TokenBar usage={request.usage} most={most} /></span>
    </div>
  );
});

function follow(event: MouseEvent<HTMLElement>) {
  const onLink = event.target instanceof Element && event.target.closest("a");
  const selecting = window.getSelection()?.toString();
  if (!onLink && !selecting) event.currentTarget.querySelector<HTMLAnchorElement>("a.req-link")?.click();
}

function Model({ request }: { request: Request }) {
  if (!request.model) return <span className="text-faint" title="The request names no model.">{request.path}</span>;
  const moved = request.served_model && request.served_model !== request.model;
  return (
    <span title={moved ? `Asked for ${request.model}, served by ${request.served_model}` : request.model}>
      {request.model}
      {moved && <span className="text-soft"> → {request.served_model}</span>}
    </span>
  );
}

function costTitle(request: Request): string {
  return request.cost_usd == null ? "No price is known for it." : `$${request.cost_usd} by the public price list`;
}

function Live() {
  return <span aria-hidden="true" className="mr-1.5 inline-block size-1.75 rounded-full border-[1.5px] border-current align-[0.5px]" />;
}

function clientName(client: string | null | undefined): string {
  return client?.split(/[/\s]/, 1)[0] || "–";
}

function lasting(request: Request, now: number | undefined): number | null {
  return now == null || request.ending ? null : Math.max(request.first_byte_ms ?? 0, now - Date.parse(request.started_at));
}

/** The names of the columns, for eyes and for screen readers. */
export function RequestHead() {
  return (
    <div role="row" className="req-row req-head">
      <span role="columnheader">Time</span>
      <span role="columnheader" className="req-session">Session</span>
      <span role="columnheader" className="req-agent">Agent</span>
      <span role="columnheader" className="req-model">Model</span>
      <span role="columnheader">Account</span>
      <span role="columnheader">Ending</span>
      <span role="columnheader" className="req-first num">First byte</span>
      <span role="columnheader" className="num">Duration</span>
      <span role="columnheader" className="req-in num">In</span>
      <span role="columnheader" className="req-cached num">Cached</span>
      <span role="columnheader" className="num">Out</span>
      <span role="columnheader" className="req-cost num">Cost</span>
      <span role="columnheader" className="req-bar"><span className="sr-only">Tokens as a bar</span></span>
    </div>
  );
}

/** The scale that the token bars of one list share. */
export function mostTokens(requests: Request[]): number {
  return requests.reduce((most, { usage }) => Math.max(most, (tokensIn(usage) ?? 0) + (usage.output ?? 0)), 1);
}
