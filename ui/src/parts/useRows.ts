// Rows of a form that can be added, left out and moved. It keeps which there are and in what order; what was
// typed into them stays in their fields, which move with them.
import { useState } from "react";

export type Row<T> = { key: number; is: T };

export function added<T>(rows: Row<T>[], is: T): Row<T>[] {
  return [...rows, { key: rows.reduce((most, { key }) => Math.max(most, key), -1) + 1, is }];
}

/** One place up (-1) or down (1); at the end it stays. */
export function moved<T>(rows: Row<T>[], key: number, by: -1 | 1): Row<T>[] {
  const at = rows.findIndex((row) => row.key === key);
  const [one, other] = [rows[at], rows[at + by]];
  if (!one || !other) return rows;
  return rows.map((row) => (row === one ? other : row === other ? one : row));
}

export function useRows<T>(initial: T[]) {
  const [rows, setRows] = useState<Row<T>[]>(() => initial.map((is, key) => ({ key, is })));
  return {
    rows,
    add: (is: T) => setRows((before) => added(before, is)),
    drop: (key: number) => setRows((before) => before.filter((row) => row.key !== key)),
    move: (key: number, by: -1 | 1) => setRows((before) => moved(before, key, by)),
  };
}
