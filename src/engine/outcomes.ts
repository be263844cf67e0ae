/**
 * What a container does when a job has ended: it logs the outcome, and carries
 * out what {@linkcode decide} decides.
 *
 * @module
 */

import { messageOf } from "../errors.ts";
import {
  decide,
  type Decision,
  isFailure,
  type Outcome,
  type Policy,
} from "../job/decide.ts";
import type { JobEnd } from "../job/hooks.ts";
import { nameJobs } from "../job/runner.ts";
import { bodyText } from "../message/reading.ts";
import type { Logger } from "../logging/loggers.ts";
import type { EngineContext } from "./context.ts";
import type { FailureQueue } from "./failure_queue.ts";
import type { Lease } from "./lease.ts";
import type { Leases } from "./leases.ts";
import type { Settler, SettlingDecision } from "./settler.ts";

/** The outcomes of jobs that are not done. */
type Unfinished = Exclude<Outcome, { kind: "done" }>;

/** What {@linkcode Outcomes} works with. */
export interface OutcomesOptions {
  readonly leases: Leases;
  readonly settler: Settler;
  /** Absent: deleted, but events of AWS stay. */
  readonly failures?: "delete" | "keep" | FailureQueue | undefined;
  /** Releases the messages that wait behind one in its group. */
  readonly releaseBehind: (lease: Lease) => void;
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
    const { retryDelay } = context.options;
    this.#policy = {
      ...(failures === undefined ? {} : {
        failures: typeof failures === "string" ? failures : "send",
      }),
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
    const settled = this.#send(
      lease,
      this.#decide(lease, outcome) as SettlingDecision,
    );
    if (events.settled !== undefined) {
      settled.then(() => this.#options.leases.report(lease, "done"));
    }
    return settled;
  }

  #decide({ message: { receiveCount } }: Lease, outcome: Outcome): Decision {
    const random = this.#context.random();
    return decide(outcome, this.#policy, { receiveCount, random });
  }

  async #settleUnfinished(lease: Lease, outcome: Unfinished): Promise<boolean> {
    const { leases } = this.#options;
    const { error } = outcome;
    try {
      let decision = this.#decide(lease, outcome);
      const isFailed = isFailure(outcome, this.#policy, lease.message);
      const other = outcome.kind === "released" ? "released" : "retried";
      let ended: JobEnd["outcome"] = isFailed ? "failed" : other;
      this.#context.events.ended(ended);
      if (isFailed) this.#logFailure(lease, error);
      else this.#log(lease, outcome);
      if (decision.action === "sendToFailures") {
        const isSent = await this.#sendToFailures(lease, error);
        // Not sent: the message is retried as any other is.
        if (!isSent) ended = "retried";
        decision = isSent
          ? { action: "delete" }
          : this.#decide(lease, { kind: "aborted", error });
      }
      const deleted = await this.#carryOut(lease, decision);
      leases.report(lease, lease.lost && !deleted ? "lost" : ended, error);
      return deleted;
    } catch (trap) {
      // A thrown value may break the code that looks at it.
      leases.heartbeat.stopExtending(lease);
      this.#logger.error(
        `Settling failed, so that the message will be received again: ${
          this.#name(lease)
        }`,
        trap,
      );
      leases.report(lease, "retried", error);
      return false;
    }
  }

  async #carryOut(lease: Lease, decision: Decision): Promise<boolean> {
    if (decision.action === "delete") return await this.#send(lease, decision);
    let { seconds = undefined } = decision as { readonly seconds?: number };
    // A message that came before the queue's own visibility timeout was known
    // stays away for as long as others do.
    const { seconds: own } = this.#context.visibility;
    if (lease.sent.visibilitySeconds < own) seconds ??= own;
    await this.#hide(lease, seconds);
    return false;
  }

  async #hide(lease: Lease, seconds: number | undefined): Promise<void> {
    this.#options.leases.heartbeat.stopExtending(lease);
    if (lease.lost || seconds === undefined) return;
    const left = lease.secondsLeft(this.#context.clock.now());
    if (left < seconds) {
      this.#logger.warn(
        `Shortened a retry delay from ${seconds} s to ${left} s, as SQS hides a message for at most 12 hours after its receive: ${
          this.#name(lease)
        }`,
      );
    }
    // It may be received again before the answer is read, and so may later
    // messages of its group.
    this.#options.leases.forget(lease);
    this.#options.releaseBehind(lease);
    seconds = Math.min(seconds, left);
    await this.#send(lease, { action: "changeVisibility", seconds });
  }

  #send(lease: Lease, decision: SettlingDecision): Promise<boolean> {
    const { leases, settler } = this.#options;
    leases.heartbeat.stopExtending(lease);
    const settled = settler.settle(lease, decision);
    // Nothing will join the batch, or something waits for it.
    if (leases.hasNoJobs || leases.waiting.hasBehind(lease)) settler.flush();
    return settled;
  }

  /** Sends a failed message to its queue; returns whether it is there. */
  async #sendToFailures(lease: Lease, error: unknown): Promise<boolean> {
    const { failures, onChange } = this.#options;
    this.sending.add(lease);
    try {
      await (failures as FailureQueue).send(lease.message, error);
      return true;
    } catch (cause) {
      this.#logger.error(
        `Sending a failed message to its queue failed, so that it will be received again: ${
          this.#name(lease)
        }: ${messageOf(cause)}`,
      );
      return false;
    } finally {
      this.sending.delete(lease);
      onChange();
    }
  }

  #log(lease: Lease, { kind, error }: Unfinished): void {
    const logger = this.#logger;
    const name = this.#name(lease);
    const again = `Job will be received again: ${name}`;
    if (kind === "transient") return logger.debug(again, error);
    if (kind === "released") {
      return logger.debug(`Job released before it ran: ${name}`, error);
    }
    if (kind === "workerError") {
      return logger.error(`${again}: fix the worker`, error);
    }
    if (kind === "notCapable") {
      const step =
        "start the container with the Deno permission that its worker needs";
      return logger.error(`${again}: ${step}`, error);
    }
    if (kind === "awsEvent") {
      return logger.error(`${again}: ${messageOf(error)}, or set failures`);
    }
    logger.warn(again, error);
  }

  #logFailure(lease: Lease, error: unknown): void {
    const name = this.#name(lease);
    this.#logger.error(`Handling a message failed: ${name}`, error);
    const messages = this.#context.loggers.get("zsqs.messages");
    messages.info(bodyText(lease.message.body, this.#context.options));
  }

  get #logger(): Logger {
    return this.#context.loggers.get("zsqs");
  }

  #name({ message }: Lease): string {
    return nameJobs(this.#context.queue, message);
  }
}
