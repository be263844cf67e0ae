/**
 * Runs the tests in the environment that they expect. This package is served as
 * `jsr:@zsqs/cli`. There are test credentials for any local SQS server, and no
 * AWS configuration of this machine.
 *
 * ```sh
 * deno run -A tools/test.ts [--long] [PATH or flag of deno test]...
 * ```
 *
 * It runs the files `*_test.ts` in parallel: they share one process, so none of
 * them may set its environment or its working directory. Those named
 * `*alone_test.ts` may, or measure memory, and run afterwards, one after the
 * other. Meanwhile it checks the types of the named files, or of the whole
 * project, where `deno task check` then has nothing left to do. With `--long` it
 * runs the files `*_long_test.ts` in the same way, and checks no types.
 *
 * @module
 */

import { globSync } from "node:fs";
import { runCommand, startRegistry } from "./jsr.ts";

const ROOT = `${import.meta.dirname}/..`;

/** The files of long tests, and of tests that run alone. */
const LONG = /_long_test\.ts$/;
const ALONE = /alone_(?:long_)?test\.ts$/;

/** Tests mostly wait, for processes and polls: so many files run per core. */
const FILES_PER_CORE = 2;

if (import.meta.main) Deno.exit(await main(Deno.args));

async function main(args: readonly string[]): Promise<number> {
  const isLong = args.includes("--long");
  const rest = args.filter((arg) => arg !== "--long");
  const flags = rest.filter((arg) => arg.startsWith("-"));
  const paths = rest.filter((arg) => !arg.startsWith("-"));
  const isAll = paths.length === 0;
  if (isAll) paths.push("tests");
  const files = testFiles(paths, isLong);
  if (files.length === 0) {
    const what = isLong ? "long tests" : "tests";
    console.error(`No ${what} in ${paths.join(", ")}: check the path`);
    return 1;
  }
  await using registry = await startRegistry({ ownPackage: true });
  const environment = {
    cwd: ROOT,
    clearEnv: true,
    env: { ...testEnvironment(Deno.env.toObject()), ...registry!.env },
  };
  const types = isLong ? undefined : new Deno.Command(Deno.execPath(), {
    args: ["check", "-q", ...isAll ? ["."] : files],
    ...environment,
  }).output();
  const test = (...args: readonly string[]) =>
    runCommand("deno", {
      args: [
        ...["test", "-q", "-A", "--no-check"],
        ...["--sanitize-ops", "--sanitize-resources"],
        ...flags,
        ...args,
      ],
      ...environment,
    });
  const parts = [
    { files: files.filter((file) => !ALONE.test(file)), flags: ["--parallel"] },
    { files: files.filter((file) => ALONE.test(file)), flags: [] },
  ];
  let status = 0;
  for (const { files, flags } of parts) {
    if (files.length > 0 && status === 0) {
      status = await test(...flags, ...files);
    }
  }
  const wrong = await types;
  await Deno.stderr.write(wrong?.stderr ?? new Uint8Array());
  return status || (wrong?.code ?? 0);
}

/**
 * The files of tests.
 *
 * @param paths Folders, and files that are taken as they are.
 * @param isLong Whether to take the long tests of folders, or all others.
 */
export function testFiles(
  paths: readonly string[],
  isLong: boolean,
): string[] {
  return paths.flatMap((path) =>
    path.endsWith(".ts")
      ? [path]
      : globSync(`${path}/**/*_test.ts`, { cwd: ROOT })
        .filter((file) => LONG.test(file) === isLong)
  );
}

/** The environment without this machine's AWS configuration. */
function testEnvironment(
  env: Readonly<Record<string, string>>,
): Record<string, string> {
  // The server that ZSQS_TEST_ENDPOINT names may need real credentials.
  if (env.ZSQS_TEST_ENDPOINT && env.AWS_ACCESS_KEY_ID) {
    return { ...env, ZSQS_TEST_OWN: "own" };
  }
  const kept = Object.entries(env).filter(([name]) => !name.startsWith("AWS_"));
  return {
    DENO_JOBS: String(navigator.hardwareConcurrency * FILES_PER_CORE),
    ...Object.fromEntries(kept),
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    AWS_SESSION_TOKEN: "test",
    ZSQS_TEST_OWN: "own",
    AWS_CONFIG_FILE: "/nonexistent/config",
    AWS_SHARED_CREDENTIALS_FILE: "/nonexistent/credentials",
    AWS_EC2_METADATA_DISABLED: "true",
  };
}
