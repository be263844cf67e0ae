/**
 * `zsqs init [DIR]`: writes a worker, its ini file, a test and tasks.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../errors.ts";
import { list, quote, suggest } from "../text.ts";
import { type Command, type ParsedOptions, UsageError } from "./command.ts";
import { DONE } from "./errors.ts";
import { shellWord } from "./shell_word.ts";
import type { Output } from "./screen.ts";
import { type Template, TEMPLATES } from "./templates.ts";

export const INIT: Command = {
  name: "init",
  summary: "Write a worker, its ini file, a test and tasks to start from.",
  brief: "write a worker to start from",
  usage: ["[OPTIONS] [DIR]"],
  about: `\
It writes worker.ts, its ini file, worker_test.ts and deno.json to DIR, by default
the current folder. It overwrites nothing. The tasks of deno.json are dev (run it
with an SQS server on this machine), send, failed, test and start (on AWS).`,
  options: [
    {
      name: "template",
      value: "NAME",
      meaning: TEMPLATES.map(({ name, meaning }, i) =>
        `${name}: ${meaning}${i === 0 ? " (default)" : ""}`
      ).join("\n"),
    },
  ],
  exitStatus: "0 done, 1 failed, 2 a file exists or the template is unknown.",
  run: init,
};

async function init(options: ParsedOptions, io: Output): Promise<number> {
  const [folder = ".", ...rest] = options.positional;
  if (rest.length > 0) {
    throw new UsageError(`Give one folder: got ${list([folder, ...rest])}`);
  }
  const { files, send } = templateOf(options.get("template"));
  const names = Object.keys(files);
  const taken = names.filter((name) => existsSync(join(folder, name)));
  if (taken.length > 0) {
    throw new UsageError(
      `Cannot write to ${quote(folder)} as ${
        list(taken)
      } would be overwritten: give another folder`,
    );
  }
  try {
    await mkdir(folder, { recursive: true });
    for (const [name, text] of Object.entries(files)) {
      await writeFile(join(folder, name), text, { flag: "wx" });
    }
  } catch (error) {
    throw new Error(
      `Cannot write to ${quote(folder)}: ${
        messageOf(error)
      }. Give another folder`,
      { cause: error },
    );
  }
  const enter = folder === "." ? "" : `cd ${shellWord(folder)} && `;
  io.stdout(`Created ${list(names)}`);
  io.stdout(
    `Run it, with an SQS server on this machine: ${enter}deno task dev`,
  );
  io.stdout(`Then, in another terminal: ${enter}deno task send ${send}`);
  io.stdout(`Test it: ${enter}deno task test`);
  return DONE;
}

function templateOf(name: string | undefined): Template {
  const found = TEMPLATES.find((each) => each.name === (name ?? "adder"));
  if (found !== undefined) return found;
  const names = TEMPLATES.map((each) => each.name);
  throw new UsageError(
    `There is no template ${quote(name!)}: ${
      suggest(name!, names, "templates")
    }`,
  );
}
