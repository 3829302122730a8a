// One request, opened: what happened in a sentence, its attempts in time, its tokens, times and ids.
import { useRequest } from "../../api/queries.ts";
import type { Request } from "../../api/types.ts";
import { Copy } from "../../parts/Copy.tsx";
import { Failed, Reading } from "../../parts/Notice.tsx";
import { useNow } from "../../parts/useNow.ts";
import { outcome } from "../../words/endings.ts";
import { bytes, dollars, exact } from "../../words/numbers.ts";
import { duration, exactTime } from "../../words/times.ts";
import { Attempts } from "./Attempts.tsx";
import { Facts } from "./Facts.tsx";
import { changed, story } from "./story.ts";
import { Why } from "./Why.tsx";

export function RequestPanel({ id, close }: { id: string; close: string }) {
  const { data, error, refetch } = useRequest(id);
  return (
    <aside aria-label="The request opened" className="panel">
      <a href={close} aria-label="Close" title="Close (Esc)" className="absolute top-3 right-4 px-1.5 text-figure text-soft hover:text-ink">×</a>
      {error && !data ? <Failed what="this request" error={error} again={() => void refetch()} /> : null}
      {!data && !error && <Reading what="the request" />}
      {data && <Opened request={data} />}
    </aside>
  );
}

function Opened({ request }: { request: Request }) {
  const now = useNow(1000, !request.ending);
  const took = request.duration_ms ?? Math.max(0, now - Date.parse(request.started_at));
  const { usage } = request;
  const moved = request.served_model && request.served_model !== request.model;
  return (
    <>
      <h2 className="pr-8 text-figure">{outcome(request).word}</h2>
      <p className="mt-1 text-soft">{story(request)}</p>
      <Attempts request={request} took={took} />
      {request.decision && <Why decision={request.decision} now={now} />}
      <Facts title="Tokens" of={[
        ["Fresh input", exact(usage.input)],
        ["Read from cache", exact(usage.cache_read)],
        ["Written to cache", exact(usage.cache_write)],
        usage.cache_write_1h ? ["… for an hour", exact(usage.cache_write_1h)] : null,
        ["Output", exact(usage.output)],
        ["List price", request.cost_usd == null ? null : dollars(request.cost_usd)],
      ]} />
      <Facts title="Time" of={[
        ["Began", exactTime(request.started_at)],
        ["First byte", duration(request.first_byte_ms)],
        [request.ending ? "Duration" : "Running for", duration(took)],
      ]} />
      <Facts title="Request" of={[
        ["Model", request.model],
        moved ? ["Served model", request.served_model] : null,
        request.attempts.length ? ["Changed", changed(request)] : null,
        ["Call", `${request.method} ${request.path}${request.stream ? ", streaming" : ""}`],
        ["Body", bytes(request.request_bytes)],
        request.key ? ["Key", request.key] : null,
        ["Status", request.status],
        ["Agent", request.agent],
        request.agent_type ? ["Kind of agent", request.agent_type] : null,
        request.role ? ["Role", request.role] : null,
        request.project ? ["Project", request.project] : null,
        ["Client", request.client],
        ["Session", request.session && <Copy key="s" text={request.session} what="the session's id" />],
        ["Id", <Copy key="i" text={request.id} what="the request's id" />],
      ]} />
    </>
  );
}
