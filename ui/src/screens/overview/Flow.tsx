// The last requests as they live, newest on top.
import { useRequests } from "../../api/queries.ts";
import { linkTo } from "../../nav/place.ts";
import { Failed, Nothing, Reading } from "../../parts/Notice.tsx";
import { mostTokens, RequestHead, RequestRow } from "../../parts/RequestRow.tsx";
import { useNow } from "../../parts/useNow.ts";

const SHOWN = 12;

export function Flow() {
  const { data, error, refetch } = useRequests({});
  const rows = data?.pages[0]?.requests.slice(0, SHOWN) ?? [];
  const now = useNow(1000, rows.some((row) => !row.ending));
  const most = mostTokens(rows);
  return (
    <section aria-labelledby="flow" className="req-list min-w-0">
      <div className="flex items-baseline gap-4 pb-1">
        <h2 id="flow">Now</h2>
        <a href={linkTo("requests")} className="ml-auto text-accent hover:underline underline-offset-3">All requests</a>
      </div>
      {error && !data ? <Failed what="the requests" error={error} again={() => void refetch()} /> : null}
      {!data && !error && <Reading what="the requests" />}
      {data && rows.length === 0 && <Nothing title="No request yet.">The next one that comes through Headgate appears here.</Nothing>}
      {rows.length > 0 && (
        <div role="table" aria-label="Last requests">
          <div role="rowgroup"><RequestHead /></div>
          <div role="rowgroup">
            {rows.map((row) => (
              <RequestRow key={row.id} request={row} most={most} href={linkTo("requests", { open: row.id })} now={row.ending ? undefined : now} />
            ))}
          </div>
        </div>
      )}
    </section>
  );
}
