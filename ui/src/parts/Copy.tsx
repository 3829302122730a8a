// A text with a button that copies it, and says that it did.
import { useEffect, useState } from "react";

type Props = { text: string; what: string; className?: string; shown?: string };

export function Copy({ text, what, className = "", shown = text }: Props) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1600);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <button
      type="button"
      title={`Copy ${what}`}
      onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true), () => setCopied(false))}
      className={`group inline-flex items-baseline gap-1.5 text-left ${className}`}
    >
      <code className="select-text break-all">{shown}</code>
      <span aria-live="polite" className="text-small text-accent group-hover:underline">{copied ? "Copied" : "Copy"}</span>
      <span className="sr-only"> {what}</span>
    </button>
  );
}
