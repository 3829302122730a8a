import { expect, test } from "vitest";
import { isPlainElsewhere } from "./AddressField.tsx";

test("plain http is asked about where it leaves this machine", () => {
  for (const elsewhere of ["http://10.0.0.7:4000", " http://gateway.lan/v1", "http://[fd00::7]"]) expect(isPlainElsewhere(elsewhere)).toBe(true);
  for (const other of ["", "http", "http://", "https://10.0.0.7", "http://127.0.0.1:9", "http://localhost", "http://a.localhost", "http://[::1]:9"]) {
    expect(isPlainElsewhere(other)).toBe(false);
  }
});
