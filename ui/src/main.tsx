// Chooses the transport, opens the session, and draws the page.
import "./styles/page.css";
import { QueryClient } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App.tsx";
import { ProblemError } from "./api/client.ts";
import { httpTransport } from "./api/http.ts";
import { ipcTransport } from "./api/ipc.ts";
import { forgetToken, keptToken, openSession, ticketIn, tradeTicket } from "./api/session.ts";
import { isInWindow, type Transport } from "./api/transport.ts";

const staleness = new EventTarget();

async function chooseTransport(): Promise<Transport> {
  if (isInWindow(window)) {
    const [{ invoke }, { listen }] = await Promise.all([import("@tauri-apps/api/core"), import("@tauri-apps/api/event")]);
    return ipcTransport({ invoke, listen });
  }
  const base = window.location.origin;
  await openSession(window, (ticket) => tradeTicket(base, ticket));
  return httpTransport({
    base,
    token: () => keptToken(window),
    onStale: () => {
      forgetToken(window);
      staleness.dispatchEvent(new Event("stale"));
    },
  });
}

const cache = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: Number.POSITIVE_INFINITY,
      refetchOnWindowFocus: false,
      // Only silence is worth asking again; a problem would be the same problem.
      retry: (failures, error) => failures < 2 && !(error instanceof ProblemError && error.status > 0),
    },
  },
});

const transport = await chooseTransport();
const isStale = !isInWindow(window) && !keptToken(window);
createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <App transport={transport} cache={cache} staleness={staleness} startsStale={isStale} />
  </StrictMode>,
);

// A fresh link pasted into this tab changes only what stands behind `#`, and would load nothing.
window.addEventListener("hashchange", () => ticketIn(window.location.hash) && window.location.reload());
