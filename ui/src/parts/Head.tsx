// The top of every page: where to go, and whether Headgate is serving requests.
import { useCore } from "../api/core.tsx";
import { useStatus } from "../api/queries.ts";
import { linkTo, screens, titles, type Screen } from "../nav/place.ts";
import { ProxySwitch } from "./ProxySwitch.tsx";

export function Head({ screen }: { screen: Screen }) {
  const { link } = useCore();
  const { data: status } = useStatus();
  return (
    <header>
      <div className="flex flex-wrap items-center gap-x-7 gap-y-1 border-b border-line px-4 board:px-6">
        <Logo />
        <nav aria-label="Screens" className="flex flex-wrap gap-x-5">
          {screens.map((name) => (
            <a
              key={name}
              href={linkTo(name)}
              aria-current={name === screen ? "page" : undefined}
              className={`-mb-px border-b-2 pt-2.5 pb-2 ${name === screen ? "border-accent text-ink" : "border-transparent text-soft hover:text-ink"}`}
            >
              {titles[name]}
            </a>
          ))}
        </nav>
        <div className="ml-auto flex flex-wrap items-center justify-end gap-x-4">{status && <ProxySwitch status={status} />}</div>
      </div>
      {link === "lost" && (
        <p role="alert" className="border-b border-line bg-surface px-4 py-1.5 board:px-6">
          <span className="font-medium text-bad">Connection lost.</span>{" "}
          <span className="text-soft">What you see may be old. Trying again…</span>
        </p>
      )}
      {status?.problem && (
        <p role="alert" className="border-b border-line bg-surface px-4 py-1.5 text-bad board:px-6">{status.problem}</p>
      )}
    </header>
  );
}

/** A gate, half lowered. */
export function Logo() {
  return (
    <span className="inline-flex items-center gap-2 font-semibold">
      <svg viewBox="0 0 16 16" aria-hidden="true" className="size-4 text-accent">
        <g fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="square">
          <path d="M2 14V2.5h12V14" />
          <path d="M5.5 3v5.2h5V3" />
          <path d="M5 13.2h6" />
        </g>
      </svg>
      Headgate
    </span>
  );
}
