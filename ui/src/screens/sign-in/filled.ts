// From what was typed to what is sent, and what is proposed. The core judges it; a field that the way to sign in does
// not ask for is not sent.
import type { Account, NewSignIn, Provider, SignInDefinition, SignInWay } from "../../api/types.ts";

export type Filled = {
  name: string; provider: string; base_url: string; priority: string; client_id: string; client_secret: string;
  issuer: string; tenant: string; scopes: string; way: string; plaintext?: boolean;
};

export function filledIn(form: FormData): Filled {
  const text = (name: string) => String(form.get(name) ?? "").trim();
  return {
    name: text("name"), provider: text("provider"), base_url: text("base_url"), priority: text("priority"),
    client_id: text("client_id"), client_secret: text("client_secret"), issuer: text("issuer"), tenant: text("tenant"),
    scopes: text("scopes"), way: text("way"),
    ...(form.has("allow_plaintext") && { plaintext: true }),
  };
}

/** An empty field is left out: then it is as it was the last time, or as the definition has it. */
export function orderIn(filled: Filled, definition: SignInDefinition, account?: Account): NewSignIn {
  const given = <K extends Exclude<keyof Filled, "plaintext">>(name: K, wanted: boolean) =>
    (wanted && filled[name] ? { [name]: filled[name] } : {}) as Partial<Record<K, string>>;
  const scopes = filled.scopes.split(/\s+/).filter(Boolean);
  const whose = account
    ? { account: account.id }
    : { name: filled.name, priority: Number(filled.priority) || 0, ...given("provider", true), ...given("base_url", true),
      ...(filled.base_url && filled.plaintext && { allow_plaintext: true }) };
  return {
    ...whose,
    with: definition.id,
    way: filled.way as SignInWay,
    ...given("client_id", definition.client != null),
    ...given("client_secret", definition.client != null),
    ...given("issuer", definition.wants_issuer),
    ...given("tenant", definition.tenant != null),
    ...(scopes.length > 0 && { scopes }),
  };
}

/** Whether a provider's own address may not be sent what this brings: whose token it is, only a person can say. */
export const wantsAddress = (definition: SignInDefinition) => definition.providers.length === 0;

/** Whose accounts are signed in to so, the proposed one first: where an address is wanted, one that has none of its own. */
export function providersFor(definition: SignInDefinition, providers: Provider[]): Provider[] {
  if (wantsAddress(definition)) {
    return providers.filter(({ credential }) => credential === "key").sort((a, b) => Number(Boolean(a.base_url)) - Number(Boolean(b.base_url)));
  }
  return definition.providers.flatMap((id) => providers.filter((provider) => provider.id === id));
}

/** How this account can be signed in to again. */
export function definitionsFor(account: Account | undefined, definitions: SignInDefinition[], providers: Provider[]): SignInDefinition[] {
  if (!account) return definitions;
  return definitions.filter((each) => providersFor(each, providers).some(({ id }) => id === account.provider));
}

/** The ways back that lead somewhere: without a window nobody takes a link. */
export function waysBack({ ways }: SignInDefinition, hasWindow: boolean): SignInWay[] {
  return hasWindow ? ways : ways.filter((way) => way !== "deep_link");
}

const HERE = ["", "127.0.0.1", "localhost", "[::1]", "tauri.localhost"];

/** The first way that can work: a page of another machine has a browser that no port of this one hears. */
export function proposedWay(ways: SignInWay[], hostname: string): SignInWay | undefined {
  if (HERE.includes(hostname)) return ways[0];
  return ways.find((way) => way === "device" || way === "paste") ?? ways[0];
}
