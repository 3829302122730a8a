// What an account does not take, besides what its provider is known to lack: requests that need it go elsewhere.
import type { Account } from "../../api/types.ts";
import { Field } from "../../parts/Field.tsx";
import { lacksIn } from "./filled.ts";

export function LacksFields({ account }: { account: Account }) {
  const lacks = lacksIn(account);
  return (
    <>
      <fieldset className="mb-1 flex flex-wrap items-center gap-x-3">
        <legend className="text-small text-soft">It does not take</legend>
        {(["images", "tools"] as const).map((what) => (
          <label key={what} className="inline-flex items-baseline gap-1">
            <input type="checkbox" name={`lacks_${what}`} defaultChecked={lacks[what]} className="accent-accent" />
            {what}
          </label>
        ))}
      </fieldset>
      <Field
        label="Beta features that it does not take" name="lacks_betas" defaultValue={lacks.betas.join(", ")} autoComplete="off"
        hint="How they begin in the header anthropic-beta, with commas between. Requests with them go to other accounts."
      />
    </>
  );
}
