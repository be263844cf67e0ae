/**
 * Why jobs were sent or done more often than once.
 *
 * @module
 */

import type { Evidence } from "./evidence.ts";
import { isFailedQueue } from "./jobs.ts";
import type { DoneLine, EndLine, OutageLine, RequestLine } from "./journal.ts";
import { Problems } from "./problems.ts";

/** A request this slow may have been given up and made again, in ms. */
const SLOW_MS = 2_000;

/** How long after a job its delete is on its way at the latest, in ms. */
const DELETE_WITHIN_MS = 5_000;

/** Why jobs have more than one message. */
export function explainMessages(
  { sent, requests, ends }: Evidence,
  problems: Problems,
): Record<string, number> {
  const killed = killedOf(ends);
  const told = new Set(sent.map(({ id }) => id));
  /** By job: its messages, each with why its sender may have sent another. */
  const messages = new Map<number, Map<string, string | undefined>>();
  for (const { op, queue, fault, ms, entries } of requests) {
    if (op !== "SendMessageBatch" || isFailedQueue(queue)) continue;
    for (const { job, id, by, ok } of entries) {
      if (!ok) continue;
      const cause = fault !== undefined
        ? "the answer of a send was lost"
        : killed.has(by!) && !told.has(id)
        ? "its producer was killed"
        : ms > SLOW_MS
        ? "the answer of a send was slow"
        : undefined;
      const ids = messages.get(job!) ?? new Map();
      ids.set(id!, cause ?? ids.get(id!));
      messages.set(job!, ids);
    }
  }
  const counts: Record<string, number> = {};
  for (const [job, ids] of messages) {
    if (ids.size === 1) continue;
    const causes = [...ids.values()];
    // One of them needs none: the last one that was sent, or the only one.
    causes.splice(Math.max(0, causes.indexOf(undefined)), 1);
    for (const cause of causes) {
      if (cause === undefined) {
        problems.add("sent twice, unexplained: job", job);
      } else counts[cause] = (counts[cause] ?? 0) + 1;
    }
  }
  return counts;
}

/** Why a message's job was done more than once. */
export function explainRuns(
  evidence: Evidence,
  problems: Problems,
): Record<string, number> {
  const runs = Map.groupBy(evidence.done, ({ id }) => id);
  const repeated = new Set(
    [...runs].flatMap(([id, list]) => list.length > 1 ? [id] : []),
  );
  const requests = requestsOf(evidence.requests, repeated);
  const logged = loggedOf(evidence.logs);
  const killed = killedOf(evidence.ends);
  const counts: Record<string, number> = {};
  for (const id of repeated) {
    const list = runs.get(id)!;
    for (let i = 1; i < list.length; i++) {
      const cause = causeOf(list[i - 1]!, list[i]!, {
        killed,
        leaseMs: evidence.leaseMs,
        outages: evidence.outages,
        requests: requests.get(id) ?? [],
        logged: logged.get(id) ?? new Set(),
      });
      if (cause === undefined) {
        problems.add("done twice, unexplained: message", id);
      } else counts[cause] = (counts[cause] ?? 0) + 1;
    }
  }
  return counts;
}

/** Jobs that were done again where they had been done: it was known there. */
export function findRepeats({ done, ends }: Evidence): string[] {
  const killed = killedOf(ends);
  const problems = new Problems();
  for (const [id, runs] of Map.groupBy(done, ({ id }) => id)) {
    // A message that was not kept is handled again, and rightly.
    const known = runs.filter(({ failed, by, pid }) =>
      !failed && !killed.has(`${by} ${pid}`)
    );
    if (new Set(known.map(({ by }) => by)).size < known.length) {
      problems.add("done again by the container that had done it: message", id);
    }
  }
  return problems.lines;
}

