import { expect, test } from "vitest";
import type { Ending } from "../../api/types.ts";
import { changed } from "./story.ts";

const said = (account: string | null, ending: Ending | null, changes: string[] = []) => changed({ account, ending, changes });

test("only an account's answer that was passed on to its end is called identical", () => {
  expect(said("work", "complete")).toBe("Nothing: identical to the byte");
  expect(said("work", "upstream_error")).toBe("Nothing: identical to the byte");
  for (const ending of ["upstream_cut", "upstream_stalled", "client_left", "interrupted"] as const) {
    expect(said("work", ending)).toBe("Nothing, as far as the answer came");
  }
});

test("an answer that Headgate wrote itself is called that", () => {
  // A count that was estimated, an upstream that could not be reached, and a refusal.
  for (const ending of ["complete", "upstream_error", "refused"] as const) {
    expect(said(null, ending)).toBe("Headgate wrote the answer itself");
  }
});

test("where there was no answer, or more may come, nothing is said of it", () => {
  for (const ending of ["client_left", "interrupted", null] as const) expect(said(null, ending)).toBeNull();
  expect(said("work", null)).toBeNull();
});

test("what was changed is said, whatever became of it", () => {
  expect(said("work", "upstream_stalled", ["error event supplied"])).toBe("error event supplied");
});
