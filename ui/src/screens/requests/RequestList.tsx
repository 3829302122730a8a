// The list. While the reader is further down or reads a request, new rows wait behind a button instead
// of pushing away what is being read.
import { useEffect, useState } from "react";
import { useAccounts, useRequests } from "../../api/queries.ts";
import { withParams, type Place } from "../../nav/place.ts";
import { Button } from "../../parts/Button.tsx";
import { Failed, Nothing, Reading } from "../../parts/Notice.tsx";
import { mostTokens, RequestHead, RequestRow } from "../../parts/RequestRow.tsx";
import { useNow } from "../../parts/useNow.ts";
import { plural } from "../../words/numbers.ts";
import { filterIn, hasWords, heldRows } from "./filter.ts";

export function RequestList({ place, open }: { place: Place; open: string | null }) {
  const { data: accounts = [] } = useAccounts();
  const { asked, words } = filterIn(place.params, accounts);
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useRequests(asked);
  const loaded = data?.pages.flatMap((page) => page.requests) ?? [];
  const { shown, newer, release } = useHold(loaded, open !== null);
  const rows = shown.filter((row) => hasWords(row, words));
  const now = useNow(1000, rows.some((row) => !row.ending));
  const most = mostTokens(rows);
  if (error && !data) return <Failed what="the requests" error={error} again={() => void refetch()} />;
  if (!data) return <Reading what="the requests" />;
  return (
    <section aria-label="Requests" className="req-list min-w-0">
      {newer > 0 && (
        <p className="sticky top-0 z-10 flex h-0 justify-center">
          <Button kind="loud" className="mt-1 shadow-float" onClick={release}>{plural(newer, "new request")}</Button>
        </p>
      )}
      {rows.length === 0 && <Empty narrowed={words !== "" || Object.keys(asked).length > 0} />}
      {rows.length > 0 && (
        <div role="table" aria-label="Requests, newest first">
          <div role="rowgroup"><RequestHead /></div>
          <div role="rowgroup">
            {rows.map((row) => (
              <RequestRow
                key={row.id} request={row} most={most} open={row.id === open}
                href={withParams(place, { open: row.id })} now={row.ending ? undefined : now}
              />
            ))}
          </div>
        </div>
      )}
      <p className="flex items-center gap-4 py-4 text-small text-faint">
        {hasNextPage && (
          <Button disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            {isFetchingNextPage ? "Loading…" : "Load older requests"}
          </Button>
        )}
        {words
          ? `${plural(rows.length, "match", "matches")} among the ${plural(loaded.length, "request")} loaded.`
          : `${plural(rows.length, "request")}${hasNextPage ? " loaded" : ", that is all"}.`}
      </p>
    </section>
  );
}

function Empty({ narrowed }: { narrowed: boolean }) {
  return narrowed
    ? <Nothing title="No request matches.">Change the account, the ending or the words above, or show all.</Nothing>
    : <Nothing title="No request yet.">The next one that comes through Headgate appears here.</Nothing>;
}

/** Holds the list at its newest row while the reader is busy with it. */
function useHold(rows: { id: string }[] & Parameters<typeof heldRows>[0], reading: boolean) {
  const scrolled = useScrolled();
  const busy = reading || scrolled;
  const newest = rows[0]?.id ?? null;
  const [heldAt, setHeldAt] = useState<string | null>(null);
  if (busy && heldAt === null && newest) setHeldAt(newest);
  if (!busy && heldAt !== null) setHeldAt(null);
  const release = () => {
    setHeldAt(reading ? newest : null);
    window.scrollTo({ top: 0 });
  };
  return { ...heldRows(rows, heldAt), release };
}

function useScrolled(): boolean {
  const [scrolled, setScrolled] = useState(false);
  useEffect(() => {
    const look = () => setScrolled(window.scrollY > 40);
    look();
    window.addEventListener("scroll", look, { passive: true });
    return () => window.removeEventListener("scroll", look);
  }, []);
  return scrolled;
}
