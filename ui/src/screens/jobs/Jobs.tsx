// What Headgate does by itself: when it did so last and how that went, when it does so next, and a way to
// do it now.
import { useRunJob } from "../../api/changes.ts";
import { useJobs } from "../../api/queries.ts";
import type { Job } from "../../api/types.ts";
import { Button } from "../../parts/Button.tsx";
import { Failed, Reading } from "../../parts/Notice.tsx";
import { useNow } from "../../parts/useNow.ts";
import { exactTime } from "../../words/times.ts";
import { isBad, lastWords, limitWords, nextWords, troubleWords } from "./words.ts";

export function Jobs() {
  const { data, error, refetch } = useJobs();
  return (
    <>
      <div className="flex items-baseline gap-4 pt-6 pb-4">
        <h1 className="text-sentence font-normal">Jobs</h1>
        <p className="text-soft max-wide:hidden">What Headgate does by itself, aside from requests.</p>
      </div>
      {error && !data ? <Failed what="the jobs" error={error} again={() => void refetch()} /> : null}
      {!data && !error && <Reading what="the jobs" />}
      {data && <Table jobs={data} />}
    </>
  );
}

function Table({ jobs }: { jobs: Job[] }) {
  const now = useNow(60_000);
  return (
    <table className="stacks w-full border-y border-line" aria-label="Jobs">
      <thead className="text-small text-faint">
        <tr className="text-left [&>th]:py-1.5 [&>th]:pr-4 [&>th]:font-normal">
          <th scope="col" className="pl-2">Job</th>
          <th scope="col">Last run</th>
          <th scope="col">Next run</th>
          <th scope="col"><span className="sr-only">What you can do</span></th>
        </tr>
      </thead>
      <tbody>{jobs.map((job) => <JobRow key={job.id} job={job} now={now} />)}</tbody>
    </table>
  );
}

function JobRow({ job, now }: { job: Job; now: number }) {
  const run = useRunJob(job.id);
  const bad = isBad(job.last?.outcome);
  const before = troubleWords(job, now);
  return (
    <tr className="border-t border-line align-top hover:bg-surface [&>td]:py-2.5 [&>td]:pr-4 [&>th]:py-2.5 [&>th]:pr-4 wide:[&>td]:pr-6 wide:[&>th]:pr-6" data-job={job.id}>
      <th scope="row" className="max-w-70 pl-2 text-left font-normal">
        <p className="font-semibold">{job.title}</p>
        <p className="text-small text-soft">{job.about}</p>
        {run.problem && <p role="alert" className="text-bad">{run.problem}</p>}
      </th>
      <td className="max-w-80" data-column="Last run" title={job.last ? exactTime(job.last.began_at) : undefined}>
        <p className={bad ? "text-bad" : ""}>{lastWords(job, now)}</p>
        {job.last && <p className={`text-small break-words select-text ${bad ? "text-bad" : "text-soft"}`}>{job.last.says}</p>}
        {before && <p className="text-small text-soft break-words select-text">Last trouble: {before}</p>}
      </td>
      <td className="max-w-60" data-column="Next run" title={job.next_at ? exactTime(job.next_at) : undefined}>
        <p>{nextWords(job, now)}</p>
        <p className="text-small text-soft">{job.off ?? `${job.cadence}; ${limitWords(job)}`}</p>
      </td>
      <td className="acts whitespace-nowrap text-right">
        {!job.off && (
          <span>
            <Button kind="text" aria-label={`Run now: ${job.title}`} disabled={run.busy || job.running_since != null} onClick={() => void run.run()}>
              Run now
            </Button>
          </span>
        )}
      </td>
    </tr>
  );
}
