// Asks before a profile is forgotten, and whether its folder is to go too.
import { useState } from "react";
import { useForgetProfile } from "../../api/profiles.ts";
import type { Profile } from "../../api/types.ts";
import { Button } from "../../parts/Button.tsx";
import { Dialog, DialogEnd } from "../../parts/Dialog.tsx";
import { FormProblem } from "../../parts/Notice.tsx";

type Props = { profile: Profile; onForgotten: (profile: Profile) => void; onClose: () => void };

export function ForgetForm({ profile, onForgotten, onClose }: Props) {
  const forget = useForgetProfile(profile.id, onForgotten);
  const [withFolder, setWithFolder] = useState(false);
  return (
    <Dialog title={`Forget ${profile.name}?`} onClose={onClose}>
      <p className="text-soft">{withFolder ? "Claude Code's sign-in, settings and history in its folder are lost." : "Its folder stays, with Claude Code's sign-in in it. You can put the profile back right afterwards."}</p>
      {profile.is_ours && profile.has_folder && (
        <label className="mt-3 flex items-baseline gap-2">
          <input type="checkbox" checked={withFolder} onChange={(event) => setWithFolder(event.target.checked)} />
          <span>Remove <span className="mono break-all">{profile.folder}</span> too</span>
        </label>
      )}
      <FormProblem message={forget.problem} />
      <DialogEnd>
        <Button data-first onClick={onClose}>Keep it</Button>
        <Button kind="danger" disabled={forget.busy} onClick={() => void forget.run(withFolder).then((done) => done && onClose())}>
          {withFolder ? "Forget it and remove the folder" : "Forget the profile"}
        </Button>
      </DialogEnd>
    </Dialog>
  );
}
