/**
 * What the notes of a run prove: which jobs were lost, and why some were done twice.
 *
 * @module
 */

import { explainMessages, explainRuns, findRepeats } from "./duplicates.ts";
import type { Evidence } from "./evidence.ts";
import { isFailedQueue } from "./jobs.ts";
import type { RequestLine } from "./journal.ts";
import { Problems } from "./problems.ts";

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
  /** The most jobs that ran in a process at a time. */
  readonly widest: number;
  /** How often the server was away. */
  readonly outages: number;
  /** Requests that met a fault, by fault. */
  readonly faults: Readonly<Record<string, number>>;
  /** Processes that outlived the container that had started them. */
  readonly orphans: readonly string[];
  /** Messages whose job a container did again although it knew better. */
  readonly repeats: readonly string[];
  /** All else that must not be. Empty where nothing was lost or is unexplained. */
  readonly problems: readonly string[];
}

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
  checkPolls(evidence, problems);
  return {
    accepted: accepted.size,
    rejected,
    done: accepted.intersection(done).size,
    kept: accepted.intersection(kept).size,
    extraMessages: explainMessages(evidence, problems),
    extraRuns: explainRuns(evidence, problems),
    widest: evidence.done.reduce(
      (most, { running }) => Math.max(most, running),
      0,
    ),
    outages: evidence.outages.length,
    faults: faultsOf(evidence.requests),
    repeats: findRepeats(evidence),
    orphans: evidence.ends.flatMap(({ by, orphans = [] }) =>
      orphans.map((pid) => `outlived its container: process ${pid} of ${by}`)
    ),
    problems: problems.lines,
  };
}

/** What is deleted was done or kept before; returns which jobs were kept. */
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
  // An accepted job whose answer was lost is sent again, but keeps its place
  // before the jobs that failed.
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

/** A poll was given up: when, and on which queue. */
const POLL_GIVEN_UP =
  /^(\S+) (\S+),(\d+) .*Receive from (\S+) failed.*no answer within/gm;

/** How long before its log line the fault of a poll is, at most, in ms. */
const POLL_MS = 45_000;

/** How long after it came SQS's answer is late, in ms. */
const LATE_POLL_MS = 5_000;

/** A poll is given up only if its answer was kept back. */
function checkPolls(
  { logs, requests, outages }: Evidence,
  problems: Problems,
): void {
  const faulty = requests.filter(({ op, fault, ms }) =>
    op === "ReceiveMessage" &&
    (ms > LATE_POLL_MS || /^(silent|late|outage)/.test(fault ?? ""))
  );
  for (const [by, log] of logs) {
    for (const [, day, time, millis, name] of log.matchAll(POLL_GIVEN_UP)) {
      const at = Date.parse(`${day}T${time}.${millis}`);
      const isNear = (from: number, to: number) =>
        from <= at && to >= at - POLL_MS;
      const isExplained = outages.some(({ from, to }) => isNear(from, to)) ||
        faulty.some(({ queue, t }) => queue === name && isNear(t, t));
      if (!isExplained) problems.add("gave up a poll for no reason:", by);
    }
  }
}

function faultsOf(requests: readonly RequestLine[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { fault } of requests) {
    if (fault !== undefined) counts[fault] = (counts[fault] ?? 0) + 1;
  }
  return counts;
}
