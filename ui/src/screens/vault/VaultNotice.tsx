// What is wrong with where keys are kept, above whatever screen there is, until somebody mends it.
import { useStatus } from "../../api/queries.ts";
import { Button } from "../../parts/Button.tsx";

export function VaultNotice({ onLook }: { onLook: () => void }) {
  const { data: status } = useStatus();
  const [first, ...more] = status?.vault_troubles ?? [];
  if (!first) return null;
  return (
    <div role="alert" className="flex flex-wrap items-baseline gap-x-4 border-b border-line bg-surface px-4 py-1.5 board:px-6">
      <p className="text-bad">{first}{more.length > 0 && ` And ${more.length} more.`}</p>
      <Button kind="text" onClick={onLook}>Look at where keys are kept</Button>
    </div>
  );
}