/** When processes were killed, by name or by name and id. */
function killedOf(ends: readonly EndLine[]): Map<string, number> {
  return new Map(
    ends.flatMap(({ t, by, killed, child }) =>
      // A second line shows what such a process left.
      killed ? [[child === undefined ? by : `${by} ${child}`, t] as const] : []
    ).reverse(),
  );
}

/** What is known of a message. */
interface Traces {
  readonly leaseMs: number;
  readonly killed: ReadonlyMap<string, number>;
  readonly outages: readonly OutageLine[];
  readonly requests: readonly RequestLine[];
  readonly logged: ReadonlySet<string>;
}

/** Why the message of a job that was done came again. */
function causeOf(
  first: DoneLine,
  again: DoneLine,
  { killed, leaseMs, outages, requests, logged }: Traces,
): string | undefined {
  const killedAt = killed.get(first.by) ??
    killed.get(`${first.by} ${first.pid}`) ?? Infinity;
  const soon = Math.min(again.t, first.t + DELETE_WITHIN_MS);
  if (killedAt <= soon) return "its process was killed";
  if (outages.some(({ from, to }) => from <= soon && to >= first.t)) {
    return "the server was away when it was done";
  }
  const faulty = (op: string, from: number) =>
    requests.some((request) =>
      request.op === op && request.t >= from && request.t <= again.t &&
      request.fault !== undefined
    );
  if (faulty("DeleteMessageBatch", first.t)) {
    return "a delete failed, or came late";
  }
  if (logged.has("lost") || faulty("ChangeMessageVisibilityBatch", 0)) {
    return "its lease was lost";
  }
  if (logged.has("aborted")) return "it failed after its signal aborted";
  if (wasDeletedLate(first.id, requests, leaseMs)) {
    return "a delete came as its lease ended";
  }
  if (logged.has("not kept")) return "it could not be kept";
  if (logged.has("given up")) return "its process was stopped meanwhile";
  if (
    requests.some(({ op, ms, t }) =>
      op !== "ReceiveMessage" && ms > SLOW_MS && t <= again.t
    )
  ) return "an answer was slow";
  return undefined;
}

/** Whether a lease had ended when the server took a delete. */
function wasDeletedLate(
  message: string,
  requests: readonly RequestLine[],
  leaseMs: number,
): boolean {
  let startedAt = Infinity;
  return requests.some(({ op, t, ms, entries }) => {
    if (op === "DeleteMessageBatch") return t + ms >= startedAt + leaseMs;
    const isSet = entries.some(({ id, ok }) => id === message && ok);
    if (op !== "SendMessageBatch" && isSet) startedAt = t;
    return false;
  });
}

/** The requests about some messages. */
function requestsOf(
  requests: readonly RequestLine[],
  ids: ReadonlySet<string>,
): Map<string, RequestLine[]> {
  const found = new Map<string, RequestLine[]>();
  for (const request of requests) {
    for (const { id } of request.entries) {
      if (id === undefined || !ids.has(id)) continue;
      const list = found.get(id) ?? [];
      list.push(request);
      found.set(id, list);
    }
  }
  return found;
}

/** What lines of the log say of messages, by how they start. */
const LOGGED: readonly [start: string, what: string][] = [
  ["Lost a lease", "lost"],
  // The level of jobs that threw after an abort.
  ["WARNING zsqs Job will be retried", "aborted"],
  ["Sending a failed message to its queue failed", "not kept"],
  ["Gave up running jobs", "given up"],
];

/** What zsqs logged of messages. */
function loggedOf(logs: ReadonlyMap<string, string>): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  const add = (id: string, what: string) => {
    const set = found.get(id) ?? new Set();
    found.set(id, set.add(what));
  };
  for (const log of logs.values()) {
    for (const line of log.split("\n")) {
      const [, what] = LOGGED.find(([start]) => line.includes(start)) ?? [];
      if (what === undefined) continue;
      for (const [, id] of line.matchAll(/message (\S+), receive \d/g)) {
        add(id!, what);
      }
    }
  }
  return found;
}
