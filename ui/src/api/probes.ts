// The connection test. It costs a token, so it runs when a person says so, and ends when that person leaves.
import { useEffect, useRef, useState } from "react";
import { answer } from "./client.ts";
import { at, useChange, type Change } from "./changes.ts";
import { useCore } from "./core.tsx";
import { keys } from "./live.ts";
import type { Probe } from "./types.ts";

/** `found` is what the last test found; a next one begins without it. */
export function useProbe(id: number): Change<string> & { found: Probe | null } {
  const { api } = useCore();
  const [found, setFound] = useState<Probe | null>(null);
  const running = useRef<AbortController | null>(null);
  useEffect(() => () => running.current?.abort(), []);
  const change = useChange(async (model: string) => {
    setFound(null);
    const mine = (running.current = new AbortController());
    setFound(await answer(api.POST("/api/v1/accounts/{id}/test", { ...at(id), body: { model: model || null }, signal: mine.signal })));
  }, keys.accounts, keys.overview);
  return { ...change, found };
}
