/**
 * The producer: it sends the steps of the orders named on the command line.
 *
 * With no queue on AWS, run the containers with a server on this machine, and
 * this in another terminal:
 *
 * ```sh
 * deno run -A jsr:@zsqs/cli orders.ini receipts.ini --local
 *
 * export AWS_ENDPOINT_URL=http://127.0.0.1:4566
 * export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any
 * deno run -A place.ts A-1 A-2
 * ```
 *
 * @module
 */

import { type JobWithOptions, Queue } from "jsr:@zsqs/cli@^0.1.0";
import type { OrderJob, Step } from "./orders.ts";

const STEPS: readonly Step[] = ["reserve", "charge", "ship"];

function* jobs(
  orders: readonly string[],
): Generator<JobWithOptions<OrderJob>> {
  for (const order of orders) {
    for (const step of STEPS) {
      yield {
        args: [order, step],
        // The order of a group is kept, and this step of it is done once even
        // if it is sent again within 5 minutes.
        groupId: order,
        deduplicationId: `${order}/${step}`,
      };
    }
  }
}

if (import.meta.main) {
  await using queue = await Queue<OrderJob>("orders.fifo");
  const { sent } = await queue.sendAll(jobs(Deno.args));
  console.log(`${sent} steps sent`);
}
