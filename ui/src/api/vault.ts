// Where keys are kept. A passphrase goes out with its form and stays nowhere in the page's memory.
import { useQuery } from "@tanstack/react-query";
import { useChange } from "./changes.ts";
import { answer } from "./client.ts";
import { useCore } from "./core.tsx";
import { keys } from "./live.ts";
import type { VaultKind } from "./types.ts";

const touched = [keys.vault, keys.status];

/** As the last look found it; a move's steps and its end are told by events. */
export function useVault() {
  const { api } = useCore();
  return useQuery({ queryKey: [keys.vault], queryFn: () => answer(api.GET("/api/v1/vault")) });
}

/** Tries it now. */
export function useCheckVault() {
  const { api } = useCore();
  return useChange((_: void) => answer(api.POST("/api/v1/vault/check")), ...touched);
}

/** Begins a move. */
export function useMoveVault() {
  const { api } = useCore();
  return useChange((body: { to: VaultKind; passphrase?: string }) => answer(api.POST("/api/v1/vault/move", { body })), ...touched);
}

/** Deletes these, as far as no account owns them; the passphrase is that of a sealed file that a move has left. */
export function useCleanVault() {
  const { api } = useCore();
  return useChange((body: { orphans: string[]; passphrase?: string }) => answer(api.POST("/api/v1/vault/clean", { body })), ...touched);
}

/** Without a new passphrase it goes back to a key file. */
export function useSealVault() {
  const { api } = useCore();
  return useChange(
    (body: { current?: string; passphrase?: string }) => answer(api.POST("/api/v1/vault/passphrase", { body })),
    ...touched,
  );
}
