// The page's buttons: one loud one for the act that a screen is for, quiet ones for all else.
import type { ButtonHTMLAttributes } from "react";

const kinds = {
  loud: "h-7 px-3 rounded-md bg-accent text-on-accent font-medium hover:bg-accent/90",
  quiet: "h-7 px-3 rounded-md border border-line text-ink hover:bg-surface hover:border-edge",
  danger: "h-7 px-3 rounded-md bg-bad text-on-accent font-medium hover:bg-bad/90",
  text: "h-7 px-1.5 -mx-1.5 rounded-sm text-accent hover:underline underline-offset-3",
};

type Props = ButtonHTMLAttributes<HTMLButtonElement> & { kind?: keyof typeof kinds; "data-first"?: boolean; "data-then"?: string };

export function Button({ kind = "quiet", className = "", type = "button", ...rest }: Props) {
  const off = "disabled:opacity-50 disabled:cursor-default whitespace-nowrap";
  return <button type={type} className={`${kinds[kind]} ${off} ${className}`} {...rest} />;
}
