/**
 * Attacks: a web page in a browser on the machine of a container that runs with
 * `--local`, and a neighbour in its network.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { request } from "node:http";
import { startLocalServer } from "../../src/cli/local_server.ts";

const JSON_TYPE = "application/x-amz-json-1.0";

interface Attempt {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Lists the server's queues, or tries to; `fetch` would set some headers. */
function attempt(port: number, of: Attempt): Promise<[number, string]> {
  const { method = "POST", path = "/", headers } = of;
  const { promise, resolve, reject } = Promise.withResolvers<
    [number, string]
  >();
  const call = request({
    ...{ port, method, path, host: "127.0.0.1", agent: false },
    headers: {
      host: `127.0.0.1:${port}`,
      "content-type": JSON_TYPE,
      "x-amz-target": "AmazonSQS.ListQueues",
      ...headers,
    },
  }, async (response) => {
    let text = "";
    for await (const chunk of response) text += chunk;
    resolve([response.statusCode!, text]);
  });
  call.on("error", reject);
  call.end(method === "POST" ? "{}" : undefined);
  return promise;
}

Deno.test("the local server takes requests of SDKs on loopback alone", async (t) => {
  await using server = await startLocalServer({ port: 0 });
  const { port } = server;
  await server.makeQueue("adder", "us-east-1");
  const allowed: Record<string, Attempt> = {
    "an SDK": {},
    "localhost": { headers: { host: `localhost:${port}` } },
    "the host of its queue URLs": {
      headers: { host: `sqs.us-east-1.localhost:${port}` },
    },
    "another port's proxy": { headers: { host: "127.0.0.1:1" } },
    "a charset": { headers: { "content-type": `${JSON_TYPE}; charset=utf-8` } },
  };
  for (const [name, of] of Object.entries(allowed)) {
    await t.step(`takes ${name}`, async () => {
      const [status, text] = await attempt(port, of);
      assertEquals(status, 200);
      assert(text.includes("adder"));
    });
  }
  const form = { "content-type": "application/x-www-form-urlencoded" };
  const refused: Record<string, Attempt> = {
    "a page": { headers: { origin: "https://evil.example" } },
    "a page of a file": { headers: { origin: "null" } },
    "a page on this machine": {
      headers: { origin: `http://127.0.0.1:${port}` },
    },
    "a page's request without origin": {
      headers: { "sec-fetch-site": "cross-site" },
    },
    "a rebound name": { headers: { host: `evil.example:${port}` } },
    "a name that begins as loopback": {
      headers: { host: `127.0.0.1.evil.example:${port}` },
    },
    "a name that ends as loopback": {
      headers: { host: `evillocalhost:${port}` },
    },
    "an address of the network": { headers: { host: `192.168.0.1:${port}` } },
    "plain text": { headers: { "content-type": "text/plain" } },
    "text that holds the type": {
      headers: { "content-type": `text/plain; a=${JSON_TYPE}` },
    },
    "a form": { headers: form },
    "JSON": { headers: { "content-type": "application/json" } },
    "no type": { headers: { "content-type": "" } },
    "a link": { method: "GET", path: "/_fauxqs/queues" },
    "another method": { method: "PUT", path: "/bucket" },
    "a preflight": {
      method: "OPTIONS",
      headers: { origin: "https://evil.example" },
    },
  };
  for (const [name, of] of Object.entries(refused)) {
    await t.step(`refuses ${name}`, async () => {
      const [status, text] = await attempt(port, of);
      assertEquals(status, 403);
      assert(!text.includes("adder"));
    });
  }
  await t.step("listens on loopback alone", async () => {
    const others = Deno.networkInterfaces().filter(({ address }) =>
      !/^(?:127\.|::1$|fe80:)/.test(address)
    );
    for (const { address } of others) {
      await assertRejects(() => Deno.connect({ hostname: address, port }));
    }
  });
});
