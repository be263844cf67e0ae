import {
  PermanentError,
  SchemaError,
  TransientError,
} from "../../src/job_errors.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStringIncludes,
} from "@std/assert";
import {
  decodeError,
  encodeError,
  type ErrorData,
  errorJson,
  errorSummary,
  errorText,
} from "../../src/logging/error_data.ts";
import { valueText } from "../../src/logging/value_text.ts";

const OWN = new URL("../../", import.meta.url).href;

type AnyError = Error & Record<string, unknown>;

function anyError(members: PropertyDescriptorMap, message = "x"): AnyError {
  return Object.defineProperties(new Error(message), members) as AnyError;
}

function fail(): never {
  throw new Error("a trap");
}

/** A handler whose every trap throws. */
const TRAPS: ProxyHandler<object> = new Proxy({}, { get: () => fail });

function chain(length: number): Error {
  let error = new Error("0");
  for (let i = 1; i < length; i++) error = new Error(`${i}`, { cause: error });
  return error;
}

/** Each error refers twice to the next: 2 to the 17th paths. */
function shared(depth: number): Error {
  const error = new AggregateError([], `${depth}`);
  if (depth === 0) return error;
  error.cause = shared(depth - 1);
  error.errors = [error.cause, error.cause];
  return error;
}

/** Each look at the cause makes another error, with the same cause. */
function endless(): Error {
  return anyError({ cause: { get: endless } });
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable(new Error("x"), {});
  revoke();
  return proxy;
}

function wide(): Record<string, unknown> {
  const inner = Object.fromEntries(
    Array.from({ length: 2_000 }, (_, i) => [`m${i}`, i]),
  );
  return Object.fromEntries(
    Array.from({ length: 2_000 }, (_, i) => [`m${i}`, inner]),
  );
}

/** Whoever asks it for a part does not see what the console shows. */
function hidden(): unknown[] {
  return Object.assign([wide()], { slice: () => [] });
}

const HOSTILE: Record<string, () => unknown> = {
  "a proxy": () => new Proxy({}, TRAPS),
  "a proxy of an error": () => new Proxy(new Error("x"), TRAPS),
  "a revoked proxy": revoked,
  "getters that throw": () =>
    anyError(Object.fromEntries(
      ["name", "message", "stack", "cause", "errors", "code"]
        .map((name) => [name, { get: fail }]),
    )),
  "a name that is a symbol": () => anyError({ name: { value: Symbol("n") } }),
  "a message that is an object": () =>
    anyError({ message: { value: { toString: fail } } }),
  "50,000 causes": () => chain(50_000),
  "shared causes": () => shared(17),
  "causes without end": endless,
  "100,000 errors": () => new AggregateError(Array(100_000).fill(chain(9))),
  "errors that are a proxy": () =>
    anyError({ errors: { value: new Proxy([], TRAPS) } }),
  "a custom inspect that throws": () => ({
    [Symbol.for("nodejs.util.inspect.custom")]: fail,
    [Symbol.for("Deno.customInspect")]: fail,
  }),
  "a message of 10 MB": () => new Error("x".repeat(10_000_000)),
  "a stack of 10 MB": () =>
    anyError({ stack: { value: `x\n    at ${"y".repeat(10_000_000)}` } }),
  "many long messages": () =>
    new AggregateError(
      Array.from({ length: 90 }, (_, i) => new Error(`${i}`.repeat(50_000))),
    ),
  "an object that is small and shown large": wide,
  "a large value behind a slice that hides it": hidden,
  "errors of the greatest length": () =>
    anyError({ errors: { value: new Array(2 ** 32 - 1) } }),
  "errors with a slice without end": () =>
    anyError({
      errors: {
        value: Object.assign([1], {
          *slice() {
            for (;;) yield 0;
          },
        }),
      },
    }),
  "an integer of 100 MB": () => 2n ** 800_000_000n,
  "an integer of 100 MB in an object": () => ({ a: -(2n ** 800_000_000n) }),
  "a string object of 100 MB": () => new String("x".repeat(100_000_000)),
  "a string object of 100 MB in an array": () => [
    new String("x".repeat(100_000_000)),
  ],
  "10 MB of bytes": () => new Uint8Array(10_000_000),
  "a map with an iterator without end": () =>
    Object.assign(new Map([[1, 2]]), {
      *[Symbol.iterator]() {
        for (;;) yield [1, 2];
      },
    }),
};

