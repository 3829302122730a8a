import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { MOST_REPEATS } from "./bounds.ts";

const contract = JSON.parse(readFileSync("docs/openapi.json", "utf8"));

test("the page knows the bounds that the contract states", () => {
  expect(MOST_REPEATS).toBe(contract.components.schemas.AccountChange.properties.keep_warm.maximum);
});
