import { expect, test } from "vitest";
import { queue } from "./ProxySwitch.tsx";

test("what waits is only spoken of while something does", () => {
  expect(queue({ waiting: 0, held: 0 })).toBe("");
  expect(queue({ waiting: 2, held: 0 })).toBe("2 waiting");
  expect(queue({ waiting: 2, held: 1 })).toBe("2 waiting, 1 held");
});
