/**
 * The workers: one reserves, charges and ships an order, and sends its receipt
 * on to the queue of the other.
 *
 * SQS delivers at least once, so a job may be done twice. Each step allows for
 * that, and knows the order by its number.
 *
 * @module
 */

import {
  currentJob,
  getLogger,
  type JobArgs,
  Queue,
  TransientError,
  type WorkerConfig,
} from "jsr:@zsqs/cli@^0.1.0";

const log = getLogger("shop.orders");

/** A step of an order. */
export type Step = "reserve" | "charge" | "ship";

/** What handles an order's steps, and is disposed when the container stops. */
export interface OrderWorker extends AsyncDisposable {
  /** Does one step of one order. */
  handle(order: string, step: Step): Promise<void>;
}

/** The arguments of a job. */
export type OrderJob = JobArgs<typeof orders>;

/** Makes the worker: it opens the queue that receipts go to. */
export async function orders(config: WorkerConfig): Promise<OrderWorker> {
  const receipts = await Queue<[order: string]>(config.receipts ?? "receipts");
  const steps: Record<Step, (order: string) => Promise<void>> = {
    reserve: () => Promise.resolve(),
    charge: askBank,
    async ship(order) {
      await receipts(order);
    },
  };
  return {
    async handle(order, step) {
      if (!Object.hasOwn(steps, step)) {
        throw new TypeError(`Cannot do step "${step}" of order ${order}`);
      }
      await steps[step](order);
      log.info(`${order}: ${step} done`);
    },
    [Symbol.asyncDispose]: () => receipts.close(),
  };
}

/** Makes the worker that the receipts go to. */
export function receipts(): (order: string) => void {
  return (order) => log.info(`${order}: receipt sent`);
}

/** Stands in for a bank that is busy at first for some orders. */
async function askBank(order: string): Promise<void> {
  await Promise.resolve();
  if (order.endsWith("2") && currentJob().receiveCount === 1) {
    log.info(`${order}: the bank is busy, its next steps wait`);
    throw new TransientError("the bank is busy");
  }
}
