// An address of one's own, and whether plain http:// may be spoken there: asked where it matters and nowhere else.
import { useState } from "react";
import { Field } from "./Field.tsx";

type Props = { address?: string | null | undefined; placeholder: string; hint: string };

export function AddressField({ address, placeholder, hint }: Props) {
  const [typed, setTyped] = useState(address ?? "");
  return (
    <div>
      <Field
        label="Base URL" name="base_url" defaultValue={address ?? ""} placeholder={placeholder} hint={hint}
        inputMode="url" autoComplete="off" onChange={(event) => setTyped(event.target.value)}
      />
      {isPlainElsewhere(typed) && (
        <label className="mb-3 flex gap-2">
          <input type="checkbox" name="allow_plaintext" defaultChecked={isPlainElsewhere(address ?? "")} className="mt-1 self-start" />
          <span>It is on a private network, and may be reached by plain http://. Whoever is on that network can read what is sent, the credential too.</span>
        </label>
      )}
    </div>
  );
}

/** Whether it is plain http:// to another machine. The core judges it; here it is only asked about. */
export function isPlainElsewhere(address: string): boolean {
  if (!URL.canParse(address.trim())) return false;
  const { protocol, hostname } = new URL(address.trim());
  const isHere = hostname === "localhost" || hostname.endsWith(".localhost") || hostname === "[::1]" || /^127\./.test(hostname);
  return protocol === "http:" && !isHere;
}
