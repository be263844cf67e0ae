/**
 * How long the overview takes to load in a browser, with ten queues on the
 * embedded server. The containers run in the same process.
 *
 * ```sh
 * deno task jsr deno run -q -A tests/bench/page.ts
 * ```
 *
 * @module
 */

import { startRegistry } from "../../tools/jsr.ts";
import { startBrowser } from "../support/browser.ts";
import { Operator } from "../support/operator.ts";
import { CREDENTIALS, setEnv } from "../support/server.ts";
import { spreadOf } from "./figures.ts";

const QUEUES = 10;
const LOADS = 30;

if (import.meta.main) {
  await using registry = await startRegistry({ ownPackage: true });
  using _env = setEnv({ ...registry!.env, ...CREDENTIALS });
  await using browser = await startBrowser();
  await using operator = await Operator.start(
    browser,
    Array.from({ length: QUEUES }, (_, i) => `queue-${i}`),
  );
  await using tab = await operator.open("/");
  const times: number[] = [];
  for (let i = 0; i < LOADS; i++) {
    await tab.go("/");
    times.push(
      await tab.page.evaluate(
        "performance.getEntriesByType('navigation')[0].loadEventEnd",
      ) as number,
    );
  }
  const { median, min, max } = spreadOf(times);
  const shown = [median, min, max].map((ms) => Math.round(ms));
  console.log(
    `Overview of ${QUEUES} queues: ${shown[0]} ms (${shown[1]} to ${
      shown[2]
    }) in ${LOADS} loads`,
  );
}
