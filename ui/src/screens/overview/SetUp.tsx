// The board without accounts: what to do to get one, in three steps.
import { useState } from "react";
import { useStatus } from "../../api/queries.ts";
import { Button } from "../../parts/Button.tsx";
import { Copy } from "../../parts/Copy.tsx";
import { AccountForm } from "../accounts/AccountForm.tsx";

export function SetUp() {
  const { data: status } = useStatus();
  const [adding, setAdding] = useState(false);
  const address = status?.address ?? "http://127.0.0.1:8417";
  return (
    <div className="max-w-[68ch] pt-6">
      <h1 className="text-sentence font-normal">No account yet. Three steps, and Claude Code works through Headgate.</h1>
      <ol className="steps mt-6">
        <li>
          <h2>Add an account</h2>
          <p>An API key of Anthropic, or of any endpoint that speaks its format. Add a second one and it takes over when the first runs out.</p>
          <Button kind="loud" className="mt-3" onClick={() => setAdding(true)}>Add an account</Button>
        </li>
        <li>
          <h2>Point your shell at Headgate</h2>
          <p>Run this where you start Claude Code. <code>headgate env</code> prints it too.</p>
          <Line text={`export ANTHROPIC_BASE_URL=${address}`} what="the line" />
        </li>
        <li>
          <h2>Work as usual</h2>
          <p>Run <code>claude</code>. Each request appears here as it happens, with the account that answered it.</p>
        </li>
      </ol>
      <div className="mt-2 border-t border-line pt-5">
        <h2>No key at hand?</h2>
        <p className="text-soft">This shows three sandbox accounts at work, and leaves nothing behind.</p>
        <Line text="headgate demo" what="the command" />
      </div>
      {adding && <AccountForm onClose={() => setAdding(false)} />}
    </div>
  );
}

function Line({ text, what }: { text: string; what: string }) {
  return <Copy text={text} what={what} className="mt-2 flex w-full justify-between rounded-md bg-surface px-3 py-1.5" />;
}
