// What a browser sees that has no right to look: how to get one.
import { Copy } from "./Copy.tsx";
import { Logo } from "./Head.tsx";

export function FreshLink() {
  return (
    <main className="mx-auto flex min-h-screen max-w-115 flex-col justify-center px-6">
      <Logo />
      <h1 className="mt-6 text-sentence font-normal">This page needs a fresh link.</h1>
      <p className="mt-2 text-soft">
        A link opens one tab, once, and lasts until Headgate stops. Run this in a terminal and open what it prints:
      </p>
      <p className="mt-4 border-y border-line py-3"><Copy text="headgate dashboard" what="the command" /></p>
    </main>
  );
}
