// What screens can ask and change of profiles of Claude Code. One that was forgotten is handed on, so that it can be
// put back.
import { useQuery } from "@tanstack/react-query";
import { at, useChange } from "./changes.ts";
import { answer } from "./client.ts";
import { useCore } from "./core.tsx";
import { keys } from "./live.ts";
import type { NewProfile, Profile } from "./types.ts";

export function useProfiles() {
  const { api } = useCore();
  return useQuery({ queryKey: [keys.profiles], queryFn: () => answer(api.GET("/api/v1/profiles")) });
}

export function useAddProfile() {
  const { api } = useCore();
  return useChange((body: NewProfile) => answer(api.POST("/api/v1/profiles", { body })), keys.profiles);
}

export function useRenameProfile(id: number) {
  const { api } = useCore();
  return useChange((name: string) => answer(api.PATCH("/api/v1/profiles/{id}", { ...at(id), body: { name } })), keys.profiles);
}

/** Its folder stays unless that is wanted too. */
export function useForgetProfile(id: number, onForgotten: (profile: Profile) => void) {
  const { api } = useCore();
  return useChange(async (withFolder: boolean) => {
    const params = { path: { id }, query: { with_folder: withFolder } };
    const forgotten = await answer(api.DELETE("/api/v1/profiles/{id}", { params }));
    if (!forgotten.with_folder) onForgotten(forgotten.profile);
  }, keys.profiles);
}
