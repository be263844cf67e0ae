/**
 * Workers that may write files which the next start runs.
 *
 * @module
 */

import { assertMatch, assertRejects } from "@std/assert";
import { ConfigError, type ContainerSettings } from "../../container.ts";
import { Folder } from "../support/cli.ts";
import { Stage } from "../support/isolation_stage.ts";

const FILES = {
  "app/worker.ts": `import "./lib/more.ts";\nexport default () => () => {};`,
  "app/lib/more.ts": "",
  "app/out/empty": "",
  "jobs.ini": "",
};

/** Starts a container whose jobs may write. */
async function start(
  folder: Folder,
  allowWrite: string,
  settings: Partial<ContainerSettings> = {},
): Promise<void> {
  await using _stage = await Stage.start("", {
    worker: folder.at("app/worker.ts"),
    file: folder.at("jobs.ini"),
    allowWrite,
    ...settings,
  });
}

Deno.test("allow_write must not cover what a later start runs", async () => {
  await using folder = await Folder.with(FILES);
  await Deno.symlink(folder.at("app/lib"), folder.at("link"));
  await Deno.symlink(folder.at("app"), folder.at("app/out/up"));
  // To a file that is not there yet.
  await Deno.symlink(folder.at("deno.json"), folder.at("app/out/config"));
  await Deno.symlink("config", folder.at("app/out/twice"));
  const home = Deno.env.get("HOME")!;
  const paths = [
    ...["jobs.ini", "app", "app/worker.ts", "app/lib", "app/deno.json", "link"]
      .map((name) => folder.at(name)),
    ...["app/out/up/deno.json", "app/out/config", "app/out/twice"]
      .map((name) => folder.at(name)),
    ...["app/package.json", "deno.jsonc", "app/node_modules/a"]
      .map((name) => folder.at(name)),
    ...[".", "deno.json", ".npmrc", "..", "/", "true", "node_modules"],
    Deno.env.get("DENO_DIR") ?? `${home}/.cache/deno/npm`,
    `${folder.at("app/out")},${folder.at("app/lib")}`,
  ];
  for (const path of paths) {
    const error = await assertRejects(() => start(folder, path), ConfigError);
    assertMatch(
      error.message,
      /"allow_write" lets isolated jobs change what a later start runs: .* set "allow_write_code" to "true"$/,
      path,
    );
  }
  await start(folder, folder.at("app/out"));
  await start(folder, folder.at("app"), { allowWriteCode: true });

  // The container runs its hooks with its own rights.
  await folder.write("hooks/hook.ts", 'import "../more/more.ts";');
  await folder.write("more/more.ts", "");
  const hooks = folder.at("hooks/hook.ts");
  for (const path of ["hooks", "hooks/deno.json", "more"]) {
    await assertRejects(
      () => start(folder, folder.at(path), { hooks }),
      ConfigError,
      '"allow_write" lets isolated jobs change what a later start runs: ',
      path,
    );
  }
});
