// Pools, routes and bindings in words: what a policy does, what can be bound, what a role is.
import type { Policy, Role, Subject } from "../api/types.ts";

/** The pool that is always there, whatever it is called. */
export const MAIN = 1;

/** As it stands behind a pool's name. */
export const policyWord: Record<Policy, string> = {
  priority: "by priority", headroom: "by headroom", soonest_reset: "what expires first", round_robin: "in turn",
};

export const policyMeaning: Record<Policy, string> = {
  priority: "The lowest priority number first, and back to it when it is back; among equals the one with most left.",
  headroom: "The one with most left in its fullest window.",
  soonest_reset: "The account that is furthest behind a plan of finishing its week in time. What is paid by use comes last.",
  round_robin: "Whoever was used longest ago. For accounts that are all alike.",
};

export const policies = Object.keys(policyWord) as Policy[];

export const roleWord: Record<Role, string> = {
  main: "Main conversation", subagent: "Subagent", workflow: "Workflow", compaction: "Compaction", auxiliary: "Auxiliary",
};

export const roles = Object.keys(roleWord) as Role[];

/** Families that a route can be for. */
export const families = ["opus", "sonnet", "haiku", "fable"];

export type Kind = "key" | "directory" | "project" | "agent_type" | "role";

/** Closest first: of several that fit a request, the one counts that stands first. */
export const kinds: [Kind, string][] = [
  ["key", "A key"], ["directory", "A folder"], ["project", "A project"], ["agent_type", "A type of agent"], ["role", "A role"],
];

export function kindOf(subject: Subject): Kind {
  return Object.keys(subject)[0] as Kind;
}

/** "Work", "Work and Spare", "Work, Spare and Night". */
export function listed(names: string[]): string {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`;
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
