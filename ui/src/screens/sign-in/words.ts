// What signing in says: the ways back, and how one stands.
import type { Account, SignInDefinition, SignInView, SignInWay } from "../../api/types.ts";
import { clock, until } from "../../words/times.ts";

export const wayWords: Record<SignInWay, { title: string; hint: string }> = {
  loopback: { title: "By a browser on this machine", hint: "The browser comes back to a port of this machine, and Headgate goes on by itself." },
  deep_link: { title: "By a browser, back into the window", hint: "The browser hands the answer to Headgate's installed window, which asks you before it uses it." },
  paste: { title: "By a code that I paste", hint: "Sign in on any device, then paste the code or the whole address here." },
  device: { title: "By a code that I enter there", hint: "Open a page on any device and enter the code that is shown here." },
};

/** Whether somebody still has to act. */
export const isOpen = ({ state }: SignInView) => state === "waiting" || state === "answered";

/** Why there will be no answer any more, and what to do. Null while there may be one. */
export function overWords({ state, message }: SignInView): string | null {
  switch (state) {
    case "failed": return message ?? "It did not work, and nobody said why. Try again.";
    case "expired": return message ?? "Nobody answered in time. Try again.";
    case "cancelled": return "It was called off. Begin again if that was not meant.";
    default: return null;
  }
}

/** The core's words at the beginning of a line. A host's name stays as it is. */
export function asSentence(words: string): string {
  return /^\S*\.\S/.test(words) ? words : words.charAt(0).toUpperCase() + words.slice(1);
}

/** Whose sign-in it is, in the words of who looks for it. */
export function whoseWords({ account, name }: SignInView, accounts: Account[]): string {
  return name ?? accounts.find(({ id }) => id === account)?.name ?? "an account";
}

/** Why its last renewal failed, and when the next one is; empty where none failed, or where its standing says it all. */
export function renewalWords({ renewal, standing }: Account, now: number): string {
  if (!renewal?.failure || standing.state === "needs_sign_in") return "";
  const failed = renewal.failed_at ? ` at ${clock(renewal.failed_at, now)}` : "";
  const next = renewal.next_at ? `; tried again ${clock(renewal.next_at, now)}` : "";
  return `Its last renewal failed${failed}: ${renewal.failure}${next}`;
}

/** How an account is signed in; empty where it has a key. */
export function signedInWords({ sign_in }: Account, definitions: SignInDefinition[], now: number): string {
  if (!sign_in) return "";
  const title = definitions.find(({ id }) => id === sign_in.with)?.title ?? sign_in.with;
  const end = !sign_in.renews && sign_in.expires_at ? `, until ${until(sign_in.expires_at, now)}` : "";
  return `Signed in with ${title}${end}`;
}
