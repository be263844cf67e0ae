/**
 * Measures zsqs, sqs-consumer and a bare loop on the SDK side by side. Each run
 * is a process, and all use one local SQS server. It prints the figures and the
 * targets, and writes them to `bench.json`.
 *
 * ```sh
 * deno task bench [--rounds=9] [--only=SCENARIO] [--quick]
 * ```
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import process from "node:process";
import {
  figureText,
  type Spread,
  spreadOf,
  spreadText,
  tableText,
} from "./figures.ts";
import type { ClientStats, ClientTask, Run, ServerStats } from "./runs.ts";
import { REGION } from "./runs.ts";
import {
  cpuPerJobMs,
  jobsPerSecond,
  requestsPerJob,
  type Result,
  type Round,
  type Scenario,
  SCENARIOS,
  type Target,
} from "./scenarios.ts";

const ROUNDS = 9;
const QUICK_ROUNDS = 3;

/** No run takes as long, in milliseconds. */
const RUN_LIMIT_MS = 300_000;

const OUTPUT = new URL("../../bench.json", import.meta.url);

const USAGE =
  "Usage: deno task bench [--rounds=9] [--only=SCENARIO] [--quick (3 rounds)]";

interface Options {
  readonly rounds: number;
  readonly scenarios: readonly Scenario[];
}

/** What came of a scenario at a latency. */
interface Measured {
  readonly scenario: Scenario;
  readonly latencyMs: number;
  readonly runs: Readonly<Record<string, Run>>;
  readonly rounds: readonly Round[];
}

async function main(): Promise<number> {
  const options = readOptions(Deno.args);
  if (options === undefined) {
    console.error(
      `${USAGE}\nScenarios: ${SCENARIOS.map(({ name }) => name).join(", ")}`,
    );
    return 2;
  }
  const startedAt = new Date();
  const measured: Measured[] = [];
  await using bench = await Bench.start();
  for (const scenario of options.scenarios) {
    for (const latencyMs of scenario.latenciesMs) {
      measured.push(await measure(bench, scenario, latencyMs, options.rounds));
    }
  }
  const targets = measured.flatMap(targetResults);
  console.log(`\n${figuresTable(measured)}\n\n${targetsTable(targets)}`);
  await Deno.writeTextFile(
    OUTPUT,
    JSON.stringify(
      {
        startedAt,
        minutes: (Date.now() - startedAt.getTime()) / 60_000,
        rounds: options.rounds,
        machine: {
          os: Deno.build.os,
          arch: Deno.build.arch,
          cores: navigator.hardwareConcurrency,
          memoryMb: Math.round(Deno.systemMemoryInfo().total / 2 ** 20),
        },
        versions: await versions(),
        targets: targets.map((
          { target: { figure: _, ...target }, ...rest },
        ) => ({
          ...target,
          ...rest,
        })),
        measured: measured.map(({ scenario, ...rest }) => ({
          scenario: scenario.name,
          ...rest,
        })),
      },
      undefined,
      2,
    ) + "\n",
  );
  return targets.every(({ isMet }) => isMet) ? 0 : 1;
}

function readOptions(args: readonly string[]): Options | undefined {
  let isKnown = true;
  const { rounds, only, quick } = parseArgs([...args], {
    string: ["rounds", "only"],
    boolean: ["quick"],
    unknown: () => isKnown = false,
  });
  const number = Number(rounds ?? (quick ? QUICK_ROUNDS : ROUNDS));
  const scenarios = SCENARIOS.filter(({ name }) =>
    only === undefined || name === only
  );
  const isGood = isKnown && Number.isInteger(number) && number > 0 &&
    scenarios.length > 0;
  return isGood ? { rounds: number, scenarios } : undefined;
}

/** The server, and the runs against it. */
class Bench implements AsyncDisposable {
  readonly #server: Deno.ChildProcess;
  readonly #endpoint: string;
  readonly #control: string;
  #queues = 0;

