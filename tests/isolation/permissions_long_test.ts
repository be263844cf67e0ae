/**
 * Further permissions of isolated jobs: imports, and patterns of variables.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { Folder } from "../support/folder.ts";
import { Stage } from "../support/isolation_stage.ts";

Deno.test("allow_import lets workers import code from hosts, before jobs run", async () => {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () =>
      new Response("export default 'imported'", {
        headers: { "content-type": "text/javascript", connection: "close" },
      }),
  );
  const host = `127.0.0.1:${server.addr.port}`;
  // Deno caches imports: another test may have used this port test.
  const url = `http://${host}/${crypto.randomUUID()}.js`;
  await using folder = await Folder.with({
    "worker.ts": `import value from "${url}";
export default () => (other) => {
  if (other === undefined) console.assert(value === "imported");
  else return import(other);
};`,
  });
  await using stage = await Stage.start("", {
    worker: folder.at("worker.ts"),
    allowImport: host,
  });
  assertEquals(await stage.do(), "");
  assertMatch(
    await stage.do(`http://${host}/${crypto.randomUUID()}.js`),
    /not found in cache/,
  );
  await using open = await Stage.start("act", { allowImport: "true" });
  const another = `http://${host}/${crypto.randomUUID()}.js`;
  assertEquals(await open.value("import", another), "imported");
});

Deno.test("a pattern of variables opens none of the credentials", async () => {
  for (const allowEnv of ["*", "A*,Z*", "AWS*,ZSQS_*", "ZSQS_TEST_OWN,A*"]) {
    await using stage = await Stage.start("act", { allowEnv });
    for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]) {
      assertEquals(await stage.value("env", name), undefined, allowEnv);
    }
    assertEquals(await stage.value("env", "ZSQS_TEST_OWN"), "own");
  }
});
