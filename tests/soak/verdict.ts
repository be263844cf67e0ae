/**
 * What the notes of a run prove: what was lost, and why what was done twice was.
 *
 * @module
 */

import { isFailedQueue } from "./jobs.ts";
import type { DoneLine, RequestLine, SentLine } from "./journal.ts";

/** What a verdict is made of. */
export interface Evidence {
  readonly sent: readonly SentLine[];
  /** In the order in which they were noted. */
  readonly done: readonly DoneLine[];
  readonly requests: readonly RequestLine[];
  /** When processes were killed, by their names. */
  readonly killed: ReadonlyMap<string, number>;
  /** The log of each container, by its process's name. */
  readonly logs: ReadonlyMap<string, string>;
}

/** What is proved. */
export interface Verdict {
  /** Jobs that `Queue` accepted. */
  readonly accepted: number;
  /** Rejections; each was sent again. */
  readonly rejected: number;
  /** Accepted jobs that were done. */
  readonly done: number;
  /** Accepted jobs that failed, and whose message was kept. */
  readonly kept: number;
  /** Messages beyond a job's first, by cause. */
  readonly extraMessages: Readonly<Record<string, number>>;
  /** Times that a message's job was done again, by cause. */
  readonly extraRuns: Readonly<Record<string, number>>;
  /** Requests that met a fault, by fault. */
  readonly faults: Readonly<Record<string, number>>;
  /** All that must not be. Empty where nothing was lost or is unexplained. */
  readonly problems: readonly string[];
}

/** A request this slow may have been given up and made again, in ms. */
const SLOW_MS = 2_000;

/** How long after a job its delete is on its way at the latest, in ms. */
const DELETE_WITHIN_MS = 5_000;

/** How many problems of a kind are listed. */
const LISTED = 5;

/** Judges a run by its notes. */
export function judge(evidence: Evidence): Verdict {
  const problems = new Problems();
  const accepted = new Set<number>();
  let rejected = 0;
  for (const { job, id } of evidence.sent) {
    if (id === undefined) rejected++;
    else accepted.add(job);
  }
  const done = new Set(
    evidence.done.flatMap(({ job, failed }) => failed ? [] : [job]),
  );
  const kept = checkDeletes(evidence, problems);
  for (const job of accepted) {
    if (!done.has(job) && !kept.has(job)) problems.add("lost: job", job);
  }
  for (const { wrong, job } of evidence.done) {
    if (wrong) problems.add("done with other arguments than sent: job", job);
  }
  checkOrder(evidence, problems);
  return {
    accepted: accepted.size,
    rejected,
    done: accepted.intersection(done).size,
    kept: accepted.intersection(kept).size,
    extraMessages: explainMessages(evidence, problems),
    extraRuns: explainRuns(evidence, problems),
    faults: faultsOf(evidence.requests),
    problems: problems.lines,
  };
}

/** Problems by kind, of which some are listed. */
class Problems {
  readonly #kinds = new Map<string, (string | number)[]>();

  add(kind: string, what: string | number): void {
    const list = this.#kinds.get(kind) ?? [];
    list.push(what);
    this.#kinds.set(kind, list);
  }

  get lines(): string[] {
    return [...this.#kinds].map(([kind, list]) => {
      const more = list.length > LISTED ? `, ... (${list.length} in all)` : "";
      return `${kind} ${list.slice(0, LISTED).join(", ")}${more}`;
    });
  }
}

/** What is deleted was done or kept before; tells which jobs were kept. */
function checkDeletes(
  { requests, done }: Evidence,
  problems: Problems,
): Set<number> {
  const lines = new Map(done.map((line) => [line.id, line]));
  const kept = new Set<number>();
  for (const { op, queue, entries } of requests) {
    for (const { ok, id, job } of entries) {
      if (!ok || id === undefined) continue;
      if (op === "SendMessageBatch" && isFailedQueue(queue)) kept.add(job!);
      if (op !== "DeleteMessageBatch") continue;
      const line = lines.get(id);
      if (line === undefined) {
        problems.add("deleted without being done: message", id);
      } else if (line.failed && !kept.has(line.job)) {
        problems.add("deleted before it was kept: message", id);
      }
    }
  }
  return kept;
}

