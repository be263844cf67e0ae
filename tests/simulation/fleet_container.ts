/**
 * One container of a simulated fleet: the real engine, on the clock of the
 * simulation.
 *
 * @module
 */

import { randomOf } from "../../src/double/random.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { Visibility } from "../../src/engine/visibility.ts";
import type { Logger } from "../../src/logging/loggers.ts";
import { makeEngine } from "../support/engine_rig.ts";
import { ProgramClock, programConnection } from "./calls.ts";
import type { World } from "./world.ts";

const nothing = () => {};
const SILENT: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  critical: nothing,
};

/** A container that runs until it is stopped or killed. */
export class FleetContainer {
  readonly #world: World;
  readonly #killed = new AbortController();
  readonly #clock: ProgramClock;
  readonly #engine: Engine;
  readonly #ended: Promise<void>;

  /** @param number Gives it its own chance. */
  constructor(world: World, number: number) {
    const { scenario, queue, counts, clock } = world;
    const { signal: killed } = this.#killed;
    this.#world = world;
    this.#clock = new ProgramClock(clock, killed);
    const line = { counts, killed, latencyMs: scenario.latencyMs };
    const connection = programConnection({
      ...line,
      connection: world.connection,
      clock: this.#clock,
    });
    const { engine } = makeEngine((job) => this.#run(Number(job)), {
      connection,
      url: queue.url,
      queue: queue.name,
      fifo: queue.fifo,
      loggers: { get: () => SILENT },
      clock: this.#clock,
      random: randomOf(scenario.seed * 7919 + number),
    }, {
      concurrency: scenario.concurrency,
      prefetch: scenario.prefetch,
      visibility: new Visibility(scenario.visibilitySeconds),
    });
    this.#engine = engine;
    this.#ended = engine.run({ drain: false });
  }

  /** Stops it as SIGTERM does; resolves when its process is gone. */
  async stop(): Promise<void> {
    const { shutdownSeconds } = this.#world.scenario;
    this.#engine.stop();
    const cancel = this.#clock.timer(
      shutdownSeconds * 1000,
      () => this.#engine.forceStop(),
    );
    await this.#ended;
    cancel();
    this.kill();
  }

  /** Ends it as SIGKILL does. */
  kill(): void {
    this.#killed.abort();
  }

  #run(job: number): Promise<void> {
    const { measures } = this.#world;
    measures.runs++;
    return new Promise((resolve) => {
      this.#clock.timer(measures.durations[job]!, () => {
        measures.finish(job, this.#clock.now());
        resolve();
      });
    });
  }
}
