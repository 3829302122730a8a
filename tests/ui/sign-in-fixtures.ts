// Ways to sign in and sign-ins in the states that the scripted core can't come into by itself.
import type { SignInDefinition, SignInView } from "../../ui/src/api/types.ts";

export const definitions: SignInDefinition[] = [
  {
    id: "oidc", title: "Your own sign-in (OpenID Connect)", about: "The identity provider of your company or gateway: name its issuer and the client that you registered there.",
    providers: [], ways: ["loopback", "deep_link", "paste", "device"], scopes: ["openid", "offline_access"], wants_issuer: true, tenant: null,
    client: "Register a public (native) client at your identity provider, with the redirect address http://127.0.0.1/oauth/callback or headgate://oauth/callback, and give its id.",
    has_client: false, yields_key: false,
  },
  {
    id: "entra", title: "Microsoft Entra", about: "Sign in with a work account, for an address of your own that takes Entra's tokens: a resource of Azure AI Foundry, or a gateway.",
    providers: [], ways: ["loopback", "device", "paste"], scopes: [], wants_issuer: false, tenant: "organizations",
    client: "Register an application at entra.microsoft.com, and give its application (client) id.", has_client: true, yields_key: false,
  },
  {
    id: "keys", title: "A provider of keys", about: "It makes a key for Headgate that you can take back there.",
    providers: ["anthropic"], ways: ["paste"], scopes: [], wants_issuer: false, tenant: null, client: null, has_client: false, yields_key: true,
  },
];

export function signIn(rest: Partial<SignInView>): SignInView {
  return {
    id: "4a1f", with: "oidc", title: "Your own sign-in (OpenID Connect)", way: "loopback", state: "waiting", account: null, name: "Company", message: null,
    url: "https://id.example.com/authorize?client_id=headgate&state=a-state-that-nobody-should-read", user_code: null, enter_at: null,
    expires_at: "2026-11-26T11:51:20Z", ...rest,
  };
}

/** As a provider's device code is shown. */
export const byDevice = signIn({
  way: "device", user_code: "WDJB-MJHT", enter_at: "https://id.example.com/activate", url: "https://id.example.com/activate?user_code=WDJB-MJHT",
});

type Answer = { status: number; body: unknown };

/** Has the core of a scene begin this sign-in, and tell of it as it stands. */
export function signingIn(now: () => SignInView) {
  return (path: string, method: string): Answer | null => {
    if (path === "/api/v1/sign-ins") {
      return method === "POST" ? { status: 201, body: now() } : { status: 200, body: [{ ...now(), url: null, user_code: null, enter_at: null }] };
    }
    return path === `/api/v1/sign-ins/${now().id}` ? { status: 200, body: now() } : null;
  };
}
