/**
 * What happened in a round of the property test, and its problems.
 *
 * @module
 */

import type { Clock } from "../../src/clock.ts";
import type { JobMessage } from "../../src/sqs/connection.ts";
import type { DoubleQueue } from "../../src/double/queue.ts";
import type { FaultHit, TestQueues } from "../../testing.ts";

/** The argument of a job of the property test: its name. */
export function nameOf(body: string): string {
  return JSON.parse(body)[0][0];
}

/** One run of a job. */
interface Run {
  readonly messageId: string;
  /** When its message was received, by the server's account. */
  readonly receivedAtMs: number;
  /** It has ended, and its message may be deleted. */
  finished: boolean;
  /** It has ended, whichever way. */
  ended: boolean;
  /** It failed alone, after its batch: in an outage it is done again. */
  isHeld?: boolean;
  /** The message ids of its batch, in order. */
  readonly batch: readonly string[];
  readonly group: string;
}

/** A container, as far as the ledger knows it. */
export interface Holder {
  readonly name: string;
  /** The runs under way, by message id. */
  readonly running: Map<string, { readonly run: Run; readonly group: string }>;
  /** The messages that it was given. */
  readonly given: Set<string>;
  /** The messages that came, or started, and whose end was not reported. */
  readonly unreported: Set<JobMessage>;
  /** Messages whose end was reported, and their ids. */
  readonly reported: Map<JobMessage, string>;
}

/** What a round is about. */
interface LedgerOptions {
  readonly queues: TestQueues;
  readonly clock: Clock;
  readonly queue: DoubleQueue;
  readonly failed: DoubleQueue;
  readonly dead: DoubleQueue;
  /** The most jobs that run at a time. */
  readonly limit: number;
  /** Failed jobs go to the queue for them. */
  readonly keepsFailures: boolean;
}

/** Causes for which a job may be done twice. */
export type Cause =
  | "container killed"
  | "given up at a forced stop"
  | "lease lost"
  | "late delete"
  | "delete failed"
  | "handle expired"
  | "delivered twice"
  | "failure not kept"
  | "behind in its group"
  | "sent twice";

/** The causes that lines of the log name, by how they start. */
const BLAMED: readonly [start: string, cause: Cause][] = [
  ["Sending a failed message to its queue failed", "failure not kept"],
  ["Delete failed", "delete failed"],
  ["Gave up running jobs", "given up at a forced stop"],
];

