// Makes a profile, adopts a folder as one, or gives one another name.
import { useState, type FormEvent } from "react";
import { useAddProfile, useRenameProfile } from "../../api/profiles.ts";
import type { Profile } from "../../api/types.ts";
import { Dialog } from "../../parts/Dialog.tsx";
import { Field } from "../../parts/Field.tsx";
import { FormEnd } from "../../parts/FormEnd.tsx";

export function ProfileForm({ profile, onClose }: { profile?: Profile; onClose: () => void }) {
  const add = useAddProfile();
  const rename = useRenameProfile(profile?.id ?? 0);
  const [folder, setFolder] = useState("");

  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get("name"));
    const adopted = folder.trim();
    if (profile ? await rename.run(name) : await add.run({ name, ...(adopted && { folder: adopted }) })) onClose();
  }

  return (
    <Dialog title={profile ? `Rename ${profile.name}` : "Add a profile"} onClose={onClose}>
      <form onSubmit={(event) => void send(event)} autoComplete="off">
        <Field label="Name" name="name" defaultValue={profile?.name} placeholder="work" data-first maxLength={40} autoComplete="off" hint={profile ? "Its folder stays where it is: Claude Code knows its sign-in by it." : "Letters, digits, -, _ or ."} />
        {!profile && (
          <Field label="Folder (may be left empty)" name="folder" value={folder} onChange={(event) => setFolder(event.target.value)} placeholder="/home/you/.claude" autoComplete="off" hint="Left empty, one is made. A folder that is there is used as it is; Headgate reads nothing in it and never removes it." />
        )}
        <FormEnd change={profile ? rename : add} act={profile ? "Save the name" : folder.trim() ? "Adopt the folder" : "Make the profile"} onClose={onClose} />
      </form>
    </Dialog>
  );
}
