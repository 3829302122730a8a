// Claude Code's profiles: a folder and a sign-in each, what its own traffic told of its limits, and the command that
// starts Claude Code in it.
import { useState } from "react";
import { useAddProfile, useProfiles } from "../../api/profiles.ts";
import type { Profile } from "../../api/types.ts";
import { Button } from "../../parts/Button.tsx";
import { Copy } from "../../parts/Copy.tsx";
import { Failed, Reading } from "../../parts/Notice.tsx";
import { useNow } from "../../parts/useNow.ts";
import { WindowList } from "../../parts/WindowList.tsx";
import { clock, exactTime } from "../../words/times.ts";
import { ForgetForm } from "./ForgetForm.tsx";
import { ProfileForm } from "./ProfileForm.tsx";

type Asked = { act: "add" } | { act: "rename" | "forget"; profile: Profile };

/** What was forgotten last, which the frame keeps. */
type Undo = { forgotten: Profile | null; onForgotten: (profile: Profile | null) => void };

export function Profiles({ undo: { forgotten, onForgotten } }: { undo: Undo }) {
  const { data, error, refetch } = useProfiles();
  const [asked, setAsked] = useState<Asked | null>(null);
  const [broughtAlong] = useState(forgotten);
  const close = () => setAsked(null);
  return (
    <>
      <div className="flex items-baseline gap-4 pt-6 pb-4">
        <h1 className="text-sentence font-normal">Profiles</h1>
        <p className="text-soft max-wide:hidden">Claude Code several times over, each with a sign-in of its own.</p>
        <Button className="ml-auto" onClick={() => setAsked({ act: "add" })}>Add a profile</Button>
      </div>
      {forgotten && !asked && <PutBack profile={forgotten} isFresh={forgotten !== broughtAlong} onClose={() => onForgotten(null)} />}
      {error && !data ? <Failed what="the profiles" error={error} again={() => void refetch()} /> : null}
      {!data && !error && <Reading what="the profiles" />}
      {data?.length === 0 && <Nobody />}
      {data && data.length > 0 && <Table profiles={data} onAsk={setAsked} />}
      {asked?.act === "add" && <ProfileForm onClose={close} />}
      {asked?.act === "rename" && <ProfileForm profile={asked.profile} onClose={close} />}
      {asked?.act === "forget" && <ForgetForm profile={asked.profile} onForgotten={onForgotten} onClose={close} />}
    </>
  );
}

function Nobody() {
  return (
    <div className="max-w-160 space-y-2 border-y border-line py-6 text-soft">
      <p>There is no profile yet. Claude Code keeps its sign-in and settings in one folder; a profile is another such folder, so that several plans can be used side by side.</p>
      <p>Add one, start Claude Code in it with the command that is shown then, and sign in there. An account of the kind "Claude Code's own sign-in" passes that sign-in on.</p>
    </div>
  );
}

function Table({ profiles, onAsk }: { profiles: Profile[]; onAsk: (asked: Asked) => void }) {
  const now = useNow(60_000);
  return (
    <table className="stacks w-full border-y border-line" aria-label="Profiles">
      <thead className="text-small text-faint">
        <tr className="text-left [&>th]:py-1.5 [&>th]:pr-4 [&>th]:font-normal">
          <th scope="col" className="pl-2">Profile</th>
          <th scope="col">Windows</th>
          <th scope="col" className="max-board:hidden">Start it</th>
          <th scope="col"><span className="sr-only">What you can do</span></th>
        </tr>
      </thead>
      <tbody>
        {profiles.map((profile) => (
          <tr key={profile.id} className="border-t border-line align-top hover:bg-surface [&>td]:py-2.5 [&>td]:pr-4 [&>th]:py-2.5 [&>th]:pr-4" data-profile={profile.name}>
            <th scope="row" className="max-w-80 pl-2 text-left font-normal">
              <p className="font-semibold">{profile.name}</p>
              <p className="mono text-small break-all text-soft select-text">{profile.folder}</p>
              {!profile.has_folder && <p className="text-small text-bad">This folder is gone: put it back, or forget the profile.</p>}
              {!profile.is_ours && <p className="text-small text-faint">Adopted: Headgate never removes it.</p>}
            </th>
            <td data-column="Windows">
              <WindowList windows={profile.windows} now={now} />
              <p className="text-small text-faint" title={exactTime(profile.seen_at)}>
                {profile.seen_at ? `Told ${clock(profile.seen_at, now)}` : "Nothing known yet: it has asked nothing with a sign-in of its own"}
              </p>
            </td>
            <td className="max-board:hidden"><Copy text={profile.command} what={`the command that starts ${profile.name}`} /></td>
            <td className="acts whitespace-nowrap text-right">
              <span className="inline-grid grid-flow-col gap-x-4">
                <Button kind="text" aria-label={`Rename profile ${profile.name}`} onClick={() => onAsk({ act: "rename", profile })}>Rename</Button>
                <Button kind="text" aria-label={`Forget profile ${profile.name}`} onClick={() => onAsk({ act: "forget", profile })}>Forget</Button>
              </span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Only what is fresh takes the focus: whoever comes back to the screen came for something else. */
function PutBack({ profile, isFresh, onClose }: { profile: Profile; isFresh: boolean; onClose: () => void }) {
  const add = useAddProfile();
  const putBack = () => void add.run({ name: profile.name, folder: profile.folder, id: profile.id }).then((done) => done && onClose());
  return (
    <div className="mb-6 flex items-start gap-4 border-l-2 border-accent bg-surface py-2 pr-2 pl-3">
      <div role="status" className="min-w-0 flex-1">
        <p className="font-medium">{profile.name} is forgotten.</p>
        <p className="text-soft">Its folder is still there, with Claude Code's sign-in in it.</p>
        {add.problem && <p role="alert" className="text-bad">{add.problem}</p>}
      </div>
      <Button autoFocus={isFresh} disabled={add.busy} onClick={putBack}>Put it back</Button>
      <Button kind="text" aria-label="Leave it so" className="mx-0" onClick={onClose}>×</Button>
    </div>
  );
}
