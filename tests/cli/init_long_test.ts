/**
 * A new user's first minutes: `zsqs init`, its tasks, and `--watch`, as
 * processes.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { cli, Folder } from "../support/cli.ts";
import { servePackage, TestProcess } from "../support/server.ts";
import { TEMPLATES } from "../../src/cli/templates.ts";

for (const { name, files } of TEMPLATES) {
  Deno.test(`zsqs init --template=${name} writes a project whose tests pass`, async () => {
    await using folder = await Folder.with({});
    const init = ["init", `--template=${name}`, folder.at("new")];
    const made = await cli(init);
    assertEquals(made.status, 0);
    assertEquals(made.stdout[0], `Created ${Object.keys(files).join(", ")}`);
    await using registry = await servePackage();
    const where = { cwd: folder.at("new"), env: registry.env };
    await using test = new TestProcess(["task", "-q", "test"], where);
    assertEquals(await test.status(), 0, test.stdout + test.stderr);

    // Nothing is overwritten.
    await Deno.writeTextFile(folder.at("new/worker.ts"), "// mine\n");
    const again = await cli(init);
    assertEquals(again.status, 2);
    assertStringIncludes(again.stderr[0]!, "worker.ts");
    assertEquals(await folder.read("new/worker.ts"), "// mine\n");
  });
}

Deno.test("deno task dev of a new project runs a job, and takes new code", async () => {
  await using folder = await Folder.with({});
  assertEquals((await cli(["init", folder.path])).status, 0);
  await using registry = await servePackage();
  const where = { cwd: folder.path, env: registry.env };
  const json = JSON.parse(await folder.read("deno.json"));
  // The tests of a machine run side by side: each takes a free port.
  json.tasks.dev = json.tasks.dev.replace("--local", "--local --port=0");
  await folder.write("deno.json", JSON.stringify(json));
  await using dev = new TestProcess(["task", "-q", "dev"], where);
  await dev.saw("Listening to ");
  const [, port] = /^Local SQS server at http:\/\/127\.0\.0\.1:(\d+) /m
    .exec(dev.stderr)!;
  const send = async (...args: readonly string[]) => {
    const command = [`--local`, `--port=${port}`, "adder", ...args];
    await using sent = runHere(["send", ...command], where);
    assertEquals(await sent.status(), 0, sent.stderr);
  };
  await send("1", "2");
  await dev.saw("1 + 2, times 1: 3");

  const worker = await folder.read("worker.ts");
  await folder.write("worker.ts", "export const adder = ;\n");
  await dev.saw("Waiting for a change of ");
  assertStringIncludes(dev.stderr, "worker.ts:adder");
  await folder.write("worker.ts", worker.replace("times", "by"));
  await send("3", "4");
  await dev.saw("3 + 4, by 1: 7");
  dev.kill("SIGTERM");
  assertEquals(await dev.status(), 0);
});

function runHere(
  args: readonly string[],
  where: { readonly cwd: string; readonly env: Record<string, string> },
): TestProcess {
  return new TestProcess(["run", "-A", "jsr:@zsqs/cli", ...args], where);
}
