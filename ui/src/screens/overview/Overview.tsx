// Answers four questions without a click: can I keep working, where does each account stand, what is
// happening now, and what did today take.
import { useOverview } from "../../api/queries.ts";
import type { Overview as Answer } from "../../api/types.ts";
import type { Place } from "../../nav/place.ts";
import { Failed, Reading } from "../../parts/Notice.tsx";
import { Shape } from "../../parts/Standing.tsx";
import { Board } from "./Board.tsx";
import { Flow } from "./Flow.tsx";
import { SetUp } from "./SetUp.tsx";
import { TodayFigures } from "./TodayFigures.tsx";

const moods = { good: "ready", care: "cooling", bad: "needs_sign_in" } as const;

export function Overview({ place }: { place: Place }) {
  const { data, error, refetch } = useOverview();
  if (error && !data) return <Failed what="the overview" error={error} again={() => void refetch()} />;
  if (!data) return <Reading what="the overview" />;
  if (data.accounts.length === 0) return <SetUp />;
  return (
    <>
      <Sentence of={data} />
      <Board accounts={data.accounts} place={place} />
      <div className="mt-8 grid gap-x-10 gap-y-8 wide:grid-cols-[minmax(0,1fr)_208px]">
        <Flow />
        <TodayFigures today={data.today} />
      </div>
    </>
  );
}

function Sentence({ of }: { of: Answer }) {
  return (
    <h1 data-mood={of.mood} className="flex max-w-[76ch] items-baseline gap-3 pt-6 pb-5 text-sentence font-normal text-balance">
      <span className="relative -top-0.5 scale-125"><Shape state={moods[of.mood]} /></span>
      {of.sentence}
    </h1>
  );
}
