/**
 * What a soak does to its processes and its server, and when.
 *
 * @module
 */

import { setTimeout } from "node:timers/promises";
import { Dice } from "../support/dice.ts";
import type { Fleet, FleetOptions } from "./fleet.ts";
import type { OutageKind } from "./journal.ts";
import { drawSkewMs } from "./server_clock.ts";

/** Every so many stops it is the turn of an isolated container. */
const ISOLATED_EVERY = 3;

const OUTAGES: readonly OutageKind[] = [
  "refused",
  "reset",
  "silent",
  "unavailable",
];

/** How much longer than a lease the server is away. */
const OUTAGE_LEASES = 1.5;

const LOOK_MS = 100;

/** How far a run is. */
export interface Progress {
  /** Jobs that `Queue` accepted. */
  readonly accepted: number;
  readonly done: number;
  /** Whether the container of the wide queue has been full. */
  readonly hasBeenFull: boolean;
}

/** Kills, stops, clock jumps and outages. */
export class Chaos {
  readonly #options: FleetOptions;
  readonly #fleet: Fleet;
  readonly #dice: Dice;
  #stops = 0;
  #cuts = 0;
  #shakes = 0;
  #skewMs: number;
  #outage: Promise<void> | undefined;

  constructor(options: FleetOptions, fleet: Fleet, skewMs: number) {
    this.#options = options;
    this.#fleet = fleet;
    this.#dice = new Dice(options.seed);
    this.#skewMs = skewMs;
  }

  /** Starts the fault that is due; returns when it has begun. */
  async advance(progress: Progress): Promise<void> {
    const { stopEvery, cutEvery, shakeEvery } = this.#options;
    const isAway = this.#outage !== undefined;
    if (progress.done >= stopEvery * (this.#stops + 1)) {
      await this.#stopOne(progress);
    }
    if (progress.accepted >= cutEvery * (this.#cuts + 1)) {
      this.#cuts++;
      this.#fleet.killProducer((values) => this.#dice.pick(values));
    }
    if (progress.done >= shakeEvery * (this.#shakes + 1) && !isAway) {
      await this.#shake();
    }
  }

  /** Ends all faults, but leaves the server's clock as it is. */
  async calm(): Promise<void> {
    await this.#outage;
    await this.#ask("calm");
  }

  /** Kills or stops a container, but never the first. */
  async #stopOne({ hasBeenFull }: Progress): Promise<void> {
    const stops = this.#stops++;
    const isolated = this.#fleet.containers
      .filter(({ kind }) => kind === "isolated");
    if (stops % ISOLATED_EVERY === 1 && isolated.length > 0) {
      const slot = this.#dice.pick(isolated);
      const isChild = Math.floor(stops / ISOLATED_EVERY) % 2 === 1;
      if (isChild && this.#fleet.killChild(slot)) return;
      return await this.#fleet.kill(slot);
    }
    // One that is killed while it fills up would never be full.
    const others = this.#fleet.containers.slice(1)
      .filter(({ kind }) => kind !== "wide" || hasBeenFull);
    const slot = this.#dice.pick(others);
    const dice = this.#dice.next();
    if (dice < 0.5) await this.#fleet.kill(slot);
    else await this.#fleet.stop(slot, dice > 0.8);
  }

  /** The server is away, and the next time its clock jumps. */
  async #shake(): Promise<void> {
    if (this.#shakes++ % 2 === 1) {
      this.#skewMs = drawSkewMs(this.#dice, this.#skewMs);
      await this.#ask(`skew/to/${this.#skewMs}`);
      return;
    }
    const ms = this.#options.visibilitySeconds * 1000 * OUTAGE_LEASES;
    const kind = this.#dice.pick(OUTAGES);
    this.#outage = this.#ask(`outage/${kind}/${ms}`).finally(() => {
      this.#outage = undefined;
    });
    await setTimeout(LOOK_MS);
  }

  async #ask(what: string): Promise<void> {
    await (await fetch(`${this.#options.endpoint}/${what}`)).text();
  }
}
