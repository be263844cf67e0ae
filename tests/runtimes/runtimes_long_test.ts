/**
 * The guide's table of runtimes, cell by cell, and the behaviours of SQS. Deno
 * takes the package from JSR, Node and Bun from JSR's npm registry.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { behaviours } from "../support/behaviours.ts";
import { Folder } from "../support/folder.ts";
import { installForNode } from "../support/npm_registry.ts";
import { programOf } from "../support/runtimes.ts";
import { servePackage, TestProcess, TestServer } from "../support/server.ts";
import manifest from "../../deno.json" with { type: "json" };
import { COMMAND_LINE, type ProcessStage } from "./command_line.ts";
import { LIBRARY } from "./library.ts";

const ROOT = join(import.meta.dirname!, "../..");

const MAIN = "tests/runtimes/main.ts";

/** How the table's cells begin. */
const CELLS = /^(?:yes|no|with `npm install fauxqs`)/;

/** How Node and Bun call the command line. */
const ZSQS = `import { runCli } from "@zsqs/cli/cli";\nrunCli();\n`;

/** What imports of `@zsqs/cli/...` mean on Deno. */
const OWN_MODULES = "jsr:/@zsqs/cli/";

type Runtime = ProcessStage["runtime"];

/** The guide's table: the cells of each row, by their runtimes. */
async function readTable(): Promise<Map<string, Record<Runtime, string>>> {
  const guide = await Deno.readTextFile(join(ROOT, "docs/node-and-bun.md"));
  const [, table = ""] = /^\| [^\n]*\| Node 24[^\n]*\n\|[-| ]+\n((?:\|.*\n)+)/m
    .exec(guide) ?? [];
  return new Map(
    table.trimEnd().split("\n").map((line) => {
      const [row, ...cells] = line.split("|").slice(1, -1)
        .map((cell) => cell.trim());
      const [Deno = "", Node = "", Bun = ""] = cells.map((cell) =>
        CELLS.exec(cell)?.[0] ?? `not a cell: ${cell}`
      );
      return [row!, { Deno, Node, Bun }];
    }),
  );
}

Deno.test("the table of runtimes has a row for each check", async () => {
  const rows = [...Object.keys(LIBRARY), ...Object.keys(COMMAND_LINE)];
  const table = await readTable();
  assertEquals([...table.keys()].sort(), rows.sort());
  for (const [row, cells] of table) {
    for (const cell of Object.values(cells)) {
      // What programs call has no check for a refusal.
      const allowed = row in LIBRARY ? /^yes$/ : CELLS;
      assertEquals(allowed.test(cell), true, `${row}: ${cell}`);
    }
  }
});

for (const runtime of ["Deno", "Node", "Bun"] as const) {
  Deno.test(`the table of runtimes is true of ${runtime}`, async (test) => {
    const table = await readTable();
    await using server = await TestServer.start();
    await using worker = await Folder.with(JSR_WORKER);
    await using registry = await servePackage(worker.path);
    const bulk = join(ROOT, "examples/bulk/readings.ts");
    const files = { "readings.ts": await Deno.readTextFile(bulk) };
    await using folder = await Folder.with(files);
    const place = await install(runtime, folder, registry.env.JSR_URL!);
    const run = ({ program, args }: Call, stdin?: string) =>
      new TestProcess(args, {
        cwd: folder.path,
        env: { ...server.env, ...registry.env },
        ...(program === undefined ? {} : { program }),
        ...(stdin === undefined ? {} : { stdin }),
      });
    // It mostly waits, for polls.
    await using main = run(place.main(server.endpoint, folder.path));
    const stage: ProcessStage = {
      ...{ runtime, server, folder },
      cli: (args, stdin) => run(place.cli(...args), stdin),
      program: (name) => run(place.program(name)),
    };
    for (const [row, { works, refused }] of Object.entries(COMMAND_LINE)) {
      const cell = table.get(row)?.[runtime];
      if (cell !== "yes") {
        await test.step(`refused: ${row}`, () => refused!(stage));
      }
      if (cell === "no") continue;
      await test.step(row, async () => {
        if (cell !== "yes") await place.addServer();
        await works(stage);
      });
    }
    assertEquals(await main.status(), 0, main.stderr);
    const checks: { name: string; problem?: string }[] = main.stdout
      .trimEnd().split("\n").map((line) => JSON.parse(line));
    for (const { name, problem } of checks) {
      await test.step(name, () => {
        if (problem !== undefined) throw new Error(problem + main.stderr);
      });
    }
    const count = behaviours.length + 1 + Object.keys(LIBRARY).length;
    assertEquals(checks.length, count);
  });
}

/** A package with a worker. */
const JSR_WORKER = {
  "deno.json": {
    name: "@zsqs-tests/worker",
    version: "1.0.0",
    exports: "./mod.ts",
  },
  "mod.ts":
    'export default () => (what: string) => console.log("from JSR:", what);\n',
};

/** A program, by default Deno, and its arguments. */
interface Call {
  readonly program?: string;
  readonly args: readonly string[];
}

/** How a runtime is called in a folder. */
interface Place {
  /** Calls {@linkcode MAIN}. */
  main(...args: string[]): Call;
  cli(...args: string[]): Call;
  program(name: string): Call;
  /** Installs the SQS server of `--local`. */
  addServer(): Promise<void>;
}

/** Installs this package in a folder. */
async function install(
  runtime: Runtime,
  folder: Folder,
  registry: string,
): Promise<Place> {
  if (runtime === "Deno") {
    const own = { "@zsqs/cli": "jsr:@zsqs/cli", "@zsqs/cli/": OWN_MODULES };
    const imports = { ...manifest.imports, ...own };
    await folder.write("deno.json", JSON.stringify({ imports, lock: false }));
    const call = (...args: string[]) => ({
      args: ["run", "-q", "-A", ...args],
    });
    return {
      main: (...args) => call("--config=deno.json", join(ROOT, MAIN), ...args),
      cli: (...args) => call("jsr:@zsqs/cli", ...args),
      program: call,
      addServer: () => Promise.resolve(),
    };
  }
  await installForNode(folder.path, registry, {
    tests: [MAIN],
    npm: { fauxqs: "^2.4.1" },
  });
  const [there, away] = [folder.at("node_modules/fauxqs"), folder.at("away")];
  await Deno.rename(there, away);
  await folder.write("zsqs.js", ZSQS);
  const program = await programOf(runtime);
  const call = (...args: string[]) => ({ program, args });
  return {
    main: (...args) => call(MAIN.replace(/\.ts$/, ".js"), ...args),
    cli: (...args) => call("zsqs.js", ...args),
    program: call,
    addServer: () => Deno.rename(away, there),
  };
}