/** All that happened in a round. */
export class Ledger {
  readonly trace: string[] = [];
  readonly wrong: string[] = [];
  readonly duplicates: Cause[] = [];
  readonly accepted = new Set<string>();
  readonly #options: LedgerOptions;
  readonly #runs = new Map<string, Run[]>();
  readonly #evidence = new Map<string, { at: number; cause: Cause }[]>();
  /** The message ids of each job's name. */
  readonly #messages = new Map<string, Set<string>>();
  readonly #done = new Set<string>();
  readonly #failedNames = new Set<string>();
  #hitsSeen = 0;
  #deletedSeen = 0;

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  get #now(): number {
    return this.#options.clock.now();
  }

  say(text: string): void {
    this.trace.push(`${(this.#now / 1000).toFixed(3)} ${text}`);
  }

  bad(text: string): void {
    this.wrong.push(`${(this.#now / 1000).toFixed(3)} ${text}`);
    this.say(`!! ${text}`);
  }

  /** A cause for which a message's job may be done again. */
  blame(messageId: string, cause: Cause): void {
    const known = this.#evidence.get(messageId) ?? [];
    known.push({ at: this.#now, cause });
    this.#evidence.set(messageId, known);
  }

  /** A job starts; in a batch, together with the others of `batch`. */
  begin(
    holder: Holder,
    name: string,
    messageId: string,
    group: string,
    batch: readonly string[] = [messageId],
  ): Run {
    const { queue, limit } = this.#options;
    this.#seeHits();
    this.say(`${holder.name} starts ${name}`);
    const stored = queue.messages.find((each) => each.messageId === messageId);
    const twice = this.#hitBy(name, ["duplicate", "expiredHandle"]);
    if (holder.running.size >= limit) {
      this.bad(`${name} is one job more than ${limit} at once`);
    }
    if (holder.running.has(messageId)) {
      this.bad(`${name} runs twice at once in ${holder.name}`);
    }
    if (stored === undefined && !twice) {
      this.bad(`${name} starts after it was deleted`);
    } else if (stored !== undefined && stored.visibleAtMs <= this.#now) {
      if (!twice) this.bad(`${name} starts after its lease ended`);
    }
    const run: Run = {
      messageId,
      receivedAtMs: stored?.receivedAtMs ?? 0,
      finished: false,
      ended: false,
      batch,
      group,
    };
    this.#checkDuplicate(name, run);
    if (queue.fifo) this.#checkOrder(holder, name, run);
    holder.running.set(messageId, { run, group });
    return run;
  }

  /** A job has ended. */
  end(
    holder: Holder,
    name: string,
    run: Run,
    how: "done" | "failed" | "held" | "retry",
  ): void {
    this.say(`${holder.name}: ${name} ${how}`);
    run.ended = true;
    run.finished = how !== "retry";
    if (how === "done") this.#done.add(name);
    run.isHeld = how === "held";
    if (how === "failed" || how === "held") this.#failedNames.add(name);
  }

  /** A container reports that a job has started. */
  started(holder: Holder, message: JobMessage): void {
    if (holder.unreported.has(message)) return;
    this.bad(`${nameOf(message.body)} starts after its end, or never came`);
  }

  /** A container reports what became of a message, once. */
  reported(holder: Holder, message: JobMessage, outcome: string): void {
    const { body, messageId } = message;
    const name = nameOf(body);
    this.say(`${holder.name} reports ${name} ${outcome}`);
    if (holder.reported.has(message)) this.bad(`${name} is reported twice`);
    const runs = this.#runs.get(messageId) ?? [];
    if (outcome === "done" && !runs.some(({ finished }) => finished)) {
      this.bad(`${name} is reported as done, and is not`);
    }
    holder.reported.set(message, messageId);
    holder.unreported.delete(message);
  }

  /**
   * A container has ended: it has reported every message, once if it came again
   * while it was held, or after its job had ended.
   */
  checkReported({ name, unreported, reported }: Holder): void {
    const ids = new Set(reported.values());
    for (const { messageId, body } of unreported) {
      if (ids.has(messageId)) continue;
      this.bad(`${name} does not report the end of ${nameOf(body)}`);
    }
  }

  /** A container was killed: its jobs may be done again. */
  killed(holder: Holder): void {
    for (const id of holder.given) this.blame(id, "container killed");
  }

  /** Messages came to a container. */
  received(holder: Holder, messages: readonly JobMessage[]): void {
    for (const message of messages) {
      holder.given.add(message.messageId);
      holder.unreported.add(message);
    }
    if (messages.length === 0) return;
    const names = messages.map(({ body, receiveCount }) =>
      `${nameOf(body)}/${receiveCount}`
    );
    this.say(`${holder.name} received ${names}`);
  }

  /** A delete reaches the server. */
  deleting(receiptHandle: string): void {
    const { queue } = this.#options;
    const message = queue.messageOf(receiptHandle);
    if (message === undefined) return;
    const current = message.receiptHandle === receiptHandle &&
      message.visibleAtMs > this.#now;
    if (!current) this.blame(message.messageId, "late delete");
  }

  /** Looks at the messages deleted since the last time. */
  checkDeleted(): void {
    const { queue, failed, keepsFailures } = this.#options;
    for (; this.#deletedSeen < queue.deleted.length; this.#deletedSeen++) {
      const { body, messageId } = queue.deleted[this.#deletedSeen]!;
      const name = nameOf(body);
      this.say(`deleted ${name}`);
      const runs = this.#runs.get(messageId) ?? [];
      if (!runs.some(({ finished }) => finished)) {
        this.bad(`${name} was deleted, neither done nor failed`);
      }
      const kept = this.#done.has(name) || !keepsFailures ||
        [...failed.messages, ...failed.deleted].some((each) =>
          nameOf(each.body) === name
        );
      if (!kept) this.bad(`${name} failed and was deleted without being kept`);
    }
  }

  /** What the engine logged. */
  logged(level: string, text: string): void {
    this.say(`${level} ${text}`);
    for (const [, id] of text.matchAll(/message (\S+), receive \d/g)) {
      if (text.startsWith("Lost a lease")) this.#leaseLost(id!);
      const [, cause] = BLAMED.find(([start]) => text.startsWith(start)) ?? [];
      if (cause !== undefined) this.blame(id!, cause);
    }
  }

  /** At the end of a round. */
  checkAccepted(): void {
    const { dead } = this.#options;
    const buried = new Set(dead.messages.map(({ body }) => nameOf(body)));
    for (const name of this.accepted) {
      const found = this.#done.has(name) || this.#failedNames.has(name) ||
        buried.has(name);
      if (!found) this.bad(`${name} was accepted, and is lost`);
    }
  }

  #leaseLost(messageId: string): void {
    const { queue } = this.#options;
    this.#seeHits();
    this.blame(messageId, "lease lost");
    const all = [...queue.messages, ...queue.deleted];
    const body = all.find((each) => each.messageId === messageId)?.body;
    // It is in the dead-letter queue.
    if (body === undefined) return;
    const name = nameOf(body);
    const explained = this.#hits.some((hit) =>
      hit.bodies.some((each) => nameOf(each) === name) &&
      // While a delete is tried again nothing extends the lease.
      (hit.operation === "ChangeMessageVisibility" ||
        hit.operation === "DeleteMessage" || hit.kind === "duplicate" ||
        hit.kind === "expiredHandle" ||
        (hit.operation === "ReceiveMessage" && hit.kind === "lateAnswer"))
    );
    if (!explained) this.bad(`the lease of ${name} was lost without a cause`);
  }

  /** A job that was done, or still runs, is done again: why? */
  #checkDuplicate(name: string, run: Run): void {
    const runs = this.#runs.get(run.messageId) ?? [];
    const before = runs.at(-1);
    const isAgain = before !== undefined && !before.isHeld &&
      (before.finished || !before.ended);
    if (isAgain) {
      const cause = this.#cause(run.messageId, before.receivedAtMs) ??
        (before.ended ? undefined : this.#failedExtension(name, before)) ??
        this.#behind(before);
      if (cause === undefined) {
        this.bad(`${name} is done twice without a cause`);
      } else this.duplicates.push(cause);
    }
    runs.push(run);
    this.#runs.set(run.messageId, runs);
    const messages = this.#messages.get(name) ?? new Set();
    if (messages.size > 0 && !messages.has(run.messageId)) {
      const sentTwice = this.#hits.some((hit) =>
        hit.operation === "SendMessage" &&
        (hit.kind === "lostAnswer" || hit.kind === "partialFailure") &&
        hit.bodies.some((body) => nameOf(body) === name)
      );
      if (sentTwice) this.duplicates.push("sent twice");
      else this.bad(`${name} is in the queue twice without a cause`);
    }
    messages.add(run.messageId);
    this.#messages.set(name, messages);
  }

  #cause(messageId: string, sinceMs: number): Cause | undefined {
    const evidence = this.#evidence.get(messageId) ?? [];
    const since = evidence.findLast(({ at }) => at >= sinceMs);
    if (since !== undefined) return since.cause;
    // A copy may come long after; each comes once.
    const copy = evidence.findIndex(({ cause }) => cause === "delivered twice");
    return copy < 0 ? undefined : evidence.splice(copy, 1)[0]!.cause;
  }

  /** A lease that could not be extended may end before the container knows. */
  #failedExtension(name: string, before: Run): Cause | undefined {
    const failed = this.#hits.some((hit) =>
      hit.operation === "ChangeMessageVisibility" &&
      hit.at.getTime() >= Math.floor(before.receivedAtMs) &&
      hit.bodies.some((each) => nameOf(each) === name)
    );
    return failed ? "lease lost" : undefined;
  }

  /** On FIFO queues, an earlier job of the group in its batch has stayed. */
  #behind({ messageId, batch, group }: Run): Cause | undefined {
    if (!this.#options.queue.fifo) return undefined;
    const earlier = batch.slice(0, batch.indexOf(messageId));
    const hasStayed = [...this.#runs].some(([id, runs]) => {
      const hasEvidence = this.#evidence.has(id);
      return runs.some((run) =>
        run.group === group && (
          // It may have run alone, before the others.
          run.isHeld ? hasEvidence : run.batch === batch &&
            earlier.includes(id) && (hasEvidence || !run.finished)
        )
      );
    });
    return hasStayed ? "behind in its group" : undefined;
  }

  #checkOrder(holder: Holder, name: string, run: Run): void {
    const { messageId, group, batch } = run;
    for (const [id, other] of holder.running) {
      if (other.group === group && id !== messageId && !batch.includes(id)) {
        this.bad(`${name} starts beside another job of group ${group}`);
      }
    }
    for (const other of this.#options.queue.messages) {
      if (other.messageId === messageId) return;
      const before = this.#runs.get(other.messageId)?.at(-1);
      const isOfBatch = batch.indexOf(other.messageId) >= 0 &&
        batch.indexOf(other.messageId) < batch.indexOf(messageId);
      if (other.groupId === group && !isOfBatch && !before?.isHeld) {
        this.bad(`${name} starts before ${nameOf(other.body)} of its group`);
      }
    }
  }

  get #hits(): readonly FaultHit[] {
    return this.#options.queues.faults;
  }

  #hitBy(name: string, kinds: readonly FaultHit["kind"][]): boolean {
    return this.#hits.some((hit) =>
      kinds.includes(hit.kind) &&
      hit.bodies.some((each) => nameOf(each) === name)
    );
  }

  /** Looks at the faults that hit since the last time. */
  #seeHits(): void {
    const hits = this.#hits;
    for (; this.#hitsSeen < hits.length; this.#hitsSeen++) {
      const { kind, bodies } = hits[this.#hitsSeen]!;
      if (kind === "duplicate") this.#blameAll(bodies, "delivered twice");
      if (kind === "expiredHandle") this.#blameAll(bodies, "handle expired");
    }
  }

  #blameAll(bodies: readonly string[], cause: Cause): void {
    const { queue } = this.#options;
    for (const { messageId, body } of [...queue.messages, ...queue.deleted]) {
      if (bodies.includes(body)) this.blame(messageId, cause);
    }
  }
}