/** Groups are sent, and done for the first time, in order. */
function checkOrder(evidence: Evidence, problems: Problems): void {
  const sequences = new Map<string, bigint>();
  for (const { entries } of evidence.requests) {
    for (const { id, sequence } of entries) {
      if (sequence !== undefined) sequences.set(id!, BigInt(sequence));
    }
  }
  const lastDone = new Map<string, bigint>();
  const seen = new Set<string>();
  for (const { id, group } of evidence.done) {
    if (group === undefined || seen.has(id)) continue;
    seen.add(id);
    const sequence = sequences.get(id);
    if (sequence === undefined) {
      problems.add("done, but not sent: message", id);
    } else if (sequence < (lastDone.get(group) ?? 0n)) {
      problems.add(`out of order in ${group}: message`, id);
    } else lastDone.set(group, sequence);
  }
  checkSendOrder(evidence, problems);
}

function checkSendOrder(
  { sent, requests }: Evidence,
  problems: Problems,
): void {
  // What was accepted and said to have failed is sent again, and is where it
  // was: before those that did fail, and were sent again with it.
  const unknown = new Set(
    requests.filter(({ fault }) => fault !== undefined)
      .flatMap(({ entries }) => entries.map(({ id }) => id)),
  );
  const fresh = sent.filter((line) =>
    line.fresh && line.sequence && !unknown.has(line.id)
  );
  fresh.sort((a, b) => a.job - b.job);
  const last = new Map<string, bigint>();
  for (const { job, group, sequence } of fresh) {
    const number = BigInt(sequence!);
    if (number < (last.get(group!) ?? 0n)) {
      problems.add(`sent out of order in ${group}: job`, job);
    }
    last.set(group!, number);
  }
}

/** Why jobs have more than one message. */
function explainMessages(
  { sent, requests, killed }: Evidence,
  problems: Problems,
): Record<string, number> {
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
    // One of them needs none: that which was sent last, or all that was.
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
function explainRuns(
  evidence: Evidence,
  problems: Problems,
): Record<string, number> {
  const runs = Map.groupBy(evidence.done, ({ id }) => id);
  const repeated = new Set(
    [...runs].flatMap(([id, list]) => list.length > 1 ? [id] : []),
  );
  const requests = requestsOf(evidence.requests, repeated);
  const logged = loggedOf(evidence.logs);
  const counts: Record<string, number> = {};
  for (const id of repeated) {
    const list = runs.get(id)!;
    for (let i = 1; i < list.length; i++) {
      const cause = causeOf(list[i - 1]!, list[i]!, {
        killed: evidence.killed,
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

/** What is known of a message. */
interface Traces {
  readonly killed: ReadonlyMap<string, number>;
  readonly requests: readonly RequestLine[];
  readonly logged: ReadonlySet<string>;
}

/** Why the message of a job that was done came again. */
function causeOf(
  first: DoneLine,
  again: DoneLine,
  { killed, requests, logged }: Traces,
): string | undefined {
  const killedAt = killed.get(first.by) ?? Infinity;
  const soon = Math.min(again.t, first.t + DELETE_WITHIN_MS);
  if (killedAt <= soon) return "its process was killed";
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
  if (logged.has("not kept")) return "it could not be kept";
  if (logged.has("given up")) return "its process was stopped meanwhile";
  if (
    requests.some(({ op, ms, t }) =>
      op !== "ReceiveMessage" && ms > SLOW_MS && t <= again.t
    )
  ) return "an answer was slow";
  return undefined;
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

function faultsOf(requests: readonly RequestLine[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { fault } of requests) {
    if (fault !== undefined) counts[fault] = (counts[fault] ?? 0) + 1;
  }
  return counts;
}