for (const [what, make] of Object.entries(HOSTILE)) {
  Deno.test(`encodeError() describes ${what}, in less than 1 MiB`, () => {
    const data = encodeError(make());
    assert(JSON.stringify(data).length < 1_048_576);
    assert(countOf(data) <= 220, `${countOf(data)} parts`);
    assert(errorText(data).length < 1_048_576);
    assert(JSON.stringify(errorJson(data)).length < 1_048_576);
    // What comes out of another process is looked at again.
    assertEquals(typeof errorSummary(decodeError(data)).message, "string");
  });
}

function countOf(data: ErrorData): number {
  if (!("message" in data)) return 1;
  const inner = [...data.errors ?? [], ...data.cause ? [data.cause] : []];
  return inner.reduce((count, each) => count + countOf(each), 1);
}

Deno.test("encodeError() keeps the frames of the user alone, if asked to", () => {
  const user = "    at add (file:///home/me/worker.ts:3:5)";
  const native = "    at Array.map (<anonymous>)";
  const own = `    at callHandler (${OWN}src/job/run_job.ts:88:10)`;
  const entry = `    at async runContainer (${OWN}container.ts:8:1)`;
  const deno = "    at async eventLoopTick (ext:core/01_core.js:1:2)";
  const node = "    at process.emit (node:internal/process:4:5)";
  const example = `    at async ${OWN}examples/demo/worker.ts:24:13`;
  const stack = (frames: string[]) =>
    anyError({ stack: { value: ["Error: x", ...frames].join("\n") } });
  const cases: [frames: string[], kept: string[]][] = [
    [[deno, user, own, deno], [user]],
    [[native, user, native, own, native, deno], [native, user]],
    [[user, node, entry, example], [user, example]],
    [[own, native, deno], []],
  ];
  for (const [frames, kept] of cases) {
    const error = stack(frames);
    const all = encodeError(error) as { frames: string };
    const users = encodeError(error, { frames: "user" }) as typeof all;
    assertEquals(all.frames, frames.join("\n"));
    assertEquals(users.frames, kept.join("\n"));
  }
});

Deno.test("encodeError() takes no line of a message for a frame", () => {
  const error = new Error("x\n    at forged (file:///home/me/forged.ts:1:1)");
  const { frames } = encodeError(error) as { frames: string };
  assertStringIncludes(frames, "error_data_test.ts");
  assert(!frames.includes("forged"));
});

Deno.test("decodeError() gives errors their names, members and brands", () => {
  const thrown = new TransientError("busy", {
    delaySeconds: 7,
    cause: Object.assign(new PermanentError("no"), { code: "E1" }),
  });
  const sent = JSON.parse(JSON.stringify(encodeError(thrown)));
  const error = decodeError(sent) as TransientError;
  assertInstanceOf(error, TransientError);
  assertEquals([error.name, error.message, error.delaySeconds], [
    "TransientError",
    "busy",
    7,
  ]);
  assertEquals(error.stack, thrown.stack);
  assertInstanceOf(error.cause, PermanentError);
  assertEquals((error.cause as AnyError).code, "E1");
  const misfit = decodeError(encodeError(new SchemaError("No", ["a: b"])));
  assertInstanceOf(misfit, SchemaError);
  assertEquals([misfit.message, misfit.problems], ["No:\na: b", ["a: b"]]);
});

Deno.test("decodeError() returns something for whatever it is given", () => {
  let deep: unknown = { message: "x" };
  for (let i = 0; i < 5_000; i++) deep = { message: "x", cause: deep };
  for (
    const data of [
      null,
      5,
      "x",
      {},
      { text: { toString: 5 } },
      { message: "x", name: { toString: 5 }, frames: [{ toString: 5 }] },
      { message: 5 },
      { message: "x", name: null, data: 5, errors: 5, brands: {}, cause: null },
      deep,
    ]
  ) {
    assertEquals(typeof errorSummary(decodeError(data)).message, "string");
  }
});

Deno.test("valueText() shows values as the console does", () => {
  assertEquals(valueText("as\nit is"), "as\nit is");
  assertEquals(valueText({ a: [1, "x"], b: 10n }), "{ a: [ 1, 'x' ], b: 10n }");
  const numbers = Array.from({ length: 100_000 }, (_, i) => i);
  const pairs = numbers.map((n) => [n, n] as const);
  const sets = [new Map(pairs), new Set(numbers)];
  for (const large of [wide(), hidden(), ...sets]) {
    assertEquals(valueText(large), "[a value too large to show]");
  }
  assertEquals(
    valueText("x".repeat(70_000)),
    `${"x".repeat(65_536)}... (4464 more characters)`,
  );
});
