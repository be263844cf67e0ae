/**
 * A new user's first minutes: `zsqs init`, its tasks, and `--watch`, as
 * processes.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { type Template, TEMPLATES } from "../../src/cli/templates.ts";
import { cli, Folder } from "../support/cli.ts";
import {
  type ServedPackage,
  servePackage,
  TestProcess,
  wordsOf,
} from "../support/server.ts";

/** A folder that `init` has filled, and its tasks. */
class Project {
  readonly folder: Folder;
  readonly #where: {
    readonly cwd: string;
    readonly env: Record<string, string>;
  };

  constructor(folder: Folder, { env }: ServedPackage) {
    this.folder = folder;
    this.#where = { cwd: folder.path, env };
  }

  task(name: string, ...args: readonly string[]): TestProcess {
    return new TestProcess(["task", "-q", name, ...args], this.#where);
  }

  /** Starts `deno task dev`; the other tasks find its server. */
  async dev(): Promise<TestProcess> {
    // The tests of a machine run side by side: each takes a free port.
    await this.#onPort("0");
    const dev = this.task("dev");
    await dev.saw("Listening to ");
    const [, port] = /^Local SQS server at http:\/\/127\.0\.0\.1:(\d+) /m
      .exec(dev.stderr)!;
    await this.#onPort(port!);
    return dev;
  }

  readonly send = async (...args: readonly string[]): Promise<void> => {
    await using sent = this.task("send", ...args);
    assertEquals(await sent.status(), 0, sent.stderr);
  };

  async #onPort(port: string): Promise<void> {
    const json = await this.folder.read("deno.json");
    const local = `--local --port=${port}`;
    await this.folder.write(
      "deno.json",
      json.replaceAll(/--local(?: --port=\d+)?/g, local),
    );
  }
}

/** What a project's container prints when it gets the job that `init` names. */
const DONE: Readonly<Record<string, string>> = {
  adder: "1 + 2, times 1: 3",
  events: 'Order Placed: {"id":7}',
  batch: 'rows: inserted [["ann",1]]',
  isolated: "1 + 2, times 1: 3",
};

async function tryOut(
  { name, files, send }: Template,
  folder: Folder,
  registry: ServedPackage,
): Promise<void> {
  const init = ["init", `--template=${name}`, folder.path];
  const made = await cli(init);
  assertEquals(made.status, 0);
  assertEquals(made.stdout[0], `Created ${Object.keys(files).join(", ")}`);
  const project = new Project(folder, registry);
  await using test = project.task("test");
  assertEquals(await test.status(), 0, test.stdout + test.stderr);
  await using style = new TestProcess(["fmt", "--check"], { cwd: folder.path });
  assertEquals(await style.status(), 0, style.stderr);
  await using dev = await project.dev();
  await project.send(...await wordsOf(send));
  await dev.saw(DONE[name]!);
  if (name === "adder") await changeCode(project, dev);
  dev.kill("SIGTERM");
  assertEquals(await dev.status(), 0);

  // Nothing is overwritten.
  await folder.write("worker.ts", "// mine\n");
  const again = await cli(init);
  assertEquals(again.status, 2);
  assertStringIncludes(again.stderr[0]!, "worker.ts");
  assertEquals(await folder.read("worker.ts"), "// mine\n");
}

/** Changes each kind of file, broken and right, while `dev` runs. */
async function changeCode(
  { folder, send }: Project,
  dev: TestProcess,
): Promise<void> {
  const worker = await folder.read("worker.ts");
  const ini = await folder.read("adder.ini");
  let broken = 0;
  const breaks = async (file: string, text: string, says: string) => {
    await folder.write(file, text);
    await dev.saw("Waiting for a change of ", ++broken);
    assertStringIncludes(dev.stderr, says);
  };
  await breaks("worker.ts", "export const adder = ;\n", "worker.ts:adder");
  await folder.write("worker.ts", worker.replace("times", "by"));
  await send("3", "4");
  await dev.saw("3 + 4, by 1: 7");

  await breaks("adder.ini", `${ini}\n[hook]\n`, "is not a section");
  const hooked = ini.replace("[worker]", "hooks = hooks.ts\n\n[worker]");
  await breaks("adder.ini", hooked, 'hooks "hooks.ts"');
  const hooks = `import { note } from "./note.ts";
export default { jobStarted: ({ args }) => console.log(note, args) };
`;
  await breaks("hooks.ts", hooks, "note.ts");
  await folder.write("note.ts", 'export const note = "begun";\n');
  await send("5", "6");
  await dev.saw("begun [ 5, 6 ]");
  await folder.write("note.ts", 'export const note = "started";\n');
  await dev.saw("Restarting as note.ts has changed");
  await send("7", "8");
  await dev.saw("started [ 7, 8 ]");
}

Deno.test("zsqs init writes projects that run jobs, take new code, and whose tests pass", async () => {
  await using registry = await servePackage();
  const results = await Promise.allSettled(TEMPLATES.map(async (template) => {
    await using folder = await Folder.with({});
    await tryOut(template, folder, registry);
  }));
  const failed = TEMPLATES.flatMap(({ name }, i) => {
    const result = results[i]!;
    return result.status === "rejected" ? [`${name}: ${result.reason}`] : [];
  });
  assertEquals(failed, []);
});
