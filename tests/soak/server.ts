/**
 * The server of a soak: fauxqs, with a proxy before it that injects faults.
 * Prints both URLs as JSON.
 *
 * @module
 */

import { join } from "node:path";
import { startLocalServer } from "../../src/cli/local_server.ts";
import { Dice } from "../support/dice.ts";
import { type FaultRates, Faults } from "./faults.ts";
import { FILES, Journal } from "./journal.ts";
import { FaultProxy } from "./proxy.ts";
import { ServerClock } from "./server_clock.ts";

/** What the server is told. */
export interface ServerTask {
  readonly folder: string;
  readonly seed: number;
  readonly rates: FaultRates;
  /** How far the server's clock is ahead at first, in milliseconds. */
  readonly skewMs: number;
}

/** What it tells. */
export interface ServerUrls {
  /** Of fauxqs itself. */
  readonly direct: string;
  /** Of the proxy. */
  readonly proxied: string;
}

if (import.meta.main) {
  const task: ServerTask = JSON.parse(Deno.args[0]!);
  const server = await startLocalServer({ port: 0 });
  const proxy = await FaultProxy.start({
    upstream: server.endpoint,
    faults: new Faults(new Dice(task.seed), task.rates),
    clock: new ServerClock(task.skewMs),
    journal: new Journal(join(task.folder, FILES.requests)),
    outages: new Journal(join(task.folder, FILES.outages)),
  });
  const urls: ServerUrls = {
    direct: server.endpoint,
    proxied: proxy.endpoint,
  };
  console.log(JSON.stringify(urls));
}
