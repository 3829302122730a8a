// Bounds that the contract states and the types made from it can't carry. bounds.test.ts holds them against
// docs/openapi.json.

/** So often in a row a prompt may be kept warm, at most: `AccountChange.keep_warm`. */
export const MOST_REPEATS = 12;
