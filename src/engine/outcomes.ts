/**
 * What a container does when a job has ended: it logs the outcome, and carries
 * out what {@linkcode decide} decides.
 *
 * @module
 */

import { messageOf } from "../errors.ts";
import {
  type Attempt,
  decide,
  DELETE,
  isFailure,
  type Outcome,
  type Policy,
  type Retry,
  retry,
} from "../job/decide.ts";
import type { JobEnd } from "../job/hooks.ts";
import { type JobLine, logJobs, withFields } from "../job/job_lines.ts";
import { firstJobs } from "../job/runner.ts";
import { bodyText } from "../message/reading.ts";
import type { Logger } from "../logging/loggers.ts";
import type { ReceivedMessage } from "../sqs/connection.ts";
import type { EngineContext } from "./context.ts";
import type { FailureQueue } from "./failure_queue.ts";
import type { Lease } from "./lease.ts";
import type { Leases } from "./leases.ts";
import type { Settler, SettlingDecision } from "./settler.ts";

/** The outcomes of jobs that are not done. */
type Unfinished = Exclude<Outcome, { kind: "done" }>;

/** Retries of which the operator must know, and the next step. */
const NOTES: {
  readonly [Kind in Outcome["kind"]]?: {
    readonly level: keyof Logger;
    readonly why?: string;
  };
} = {
  aborted: { level: "warn" },
  workerError: { level: "error", why: "fix the worker" },
  unfetched: { level: "error" },
  notCapable: {
    level: "error",
    why: "start the container with the Deno permission that its worker needs",
  },
};

/** What {@linkcode Outcomes} works with. */
export interface OutcomesOptions {
  readonly leases: Leases;
  readonly settler: Settler;
  /** Absent: deleted, but events of AWS stay. */
  readonly failures?: "delete" | "keep" | FailureQueue | undefined;
  /** Releases the messages that wait behind one in its group. */
  readonly releaseBehind: (lease: Lease) => void;
  /** Called with a message that is gone for good, and not in another queue. */
  readonly onGone?: ((message: ReceivedMessage) => void) | undefined;
  /** Called when a failed message was sent to the failures queue, or was not. */
  readonly onChange: () => void;
}

/** Settles the messages of jobs that have ended. */
export class Outcomes {
  readonly #context: EngineContext;
  readonly #options: OutcomesOptions;
  readonly #policy: Policy;
  /** Failed messages on their way to the failures queue. */
  readonly sending = new Set<Lease>();

