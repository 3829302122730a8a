// Listens to the keyboard for the whole page. Rows take part by `data-row`, the filter by `data-filter`.
import { useEffect } from "react";
import { linkTo } from "./place.ts";
import { meaning } from "./keys.ts";
import { go } from "./usePlace.ts";

const LEAD_LASTS_MS = 1500;

export function useKeys(onHelp: () => void): void {
  useEffect(() => {
    let ledUntil = 0;
    const pressed = (event: KeyboardEvent) => {
      if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
      const typing = event.target instanceof Element && event.target.matches("input, textarea, select");
      const modified = event.ctrlKey || event.metaKey || event.altKey;
      const act = meaning({ key: event.key, typing, modified }, event.timeStamp < ledUntil);
      ledUntil = act?.do === "lead" ? event.timeStamp + LEAD_LASTS_MS : 0;
      if (!act) return;
      if (act.do === "leave" && typing) (event.target as HTMLElement).blur();
      if (act.do !== "leave") event.preventDefault();
      if (act.do === "go") go(linkTo(act.screen));
      if (act.do === "help") onHelp();
      if (act.do === "filter") focusFilter();
      if (act.do === "next") moveRow(1);
      if (act.do === "previous") moveRow(-1);
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, [onHelp]);
}

function focusFilter(): void {
  const field = document.querySelector<HTMLInputElement>("[data-filter]");
  if (field) field.focus();
  else go(linkTo("requests", { focus: "filter" }));
}

function moveRow(by: number): void {
  const rows = [...document.querySelectorAll<HTMLElement>("[data-row]")];
  const at = rows.findIndex((row) => row === document.activeElement);
  const next = rows[at < 0 ? 0 : Math.min(Math.max(at + by, 0), rows.length - 1)];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}
