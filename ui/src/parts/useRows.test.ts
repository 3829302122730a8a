import { expect, test } from "vitest";
import { added, moved, type Row } from "./useRows.ts";

const rows: Row<string>[] = [{ key: 0, is: "a" }, { key: 1, is: "b" }, { key: 2, is: "c" }];
const read = (all: Row<string>[]) => all.map(({ is }) => is).join("");

test("a row moves by one place, and at the end it stays", () => {
  expect(read(moved(rows, 2, -1))).toBe("acb");
  expect(read(moved(rows, 0, 1))).toBe("bac");
  expect(moved(rows, 0, -1)).toBe(rows);
  expect(moved(rows, 2, 1)).toBe(rows);
  expect(moved(rows, 9, 1)).toBe(rows);
});

test("a new row has a key that none of those before it has, wherever they stand", () => {
  expect(added(moved(rows, 2, -1), "d").map(({ key }) => key)).toEqual([0, 2, 1, 3]);
  expect(added([], "a")).toEqual([{ key: 0, is: "a" }]);
});
