/**
 * How messages leave a container: settled, or released for others to receive.
 *
 * @module
 */

import { DELETE, SHOW } from "../job/decide.ts";
import { logJobs } from "../job/job_lines.ts";
import type { EngineContext } from "./context.ts";
import type { Lease } from "./lease.ts";
import type { Leases } from "./leases.ts";
import type { Settler } from "./settler.ts";

/** What {@linkcode Releases} works with. */
interface ReleasesOptions {
  readonly leases: Leases;
  readonly settler: Settler;
  /** Called when a message has left. */
  readonly onChange: () => void;
}

/** Releases messages, and ends the leases of settled ones. */
export class Releases {
  readonly #context: EngineContext;
  readonly #options: ReleasesOptions;

  constructor(context: EngineContext, options: ReleasesOptions) {
    this.#context = context;
    this.#options = options;
  }

  /**
   * Ends the lease of a message that is settled, or will be received again.
   *
   * @param deleted Whether SQS says that it deleted the message.
   * @returns Whether it did: a late delete may have deleted nothing. Otherwise
   * later messages of the group are released, too.
   */
  end(lease: Lease, deleted: boolean): boolean {
    const isLate = lease.lost || this.#context.clock.now() >= lease.deadlineMs;
    const isGone = deleted && !isLate;
    if (!isGone) this.behind(lease);
    this.#options.leases.end(lease);
    return isGone;
  }

  /** Releases messages: others may receive them immediately. */
  all(leases: readonly Lease[]): void {
    for (const lease of leases) this.one(lease);
  }

  /** Releases the messages whose jobs have not started. */
  waiting(): void {
    const { leases, settler } = this.#options;
    this.all(leases.waiting.takeAll());
    settler.flush();
  }

  /** Releases the later messages of a group, as they must not overtake. */
  behind(lease: Lease): void {
    const { leases, settler } = this.#options;
    const behind = leases.waiting.takeBehind(lease);
    this.all(behind);
    if (behind.length > 0) settler.flush();
  }

  /** Makes a message visible immediately. */
  async one(lease: Lease): Promise<void> {
    const { leases, settler, onChange } = this.#options;
    const { job, message } = lease;
    if (job?.startedAtMs === undefined) leases.unstarted.add(message.messageId);
    leases.forget(lease);
    if (lease.lost) leases.end(lease, "lost");
    else {
      leases.settle(lease);
      this.#context.events.ended("released");
      if (!this.#context.isGuest) await settler.settle(lease, SHOW);
      leases.report(lease, "released");
      this.end(lease, true);
    }
    onChange();
  }

  /** Deletes a message that came again though its job had ended. */
  async deleteAgain(lease: Lease): Promise<void> {
    const { leases, settler, onChange } = this.#options;
    const { loggers, queue } = this.#context;
    const what = "Job has ended already; deleting its message";
    const jobs = [lease.message];
    logJobs(loggers.get("zsqs"), "info", { what, queue, jobs });
    leases.settle(lease);
    this.end(lease, await settler.settle(lease, DELETE));
    onChange();
  }
}
