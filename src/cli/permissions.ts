/**
 * `zsqs permissions config.ini...`: prints the command line that runs
 * containers with the Deno permissions that they need, and no others.
 *
 * @module
 */

import { type Command, type ParsedOptions, UsageError } from "./command.ts";
import { DONE } from "./errors.ts";
import { shellWord } from "./shell_word.ts";
import type { Output } from "./screen.ts";
import { ConfigError } from "../errors.ts";
import { deno, RUNTIME } from "../runtime.ts";
import { readContainerConfig } from "../config/ini_config.ts";
import {
  refuseWebOptions,
  UNLISTED_WEB_OPTIONS,
  webArguments,
  webOptionsOf,
} from "./web_options.ts";
import type { PageNeeds } from "../permissions/needed.ts";
import type { PermissionSet } from "../permissions/permission_set.ts";

export const PERMISSIONS: Command = {
  name: "permissions",
  summary: "Print the deno command line with the fewest permissions that work.",
  brief: "print the Deno permissions that they need",
  usage: ["CONFIG.ini..."],
  about: `\
Run it where the containers will run, in the same folder and environment: these
decide about credentials, region and log files. It reads the files and
lists the modules that workers and hooks import. It runs none of them, and calls
no queue. The command line goes to standard output, hints about it to standard
error.

With --web, it prints the command line of "CONFIG.ini... --web". With
--web-alone, it prints the one of "web CONFIG.ini...". Give the options of
"web", too.`,
  options: [
    { name: "web", meaning: "serve the page for operators, too" },
    { name: "web-alone", meaning: "serve that page without the containers" },
    ...UNLISTED_WEB_OPTIONS,
  ],
  exitStatus: "0 done, 1 failed, 2 the configuration is wrong.",
  missing: "No ini file given: name the files to run",
  run: permissions,
};

async function permissions(
  options: ParsedOptions,
  io: Output,
): Promise<number> {
  const { positional: files } = options;
  if (deno === undefined) {
    throw new ConfigError(
      `Cannot print permissions on ${RUNTIME}, as only Deno has them: run "deno run -A jsr:@zsqs/cli permissions ${
        files.join(" ")
      }"`,
    );
  }
  if (deno.build.standalone) {
    throw new UsageError(
      "A compiled program keeps the permissions of deno compile: run this command with deno, and compile with the flags that it prints",
    );
  }
  const isAlone = options.has("web-alone");
  const isWeb = isAlone || options.has("web");
  if (!isWeb) refuseWebOptions(options);
  const page = isWeb ? await pageNeeds(options, isAlone) : undefined;
  const configs = await Promise.all(files.map(readContainerConfig));
  const { permissionsOf } = await import("../permissions/needed.ts");
  const { permissions, hints } = await permissionsOf(configs, page);
  const flags = permissions.flags();
  const words = [
    ...["deno", "run", ...flags, "jsr:@zsqs/cli"],
    ...isAlone ? ["web"] : isWeb ? ["--web"] : [],
    ...isWeb ? webArguments(options) : [],
    ...files,
  ];
  io.stdout(words.map(shellWord).join(" "));
  for (const hint of [...hintsOn(permissions), ...hints]) io.stderr(hint);
  return DONE;
}

async function pageNeeds(
  options: ParsedOptions,
  isAlone: boolean,
): Promise<PageNeeds> {
  const { address, containers } = await webOptionsOf(options);
  return {
    addresses: [address, ...containers],
    files: options.all("password-file").slice(-1),
    isAlone,
  };
}

function hintsOn(permissions: PermissionSet): string[] {
  const paths = [...permissions.values("read"), ...permissions.values("write")];
  const split = new Set(paths.filter((path) => path.includes(",")));
  return [
    ...[...split].map((path) =>
      `The line grants the folder of ${path}, as Deno accepts no path with a comma`
    ),
    ...permissions.hasAll("sys")
      ? [
        "The line grants all of --allow-sys as NODE_EXTRA_CA_CERTS is set: with DENO_CERT, less is enough",
      ]
      : [],
  ];
}
