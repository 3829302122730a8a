// What a person does while a sign-in waits: open a page, enter a code there, or paste one here.
import { useEffect, useRef, type FormEvent } from "react";
import { usePasteCode } from "../../api/signIns.ts";
import type { SignInView } from "../../api/types.ts";
import { Button } from "../../parts/Button.tsx";
import { Copy } from "../../parts/Copy.tsx";
import { Field } from "../../parts/Field.tsx";
import { FormProblem } from "../../parts/Notice.tsx";

export function WayThere({ look }: { look: SignInView }) {
  if (look.way === "device") return <Device look={look} />;
  const url = look.url ?? "";
  return (
    <>
      <p className="text-soft">{first[look.way]}</p>
      <p className="mt-3 flex flex-wrap items-center gap-x-5 gap-y-2">
        <Open url={url}>Open the sign-in page</Open>
        <Copy text={url} what="the address" shown={host(url)} />
      </p>
      {look.way === "paste" ? <Paste id={look.id} /> : (
        <details className="mt-4">
          <summary className="text-soft">The browser can't come back to Headgate?</summary>
          <Paste id={look.id} />
        </details>
      )}
    </>
  );
}

const first = {
  loopback: "Open the page in a browser on this machine and sign in there. This goes on by itself.",
  deep_link: "Open the page and sign in there. The browser asks whether to open Headgate, and Headgate asks you before it uses the answer.",
  paste: "Open the page on any device and sign in there. Then paste what you are shown.",
};

/** The address itself is long, and holds what nobody should read over a shoulder. */
function host(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}

function Device({ look }: { look: SignInView }) {
  const at = look.enter_at ?? look.url ?? "";
  const code = look.user_code ?? "";
  return (
    <>
      <p className="text-soft">Open the page on any device, sign in there, and enter this code. This goes on by itself.</p>
      <p className="my-4"><Copy text={code} what="the code" className="[&>code]:text-sentence [&>code]:tracking-widest" /></p>
      <p className="flex flex-wrap items-center gap-x-5 gap-y-2">
        <Open url={look.url ?? at}>{look.url && look.url !== at ? "Open the page with the code" : "Open the page"}</Open>
        <Copy text={at} what="the address" />
      </p>
    </>
  );
}

/** A link, so that the browser decides where it opens; it has the focus, so that Enter opens it. */
function Open({ url, children }: { url: string; children: string }) {
  const link = useRef<HTMLAnchorElement>(null);
  useEffect(() => link.current?.focus(), []);
  return (
    <a ref={link} href={url} target="_blank" rel="noreferrer" className="inline-flex h-7 items-center rounded-md bg-accent px-3 font-medium text-on-accent hover:bg-accent/90">
      {children}
    </a>
  );
}

function Paste({ id }: { id: string }) {
  const paste = usePasteCode(id);
  function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    void paste.run(String(new FormData(event.currentTarget).get("code") ?? ""));
  }
  return (
    <form onSubmit={send} autoComplete="off" className="mt-4">
      <Field
        label="Code or address" name="code" autoComplete="off" required maxLength={8192}
        hint="The code that you were shown, or the whole address that the browser ended at, even if it could not open it."
      />
      <FormProblem message={paste.problem} />
      <p className="mt-2"><Button type="submit" disabled={paste.busy}>Use it</Button></p>
    </form>
  );
}
