// Says whether requests are served, where, and lets the user stop and start that.
import { useProxySwitch } from "../api/changes.ts";
import type { Status } from "../api/types.ts";
import { Button } from "./Button.tsx";
import { Copy } from "./Copy.tsx";
import { Shape } from "./Standing.tsx";

const says = {
  running: {
    word: "Running", shape: "ready", colour: "text-ready",
    to: "pause", act: "Pause the proxy", title: "Requests are refused with a sentence until you resume.",
  },
  paused: { word: "Paused", shape: "paused", colour: "text-paused", to: "resume", act: "Resume the proxy", title: "Serve requests again." },
  not_listening: {
    word: "Not listening", shape: "needs_sign_in", colour: "text-bad",
    to: "resume", act: "Try again", title: "Open the data folder and listen, as at the start.",
  },
} as const;

/** What waits, in words; empty while nothing does. */
export function queue({ waiting, held }: Pick<Status, "waiting" | "held">): string {
  return [waiting > 0 && `${waiting} waiting`, held > 0 && `${held} held`].filter(Boolean).join(", ");
}

export function ProxySwitch({ status }: { status: Status }) {
  const change = useProxySwitch();
  const { word, shape, colour, to, act, title } = says[status.proxy];
  return (
    <>
      {change.problem && <span role="alert" className="text-bad">{change.problem}</span>}
      <span className={`inline-flex items-center gap-1.5 font-medium ${colour}`}>
        <Shape state={shape} />
        {word}
      </span>
      {queue(status) && <span className="text-soft" title="Waiting: for a place among the requests that are served. Held: until an account is back.">{queue(status)}</span>}
      {status.address && <Copy text={status.address} shown={status.address.replace(/^http:\/\//, "")} what="the address" />}
      <Button className="my-1" disabled={change.busy} title={title} onClick={() => void change.run(to)}>
        {act}
      </Button>
    </>
  );
}
