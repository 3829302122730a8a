// A link that came back and was refused: whoever followed it looks here for what became of it. It stands at the top of
// the page, and in the dialog that waits for one.
import { useState } from "react";
import { useStatus } from "../../api/queries.ts";
import { Button } from "../../parts/Button.tsx";

export function RefusedLink() {
  const { data: status } = useStatus();
  const [read, setRead] = useState<string | null>(null);
  const refused = status?.refused_link;
  if (!refused || refused.at === read) return null;
  return (
    <div role="alert" className="mb-3 flex items-center justify-between gap-4 border-l-2 border-cooling pl-3">
      <p>A link that was opened for Headgate was refused: {refused.message}. Nothing has changed.</p>
      <Button kind="text" onClick={() => setRead(refused.at)}>Dismiss</Button>
    </div>
  );
}
