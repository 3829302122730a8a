// Gives every screen its way to the core: the typed client and whether events are arriving.
import { createContext, useContext, type ReactNode } from "react";
import type { Api } from "./client.ts";

export type Link = "connecting" | "up" | "lost";
type Core = { api: Api; link: Link };

const CoreContext = createContext<Core | null>(null);

export function CoreProvider({ api, link, children }: Core & { children: ReactNode }) {
  return <CoreContext value={{ api, link }}>{children}</CoreContext>;
}

export function useCore(): Core {
  const core = useContext(CoreContext);
  if (!core) throw new Error("a screen stands outside of CoreProvider");
  return core;
}
