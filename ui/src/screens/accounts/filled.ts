// From what was typed to what is sent. The core judges it; here only empty and unchanged are told apart.
import type { Account, AccountChange, NewAccount } from "../../api/types.ts";
import { week } from "../../words/guards.ts";

/** The names that a form asks for and sends instead, row by row; rows left empty are no names. */
export function modelsIn(form: FormData): Record<string, string> {
  const sent = form.getAll("sent");
  const rows = form.getAll("asked").map((asked, at) => [String(asked).trim(), String(sent[at] ?? "").trim()] as const);
  return Object.fromEntries(rows.filter(([asked, to]) => asked || to));
}

const same = (one: Record<string, string>, other: Record<string, string>) =>
  Object.keys(one).length === Object.keys(other).length && Object.entries(one).every(([asked, sent]) => other[asked] === sent);

const differs = (one: unknown, other: unknown) => JSON.stringify(one) !== JSON.stringify(other);

export type Filled = { name: string; base_url: string; priority: string; key: string; plaintext?: boolean; provider?: string; pool?: string; lacks?: Lacks; spill?: Spill; paid?: string; opening?: Opening; warm?: string };

/** When windows are opened by themselves: a word, and days and time if it is at one. */
export type Opening = { when: "off" | "at_reset" | "at"; days: string[]; time: string };

/** What it does not take. Beginnings of beta features stand apart by commas or blanks. */
export type Lacks = NonNullable<AccountChange["lacks"]>;

/** Where requests may spill over to: a word, or the ids of accounts. */
export type Spill = { word: string; ids: number[] };

/** The fields of the form. What may stand there more than once is read apart. */
export function filledIn(form: FormData): Filled {
  const text = (name: string) => String(form.get(name) ?? "");
  return {
    name: text("name"), base_url: text("base_url"), priority: text("priority"), key: text("key"),
    ...(form.has("allow_plaintext") && { plaintext: true }),
    ...(form.has("provider") && { provider: text("provider") }),
    ...(form.has("pool") && { pool: text("pool") }),
    ...(form.has("open_when") && { opening: { when: text("open_when") as Opening["when"], days: form.getAll("open_days").map(String), time: text("open_time") } }),
    ...(form.has("keep_warm") && { warm: text("keep_warm") }),
    ...(form.has("lacks_betas") && {
      lacks: { images: form.has("lacks_images"), tools: form.has("lacks_tools"), betas: text("lacks_betas").split(/[\s,]+/).filter(Boolean).sort() },
    }),
    ...(form.has("paid") && { paid: text("paid") }),
    ...(form.has("spill") && { spill: { word: text("spill"), ids: form.getAll("spill_ids").map(Number) } }),
  };
}

/** What an account does not take, whole. */
export function lacksIn({ lacks }: Account): Required<Lacks> {
  return { images: lacks?.images ?? false, tools: lacks?.tools ?? false, betas: lacks?.betas ?? [] };
}

/** As it is sent. A path to nobody is none. */
function spillTo({ word, ids }: Spill): NonNullable<AccountChange["spill_to"]> {
  if (word === "all") return "all";
  return word === "some" && ids.length > 0 ? ids : "none";
}

/** How an account's paths are chosen in the form. */
export function spillIn({ spill }: Account): Spill {
  if (!spill) return { word: "none", ids: [] };
  return { word: spill.all ? "all" : "some", ids: spill.accounts.map(({ id }) => id) };
}

/** How an account's windows are opened, in the form. What a new time begins as: weekdays at seven. */
export function openingIn({ open_window }: Account): Opening {
  const usual = { days: week.slice(0, 5) as string[], time: "07:00" };
  if (!open_window) return { when: "off", ...usual };
  return open_window.when === "at" ? { when: "at", days: open_window.days, time: open_window.time } : { when: "at_reset", ...usual };
}

/** As it is sent. */
function openWindow({ when, days, time }: Opening): NonNullable<AccountChange["open_window"]> {
  return when === "at" ? { when, days: week.filter((day) => days.includes(day)), time } : { when };
}

export function newAccountIn(filled: Filled): NewAccount {
  const base_url = filled.base_url.trim();
  return {
    name: filled.name.trim(),
    provider: filled.provider ?? "",
    priority: Number(filled.priority) || 0,
    ...(filled.key.trim() && { key: filled.key.trim() }),
    ...(base_url && { base_url }),
    ...(base_url && filled.plaintext && { allow_plaintext: true }),
  };
}

/** Only the fields that differ. An emptied address is sent as an empty text, which removes it. */
export function changesIn(filled: Filled, account: Account, models = account.models): AccountChange {
  const name = filled.name.trim();
  const base_url = filled.base_url.trim();
  const priority = Number(filled.priority) || 0;
  const key = filled.key.trim();
  const spill_to = filled.spill && String(spillTo(filled.spill)) !== String(spillTo(spillIn(account))) ? spillTo(filled.spill) : undefined;
  const open_window = filled.opening && differs(openWindow(filled.opening), openWindow(openingIn(account))) ? openWindow(filled.opening) : undefined;
  const keep_warm = filled.warm === undefined ? undefined : Number(filled.warm) || 0;
  return {
    ...(name !== account.name && { name }),
    ...(base_url !== (account.base_url ?? "") && { base_url, ...(base_url && filled.plaintext && { allow_plaintext: true }) }),
    ...(priority !== account.priority && { priority }),
    ...(!same(models, account.models) && { models }),
    ...(key && { key }),
    ...(filled.pool !== undefined && Number(filled.pool) !== account.pool_id && { pool_id: Number(filled.pool) }),
    ...(filled.lacks && differs(filled.lacks, lacksIn(account)) && { lacks: filled.lacks }),
    ...(filled.paid !== undefined && filled.paid !== (account.said_paid ?? "auto") && { paid: filled.paid as NonNullable<AccountChange["paid"]> }),
    ...(spill_to !== undefined && { spill_to }),
    ...(open_window !== undefined && { open_window }),
    ...(keep_warm !== undefined && keep_warm !== (account.keep_warm ?? 0) && { keep_warm }),
  };
}
