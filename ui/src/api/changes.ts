// What screens can change. After each change the places that show it are read again. Input is handed
// on and forgotten: a key that went out with a form stays nowhere in the page's memory.
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answer } from "./client.ts";
import { useCore } from "./core.tsx";
import { keys } from "./live.ts";
import type { Account, AccountChange, Job, KeyChange, MintedKey, NewAccount, NewKey } from "./types.ts";

export type Change<Input> = {
  /** True when it was done; otherwise `problem` says why not. */
  run(input: Input): Promise<boolean>;
  busy: boolean;
  problem: string | null;
};

export function useChange<Input>(act: (input: Input) => Promise<unknown>, ...touched: string[]): Change<Input> {
  const cache = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  async function run(input: Input): Promise<boolean> {
    setBusy(true);
    setProblem(null);
    try {
      await act(input);
      await Promise.all(touched.map((name) => cache.invalidateQueries({ queryKey: [name] })));
      return true;
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      return false;
    } finally {
      setBusy(false);
    }
  }
  return { run, busy, problem };
}

const touchedByAccounts = [keys.accounts, keys.overview];
export const at = (id: number) => ({ params: { path: { id } } });

/** `onAdded` gets the account as it was added. */
export function useAddAccount(onAdded: (added: Account) => void) {
  const { api } = useCore();
  return useChange(async (body: NewAccount) => onAdded(await answer(api.POST("/api/v1/accounts", { body }))), ...touchedByAccounts);
}

export function useChangeAccount(id: number) {
  const { api } = useCore();
  return useChange(
    (body: AccountChange) => answer(api.PATCH("/api/v1/accounts/{id}", { ...at(id), body })),
    ...touchedByAccounts,
  );
}

export function usePauseAccount(id: number) {
  const { api } = useCore();
  return useChange(
    (reason: string) => answer(api.POST("/api/v1/accounts/{id}/pause", { ...at(id), body: { reason } })),
    ...touchedByAccounts,
  );
}

export function useResumeAccount(id: number) {
  const { api } = useCore();
  return useChange((_: void) => answer(api.POST("/api/v1/accounts/{id}/resume", at(id))), ...touchedByAccounts);
}

export function useOpenWindow(id: number) {
  const { api } = useCore();
  return useChange((_: void) => answer(api.POST("/api/v1/accounts/{id}/open-window", at(id))), ...touchedByAccounts);
}

export function useRemoveAccount(id: number) {
  const { api } = useCore();
  return useChange(
    (_: void) => answer(api.DELETE("/api/v1/accounts/{id}", at(id))),
    ...touchedByAccounts, keys.requests,
  );
}

/** The secret is handed to `onMinted` and kept nowhere here: it can't be read again. */
export function useAddKey(onMinted: (minted: MintedKey) => void) {
  const { api } = useCore();
  return useChange(async (body: NewKey) => onMinted(await answer(api.POST("/api/v1/keys", { body }))), keys.keys);
}

export function useRotateKey(id: number, onMinted: (minted: MintedKey) => void) {
  const { api } = useCore();
  return useChange(async (_: void) => onMinted(await answer(api.POST("/api/v1/keys/{id}/rotate", at(id)))), keys.keys);
}

export function useChangeKey(id: number) {
  const { api } = useCore();
  return useChange((body: KeyChange) => answer(api.PATCH("/api/v1/keys/{id}", { ...at(id), body })), keys.keys);
}

export function useRevokeKey(id: number) {
  const { api } = useCore();
  return useChange((_: void) => answer(api.DELETE("/api/v1/keys/{id}", at(id))), keys.keys);
}

/** Begins a run; its end is told by an event. */
export function useRunJob(id: Job["id"]) {
  const { api } = useCore();
  return useChange((_: void) => answer(api.POST("/api/v1/jobs/{id}/run", { params: { path: { id } } })), keys.jobs);
}

export function useProxySwitch() {
  const { api } = useCore();
  return useChange(
    (to: "pause" | "resume") =>
      answer(to === "pause" ? api.POST("/api/v1/proxy/pause") : api.POST("/api/v1/proxy/resume")),
    keys.status, keys.overview,
  );
}
