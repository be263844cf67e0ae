/**
 * The worker as a function of AWS Lambda.
 *
 * @module
 */

import { lambdaHandler } from "jsr:@zsqs/cli@^0.1.0/lambda";
import { scaledAdder } from "./worker.ts";

/** What Lambda calls. */
export const handler = lambdaHandler(scaledAdder, {
  workerConfig: { scale: 2 },
  attempts: 3,
  retryDelaySeconds: 30,
  failures: { queue: "adder-failed" },
  loggers: "json",
});
