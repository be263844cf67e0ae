/**
 * A worker with a schema, for tests of isolation.
 *
 * @module
 */

import process from "node:process";
import { z } from "zod";
import { getLogger, withSchema } from "../../container.ts";

const checkedIn = z.number().transform((number) => [process.pid, number]);

/** No factory: a handler. */
export const bare = withSchema(z.tuple([]), () => {});

/** Logs whether the check ran in the handler's process. */
export const checked = () =>
  withSchema(z.tuple([checkedIn]), ([pid, number]) => {
    getLogger("worker").info(`${pid === process.pid} ${number}`);
  });

/** Logs the numbers of a batch. */
export const batched = () =>
  withSchema(z.tuple([z.number()]), {
    handleBatch(jobs) {
      getLogger("worker").info(jobs.map(({ args: [number] }) => number).join());
    },
  });
