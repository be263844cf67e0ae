/**
 * The program that `deno compile` makes of a container, as docs/binary.md has it.
 *
 * It can only be run where `DENORT_BIN` names Deno's base binary. Elsewhere Deno
 * itself stands in for it: the test then shows that all can be embedded.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { Folder } from "../support/cli.ts";
import { servePackage, TestServer } from "../support/server.ts";

const BASE_BINARY = Deno.env.get("DENORT_BIN");

const WORKER = `import { currentJob } from "jsr:@zsqs/cli";
export default () => (a: number, b: number) =>
  console.log(a + b, currentJob().queue);`;

const INI = `[container]
worker = worker.ts
queue = adder
region = us-east-1
wait_time = 1
`;

interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(
  command: string,
  args: readonly string[],
  folder: Folder,
  env: Record<string, string>,
): Promise<Output> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    cwd: folder.path,
    env: { NO_COLOR: "1", RUST_BACKTRACE: "0", ...env },
    stdin: "null",
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: decode(stdout), stderr: decode(stderr) };
}

Deno.test("deno compile makes a program of a container", async (t) => {
  await using folder = await Folder.with({
    "worker.ts": WORKER,
    "adder.ini": INI,
    "isolated.ini": `${INI}isolation = process\nallow_all = true\n`,
    "narrow.ini": `${INI}isolation = process\n`,
  });
  await using registry = await servePackage();
  const { code, stderr } = await run(
    Deno.execPath(),
    [
      ...["compile", "-A", "--no-prompt", "--include", "worker.ts"],
      ...["-o", "adder", "jsr:@zsqs/cli", "adder.ini"],
    ],
    folder,
    { ...registry.env, DENORT_BIN: BASE_BINARY ?? Deno.execPath() },
  );
  assertEquals(code, 0, stderr);
  assertStringIncludes(stderr, "worker.ts");
  assertStringIncludes(stderr, "client-sqs");

  await t.step({
    name: "it runs (only where DENORT_BIN names Deno's base binary)",
    ignore: BASE_BINARY === undefined,
    fn: async () => {
      await using server = await TestServer.start();
      const url = await server.createQueue("adder");
      const drain = async (ini: string) => {
        if (ini !== "adder.ini") {
          await Deno.copyFile(folder.at(ini), folder.at("adder.ini"));
        }
        return await run(folder.at("adder"), ["--drain"], folder, server.env);
      };
      // With isolation the program starts itself for the jobs.
      for (const ini of ["adder.ini", "isolated.ini"]) {
        await server.send(url, "[[1,2],{}]");
        const { code, stdout, stderr } = await drain(ini);
        assertEquals([ini, code, stdout], [ini, 0, "3 adder\n"], stderr);
      }
      assertEquals(await drain("narrow.ini"), {
        code: 2,
        stdout: "",
        stderr:
          'Cannot start container as a compiled program cannot narrow the permissions of jobs: set "allow_all" to "true", or use "deno run"\n',
      });
    },
  });
});
