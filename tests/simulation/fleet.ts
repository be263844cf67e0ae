/**
 * A simulated fleet: it starts, loses and replaces containers.
 *
 * @module
 */

import { sleep } from "../../src/clock.ts";
import type { Random } from "../../src/clock.ts";
import { FleetContainer } from "./fleet_container.ts";
import type { Deploy } from "./scenario.ts";
import type { World } from "./world.ts";

/** The containers of a simulation. */
export class Fleet {
  readonly #world: World;
  readonly #random: Random;
  /** The oldest ones first. */
  readonly #containers: FleetContainer[] = [];
  #started = 0;
  #isOver = false;
  killed = 0;
  /** When the deploy began and ended, in milliseconds. */
  deploySpan: readonly [beginMs: number, endMs: number] | undefined;

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
    for (let i = 0; i < world.scenario.containers; i++) this.#start();
  }

  /** Kills a container at random every few seconds. */
  killEvery(seconds: number): void {
    this.#world.clock.timer(seconds * 1000, () => {
      if (this.#isOver) return;
      const place = Math.floor(this.#random() * this.#containers.length);
      this.#containers.splice(place, 1)[0]?.kill();
      this.killed++;
      this.#startLater();
      this.killEvery(seconds);
    });
  }

  /** Replaces all containers, some at a time. */
  async deploy({ atOnce, startsFirst }: Deploy): Promise<void> {
    const { clock } = this.#world;
    const beginMs = clock.now();
    const old = [...this.#containers];
    for (let i = 0; i < old.length; i += atOnce) {
      const batch = old.slice(i, i + atOnce);
      const stop = () => Promise.all(batch.map((each) => this.#stop(each)));
      const start = () => Promise.all(batch.map(() => this.#startLater()));
      if (startsFirst) {
        await start();
        await stop();
      } else {
        await stop();
        await start();
      }
    }
    this.deploySpan = [beginMs, clock.now()];
  }

  /** Kills and deploys end. */
  end(): void {
    this.#isOver = true;
  }

  /** Stops all containers. */
  async stop(): Promise<void> {
    await Promise.all([...this.#containers].map((each) => this.#stop(each)));
  }

  #start(): void {
    this.#containers.push(new FleetContainer(this.#world, this.#started++));
  }

  async #startLater(): Promise<void> {
    const { clock, scenario } = this.#world;
    await sleep(clock, scenario.startSeconds * 1000);
    this.#start();
  }

  async #stop(container: FleetContainer): Promise<void> {
    await container.stop();
    const place = this.#containers.indexOf(container);
    if (place >= 0) this.#containers.splice(place, 1);
  }
}