  constructor(context: EngineContext, options: OutcomesOptions) {
    this.#context = context;
    this.#options = options;
    const { failures } = options;
    const { attempts, retryDelay } = context.options;
    this.#policy = {
      ...(failures === undefined ? {} : {
        failures: typeof failures === "string" ? failures : "send",
      }),
      ...(attempts === undefined ? {} : { attempts }),
      ...(retryDelay === undefined ? {} : { retryDelay }),
    };
  }

  /**
   * Settles the message of a job.
   *
   * @returns Whether the message was deleted. Never rejects.
   */
  settle(lease: Lease, outcome: Outcome): Promise<boolean> {
    if (outcome.kind !== "done") return this.#settleUnfinished(lease, outcome);
    // The way of most jobs: one promise each.
    const { events } = this.#context;
    events.ended("done");
    const settled = this.#send(lease, DELETE);
    if (events.settled !== undefined) {
      settled.then(() => this.#options.leases.report(lease, "done"));
    }
    if (this.#options.onGone !== undefined) {
      settled.then((deleted) => this.#gone(lease, deleted));
    }
    return settled;
  }

  /** Whether a job's message leaves the queue after an outcome. */
  leaves(lease: Lease, outcome: Outcome): boolean {
    const { action } = decide(outcome, this.#policy, this.#attempt(lease));
    return action === "delete" || action === "sendToFailures";
  }

  /** Logs once why all jobs of a batch stay; returns how each of them ended. */
  logBatch(leases: readonly Lease[], outcome: Unfinished): Outcome {
    const { loggers, queue } = this.#context;
    const { level = "info", why } = NOTES[outcome.kind] ?? {};
    const jobs = firstJobs(leases).map(({ message }) => message);
    const what = `All ${leases.length} jobs of a batch will be retried`;
    const line = { what, queue, jobs, why, thrown: [outcome.error] };
    logJobs(loggers.get("zsqs"), level, line);
    return { ...outcome, isLogged: true };
  }

  /** A late delete may have deleted nothing: its message comes again. */
  #gone(lease: Lease, deleted: boolean): void {
    const isLate = lease.lost || this.#context.clock.now() >= lease.deadlineMs;
    if (deleted && !isLate) this.#options.onGone?.(lease.message);
  }

  #attempt(lease: Lease): Attempt {
    const receiveCount = this.#options.leases.attemptsOf(lease);
    return { receiveCount, random: this.#context.random() };
  }

  async #settleUnfinished(lease: Lease, outcome: Unfinished): Promise<boolean> {
    const { leases } = this.#options;
    const { events } = this.#context;
    const { kind, error } = outcome;
    let ended: JobEnd["outcome"] | undefined;
    try {
      const isUnstarted = lease.job?.startedAtMs === undefined;
      const isUnrun = kind === "released" || kind === "unfetched";
      if (isUnrun || kind === "aborted" && isUnstarted) {
        leases.unstarted.add(lease.message.messageId);
      }
      const attempt = this.#attempt(lease);
      const isFailed = isFailure(outcome, this.#policy, attempt);
      if (isFailed) this.#logFailure(lease, error);
      const decision = decide(outcome, this.#policy, attempt);
      const isToSend = decision.action === "sendToFailures";
      const isStuck = isToSend && !await this.#sendToFailures(lease, error);
      const other = kind === "released" ? "released" : "retried";
      ended = isFailed && !isStuck ? "failed" : other;
      events.ended(ended);
      let deleted = false;
      if (isToSend || decision.action === "delete") {
        deleted = !isStuck && await this.#send(lease, DELETE);
        if (!isToSend) this.#gone(lease, deleted);
      } else {
        const isLogged = isFailed || outcome.isLogged;
        const logged = isLogged ? undefined : outcome;
        await this.#keep(
          lease,
          decision,
          (when) => this.#logRetry(lease, when, logged),
        );
      }
      leases.report(lease, lease.lost && !deleted ? "lost" : ended, error);
      return deleted;
    } catch (trap) {
      // A thrown value may break the code that looks at it.
      leases.heartbeat.stopExtending(lease);
      if (ended === undefined) events.ended("retried");
      const what =
        "Settling failed, so that the message will be received again";
      this.#log(lease, "error", { what, thrown: [trap] });
      leases.report(lease, "retried", error);
      return false;
    }
  }

  /**
   * Leaves a message in the queue.
   *
   * @param log Logs it; `when` says when the message is received again.
   */
  async #keep(
    lease: Lease,
    decision: Retry,
    log: (when: string) => void,
  ): Promise<void> {
    const { clock, visibility } = this.#context;
    const { leases, releaseBehind } = this.#options;
    leases.heartbeat.stopExtending(lease);
    if (lease.lost) return log("when its message is visible");
    const now = clock.now();
    let seconds = decision.action === "leave" ? undefined : decision.seconds;
    if (seconds === undefined && this.#context.isGuest) {
      return log("when its visibility timeout ends");
    }
    // A message that came before the queue's own visibility timeout was known
    // stays away for as long as others do.
    const { seconds: own } = visibility;
    if (lease.sent.visibilitySeconds < own) seconds ??= own;
    if (seconds === undefined) {
      const ms = Math.max(0, lease.deadlineMs - now);
      return log(`in ${Math.ceil(ms / 1000)} s`);
    }
    const left = lease.secondsLeft(now);
    if (left < seconds) {
      this.#log(lease, "warn", {
        what:
          `Shortened a retry delay from ${seconds} s to ${left} s, the most that SQS allows`,
      });
      seconds = left;
    }
    log(`in ${seconds} s`);
    // It may be received again before the answer is read, and so may later
    // messages of its group.
    leases.forget(lease);
    releaseBehind(lease);
    await this.#send(lease, { action: "changeVisibility", seconds });
  }

  #send(lease: Lease, decision: SettlingDecision): Promise<boolean> {
    const { leases, settler } = this.#options;
    leases.heartbeat.stopExtending(lease);
    const settled = settler.settle(lease, decision);
    const { fifo, options } = this.#context;
    const isInOrder = fifo && options.batch !== undefined;
    // Nothing will join the batch, or something waits for it.
    const isAwaited = isInOrder || leases.waiting.hasBehind(lease);
    if (leases.hasNoJobs || isAwaited) settler.flush();
    return settled;
  }

  /**
   * Sends a failed message to its queue. If it cannot, the message is retried.
   *
   * @returns Whether it is there.
   */
  async #sendToFailures(lease: Lease, error: unknown): Promise<boolean> {
    const { failures, onChange } = this.#options;
    let why: string;
    this.sending.add(lease);
    try {
      await (failures as FailureQueue).send(lease.message, error);
      return true;
    } catch (cause) {
      why = messageOf(cause);
    } finally {
      this.sending.delete(lease);
      onChange();
    }
    const decision = retry(undefined, this.#policy, this.#attempt(lease));
    await this.#keep(lease, decision, (when) => {
      const what =
        `Sending a failed message to its queue failed; it will be received again ${when}`;
      this.#log(lease, "error", { what, why });
    });
    return false;
  }

  /**
   * One line for each retry and release.
   *
   * @param outcome Absent if the log has it already.
   */
  #logRetry(lease: Lease, when: string, outcome: Unfinished | undefined): void {
    const what = `Job will be retried ${when}`;
    if (outcome === undefined) return this.#log(lease, "info", { what });
    const { kind, error } = outcome;
    const thrown = [error];
    if (kind === "released") {
      const what = "Job released before it ran";
      return this.#log(lease, "debug", { what, thrown });
    }
    if (kind === "awsEvent") {
      const why = `${messageOf(error)}, or set failures`;
      return this.#log(lease, "error", { what, why });
    }
    const { level = "info", why } = NOTES[kind] ?? {};
    this.#log(lease, level, { what, why, thrown });
  }

  #logFailure(lease: Lease, error: unknown): void {
    const what = "Handling a message failed";
    this.#log(lease, "error", { what, thrown: [error] });
    const { loggers, queue } = this.#context;
    const messages = loggers.get("zsqs.messages");
    withFields(
      messages,
      queue,
      [lease.message],
      () => messages.info(bodyText(lease.message.body, this.#context.options)),
    );
  }

  #log(
    { message }: Lease,
    level: keyof Logger,
    line: Omit<JobLine, "queue" | "jobs">,
  ): void {
    const { loggers, queue } = this.#context;
    logJobs(loggers.get("zsqs"), level, { ...line, queue, jobs: [message] });
  }
}
