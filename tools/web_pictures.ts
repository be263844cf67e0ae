/**
 * Takes the pictures of the page for operators: a browser looks at real
 * containers that work on real queues for four minutes.
 *
 * ```sh
 * deno task pictures:web
 * ```
 *
 * @module
 */

import { startBrowser } from "../tests/support/browser.ts";
import { Operator, type Tab } from "../tests/support/operator.ts";
import { CREDENTIALS, setEnv } from "../tests/support/server.ts";
import { startRegistry } from "./jsr.ts";

const FOLDER = new URL("../docs/pictures/", import.meta.url).pathname;

/** Long enough for charts, and for the warning of a queue without a consumer. */
const WORK_MS = 230_000;

/** Takes its time, and fails for some orders. */
const WORKER =
  `const wait = (ms) => new Promise((done) => setTimeout(done, ms));
export default () => async (id, order) => {
  await wait(200 + Math.random() ** 3 * 6000);
  if (order.currency === null) {
    throw new TypeError("Cannot read the exchange rate of null");
  }
  if (order.total > 98) {
    throw new RangeError(\`Total \${order.total} is above the limit of 98\`);
  }
};
`;

/** Sends waves of orders until it is told to stop. */
async function sendOrders(operator: Operator, signal: AbortSignal) {
  for (let i = 1; !signal.aborted; i++) {
    const order = (queue: string, j: number) => {
      const id = 48_000 + i * 10 + j;
      const total = Math.round(Math.random() * 1000) / 10;
      const currency = id % 97 === 0 ? null : "EUR";
      const body = JSON.stringify([[id, { total, currency }], {}]);
      return operator.server.send(operator.urls.get(queue)!, body);
    };
    const wave = Math.round(6 + 5 * Math.sin(i / 12));
    await Promise.all([
      ...Array.from({ length: wave }, (_, j) => order("orders", j)),
      order("emails", 0),
      ...(i % 5 === 0 ? [order("reports", 0)] : []),
      new Promise((done) => setTimeout(done, 1_000)),
    ]);
  }
}

async function shoot(tab: Tab, name: string): Promise<void> {
  await tab.page.evaluate("document.activeElement?.blur()");
  await tab.page.screenshot({
    path: `${FOLDER}web-${name}.png` as `${string}.png`,
  });
}

if (import.meta.main) {
  await using registry = await startRegistry({ ownPackage: true });
  using _env = setEnv({ ...registry!.env, ...CREDENTIALS });
  await using browser = await startBrowser();
  await using operator = await Operator.start(
    browser,
    ["orders", "emails", "reports"],
    WORKER,
  );
  const stop = new AbortController();
  const sending = sendOrders(operator, stop.signal);
  await using tab = await operator.open("/containers");
  await tab.press("Pause reports.ini");
  await tab.press("Pause");
  await tab.go("/");
  await new Promise((done) => setTimeout(done, WORK_MS));
  await shoot(tab, "overview");
  await tab.go("/queues/orders");
  await shoot(tab, "queue");
  await tab.go("/containers");
  await shoot(tab, "containers");
  await tab.go("/queues/orders-failed/failed");
  await tab.press("Look now");
  await tab.tick(2);
  await shoot(tab, "failed");
  stop.abort();
  await sending;
}