  private constructor(
    server: Deno.ChildProcess,
    urls: { endpoint: string; control: string },
  ) {
    this.#server = server;
    this.#endpoint = urls.endpoint;
    this.#control = urls.control;
  }

  static async start(): Promise<Bench> {
    const server = new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "-A", script("server.ts")],
      stdout: "piped",
    }).spawn();
    const lines = server.stdout.pipeThrough(new TextDecoderStream());
    for await (const line of lines) {
      const bench = new Bench(server, JSON.parse(line));
      // What is downloaded is downloaded now.
      for (const runner of ["zsqs", "sqs-consumer", "bare"] as const) {
        await bench.run({ runner, jobs: 10 }, 0);
      }
      return bench;
    }
    throw new Error("Cannot start the SQS server: it ended");
  }

  async run(run: Run, latencyMs: number): Promise<Result> {
    const queue = `bench-${++this.#queues}`;
    const { url } = await this.#tell<{ url: string }>("/prepare", {
      queue,
      jobs: run.produce ? 0 : run.jobs,
      latencyMs,
    });
    const startedAtMs = Date.now();
    const client = await this.#runClient({ ...run, url });
    const server = await this.#tell<ServerStats>("/end", { queue });
    if (client.lost + client.twice + server.left > 0) {
      throw new Error(
        `${run.runner} lost ${client.lost} jobs, did ${client.twice} twice and left ${server.left} of ${run.jobs}`,
      );
    }
    return {
      ...client,
      ...server,
      jobs: run.jobs,
      startMs: client.firstJobAtMs - startedAtMs,
    };
  }

  async #runClient(task: ClientTask): Promise<ClientStats> {
    const { success, stdout, stderr } = await new Deno.Command(
      Deno.execPath(),
      {
        args: [
          "run",
          "-q",
          "-A",
          ...(task.heapAt === undefined ? [] : ["--v8-flags=--expose-gc"]),
          script("client.ts"),
          JSON.stringify(task),
        ],
        env: {
          AWS_ACCESS_KEY_ID: "bench",
          AWS_SECRET_ACCESS_KEY: "bench",
          AWS_REGION: REGION,
          AWS_ENDPOINT_URL: this.#endpoint,
        },
        signal: AbortSignal.timeout(RUN_LIMIT_MS),
      },
    ).output();
    const text = new TextDecoder();
    if (!success) {
      throw new Error(`${task.runner} failed: ${text.decode(stderr)}`);
    }
    return JSON.parse(text.decode(stdout));
  }

  async #tell<T>(path: string, body: object): Promise<T> {
    const response = await fetch(`${this.#control}${path}`, {
      method: "POST",
      body: JSON.stringify(body),
    });
    if (!response.ok) {
      throw new Error(
        `Cannot control the SQS server: ${await response.text()}`,
      );
    }
    return await response.json();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.kill("SIGKILL");
    await this.#server.status;
    await this.#server.stdout.cancel().catch(() => {});
  }
}

async function measure(
  bench: Bench,
  scenario: Scenario,
  latencyMs: number,
  count: number,
): Promise<Measured> {
  const runs: Record<string, Run> = {};
  for (const [label, run] of Object.entries(scenario.runs(latencyMs))) {
    runs[label] = Array.isArray(run)
      ? await bestOf(bench, run, latencyMs, Math.ceil(count / 3))
      : run;
  }
  const labels = Object.keys(runs);
  const rounds: Round[] = [];
  for (let i = 0; i < count; i++) {
    console.error(`${scenario.name}, ${latencyMs} ms: round ${i + 1}`);
    const round: Record<string, Result> = {};
    // The first in a round is another one each time.
    for (let j = 0; j < labels.length; j++) {
      const label = labels[(i + j) % labels.length]!;
      round[label] = await bench.run(runs[label]!, latencyMs);
    }
    rounds.push(round);
  }
  return { scenario, latencyMs, runs, rounds };
}

