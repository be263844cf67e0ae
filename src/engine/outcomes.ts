/**
 * What a container does when a job has ended: it logs the outcome, and carries
 * out what {@linkcode decide} decides.
 *
 * @module
 */

import { messageOf } from "../errors.ts";
import { decide, type Decision, type Outcome } from "../job/decide.ts";
import { nameJobs } from "../job/runner.ts";
import { bodyText } from "../message/body.ts";
import type { EngineContext } from "./context.ts";
import type { FailureQueue } from "./failure_queue.ts";
import type { HeldLease } from "./lease.ts";
import type { Leases } from "./leases.ts";
import type { Settler, SettlingDecision } from "./settler.ts";

/** The outcomes of jobs that are not done. */
type Unfinished = Exclude<Outcome, { kind: "done" }>;

/** What {@linkcode Outcomes} works with. */
export interface OutcomesOptions {
  readonly leases: Leases;
  readonly settler: Settler;
  readonly failures: "delete" | "keep" | FailureQueue;
  /** Releases the messages that wait behind one in its group. */
  readonly releaseBehind: (lease: HeldLease) => void;
  /** Called when a failed message was sent to the failures queue, or was not. */
  readonly onChange: () => void;
}

/** Settles the messages of jobs that have ended. */
export class Outcomes {
  readonly #context: EngineContext;
  readonly #options: OutcomesOptions;
  readonly #policy: Parameters<typeof decide>[1];
  readonly #sending = new Set<HeldLease>();

  constructor(context: EngineContext, options: OutcomesOptions) {
    this.#context = context;
    this.#options = options;
    const { failures } = options;
    const { retryDelay } = context.options;
    this.#policy = {
      failures: typeof failures === "string" ? failures : "send",
      ...(retryDelay === undefined ? {} : { retryDelay }),
    };
  }

  /** Failed messages on their way to the failures queue. */
  get sending(): Iterable<HeldLease> {
    return this.#sending;
  }

  /**
   * Settles the message of a job.
   *
   * @returns Whether the message was deleted. Never rejects.
   */
  settle(lease: HeldLease, outcome: Outcome): Promise<boolean> {
    const decision = this.#decide(lease, outcome);
    if (outcome.kind !== "done") {
      return this.#settleUnfinished(lease, outcome, decision);
    }
    // The way of most jobs: one promise each.
    this.#context.events.ended("done");
    return this.#send(lease, decision as SettlingDecision);
  }

  #decide({ message }: HeldLease, outcome: Outcome): Decision {
    return decide(outcome, this.#policy, {
      receiveCount: message.receiveCount,
      random: this.#context.random(),
    });
  }

  async #settleUnfinished(
    lease: HeldLease,
    outcome: Unfinished,
    decision: Decision,
  ): Promise<boolean> {
    try {
      const isFailed = outcome.kind === "failed";
      this.#context.events.ended(isFailed ? "failed" : "retried");
      this.#log(lease, outcome);
      return await this.#carryOut(lease, decision, outcome.error);
    } catch (error) {
      // A thrown value may break the code that looks at it.
      this.#options.leases.heartbeat.stopExtending(lease);
      this.#context.loggers.get("zsqs").error(
        `Settling failed, so that the message will be received again: ${
          this.#name(lease)
        }`,
        error,
      );
      return false;
    }
  }

  async #carryOut(
    lease: HeldLease,
    decision: Decision,
    error: unknown,
  ): Promise<boolean> {
    if (decision.action === "delete") return await this.#send(lease, decision);
    if (decision.action === "sendToFailures") {
      const next = await this.#sendToFailures(lease, error)
        ? { action: "delete" } as const
        // Not sent: the message is retried as any other is.
        : this.#decide(lease, { kind: "aborted", error });
      return await this.#carryOut(lease, next, error);
    }
    await this.#hide(
      lease,
      decision.action === "leave"
        ? this.#learnedSeconds(lease)
        : decision.seconds,
    );
    return false;
  }

  /**
   * A message that came before the queue's own visibility timeout was known
   * stays away for as long as others do.
   */
  #learnedSeconds({ visibilitySeconds }: HeldLease): number | undefined {
    const { seconds } = this.#context.visibility;
    return visibilitySeconds < seconds ? seconds : undefined;
  }

  async #hide(lease: HeldLease, seconds: number | undefined): Promise<void> {
    const { clock, loggers } = this.#context;
    this.#options.leases.heartbeat.stopExtending(lease);
    if (lease.lost || seconds === undefined) return;
    const left = lease.secondsLeft(clock.now());
    if (left < seconds) {
      loggers.get("zsqs").warn(
        `Shortened a retry delay from ${seconds} s to ${left} s, as SQS hides a message for at most 12 hours after its receive: ${
          this.#name(lease)
        }`,
      );
    }
    // It may be received again before the answer is read, and so may later
    // messages of its group.
    this.#options.leases.forget(lease);
    this.#options.releaseBehind(lease);
    await this.#send(lease, {
      action: "changeVisibility",
      seconds: Math.min(seconds, left),
    });
  }

  #send(lease: HeldLease, decision: SettlingDecision): Promise<boolean> {
    const { leases, settler } = this.#options;
    leases.heartbeat.stopExtending(lease);
    const settled = settler.settle(lease, decision);
    // Nothing will join the batch, or something waits for it.
    if (leases.hasNoJobs || leases.waiting.hasBehind(lease)) settler.flush();
    return settled;
  }

  /** Sends a failed message to its queue; returns whether it is there. */
  async #sendToFailures(lease: HeldLease, error: unknown): Promise<boolean> {
    const { failures, onChange } = this.#options;
    const { loggers } = this.#context;
    this.#sending.add(lease);
    try {
      await (failures as FailureQueue).send(lease.message, error);
      return true;
    } catch (cause) {
      loggers.get("zsqs").error(
        `Sending a failed message to its queue failed, so that it will be received again: ${
          this.#name(lease)
        }: ${messageOf(cause)}`,
      );
      return false;
    } finally {
      this.#sending.delete(lease);
      onChange();
    }
  }

  #log(lease: HeldLease, { kind, error }: Unfinished): void {
    const { loggers } = this.#context;
    const logger = loggers.get("zsqs");
    const name = this.#name(lease);
    const again = `Job will be received again: ${name}`;
    if (kind === "transient") return logger.debug(again, error);
    if (kind === "aborted") return logger.warn(again, error);
    if (kind === "workerError") {
      return logger.error(`${again}: fix the worker`, error);
    }
    if (kind === "notCapable") {
      const step =
        "start the container with the Deno permission that its worker needs";
      return logger.error(`${again}: ${step}`, error);
    }
    logger.error(`Handling a message failed: ${name}`, error);
    loggers.get("zsqs.messages").info(bodyText(lease.message.body));
  }

  #name({ message }: HeldLease): string {
    return nameJobs(this.#context.queue, message);
  }
}
