// How a job's runs are told.
import type { Job, JobOutcome } from "../../api/types.ts";
import { clock, duration, until } from "../../words/times.ts";

const outcomes: Record<JobOutcome, string> = {
  fine: "well", trouble: "found trouble", failed: "failed", panicked: "broke off", timed_out: "took too long", stopped: "stopped with Headgate",
  interrupted: "interrupted",
};

/** Something that a person should look at. A run that was stopped is made up for by itself. */
export function isBad(outcome: JobOutcome | undefined): boolean {
  return outcome != null && outcome !== "fine" && outcome !== "stopped";
}

/** "Thu 04:12, well, 3.2 s". */
export function lastWords({ last }: Pick<Job, "last">, now: number): string {
  if (!last) return "Never";
  const took = last.took_ms == null ? "" : `, ${duration(last.took_ms)}`;
  return `${clock(last.began_at, now)}, ${outcomes[last.outcome]}${took}`;
}

/** "Tue 04:12, failed: It could not…", of a run that others came after; null where nothing went wrong before the last. */
export function troubleWords({ last, last_trouble }: Pick<Job, "last" | "last_trouble">, now: number): string | null {
  if (!last_trouble || last_trouble.began_at === last?.began_at) return null;
  return `${clock(last_trouble.began_at, now)}, ${outcomes[last_trouble.outcome]}: ${last_trouble.says}`;
}

/** "at most 30 min": a run that takes longer is given up. */
export function limitWords({ limit_seconds }: Pick<Job, "limit_seconds">): string {
  return `at most ${duration(limit_seconds * 1000)}`;
}

/** "04:12 (in 3 h)", "Running since 12:40", "Off", or that it has no time. */
export function nextWords(job: Pick<Job, "off" | "running_since" | "next_at">, now: number): string {
  if (job.off) return "Off";
  if (job.running_since) return `Running since ${clock(job.running_since, now)}`;
  return job.next_at ? until(job.next_at, now) : "When it is wanted";
}
