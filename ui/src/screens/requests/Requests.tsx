// Every request, newest first and live, with one of them open beside the list.
import { useEffect, useRef } from "react";
import { withParams, type Place } from "../../nav/place.ts";
import { go } from "../../nav/usePlace.ts";
import { Filters } from "./Filters.tsx";
import { RequestList } from "./RequestList.tsx";
import { RequestPanel } from "./RequestPanel.tsx";

export function Requests({ place }: { place: Place }) {
  const open = place.params.get("open");
  const last = useRef(open);
  useEscape(() => {
    if (open) go(withParams(place, { open: null }));
  });
  useEffect(() => {
    // Back from a request the keyboard stands where it stood.
    if (!open && last.current) document.querySelector<HTMLElement>(`[data-row="${CSS.escape(last.current)}"]`)?.focus({ preventScroll: true });
    last.current = open;
  }, [open]);
  return (
    <>
      <Filters place={place} />
      <div className={open ? "grid items-start gap-6 wide:grid-cols-[minmax(0,1fr)_420px]" : ""}>
        <RequestList place={place} open={open} />
        {open && <RequestPanel key={open} id={open} close={withParams(place, { open: null })} />}
      </div>
    </>
  );
}

function useEscape(act: () => void): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const busy = document.querySelector("dialog[open]") || (event.target instanceof Element && event.target.matches("input, select"));
      if (event.key === "Escape" && !busy) act();
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  });
}
