// The keys of the page, one per line.
import { keyHelp } from "../nav/keys.ts";
import { Button } from "./Button.tsx";
import { Dialog, DialogEnd } from "./Dialog.tsx";

export function KeyHelp({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Shortcuts" onClose={onClose}>
      <dl className="grid grid-cols-[96px_1fr] gap-y-1.5">
        {keyHelp.map(([strokes, what]) => (
          <div key={what} className="contents">
            <dt className="flex gap-1">
              {strokes.map((key) => <kbd key={key} className="rounded-sm border border-edge px-1.5 text-soft">{key}</kbd>)}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <DialogEnd><Button onClick={onClose}>Close</Button></DialogEnd>
    </Dialog>
  );
}
