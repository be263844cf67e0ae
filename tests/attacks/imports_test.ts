/**
 * Workers whose imports read files, or reach the network.
 *
 * @module
 */

import { assertMatch, assertRejects } from "@std/assert";
import { ConfigError, type ContainerSettings } from "../../container.ts";
import { Folder } from "../support/cli.ts";
import { Stage } from "../support/isolation_stage.ts";

const SECRET = "the secret";

/** Starts a container with a worker of this code, beside a secret file. */
async function start(
  code: string,
  settings: (folder: Folder) => Partial<ContainerSettings> = () => ({}),
): Promise<Stage> {
  await using folder = await Folder.with({
    "secret": SECRET,
    "secret.json": { secret: SECRET },
    "secret.ts": `export default "${SECRET}";`,
    "app/own.txt": "own text",
    "app/deep/er.json": { a: 1 },
    "app/deno.json": {},
  });
  await Deno.symlink(folder.at("secret"), folder.at("app/link"));
  await folder.write("app/worker.ts", code.replaceAll("FOLDER", folder.path));
  return await Stage.start("", {
    worker: folder.at("app/worker.ts"),
    ...settings(folder),
  });
}

const HANDLER = "export default () => () => {};";

Deno.test("literal imports of files outside the worker's folder are refused", async () => {
  const codes = [
    `import t from "FOLDER/secret" with { type: "text" };`,
    `import t from "../secret" with { type: "text" };`,
    `import t from "../secret.json" with { type: "json" };`,
    `import t from "../secret.ts" with { type: "text" };`,
    `import t from "../secret.ts";`,
    `import t from "./link" with { type: "text" };`,
    `import t from "../secret";`,
    `import t from "../secret?a#b" with { type: "text" };`,
    `export { default as t } from "../secret.json" with { type: "json" };`,
    `const t = () => import("../secret", { with: { type: "text" } });`,
    `const t = () => import("../secret.json", { with: { type: "json" } });`,
    `const t = () => import("../secret", { with: { type: "bytes" } });`,
  ];
  for (const code of codes) {
    const error = await assertRejects(
      () => start(`${code}\n${HANDLER}`),
      ConfigError,
    );
    assertMatch(
      error.message,
      /imports files outside its folder: .*(secret|link).* name them in "allow_read"$/,
      code,
    );
  }
});

Deno.test("literal imports of the worker's folder and of allow_read work", async () => {
  const codes = [
    `import t from "./own.txt" with { type: "text" };
import u from "./deep/er.json" with { type: "json" };`,
  ];
  for (const code of codes) {
    await using _stage = await start(`${code}\n${HANDLER}`);
  }
  const outside = `import t from "../secret" with { type: "text" };`;
  await using _stage = await start(
    `${outside}\n${HANDLER}`,
    (folder) => ({ allowRead: folder.at("secret") }),
  );
});

Deno.test("jobs fetch no module that the worker does not name", async () => {
  await using stage = await start(
    "export default () => (name) => import(name);",
  );
  const names = [
    ...["jsr:@zsqs-secret/a", "npm:zsqs-secret-a@1", "npm:@zsqs/secret"],
    "https://esm.sh/secret",
  ];
  for (const name of names) {
    assertMatch(
      await stage.do(name),
      /cached-only|not found in cache|Requires import access/,
      name,
    );
  }
});
