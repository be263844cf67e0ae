/**
 * What `zsqs check` warns of in a configuration: rights that take jobs out of
 * their isolation, and regions that differ.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { profileFiles } from "../../src/aws/profile_files.ts";
import { setUp } from "../../testing.ts";
import { cli, Folder, textsOf } from "../support/cli.ts";

const REACH =
  "as the container's user, they can read its environment, AWS credentials and files";

const PROGRAMS =
  `Warning: "allow_run" lets isolated jobs start programs: ${REACH}`;
const NATIVE =
  `Warning: "allow_ffi" lets isolated jobs call native code: ${REACH}`;
const ALL = `Warning: "allow_all" lets isolated jobs do everything: ${REACH}`;
const read = (what: string) =>
  `Warning: "allow_read" lets isolated jobs read ${what}: name only the folders that they need`;
const EVERY_FILE = read(
  "every file, the container's AWS credentials among them",
);

Deno.test("zsqs check warns of rights that end isolation", async (t) => {
  await using folder = await Folder.with({
    "w.ts": "export default () => () => {};",
  });
  const [config, credentials] = profileFiles(Deno.env.toObject());
  const cases: [options: string, warnings: string[]][] = [
    ["", []],
    ["allow_net = example.com\nallow_read = .\nallow_env = LANG", []],
    ["allow_run = git", [PROGRAMS]],
    ["allow_run = true\nallow_ffi = ./x.so", [PROGRAMS, NATIVE]],
    ["allow_ffi = true", [NATIVE]],
    ["allow_all = true", [ALL]],
    ["allow_read = true", [EVERY_FILE]],
    ["allow_read = ., /", [read(config)]],
    [`allow_read = ${credentials}`, [read(credentials)]],
    ["allow_read = /proc/self", [
      read("/proc, with the container's environment"),
    ]],
  ];
  for (const [options, warnings] of cases) {
    await t.step(options, async () => {
      await using _queues = setUp({ silent: true, queues: ["adder", "kept"] });
      const file = await folder.write(
        "w.ini",
        `[container]\nworker = w.ts\nqueue = adder\nfailures = kept\nattempts = 5\nisolation = process\n${options}\n`,
      );
      const { stderr } = await cli(["check", file]);
      assertEquals(
        textsOf(stderr).filter((line) => line.startsWith("Warning: ")),
        warnings,
      );
    });
  }
});

Deno.test("zsqs check warns of a queue in another region", async () => {
  await using folder = await Folder.with({
    "w.ts": "export default () => () => {};",
  });
  await using _queues = setUp({ silent: true, queues: ["a", "b"] });
  const url = "https://sqs.eu-west-1.amazonaws.com/000000000000/a";
  const arn = "arn:aws:sqs:us-east-1:000000000000:b";
  const check = async (options: string) => {
    const file = await folder.write(
      "w.ini",
      `[container]\nworker = w.ts\nqueue = ${url}\nfailures = ${arn}\n${options}\n`,
    );
    return textsOf((await cli(["check", file])).stderr);
  };
  const warning = (name: string, region: string, other: string) =>
    `Warning: "${name}" is in region "${region}", but "region" is "${other}", for which requests are signed: remove "region", or give a queue there`;
  const warnings = async (options: string) =>
    (await check(options)).filter((line) => line.startsWith("Warning: "));
  assertEquals(await warnings(""), []);
  assertEquals(await warnings("region = eu-west-1"), [
    warning("failures", "us-east-1", "eu-west-1"),
  ]);
  assertEquals(await warnings("region = us-east-1"), [
    warning("queue", "eu-west-1", "us-east-1"),
  ]);
});
