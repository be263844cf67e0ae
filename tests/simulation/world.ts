/**
 * What the programs of a simulation share: the queue, the clock, the counts.
 *
 * @module
 */

import { DoubleConnection } from "../../src/double/connection.ts";
import type { DoubleQueue } from "../../src/double/queue.ts";
import { randomOf } from "../../src/double/random.ts";
import { TestServer } from "../../src/double/server.ts";
import { VirtualClock } from "../../src/double/virtual_clock.ts";
import { arrivalsOf, durationsOf } from "./arrivals.ts";
import { CallCounts } from "./calls.ts";
import { Measures } from "./measures.ts";
import type { Scenario } from "./scenario.ts";

/** SQS's limit of calls to a FIFO queue, for each action. */
const FIFO_CALLS = 300;

/** One simulation's SQS and its time. */
export class World {
  readonly scenario: Scenario;
  readonly clock = new VirtualClock(0);
  readonly queue: DoubleQueue;
  readonly connection: DoubleConnection;
  readonly counts = new CallCounts();
  readonly measures: Measures;
  /** How many messages were deleted. */
  deleted = 0;
  /** The most messages in flight, by a look each second. */
  mostInFlight = 0;

  constructor(scenario: Scenario) {
    const { seed, groups, visibilitySeconds } = scenario;
    this.scenario = scenario;
    const server = new TestServer(this.clock, { queues: [], seed }, {
      deleted: (_, queue) => {
        this.deleted++;
        // Nobody looks at them, and a million of them fill the memory.
        queue.deleted.length = 0;
      },
    });
    this.queue = server.create({
      name: groups === undefined ? "jobs" : "jobs.fifo",
      visibilityTimeoutSeconds: visibilitySeconds,
      messageRetentionSeconds: 1_209_600,
      ...(groups !== undefined && { maxCallsPerSecond: FIFO_CALLS }),
    });
    this.connection = new DoubleConnection(server, "us-east-1");
    const random = randomOf(seed);
    this.measures = new Measures(
      arrivalsOf(scenario, random),
      durationsOf(scenario, random),
    );
  }
}
