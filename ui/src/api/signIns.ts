// Signing in: what there is to sign in to, how sign-ins stand, and the acts on one. A code that was pasted and a
// client's secret are handed on and forgotten.
import { useQuery } from "@tanstack/react-query";
import { useChange } from "./changes.ts";
import { answer } from "./client.ts";
import { useCore } from "./core.tsx";
import { keys } from "./live.ts";
import { useStatus } from "./queries.ts";
import { isInWindow } from "./transport.ts";
import type { NewSignIn } from "./types.ts";

export function useSignInDefinitions() {
  const { api } = useCore();
  return useQuery({ queryKey: [keys.signInDefinitions], queryFn: () => answer(api.GET("/api/v1/sign-ins/definitions")) });
}

/** Whether there is a window that a link can come back to: this one, or the one that the core runs in. */
export function useHasWindow(): boolean {
  const { data: status } = useStatus();
  return isInWindow(window) || status?.has_window === true;
}

/** Those that are open or were lately, without their addresses. */
export function useSignIns() {
  const { api } = useCore();
  return useQuery({ queryKey: [keys.signIns], queryFn: () => answer(api.GET("/api/v1/sign-ins")) });
}

const of = (id: string) => ({ params: { path: { id } } });

export function useSignIn(id: string | null) {
  const { api } = useCore();
  return useQuery({
    queryKey: [keys.signIn, id],
    queryFn: () => answer(api.GET("/api/v1/sign-ins/{id}", of(id ?? ""))),
    enabled: id !== null,
  });
}

export function useBeginSignIn(onBegun: (id: string) => void) {
  const { api } = useCore();
  return useChange(
    async (body: NewSignIn) => onBegun((await answer(api.POST("/api/v1/sign-ins", { body }))).id),
    keys.signIns,
  );
}

export function usePasteCode(id: string) {
  const { api } = useCore();
  return useChange(
    (code: string) => answer(api.POST("/api/v1/sign-ins/{id}/code", { ...of(id), body: { code } })),
    keys.signIn,
  );
}

/** Says yes to the answer that a deep link brought. */
export function useFinishSignIn() {
  const { api } = useCore();
  return useChange((id: string) => answer(api.POST("/api/v1/sign-ins/{id}/finish", of(id))), keys.signIns, keys.signIn);
}

export function useCancelSignIn() {
  const { api } = useCore();
  return useChange((id: string) => answer(api.DELETE("/api/v1/sign-ins/{id}", of(id))), keys.signIns, keys.signIn);
}
