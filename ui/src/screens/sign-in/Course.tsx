// How a sign-in stands, and what to do next: open a page, wait, or try again. What happens elsewhere arrives by itself.
import { useEffect, useRef } from "react";
import { useAccounts } from "../../api/queries.ts";
import type { SignInView } from "../../api/types.ts";
import { Button } from "../../parts/Button.tsx";
import { DialogEnd } from "../../parts/Dialog.tsx";
import { useNow } from "../../parts/useNow.ts";
import { until } from "../../words/times.ts";
import { RefusedLink } from "./RefusedLink.tsx";
import { WayThere } from "./WayThere.tsx";
import { asSentence, isOpen, overWords } from "./words.ts";

type Props = { look: SignInView | undefined; error: Error | null; onBack: () => void; onClose: () => void };

export function Course({ look, error, onBack, onClose }: Props) {
  if (error) return <Over why={`${error.message} Begin again.`} onBack={onBack} onClose={onClose} />;
  if (!look) return <p role="status" className="py-4 text-faint">Beginning…</p>;
  const over = overWords(look);
  if (over !== null) return <Over why={over} onBack={onBack} onClose={onClose} />;
  if (look.state === "done") return <Done look={look} onClose={onClose} />;
  return (
    <>
      {look.state === "waiting" && look.way === "deep_link" && <RefusedLink />}
      {look.state === "waiting" && <WayThere look={look} />}
      {look.state === "answered" && <p role="status">The answer has come back. Say in the question above whether to use it.</p>}
      {look.state === "exchanging" && <p role="status">The answer is here. Headgate is fetching and keeping the sign-in…</p>}
      <DialogEnd>
        {isOpen(look) && <Limit at={look.expires_at} />}
        <Button onClick={onClose}>{isOpen(look) ? "Call it off" : "Close"}</Button>
      </DialogEnd>
    </>
  );
}

function Limit({ at }: { at: string }) {
  const now = useNow(15_000);
  return <p className="mr-auto self-center text-small text-faint">Open until {until(at, now)}</p>;
}

function Done({ look, onClose }: { look: SignInView; onClose: () => void }) {
  const { data: accounts = [] } = useAccounts();
  const name = accounts.find(({ id }) => id === look.account)?.name;
  return (
    <>
      <p role="status">
        Signed in{name ? <>: <b>{name}</b> takes part from now on.</> : "."}
      </p>
      <DialogEnd><Ready onClick={onClose}>Done</Ready></DialogEnd>
    </>
  );
}

function Over({ why, onBack, onClose }: { why: string; onBack: () => void; onClose: () => void }) {
  return (
    <>
      <p role="alert" className="border-l-2 border-bad pl-3 text-bad">{asSentence(why)}</p>
      <p className="mt-3 text-soft">Nothing has changed. What you typed is still there.</p>
      <DialogEnd>
        <Button onClick={onClose}>Close</Button>
        <Ready onClick={onBack}>Look at it and try again</Ready>
      </DialogEnd>
    </>
  );
}

/** The button for what comes next takes the focus, since what had it is gone. */
function Ready({ onClick, children }: { onClick: () => void; children: string }) {
  const around = useRef<HTMLSpanElement>(null);
  useEffect(() => around.current?.querySelector("button")?.focus(), []);
  return <span ref={around}><Button kind="loud" data-first onClick={onClick}>{children}</Button></span>;
}
