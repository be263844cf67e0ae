/**
 * Attacks: text of a message, a server, a job or a file that forges lines of
 * output and logs, or drives the reader's terminal.
 *
 * @module
 */

import { getLogger } from "../../src/job/current_job.ts";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { stub } from "@std/testing/mock";
import { runContainer } from "../../mod.ts";
import { SqsError } from "../../src/errors.ts";
import { openQueue } from "../../src/connect/open_queue.ts";
import { setUp } from "../../testing.ts";
import { cli, type CliResult, Folder } from "../support/cli.ts";
import { type CallFaults, replaceCalls } from "../support/call_faults.ts";

/** Line ends, escapes of terminals, C1, separators, overrides of direction. */
const EVIL =
  "e\nFORGED\r\nFORGED\rFORGED\x1b[2J\x1b]0;t\x07\x9b31m\x85\u2028\u2029\u202e\u2066\u200f\x7f\x08\x00";

// deno-lint-ignore no-control-regex
const DANGEROUS = /[\0-\x08\x0b-\x1f\x7f-\x9f\p{Bidi_Control}\u2028\u2029]/u;

const FORGED = /^(?:FORGED|\S+ .*zsqs FORGED)/;

function assertSafe(lines: readonly string[], isPainted = false): void {
  for (const line of lines.flatMap((each) => each.split("\n"))) {
    // deno-lint-ignore no-control-regex
    const text = isPainted ? line.replaceAll(/\x1b\[\d+m/g, "") : line;
    assert(!DANGEROUS.test(text), `dangerous: ${JSON.stringify(line)}`);
    assert(!FORGED.test(text), `forged: ${JSON.stringify(line)}`);
  }
}

const SCREENS = [
  {},
  { stdin: true, stdout: true, stderr: true, columns: 10_000 },
];

/** Calls a command, in a pipe and on a terminal, and returns the former. */
async function safely(
  args: readonly string[],
  input: readonly string[] = [],
): Promise<CliResult> {
  const results: CliResult[] = [];
  for (const screen of SCREENS) {
    const result = await cli(args, input, screen);
    assertSafe([...result.stdout, ...result.stderr]);
    const drawn = (result.drawn ?? []).map((text) =>
      text.replaceAll("\r\x1b[K", "")
    );
    assertSafe(drawn);
    results.push(result);
  }
  return results[0]!;
}

function evilError(): SqsError {
  return new SqsError(`refused: ${EVIL}`, {
    code: `Code${EVIL}`,
    senderFault: true,
  });
}

function text(value: string) {
  return { type: "String", value };
}

/** Puts a message into a queue whose every part is evil. */
async function putEvil(queue: string): Promise<void> {
  const { connection, url } = await openQueue(queue);
  const reason = {
    queue: EVIL,
    messageId: EVIL,
    error: EVIL,
    message: EVIL,
    receiveCount: 1,
    time: EVIL,
  };
  const [result] = await connection.send(url, [{
    body: JSON.stringify([[EVIL], {}]).replaceAll(/\\u202e/g, "\u202e"),
    attributes: {
      "zsqs.failure": text(JSON.stringify(reason)),
      evil: text(EVIL.replaceAll(/[^\P{Cc}\t\n\r]/gu, "")),
    },
  }]);
  assert(result!.ok);
}

/** The message as a server that checks nothing gives it. */
const EVIL_RECEIVE: CallFaults = {
  async receive(real, url, options) {
    const messages = await real.receive(url, options);
    return messages.map((message) => ({
      ...message,
      messageId: `${EVIL}${message.messageId}`,
      body: EVIL,
      groupId: EVIL,
    }));
  },
};

Deno.test("zsqs failed prints hostile messages safely", async () => {
  await using _queues = setUp({ silent: true, queues: ["dead", "adder"] });
  await putEvil("dead");
  await safely(["failed", "dead"]);
  await safely(["failed", "--json", "dead"]);
  using _calls = replaceCalls(EVIL_RECEIVE);
  const { stdout } = await safely(["failed", "dead"]);
  assertEquals(stdout.length, 1);
  const json = await safely(["failed", "--json", "dead"]);
  assertEquals(JSON.parse(json.stdout[0]!).body, EVIL);
  await safely(["failed", "--redrive", "--json", "dead"], ["y"]);
  await safely(["failed", "--redrive", "--yes", "dead"]);
});

Deno.test("zsqs failed prints a server's refusals safely", async () => {
  await using _queues = setUp({ silent: true, queues: ["dead", "adder"] });
  await putEvil("dead");
  const failure = { code: EVIL, message: EVIL, senderFault: true };
  const refused = (count: number) =>
    Promise.resolve(
      Array.from({ length: count }, () => ({ ok: false, failure }) as const),
    );
  using _calls = replaceCalls({
    send: (_real, _url, messages) => refused(messages.length),
    delete: (_real, _url, handles) => refused(handles.length),
    changeVisibility: (_real, _url, changes) => refused(changes.length),
  });
  const redrive = ["failed", "--redrive", "--to=adder", "dead"];
  assertMatch((await safely(redrive, ["y"])).stderr[0]!, /was refused by/);
  await safely(["failed", "--purge", "--yes", "dead"]);
});

Deno.test("zsqs prints a server's error texts safely", async (t) => {
  await using folder = await Folder.with({
    "w.ts": "export default () => () => {};",
    "w.ini": "[container]\nworker = w.ts\nqueue = adder\nfailures = dead\n",
  });
  await using _queues = setUp({ silent: true, queues: ["dead", "adder"] });
  const evil = () => Promise.reject(evilError());
  const calls: CallFaults[] = [
    { queueUrl: evil },
    { attributes: evil, send: evil, receive: evil },
  ];
  for (const faults of calls) {
    using _calls = replaceCalls(faults);
    for (
      const args of [
        ["status", "adder"],
        ["status", "--json", "adder"],
        ["failed", "dead"],
        ["send", "adder", "1"],
        ["send", "--stdin", "adder"],
        ["check", folder.at("w.ini")],
        ...faults.queueUrl ? [[folder.at("w.ini")]] : [],
      ]
    ) {
      await t.step(`${args.join(" ")} ${Object.keys(faults)}`, async () => {
        for (const debug of [[], ["--debug"]]) {
          await safely([...args.slice(0, 1), ...debug, ...args.slice(1)], [
            "[1]",
          ]);
        }
      });
    }
  }
});

Deno.test("zsqs status prints a hostile redrive policy safely", async () => {
  await using _queues = setUp({ silent: true, queues: ["adder", "dead"] });
  using _calls = replaceCalls({
    attributes: async (real, url) => ({
      ...await real.attributes(url),
      redrive: { deadLetterQueue: EVIL, maxReceiveCount: 1 },
    }),
  });
  await safely(["status", "adder"]);
  await safely(["status", "--json", "adder"]);
  await safely(["failed", "adder"]);
});

Deno.test("zsqs prints hostile arguments and files safely", async (t) => {
  await using folder = await Folder.with({
    "w.ts": "export default () => () => {};",
    "evil.ts": `throw new Error(${JSON.stringify(EVIL)});`,
    "factory.ts": `export default () => { throw new Error(${
      JSON.stringify(EVIL)
    }); };`,
    "evil.ini": "[container]\nworker = evil.ts\nqueue = adder\n",
    "factory.ini": "[container]\nworker = factory.ts\nqueue = adder\n",
    "odd.ini":
      `[container]\nworker = w.ts\nqueue = \x1b[2J\u202e\nb\x9bd = 1\n[\x1b[x]\n`,
    "a\x1b[2J\u202e.ini": "[container]\nworker = w.ts\nqueue = adder\n",
  });
  await using _queues = setUp({ silent: true, queues: ["adder"] });
  for (
    const args of [
      [`--${EVIL}`],
      [EVIL],
      ["send", "adder", `--${EVIL}`],
      ["send", `--attribute=${EVIL}`, "adder"],
      ["send", `--delay=${EVIL}`, "adder"],
      ["status", EVIL],
      ["status", `--region=${EVIL}`, "adder"],
      ["failed", EVIL, EVIL],
      ["failed", `--error=/(${EVIL}/`, "adder"],
      ...["evil.ini", "factory.ini", "odd.ini", "a\x1b[2J\u202e.ini"].flatMap(
        (file) => [
          ["check", folder.at(file)],
          ["permissions", folder.at(file)],
        ],
      ),
      ["evil.ini", "--debug"],
    ]
  ) {
    await t.step(JSON.stringify(args), async () => {
      const [first = "", ...rest] = args;
      const isFile = first.endsWith(".ini");
      await safely([isFile ? folder.at(first) : first, ...rest]);
    });
  }
});

Deno.test("zsqs send --stdin copies refused lines safely to a terminal", async () => {
  await using _queues = setUp({ silent: true, queues: ["adder"] });
  const line = `["${EVIL.replaceAll("\n", " ")}"`;
  const args = ["send", "--stdin", "adder"];
  const { stdout, stderr } = await cli(args, [line], SCREENS[1]);
  assertSafe([...stdout, ...stderr]);
  // A file gets them unchanged.
  assertEquals((await cli(args, [line])).stdout, [line]);
});

Deno.test("a container logs hostile errors and logger names safely", async (t) => {
  const errors = [
    new Error(EVIL, { cause: new TypeError(EVIL) }),
    Object.assign(new Error("x"), { name: EVIL, code: EVIL, stack: EVIL }),
    new AggregateError([EVIL, new Error(EVIL)], EVIL),
    EVIL,
    { [EVIL]: EVIL },
  ];
  const loggers = [
    "<logger>\n  level DEBUG\n  <logfile>\n    path STDERR\n    format %(levelname)s zsqs %(name)s %(message)s\n  </logfile>\n</logger>\n",
    "<logger>\n  level DEBUG\n  <logfile>\n    path STDERR\n    format %(message)r %(name)20s\n  </logfile>\n</logger>\n",
    "json",
  ];
  for (const [i, error] of errors.entries()) {
    for (const text of loggers) {
      await t.step(`${i} ${text.slice(-40)}`, async () => {
        const lines: string[] = [];
        await using _queues = setUp({ silent: true, queues: ["adder"] });
        using _error = stub(console, "error", (line) => lines.push(line));
        using _log = stub(console, "log", (line) => lines.push(line));
        using _warn = stub(console, "warn", (line) => lines.push(line));
        using _info = stub(console, "info", (line) => lines.push(line));
        await runContainer({
          queue: "adder",
          loggers: text,
          handler: () => {
            getLogger(EVIL).error(EVIL, error);
            throw error;
          },
        });
        await putEvil("adder");
        assert(lines.length >= 2);
        assertSafe(lines);
        if (text === "json") {
          for (const line of lines) {
            assertEquals(typeof JSON.parse(line), "object");
          }
        }
      });
    }
  }
});
