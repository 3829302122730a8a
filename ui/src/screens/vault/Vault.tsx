// Where keys are kept: whether that works, what is in it that nobody owns, and moving it. Each act that can't be undone
// is asked about first.
import { useState } from "react";
import { useCheckVault, useVault } from "../../api/vault.ts";
import type { Vault as Look } from "../../api/types.ts";
import { Button } from "../../parts/Button.tsx";
import { Dialog, DialogEnd } from "../../parts/Dialog.tsx";
import { Failed, FormProblem, Reading } from "../../parts/Notice.tsx";
import { useNow } from "../../parts/useNow.ts";
import { clock, exactTime, MINUTE } from "../../words/times.ts";
import { Clean } from "./Clean.tsx";
import { Move } from "./Move.tsx";
import { Seal } from "./Seal.tsx";
import { homeWord, movedWords, movingWords, otherHome } from "./words.ts";

type Act = "move" | "clean" | "seal";

export function Vault({ onClose }: { onClose: () => void }) {
  const { data, error, refetch } = useVault();
  const [act, setAct] = useState<Act | null>(null);
  const back = () => setAct(null);
  if (data && act === "move") return <Move vault={data} onClose={back} />;
  if (data && act === "clean") return <Clean vault={data} onClose={back} />;
  if (data && act === "seal") return <Seal vault={data} onClose={back} />;
  return (
    <Dialog title="Where keys are kept" wide onClose={onClose}>
      {error && !data ? <Failed what="where keys are kept" error={error} again={() => void refetch()} /> : null}
      {!data && !error && <Reading what="where keys are kept" />}
      {data && <Stand vault={data} onAct={setAct} onClose={onClose} />}
    </Dialog>
  );
}

function Stand({ vault, onAct, onClose }: { vault: Look; onAct: (act: Act) => void; onClose: () => void }) {
  const check = useCheckVault();
  const moves = vault.moving != null;
  const other = otherHome(vault);
  const now = useNow(MINUTE);
  const cleans = vault.orphans.length > 0 || vault.can_clean_left;
  return (
    <>
      <p>{vault.says}</p>
      {/* Keys that came and went with accounts since then are counted; what others did in there is known as of then. */}
      {vault.looked_at && <p className="mt-1 text-small text-faint" title={exactTime(vault.looked_at)}>Looked at {clock(vault.looked_at, now)}.</p>}
      {vault.moving && <p role="status" className="mt-2">{movingWords(vault.moving)}</p>}
      {!moves && vault.last_move && <p role="status" className={`mt-2 ${vault.last_move.problem ? "text-bad" : "text-soft"}`}>{movedWords(vault.last_move)}</p>}
      {vault.troubles.length > 0 && (
        <div role="alert" className="mt-3 space-y-1 border-l-2 border-bad pl-3 text-bad select-text">
          {vault.troubles.map((trouble) => <p key={trouble}>{trouble}</p>)}
        </div>
      )}
      {vault.chosen && <p className="mt-3 text-small text-faint">HEADGATE_VAULT or settings.toml chooses {homeWord(vault.chosen)}, so it can be moved only once that choice is taken out.</p>}
      <FormProblem message={check.problem} />
      <DialogEnd>
        <span className="mr-auto flex gap-2">
          {cleans && <Button disabled={moves} onClick={() => onAct("clean")}>Clean up</Button>}
          {vault.kind === "file" && <Button disabled={moves} onClick={() => onAct("seal")}>Passphrase</Button>}
          {other && <Button disabled={moves} onClick={() => onAct("move")}>Move to {homeWord(other)}</Button>}
        </span>
        <Button disabled={moves || check.busy} onClick={() => void check.run()}>Try it now</Button>
        <Button data-first onClick={onClose}>Close</Button>
      </DialogEnd>
    </>
  );
}
