/**
 * A worker for events of EventBridge.
 *
 * @module
 */

import { getLogger, PermanentError } from "jsr:@zsqs/cli@^0.1.0";

const log = getLogger("orders");

/** The part of an event that the worker uses. */
export interface OrderEvent {
  readonly id: string;
  readonly "detail-type": string;
  readonly detail: { readonly order: string };
}

/** Makes the worker. */
export function orders(): (event: OrderEvent) => void {
  return ({ id, "detail-type": type, detail }) => {
    if (type !== "Order Placed") {
      throw new PermanentError(`Cannot handle an event of type "${type}"`);
    }
    // EventBridge may deliver an event twice, each time with the same id.
    log.info(`order ${detail.order} placed, event ${id}`);
  };
}
