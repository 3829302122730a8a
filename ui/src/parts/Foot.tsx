// The quiet line at the end: where keys and data are kept, which version, which keys to press.
import { useStatus } from "../api/queries.ts";

const vaults: Record<string, string> = {
  keychain: "Keys are in the system's keychain",
  file: "Keys are in a sealed file",
  memory: "Keys are in memory only and end with Headgate",
};

export function vaultWord(vault: string | undefined): string {
  return { keychain: "the system's keychain", file: "the sealed file", memory: "memory" }[vault ?? ""] ?? "where it is kept";
}

export function Foot({ onHelp, onVault }: { onHelp: () => void; onVault: () => void }) {
  const { data: status } = useStatus();
  return (
    <footer className="mt-8 flex flex-wrap items-center gap-x-5 border-t border-line px-4 py-1.5 text-small text-faint board:px-6">
      {status && (
        <>
          <button type="button" className="hover:text-ink" title="Try it, look what is in it, or move it" onClick={onVault}>
            {vaults[status.vault] ?? `Keys: ${status.vault}`}
          </button>
          <span>Data in <span className="mono select-text">{status.data_dir}</span></span>
          {status.listeners.map((listener) => (
            <span key={listener.address} title={listener.fingerprint ? `SHA-256 of its certificate: ${listener.fingerprint}` : "Anybody on the way can read along"}>
              Also at <span className="mono select-text">{listener.address}</span>
              {listener.fingerprint ? <>, certificate <span className="mono select-text">{listener.fingerprint}</span></> : ", unprotected"}
            </span>
          ))}
          <span>Headgate {status.version}</span>
        </>
      )}
      <button type="button" className="ml-auto hover:text-ink" onClick={onHelp}>
        <kbd>?</kbd> Shortcuts
      </button>
    </footer>
  );
}
