/**
 * How long Node takes to import the example of AWS Lambda. For comparison, it
 * imports a function that only makes a client of the AWS SDK. One command bundles
 * both. They take turns, each time in a new process.
 *
 * ```sh
 * deno task jsr deno run -A tests/bench/cold_import.ts [PAIRS]
 * ```
 *
 * @module
 */

import { Folder } from "../support/folder.ts";
import { programOf } from "../support/runtimes.ts";
import { spreadOf, spreadText, tableText } from "./figures.ts";
import manifest from "../../deno.json" with { type: "json" };

const ROOT = new URL("../..", import.meta.url);

const BARE = `
import { SQSClient } from "${manifest.imports["@aws-sdk/client-sqs"]}";
const client = new SQSClient({ region: "us-east-1" });
export const handler = () => client;
`;

/** Prints the milliseconds of an import, and of its CPU. */
const TIMER = `
const cpu = process.cpuUsage();
const startMs = performance.now();
await import(process.argv[2]);
const ms = performance.now() - startMs;
const { user, system } = process.cpuUsage(cpu);
console.log(JSON.stringify([ms, (user + system) / 1000]));
`;

/** The functions, by the path of their bundle below the folder. */
const FUNCTIONS: Readonly<Record<string, string>> = {
  "bare SDK": "split/bare.js",
  "examples/lambda": "split/function.js",
  "examples/lambda as one file": "function.mjs",
};

async function bundle(folder: Folder, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "-q", "--minify", ...args],
    cwd: folder.path,
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

async function makeFolder(): Promise<Folder> {
  const read = (name: string) =>
    Deno.readTextFile(new URL(`examples/lambda/${name}`, ROOT));
  const folder = await Folder.with({
    "worker.ts": await read("worker.ts"),
    "function.ts": await read("function.ts"),
    "bare.ts": BARE,
    "timer.mjs": TIMER,
  });
  const split = ["--code-splitting", "--outdir", "split"];
  await bundle(folder, ...split, "function.ts", "bare.ts");
  await bundle(folder, "-o", "function.mjs", "function.ts");
  await folder.write("split/package.json", '{"type":"module"}');
  return folder;
}

type Figures = readonly [wallMs: number, cpuMs: number];

async function importOnce(
  node: string,
  folder: Folder,
  path: string,
): Promise<Figures> {
  const { stdout } = await new Deno.Command(node, {
    args: ["timer.mjs", `./${path}`],
    cwd: folder.path,
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

if (import.meta.main) {
  const pairs = Number(Deno.args[0] ?? 9);
  await using folder = await makeFolder();
  const node = await programOf("Node");
  const runs = new Map<string, Figures[]>(
    Object.keys(FUNCTIONS).map((name) => [name, []]),
  );
  for (let i = 0; i < pairs; i++) {
    for (const [name, path] of Object.entries(FUNCTIONS)) {
      runs.get(name)!.push(await importOnce(node, folder, path));
    }
  }
  const [bare] = runs.values();
  const ratios = (figures: readonly Figures[], of: 0 | 1) =>
    spreadText(spreadOf(figures.map((each, i) => each[of] / bare![i]![of])));
  console.log(tableText([
    ["import of", "ms", "ms of CPU", "of the bare SDK's", "of its CPU"],
    ...[...runs].map(([name, figures]) => [
      name,
      spreadText(spreadOf(figures.map(([wallMs]) => wallMs))),
      spreadText(spreadOf(figures.map(([, cpuMs]) => cpuMs))),
      ratios(figures, 0),
      ratios(figures, 1),
    ]),
  ]));
}
