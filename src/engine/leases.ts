/**
 * The registry of the messages that a container holds. A lease goes from waiting
 * to running to settling to gone.
 *
 * @module
 */

import type { JobEnd } from "../job/hooks.ts";
import { JobControl } from "../job/runner.ts";
import type { ReceivedMessage } from "../sqs/connection.ts";
import type { EngineContext } from "./context.ts";
import { Heartbeat } from "./heartbeat.ts";
import { Lease, type LeaseState, type SentReceive } from "./lease.ts";
import { RecentIds } from "./recent_ids.ts";
import { TurnoverMap } from "../turnover.ts";
import { WaitingMessages } from "./waiting_messages.ts";

/** The leases of a container. */
export class Leases implements Iterable<Lease> {
  readonly #context: EngineContext;
  readonly heartbeat: Heartbeat;
  /** Messages whose job has not started. */
  readonly waiting: WaitingMessages;
  /** A message that is received again is known by its id. */
  readonly #byId = new TurnoverMap<string, Lease>();
  /** Jobs that must not run again, though their message may come again. */
  readonly finished = new RecentIds();
  /** Receives that started no job: they are no attempts. */
  readonly unstarted = new RecentIds();
  /** How many jobs run. */
  running = 0;
  /** How many messages are being settled. */
  settling = 0;

  /** @param onLost Called once for each lease that is lost. */
  constructor(context: EngineContext, onLost: (lease: Lease) => void) {
    this.#context = context;
    this.waiting = new WaitingMessages(
      context.fifo,
      context.options.batch !== undefined,
      context.options.large && context.options,
    );
    const held = { [Symbol.iterator]: () => this.#byId.values() };
    this.heartbeat = new Heartbeat(context, held, (lease) => {
      // A job that runs keeps its lease until it ends.
      if (lease.job === undefined) {
        this.unstarted.add(lease.message.messageId);
        this.end(lease, "lost");
      } else lease.job.abort("lease lost");
      onLost(lease);
    });
  }

  /** Whether no job runs or waits. */
  get hasNoJobs(): boolean {
    return this.running === 0 && this.waiting.size === 0;
  }

  [Symbol.iterator](): Iterator<Lease> {
    return this.#byId.values();
  }

  /**
   * Takes in the messages of a receive.
   *
   * @param accepts Whether new jobs may start.
   * @returns The messages to release, and those to delete, which are not held.
   */
  admit(
    messages: readonly ReceivedMessage[],
    sent: SentReceive,
    accepts: boolean,
  ): { readonly released: Lease[]; readonly finished: Lease[] } {
    const { clock, fifo, events } = this.#context;
    const released: Lease[] = [];
    const finished: Lease[] = [];
    /** Groups of which a message stays: later messages must not overtake it. */
    const blocked = new Set<string | undefined>();
    for (const message of messages) {
      const lease = new Lease(message, sent);
      if (this.#rejoin(lease)) {
        if (this.#byId.get(message.messageId)!.lost) {
          blocked.add(message.groupId);
        }
      } else if (this.finished.has(message.messageId)) {
        this.waiting.occupy(lease);
        finished.push(lease);
      } else if (!accepts || (fifo && blocked.has(message.groupId))) {
        released.push(lease);
      } else if (clock.now() >= lease.deadlineMs) {
        events.ended("lost");
        this.report(lease, "lost");
        this.unstarted.add(message.messageId);
        blocked.add(message.groupId);
      } else {
        this.#byId.set(message.messageId, lease);
        lease.arrivedMs = clock.now();
        this.waiting.add(lease);
        this.heartbeat.extend(lease);
      }
    }
    return { released, finished };
  }

  /** Starts the next message that may run. */
  startNext(): Lease | undefined {
    for (;;) {
      const lease = this.waiting.takeNext();
      if (lease === undefined) return undefined;
      if (this.#context.clock.now() < lease.deadlineMs) {
        this.begin(lease, new JobControl());
        return lease;
      }
      this.heartbeat.lose(lease, "it ended while the message waited");
    }
  }

  /** How often a message's job was started, as far as this container knows. */
  attemptsOf({ receiveCount, message }: Lease): number {
    const unstarted = this.unstarted.timesOf(message.messageId);
    return Math.max(1, receiveCount - unstarted);
  }

  /** Starts the job of a message that waits no more. */
  begin(lease: Lease, control: JobControl): void {
    lease.state = "running";
    lease.job = control;
    this.running++;
    this.#context.events.moved("running", 1);
  }

  /** A job has ended: its message is being settled, and still extended. */
  settle(lease: Lease): void {
    lease.durationMs = lease.job?.durationMs;
    this.#move(lease, "settling");
  }

  /**
   * Forgets a message's id. It may be received again before the answer to its
   * settlement is read: that is a separate message then.
   */
  forget(lease: Lease): void {
    this.heartbeat.stopExtending(lease);
    const { messageId } = lease.message;
    if (this.#byId.get(messageId) === lease) this.#byId.delete(messageId);
  }

  /**
   * A message is settled, or given up: the next one of its group may run.
   *
   * @param outcome What to report, unless that has been reported.
   */
  end(lease: Lease, outcome?: JobEnd["outcome"]): void {
    if (lease.state === "waiting") this.waiting.remove(lease);
    this.waiting.free(lease);
    this.forget(lease);
    this.#move(lease, "gone");
    if (outcome !== undefined) this.report(lease, outcome);
  }

  /**
   * Reports what became of a message: once, when nothing is left to do.
   *
   * @param error By default, why the job's signal aborted.
   */
  report(
    { message, job, durationMs = job?.durationMs }: Lease,
    outcome: JobEnd["outcome"],
    error?: unknown,
  ): void {
    this.#context.events.settled?.(message, {
      outcome,
      error: outcome === "done" ? undefined : error ?? job?.signal.reason,
      durationMs,
    });
  }

  #move(lease: Lease, state: LeaseState): void {
    if (lease.state === "running") {
      this.running--;
      this.#context.events.moved("running", -1);
    }
    if (lease.state === "settling") this.settling--;
    if (state === "settling") this.settling++;
    lease.state = state;
  }

  /** Whether a message is held already: its newest receipt handle counts. */
  #rejoin(again: Lease): boolean {
    const held = this.#byId.get(again.message.messageId);
    if (held === undefined) return false;
    const isOver = this.#context.clock.now() >= held.deadlineMs;
    const isFinished = this.finished.has(again.message.messageId);
    if (!held.lost && isOver && !isFinished) {
      this.heartbeat.lose(held, "it was received again");
    }
    if (held.state === "gone") return false;
    if (again.receiveCount !== held.receiveCount) {
      this.unstarted.add(again.message.messageId);
    }
    // An answer that comes late brings an older handle.
    if (!held.lost && again.receiveCount < held.receiveCount) return true;
    // With the same handle, an extension under way still counts.
    if (held.receiptHandle !== again.receiptHandle) held.extension = undefined;
    held.receiptHandle = again.receiptHandle;
    held.deadlineMs = again.deadlineMs;
    held.hiddenUntilMs = Math.max(held.hiddenUntilMs, again.deadlineMs);
    // A lost lease stays lost, but its job still runs: a second run would do it
    // twice. If the job returns, this handle deletes the message.
    if (held.lost) return true;
    held.receiveCount = again.receiveCount;
    if (held.isExtended) this.heartbeat.extend(held);
    return true;
  }
}
