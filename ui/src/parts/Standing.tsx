// The standings of an account: colour and shape and word, always together.
import { type ShownState as State, standingWord } from "../words/standings.ts";

export const standingColour: Record<State, string> = {
  ready: "text-ready",
  cooling: "text-cooling",
  kept_back: "text-cooling",
  paused: "text-paused",
  needs_sign_in: "text-bad",
};

const half = (
  <>
    <circle cx="5" cy="5" r="4" fill="none" stroke="currentColor" strokeWidth="1.2" />
    <path d="M5 1a4 4 0 0 1 0 8z" fill="currentColor" />
  </>
);

const shapes: Record<State, React.ReactNode> = {
  ready: <circle cx="5" cy="5" r="4.2" fill="currentColor" />,
  cooling: half,
  kept_back: half,
  paused: <path d="M1.5 1h2.4v8H1.5zM6.1 1h2.4v8H6.1z" fill="currentColor" />,
  needs_sign_in: <path d="M5 .8 9.6 9.2H.4z" fill="currentColor" />,
};

export function Shape({ state }: { state: State }) {
  return (
    <svg viewBox="0 0 10 10" aria-hidden="true" className={`inline-block size-2.5 shrink-0 ${standingColour[state]}`}>
      {shapes[state]}
    </svg>
  );
}

export function StandingMark({ state }: { state: State }) {
  return (
    <span className={`inline-flex items-center gap-1.5 font-medium whitespace-nowrap ${standingColour[state]}`}>
      <Shape state={state} />
      {standingWord[state]}
    </span>
  );
}
