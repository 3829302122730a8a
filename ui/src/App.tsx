// The frame around the screens: who may look, what is live, which screen, which keys.
import { QueryClientProvider, type QueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useState } from "react";
import { apiOver } from "./api/client.ts";
import { CoreProvider, type Link } from "./api/core.tsx";
import { keepLive } from "./api/live.ts";
import type { Removed } from "./api/plan.ts";
import type { Transport } from "./api/transport.ts";
import type { Profile } from "./api/types.ts";
import { titles } from "./nav/place.ts";
import { useKeys } from "./nav/useKeys.ts";
import { usePlace } from "./nav/usePlace.ts";
import { FreshLink } from "./parts/FreshLink.tsx";
import { Foot } from "./parts/Foot.tsx";
import { Head } from "./parts/Head.tsx";
import { KeyHelp } from "./parts/KeyHelp.tsx";
import { Accounts } from "./screens/accounts/Accounts.tsx";
import { Jobs } from "./screens/jobs/Jobs.tsx";
import { Keys } from "./screens/keys/Keys.tsx";
import { Overview } from "./screens/overview/Overview.tsx";
import { Profiles } from "./screens/profiles/Profiles.tsx";
import { Requests } from "./screens/requests/Requests.tsx";
import { RefusedLink } from "./screens/sign-in/RefusedLink.tsx";
import { Answered } from "./screens/sign-in/Answered.tsx";
import { Routing } from "./screens/routing/Routing.tsx";
import { Vault } from "./screens/vault/Vault.tsx";
import { VaultNotice } from "./screens/vault/VaultNotice.tsx";

type Props = { transport: Transport; cache: QueryClient; staleness: EventTarget; startsStale: boolean };

export function App({ transport, cache, staleness, startsStale }: Props) {
  const [stale, setStale] = useState(startsStale);
  useEffect(() => {
    const turn = () => setStale(true);
    staleness.addEventListener("stale", turn);
    return () => staleness.removeEventListener("stale", turn);
  }, [staleness]);
  if (stale) return <FreshLink />;
  return (
    <QueryClientProvider client={cache}>
      <Live transport={transport} cache={cache} />
    </QueryClientProvider>
  );
}

function Live({ transport, cache }: { transport: Transport; cache: QueryClient }) {
  const [link, setLink] = useState<Link>("connecting");
  const api = useMemo(() => apiOver(transport), [transport]);
  useEffect(() => keepLive(transport, cache, (up) => setLink(up ? "up" : "lost")), [transport, cache]);
  return (
    <CoreProvider api={api} link={link}>
      <Frame />
    </CoreProvider>
  );
}

function Frame() {
  const place = usePlace();
  const [helping, setHelping] = useState(false);
  const help = useCallback(() => setHelping(true), []);
  const [isAtVault, setAtVault] = useState(false);
  const toVault = useCallback(() => setAtVault(true), []);
  // What was removed last is kept here, so that it can still be put back after a look at another screen.
  const [removed, onRemoved] = useState<Removed | null>(null);
  const [forgotten, onForgotten] = useState<Profile | null>(null);
  useKeys(help);
  useEffect(() => { document.title = `${titles[place.screen]} · Headgate`; }, [place.screen]);
  return (
    <div className="flex min-h-screen flex-col">
      <Head screen={place.screen} />
      <VaultNotice onLook={toVault} />
      <div className="px-4 pt-3 empty:hidden board:px-6"><RefusedLink /></div>
      <main className="flex-1 px-4 board:px-6">
        {place.screen === "overview" && <Overview place={place} />}
        {place.screen === "accounts" && <Accounts place={place} />}
        {place.screen === "routing" && <Routing place={place} undo={{ removed, onRemoved }} />}
        {place.screen === "requests" && <Requests place={place} />}
        {place.screen === "keys" && <Keys place={place} />}
        {place.screen === "profiles" && <Profiles undo={{ forgotten, onForgotten }} />}
        {place.screen === "jobs" && <Jobs />}
      </main>
      <Foot onHelp={help} onVault={toVault} />
      <Answered />
      {isAtVault && <Vault onClose={() => setAtVault(false)} />}
      {helping && <KeyHelp onClose={() => setHelping(false)} />}
    </div>
  );
}
