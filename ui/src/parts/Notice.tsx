// What stands where content is not: still reading, nothing there, or a problem with its next step.
import type { ReactNode } from "react";
import { Button } from "./Button.tsx";

export function Reading({ what }: { what: string }) {
  return <p role="status" className="py-8 text-faint">Reading {what}…</p>;
}

export function Failed({ what, error, again }: { what: string; error: Error; again: () => void }) {
  return (
    <div role="alert" className="py-8">
      <p className="font-medium text-bad">Could not read {what}.</p>
      <p className="mt-1 mb-3 text-soft">{error.message}</p>
      <Button onClick={again}>Try again</Button>
    </div>
  );
}

export function Nothing({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="py-8">
      <p className="font-medium">{title}</p>
      <div className="mt-1 text-soft">{children}</div>
    </div>
  );
}

/** A problem at a form, in the core's own words. */
export function FormProblem({ message }: { message: string | null }) {
  if (!message) return null;
  return <p role="alert" className="mt-3 border-l-2 border-bad pl-3 text-bad">{message}</p>;
}
