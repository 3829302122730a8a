// Says numbers the way a person reads them. Unknown is "–", never 0.

export const UNKNOWN = "–";

export type Maybe = number | null | undefined;

const thin = "\u202f";

/** 812, 1.2 k, 48 k, 18.4 M: for tokens and other large counts. */
export function short(n: Maybe): string {
  if (n == null) return UNKNOWN;
  for (const [size, unit] of [[1e9, "B"], [1e6, "M"], [1e3, "k"]] as const) {
    // 999,500 and more would round up to "1000 k".
    if (n >= size * 0.9995) {
      const value = n / size;
      const digits = value < 9.95 || (size > 1e3 && value < 99.95) ? 1 : 0;
      return value.toFixed(digits) + thin + unit;
    }
  }
  return String(Math.round(n));
}

/** The sum of what is known; unknown if nothing is. */
export function total(...parts: Maybe[]): Maybe {
  const known = parts.filter((part) => part != null);
  return known.length ? known.reduce((sum, part) => sum + part, 0) : null;
}

/** $3.42; below a cent $0.0013. */
export function dollars(n: Maybe): string {
  if (n == null) return UNKNOWN;
  if (n > 0 && n < 0.00005) return `$${Math.max(n, 0.000001).toFixed(6)}`;
  return `$${n > 0 && n < 0.01 ? n.toFixed(4) : n.toFixed(2)}`;
}

/** 1,234,567: the exact value, for hover. */
export function exact(n: Maybe): string {
  return n == null ? UNKNOWN : n.toLocaleString("en-US");
}

/** 62 %. Rounds down, so that 100 % means all of it. */
export function share(part: Maybe): string {
  if (part == null) return UNKNOWN;
  if (part > 0 && part < 0.01) return `<1${thin}%`;
  return `${Math.floor(part * 100 + 1e-9)}${thin}%`;
}

/** 512 B, 48 KB, 3.1 MB. */
export function bytes(n: number): string {
  if (n < 1000) return `${n}${thin}B`;
  return n < 999_500 ? `${Math.round(n / 1e3)}${thin}KB` : `${(n / 1e6).toFixed(1)}${thin}MB`;
}

/** "1 request", "4 requests". */
export function plural(n: Maybe, one: string, many = `${one}s`): string {
  return `${exact(n)} ${n === 1 ? one : many}`;
}

/** "1 token", "1.2 k tokens". */
export function tokens(n: Maybe): string {
  return `${short(n)} ${n === 1 ? "token" : "tokens"}`;
}