/** The run that does most jobs a second. */
async function bestOf(
  bench: Bench,
  runs: readonly Run[],
  latencyMs: number,
  count: number,
): Promise<Run> {
  const speeds: number[][] = runs.map(() => []);
  for (let i = 0; i < count; i++) {
    for (const [j, run] of runs.entries()) {
      console.error(`${run.runner}, ${latencyMs} ms: trying ${run.pollers}`);
      const short = { ...run, jobs: run.jobs / 4 };
      speeds[j]!.push(jobsPerSecond(await bench.run(short, latencyMs)));
    }
  }
  const medians = speeds.map((each) => spreadOf(each).median);
  return runs[medians.indexOf(Math.max(...medians))]!;
}

interface TargetResult {
  readonly scenario: string;
  readonly latencyMs: number;
  readonly target: Target;
  readonly spread: Spread;
  readonly isMet: boolean;
}

function targetResults(
  { scenario, latencyMs, rounds }: Measured,
): TargetResult[] {
  const { targets } = scenario;
  const all = typeof targets === "function" ? targets(latencyMs) : targets;
  return all.map((target) => {
    const spread = spreadOf(rounds.map(target.figure));
    const { atLeast = -Infinity, atMost = Infinity } = target;
    return {
      scenario: scenario.name,
      latencyMs,
      target,
      spread,
      isMet: spread.median >= atLeast && spread.median <= atMost,
    };
  });
}

function targetsTable(results: readonly TargetResult[]): string {
  return tableText([
    ["scenario", "latency", "target", "wanted", "median (min..max)", "met"],
    ...results.map(({ scenario, latencyMs, target, spread, isMet }) => [
      scenario,
      `${latencyMs} ms`,
      target.what,
      target.atMost === undefined
        ? `>= ${figureText(target.atLeast!)}`
        : `<= ${figureText(target.atMost)}`,
      spreadText(spread),
      isMet ? "yes" : "NO",
    ]),
  ]);
}

function figuresTable(measured: readonly Measured[]): string {
  const heads = [
    "scenario",
    "latency",
    "runner",
    "jobs/s",
    "requests/job",
    "receive/delete/send",
    "CPU us/job",
    "peak MB",
    "first job ms",
  ];
  const rows = measured.flatMap(({ scenario, latencyMs, runs, rounds }) =>
    Object.entries(runs).map(([label, { pollers }]) => {
      const text = (figure: (result: Result) => number) =>
        spreadText(spreadOf(rounds.map((round) => figure(round[label]!))));
      const perJob = (operation: string) =>
        figureText(
          spreadOf(rounds.map((round) => {
            const { requests, jobs } = round[label]!;
            return (requests[operation] ?? 0) / jobs;
          })).median,
        );
      return [
        scenario.name,
        `${latencyMs} ms`,
        pollers === undefined ? label : `${label} (${pollers})`,
        text(jobsPerSecond),
        text(requestsPerJob),
        ["ReceiveMessage", "DeleteMessage", "SendMessage"].map(perJob)
          .join("/"),
        text((result) => cpuPerJobMs(result) * 1000),
        text(({ peakMb }) => peakMb),
        text(({ startMs }) => startMs),
      ];
    })
  );
  return tableText([heads, ...rows]);
}

/** The versions of the measured packages, as they are loaded. */
async function versions(): Promise<Record<string, string>> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", script("_sqs_consumer.ts")],
  }).output();
  const { npmPackages = {} } = JSON.parse(new TextDecoder().decode(stdout)) as {
    npmPackages?: Record<string, { name: string; version: string }>;
  };
  const wanted = ["@aws-sdk/client-sqs", "sqs-consumer"];
  return {
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    ...Object.fromEntries(
      Object.values(npmPackages)
        .filter(({ name }) => wanted.includes(name))
        .map(({ name, version }) => [name, version]),
    ),
  };
}

function script(name: string): string {
  return new URL(name, import.meta.url).href;
}

if (import.meta.main) process.exitCode = await main();
