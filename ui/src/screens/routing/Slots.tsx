// The slots of a route, in order. They are moved by buttons, so that mouse and keyboard have the same way; the
// focus stays with the slot that moves.
import { useLayoutEffect, useRef, useState } from "react";
import type { Slot } from "../../api/types.ts";
import { Button } from "../../parts/Button.tsx";
import { fieldLook } from "../../parts/Field.tsx";
import { useRows } from "../../parts/useRows.ts";
import { inOrder } from "../../words/standings.ts";
import type { World } from "./faults.ts";
import { targetOf } from "./filled.ts";

type Handle = { key: number; by: -1 | 1 };

export function Slots({ slots, world }: { slots: Slot[]; world: World }) {
  const { rows, add, drop, move } = useRows(slots);
  const [said, setSaid] = useState("");
  const list = useRef<HTMLOListElement>(null);
  const held = useRef<Handle | null>(null);

  // Moving an element in the page takes its focus away.
  useLayoutEffect(() => {
    if (!held.current) return;
    const { key, by } = held.current;
    held.current = null;
    const handles = [by, -by].map((way) => list.current?.querySelector<HTMLButtonElement>(`[data-slot="${key}"] [data-by="${way}"]`));
    handles.find((handle) => handle && !handle.disabled)?.focus();
  }, [rows]);

  function shift(key: number, at: number, by: -1 | 1) {
    held.current = { key, by };
    move(key, by);
    setSaid(`Slot ${at + 1} is now slot ${at + 1 + by}.`);
  }

  return (
    <fieldset className="mb-3">
      <legend className="mb-1 text-soft">Slots, tried in this order</legend>
      <ol ref={list} className="max-h-60 overflow-y-auto -mx-1 px-1 py-0.5">
        {rows.map(({ key, is }, at) => (
          <li key={key} data-slot={key} className="mb-1 grid grid-cols-[16px_1fr_1fr_auto] items-center gap-2 max-[600px]:mb-3 max-[600px]:grid-cols-[16px_1fr]">
            <span aria-hidden="true" className="text-right text-faint">{at + 1}</span>
            <Target at={at} slot={is} world={world} />
            <input name="slot_model" aria-label={`Slot ${at + 1}: model`} defaultValue={is.model ?? ""} placeholder="The model that was asked for" className={`${fieldLook} max-[600px]:col-start-2`} spellCheck={false} autoComplete="off" />
            <span className="flex gap-1 max-[600px]:col-start-2">
              <Button data-by={-1} className="!px-2" disabled={at === 0} aria-label={`Move slot ${at + 1} up`} onClick={() => shift(key, at, -1)}>↑</Button>
              <Button data-by={1} className="!px-2" disabled={at === rows.length - 1} aria-label={`Move slot ${at + 1} down`} onClick={() => shift(key, at, 1)}>↓</Button>
              <Button className="!px-2" disabled={rows.length === 1} aria-label={`Leave out slot ${at + 1}`} onClick={() => drop(key)}>×</Button>
            </span>
          </li>
        ))}
      </ol>
      <Button onClick={() => add({})}>Add a slot</Button>
      <span role="status" className="sr-only">{said}</span>
    </fieldset>
  );
}

/** An account or a pool. One that is gone can stay chosen, and has to be shown for that. */
function Target({ at, slot, world: { accounts, pools } }: { at: number; slot: Slot; world: World }) {
  const chosen = targetOf(slot);
  const isGone = chosen !== "" && slot.name == null;
  return (
    <select name="slot_target" aria-label={`Slot ${at + 1}: account or pool`} defaultValue={chosen} className={fieldLook} required>
      <option value="" disabled>Choose…</option>
      {isGone && <option value={chosen}>{chosen.replace(":", " ")}, which is gone</option>}
      <optgroup label="Accounts">{inOrder(accounts).map(({ id, name }) => <option key={id} value={`account:${id}`}>{name}</option>)}</optgroup>
      <optgroup label="Pools">{pools.map(({ id, name }) => <option key={id} value={`pool:${id}`}>pool {name}</option>)}</optgroup>
    </select>
  );
}
