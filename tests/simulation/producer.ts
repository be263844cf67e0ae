/**
 * The producer of a simulation: it sends each job when it arrives, by the real
 * sender.
 *
 * @module
 */

import { randomOf } from "../../src/double/random.ts";
import { Sender } from "../../src/sending/sender.ts";
import { parseQueueRef } from "../../src/sqs/queue_ref.ts";
import { ProgramClock, programConnection } from "./calls.ts";
import type { World } from "./world.ts";

/** The pause before a refused send is made again, in milliseconds. */
const AGAIN_MS = 1_000;

/** Sends the jobs of a simulation. */
export class Producer {
  readonly #world: World;
  readonly #sender: Sender;
  readonly #groupOf: (job: number) => string | undefined;
  #next = 0;

  constructor(world: World) {
    const { scenario, queue, clock: time, counts } = world;
    const killed = new AbortController().signal;
    const clock = new ProgramClock(time, killed);
    const connection = programConnection({
      ...{ counts, killed, clock, latencyMs: scenario.latencyMs },
      connection: world.connection,
    });
    const random = randomOf(scenario.seed + 1);
    const ref = parseQueueRef(queue.name)!;
    this.#world = world;
    this.#sender = new Sender(
      { ref, url: queue.url, connection, clock, random },
      { body: "job", encoding: "json" },
    );
    const { groups } = scenario;
    this.#groupOf = () =>
      groups === undefined ? undefined : `g${Math.floor(random() * groups)}`;
    this.#sendDue();
  }

  /** Sends what has arrived, and waits for the next. */
  #sendDue(): void {
    const { clock, measures: { arrivals } } = this.#world;
    while (arrivals[this.#next]! <= clock.now()) this.#send(this.#next++);
    const nextMs = arrivals[this.#next];
    if (nextMs === undefined) return;
    clock.timer(nextMs - clock.now(), () => this.#sendDue());
  }

  async #send(job: number, groupId = this.#groupOf(job)): Promise<void> {
    const options = groupId === undefined
      ? {}
      : { groupId, deduplicationId: String(job) };
    try {
      await this.#sender.send([job], options);
    } catch {
      this.#world.clock.timer(AGAIN_MS, () => this.#send(job, groupId));
    }
  }
}
