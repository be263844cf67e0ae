/**
 * Containers of the double with random jobs, outcomes and faults, all from a seed.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { currentJob, runContainer, TransientError } from "../../container.ts";
import { Queue, SendError } from "../../producer.ts";
import { randomOf } from "../../src/double/random.ts";
import { setUp } from "../../testing.ts";
import { anyFault } from "./any_fault.ts";

/** Plays the rounds of some seeds: each ends, and each accepted job, too. */
export async function playFaults(first: number, last: number): Promise<void> {
  // What is not awaited would only show as a test that never ends.
  for (let seed = first; seed <= last; seed++) {
    const random = randomOf(seed);
    const chance = (probability: number) => random() < probability;
    const type = chance(0.5) ? ".fifo" : "";
    await using queues = setUp({ silent: true, seed });
    const ended = new Set<string>();
    await runContainer({
      queue: `adder${type}`,
      loggers: "",
      concurrency: chance(0.5) ? 1 : 3,
      failures: chance(0.5) ? "delete" : { queue: `failed${type}` },
      worker: () => async (name: string) => {
        if (chance(0.2)) await undefined;
        if (currentJob().receiveCount === 1 && chance(0.3)) {
          throw new TransientError("", chance(0.5) ? {} : { delaySeconds: 3 });
        }
        ended.add(name);
        if (chance(0.1)) throw new TypeError("bad input");
        if (chance(0.3)) await (await Queue("next"))(name);
      },
    });
    for (const queue of ["next", `failed${type}`]) {
      if (chance(0.5)) {
        await runContainer({
          queue,
          loggers: "",
          worker: () => () => chance(0.3) ? Promise.resolve() : undefined,
        });
      }
    }
    const faults = Array.from(
      { length: Math.floor(random() * 5) },
      () => queues.inject(anyFault(random, type !== "")),
    );
    const queue = await Queue(`adder${type}`);
    const accepted = new Set<string>();
    const sends: Promise<unknown>[] = [];
    for (let i = 0; i < 15; i++) {
      const name = `j${i}`;
      const options = type === "" ? {} : { groupId: `g${i % 3}` };
      sends.push(
        queue.send([name], options).then(
          () => accepted.add(name),
          (error) => assert(error instanceof SendError),
        ),
      );
      if (chance(0.5)) await queues.advance(random() * 30);
    }
    for (const fault of faults) fault.remove();
    await queues.advance(3600);
    await Promise.all(sends);
    assertEquals([...accepted.difference(ended)], [], `seed ${seed}`);
    assertEquals(queues.get(`adder${type}`).messages, [], `seed ${seed}`);
  }
}
