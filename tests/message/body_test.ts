import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { openQueue } from "../../src/connect/open_queue.ts";
import { runContainer } from "../../container.ts";
import { kwargs, Queue } from "../../producer.ts";
import { setUp } from "../../testing.ts";
import {
  decodeBody,
  encodeBody,
  type Encoding,
} from "../../src/message/body.ts";
import { bodyText } from "../../src/message/reading.ts";
import { PRINTABLE, PROBLEMS } from "../support/body_fuzz.ts";

/** The body that a queue sends for these arguments. */
async function sent(
  args: readonly unknown[],
  encoding: Encoding = "json",
): Promise<string> {
  using queues = setUp({ silent: true });
  const queue = await Queue("adder", { encoding });
  await queue(...args);
  const [body] = queues.get("adder").bodies;
  return body!;
}

/** What a worker is called with for these arguments. */
async function received(args: readonly unknown[]): Promise<unknown[]> {
  await using _queues = setUp({ silent: true });
  const calls: unknown[][] = [];
  await runContainer({
    queue: "adder",
    worker: () => (...args: unknown[]) => calls.push(args),
  });
  await (await Queue("adder"))(...args);
  assertEquals(calls.length, 1);
  return calls[0]!;
}

/** What a worker is called with for a body as it is. */
async function receivedBody(body: string): Promise<unknown[] | undefined> {
  await using _queues = setUp({ silent: true });
  const calls: unknown[][] = [];
  await runContainer({
    queue: "adder",
    worker: () => (...args: unknown[]) => calls.push(args),
  });
  const { connection, url } = await openQueue("adder");
  await connection.send(url, [{ body, attributes: {} }]);
  return calls[0];
}

class Point {
  constructor(readonly x: number) {}
}

class Money {
  constructor(readonly cents: number) {}
  toJSON(key: string) {
    return { [key]: this.cents };
  }
}

const SHARED = { a: 1 };

const BODIES: [what: string, args: unknown[], body: string][] = [
  ["no arguments", [], "[[],{}]"],
  ["numbers", [1, -2.5, 1e21, 5e-324], "[[1,-2.5,1e+21,5e-324],{}]"],
  ["negative zero", [-0, [-0]], "[[-0,[-0]],{}]"],
  ["null and booleans", [null, true, false], "[[null,true,false],{}]"],
  ["strings", ["", 'say "hi"\\', "é日"], '[["","say \\"hi\\"\\\\","é日"],{}]'],
  ["nested values", [{ a: [{ b: [] }] }, [[]]], '[[{"a":[{"b":[]}]},[[]]],{}]'],
  ["an object in the last place", [1, { x: 3 }], '[[1,{"x":3}],{}]'],
  ["keyword arguments", [1, 2, kwargs({ x: 3 })], '[[1,2],{"x":3}]'],
  ["keyword arguments alone", [kwargs({ x: [null] })], '[[],{"x":[null]}]'],
  ["empty keyword arguments", [1, kwargs({})], "[[1],{}]"],
  ["keyword arguments of a null prototype", [
    kwargs(Object.assign(Object.create(null), { x: 1 })),
  ], '[[],{"x":1}]'],
  [
    "keyword arguments marked twice",
    [kwargs(kwargs({ x: 1 }))],
    '[[],{"x":1}]',
  ],
  ["an object without a prototype", [
    Object.assign(Object.create(null), { a: 1 }),
  ], '[[{"a":1}],{}]'],
  [
    "a Date through its toJSON",
    [new Date(0)],
    '[["1970-01-01T00:00:00.000Z"],{}]',
  ],
  [
    "a class with toJSON",
    [{ price: new Money(5) }, [new Money(6)]],
    `[[${'{"price":{"price":5}},[{"0":6}]'}],{}]`,
  ],
  [
    "the same object twice",
    [[SHARED, SHARED], 1],
    '[[[{"a":1},{"a":1}],1],{}]',
  ],
  [
    "members that are not enumerable left out",
    [Object.defineProperty({ a: 1 }, "b", { value: () => 2 })],
    '[[{"a":1}],{}]',
  ],
  ["a getter's value", [{
    get a() {
      return 1;
    },
  }], '[[{"a":1}],{}]'],
];

for (const [what, args, body] of BODIES) {
  Deno.test(`Queue() sends ${what} as [args, kwargs]`, async () => {
    assertEquals(await sent(args), body);
  });
}

// The literals are what Python gives for
// base64.b64encode(json.dumps([args, kwargs], separators=(",", ":"),
//                             ensure_ascii=False).encode())
const BASE64: [args: unknown[], body: string][] = [
  [[1, 2, kwargs({ x: 3 })], "W1sxLDJdLHsieCI6M31d"],
  [["é", 1], "W1siw6kiLDFdLHt9XQ=="],
];

for (const [args, body] of BASE64) {
  Deno.test(`Queue() sends Base64 as Python makes it: ${body}`, async () => {
    assertEquals(await sent(args, "base64"), body);
    assertEquals(decodeBody(body), decodeBody(encodeBody(args, "json")));
  });
}

// base64.b64encode(json.dumps([args, kwargs]).encode()), as zc.sqs sends it.
const FROM_PYTHON: [body: string, args: unknown[], text: string][] = [
  [
    "W1sxLCAyXSwgeyJ4IjogM31d",
    [1, 2, { x: 3 }],
    '[[1, 2], {"x": 3}]',
  ],
  ["W1siXHUwMGU5IiwgMV0sIHt9XQ==", ["é", 1], '[["\\u00e9", 1], {}]'],
  [
    "W1siXHU2NWU1XHU2NzJjXHU4YTllIFx1ZDgzZFx1ZGUwMCJdLCB7Im5hXHUwMGVmdmUiOiBudWxsfV0=",
    ["日本語 😀", { naïve: null }],
    '[["\\u65e5\\u672c\\u8a9e \\ud83d\\ude00"], {"na\\u00efve": null}]',
  ],
  // With ensure_ascii=False: UTF-8 inside the Base64.
  [
    "W1si5pel5pys6KqeIPCfmIAiXSx7Im5hw692ZSI6bnVsbH1d",
    ["日本語 😀", { naïve: null }],
    '[["日本語 😀"],{"naïve":null}]',
  ],
  // And plain, as other Python producers send it.
  ['[[1, 2], {"x": 3}]', [1, 2, { x: 3 }], '[[1, 2], {"x": 3}]'],
  [' [ [1] , {} ]\n"'.slice(0, -1), [1], " [ [1] , {} ] "],
];

for (const [body, args, text] of FROM_PYTHON) {
  Deno.test(`runContainer() reads a body as Python sends it: ${JSON.stringify(body)}`, async () => {
    assertEquals(await receivedBody(body), args);
    assertEquals(bodyText(body), text);
  });
}

const wanted = "arguments must survive JSON unchanged";

/** A function for each: some of these values can be used only once. */
const REFUSED: [what: string, args: () => unknown[], problem: string][] = [
  ["undefined", () => [undefined], `args[0] is undefined: ${wanted}`],
  [
    "an undefined member",
    () => [1, { a: undefined }],
    `args[1].a is undefined: ${wanted}`,
  ],
  ["a function", () => [() => 1], `args[0] is a function: ${wanted}`],
  [
    "a method",
    () => [{ a: [{ "b c": () => 1 }] }],
    `args[0].a[0]["b c"] is a function: ${wanted}`,
  ],
  ["a symbol", () => [Symbol("s")], `args[0] is a symbol: ${wanted}`],
  ["a bigint", () => [[1n]], `args[0][0] is a bigint: ${wanted}`],
  ["NaN", () => [{ 日: NaN }], `args[0].日 is NaN: ${wanted}`],
  [
    "an infinity",
    () => [[1, 2, -Infinity]],
    `args[0][2] is -Infinity: ${wanted}`,
  ],
  ["a cycle", () => {
    const value: Record<string, unknown> = { a: {} };
    (value.a as Record<string, unknown>).back = [value];
    return [value];
  }, `args[0].a.back[0] is a cycle: ${wanted}`],
  ["an array in itself", () => {
    const value: unknown[] = [];
    value.push(value);
    return value;
  }, `args[0][0] is a cycle: ${wanted}`],
  ["a Map", () => [new Map()], `args[0] is a Map: ${wanted}`],
  ["a Set", () => [{ a: new Set([1]) }], `args[0].a is a Set: ${wanted}`],
  ["a class instance", () => [new Point(1)], `args[0] is a Point: ${wanted}`],
  [
    "an instance without a class",
    () => [Object.create(Object.create(null))],
    `args[0] is an instance of a class: ${wanted}`,
  ],
  [
    "bytes",
    () => [new Uint8Array(2)],
    `args[0] is a Uint8Array: ${wanted}`,
  ],
  [
    "a boxed number",
    () => [Object(1)],
    `args[0] is a Number: ${wanted}`,
  ],
  ["a RegExp", () => [/x/], `args[0] is a RegExp: ${wanted}`],
  ["an Error", () => [new Error("x")], `args[0] is an Error: ${wanted}`],
  [
    "a Promise",
    () => [Promise.resolve()],
    `args[0] is a Promise: ${wanted}`,
  ],
  [
    "an invalid Date",
    () => [{ at: new Date(NaN) }],
    `args[0].at is an invalid Date: ${wanted}`,
  ],
  [
    "what toJSON gives",
    () => [{ toJSON: () => [undefined] }],
    `args[0][0] is undefined: ${wanted}`,
  ],
  [
    "a sparse array",
    // deno-lint-ignore no-sparse-arrays
    () => [[1, , 3]],
    `args[0][1] is undefined: ${wanted}`,
  ],
  [
    "a named member of an array",
    () => [/x/.exec("x")],
    `args[0].index is a named member of an array: ${wanted}`,
  ],
  [
    "an index beyond an array's",
    () => [Object.assign([1], { "01": 2 })],
    `args[0]["01"] is a named member of an array: ${wanted}`,
  ],
  [
    "an array of a subclass",
    () => [new (class Row extends Array {})()],
    `args[0] is a Row: ${wanted}`,
  ],
  [
    "a symbol key",
    () => [{ [Symbol("s")]: 1 }],
    `args[0][Symbol(s)] is named by a symbol: ${wanted}`,
  ],
  [
    "a symbol key of an array",
    () => [Object.assign([], { [Symbol("s")]: 1 })],
    `args[0][Symbol(s)] is a named member of an array: ${wanted}`,
  ],
  [
    "deep nesting",
    () => {
      let value: unknown[] = [];
      for (let i = 0; i < 100_000; i++) value = [value];
      return [value];
    },
    `args is nested too deeply: ${wanted}`,
  ],
  [
    "a bad keyword argument",
    () => [kwargs({ x: { y: undefined } })],
    `kwargs.x.y is undefined: ${wanted}`,
  ],
  [
    "keyword arguments that are a Map",
    () => [kwargs(new Map())],
    `kwargs is a Map: ${wanted}`,
  ],
  [
    "keyword arguments whose toJSON gives no object",
    () => [kwargs({ toJSON: () => [1] })],
    "kwargs is written as [1]: wanted an object",
  ],
  [
    "keyword arguments before others",
    () => [1, kwargs({ x: 1 }), 2],
    "args[1] is keyword arguments: they go in the last place",
  ],
  [
    "keyword arguments twice",
    () => [kwargs({ x: 1 }), kwargs({ y: 1 })],
    "args[0] is keyword arguments: they go in the last place",
  ],
];

for (const [what, args, problem] of REFUSED) {
  Deno.test(`Queue() refuses ${what}`, async () => {
    using queues = setUp({ silent: true });
    const queue = await Queue("adder");
    const error = await assertRejects(() => queue(...args()), TypeError);
    assertEquals(error.message, `Cannot send job as ${problem}`);
    assertEquals(queues.get("adder").messages, []);
  });
}

for (
  const [members, what] of [
    [[1], "an array"],
    [null, "null"],
    [undefined, "undefined"],
    ["x", "x"],
    [1, "1"],
  ] as const
) {
  Deno.test(`kwargs() refuses ${what}`, () => {
    const error = assertThrows(
      () => kwargs(members as unknown as object),
      TypeError,
    );
    assertEquals(
      error.message,
      `Cannot make keyword arguments of ${what}: wanted an object`,
    );
  });
}

Deno.test("kwargs() leaves the object as it was, and is equal to it", async () => {
  const members = Object.freeze({ x: 3 });
  const marked = kwargs(members);
  assertEquals(Object.keys(marked), ["x"]);
  assertEquals(Reflect.ownKeys(members), ["x"]);
  assertEquals(await sent([members]), '[[{"x":3}],{}]');
  assertEquals(await sent([marked]), '[[],{"x":3}]');
});

Deno.test("kwargs() of another copy of the package is known", async () => {
  const copy = await import(
    `../../src/message/body.ts?copy=${crypto.randomUUID()}`
  );
  assert(copy.kwargs !== kwargs);
  assertEquals(await sent([1, copy.kwargs({ x: 3 })]), '[[1],{"x":3}]');
});

Deno.test("runContainer() gives a worker the sent arguments, -0 and __proto__ too", async () => {
  const value = JSON.parse('{"__proto__":{"a":-0},"constructor":[1]}');
  const [got, zero] = await received([value, -0]) as [object, number];
  assertStrictEquals(zero, -0);
  assertEquals(Object.getPrototypeOf(got), Object.prototype);
  assertEquals(Object.keys(got), ["__proto__", "constructor"]);
  const own = Object.getOwnPropertyDescriptor(got, "__proto__")?.value;
  assertStrictEquals(own.a, -0);
  assertEquals((got as { a?: unknown }).a, undefined);
});

Deno.test("runContainer() gives keyword arguments named __proto__ as own members", async () => {
  const members = JSON.parse('{"__proto__":{"admin":true}}');
  const [got] = await received([kwargs(members)]) as [object];
  assertEquals(Object.keys(got), ["__proto__"]);
  assertEquals((got as { admin?: unknown }).admin, undefined);
});

const CHARACTERS: [what: string, text: string, json: string][] = [
  ["a lone high surrogate", "a\ud800b", '"a\\ud800b"'],
  ["a lone low surrogate", "\udfff", '"\\udfff"'],
  ["control characters", "\0\x01\x1f\x7f\x85", '"\\u0000\\u0001\\u001f'],
  ["tab and line ends", "\t\n\r", '"\\t\\n\\r"'],
  ["noncharacters", "\ufffe\uffff\ufdd0", '"\\ufffe\\uffff\\ufdd0"'],
  ["line separators", "\u2028\u2029", '"\\u2028\\u2029"'],
  ["a byte-order mark", "\ufeff", '"\\ufeff"'],
  ["invisible characters", "\u200b\u202e\u00ad", '"\\u200b\\u202e\\u00ad"'],
  ["private-use characters", "\ue000", '"\\ue000"'],
  ["astral characters", "😀\u{10ffff}", '"\\ud83d\\ude00\\udbff\\udfff"'],
  ["an astral character in a key", "😀", '"\\ud83d\\ude00"'],
  ["the replacement character as it is", "\ufffd", '"\ufffd"'],
  ["printable characters as they are", "Aé日\u{a0}", '"Aé日\u{a0}"'],
];

for (const [what, text, json] of CHARACTERS) {
  Deno.test(`Queue() sends ${what} so that every server takes it`, async () => {
    const args = what.endsWith("key") ? [{ [text]: 1 }] : [text];
    const body = await sent(args);
    assertMatch(body, PRINTABLE);
    assert(body.includes(json), body);
    assertEquals(await received(args), args);
  });
}

Deno.test("Queue() sends any UTF-16 unit so that every server takes it", async () => {
  const all = Array.from(
    { length: 0x10000 },
    (_, unit) => String.fromCharCode(unit),
  );
  const body = await sent([all]);
  assertMatch(body, PRINTABLE);
  assertEquals(decodeBody(body).args, [all]);
});

const BAD_BODIES: [
  what: string,
  body: string,
  errorClass: ErrorConstructor,
][] = [
  ["empty text", "", SyntaxError],
  ["plain text", "hello world", SyntaxError],
  ["cut JSON", "[[1],{}", SyntaxError],
  ["single quotes", "[[1],{'x':1}]", SyntaxError],
  ["NaN as Python writes it", "[[NaN],{}]", SyntaxError],
  // JSON, and Base64 of the right length: it counts as JSON.
  ["a number", "1234", TypeError],
  ["a word that is JSON", "true", TypeError],
  ["null", "null", TypeError],
  ["a string", '"[[1],{}]"', TypeError],
  ["an object", '{"args":[1],"kwargs":{}}', TypeError],
  ["an empty array", "[]", TypeError],
  ["args alone", "[[1]]", TypeError],
  ["three members", "[[1],{},1]", TypeError],
  ["args that are an object", "[{},{}]", TypeError],
  ["kwargs that are an array", "[[1],[]]", TypeError],
  ["kwargs that are null", "[[1],null]", TypeError],
  // Base64 near misses, of [[1,2],{"x":3}] and [["é",1],{}].
  ["Base64 with a line end", "W1sxLDJdLHsieCI6M31d\n", SyntaxError],
  ["Base64 with a space", "W1sxLDJd LHsieCI6M31d", SyntaxError],
  ["Base64 without padding", "W1siw6kiLDFdLHt9XQ", SyntaxError],
  ["Base64 with padding cut", "W1siw6kiLDFdLHt9XQ=", SyntaxError],
  ["Base64 with too much padding", "W1siw6kiLDFdLHt9XQ===", SyntaxError],
  ["Base64 with padding inside", "W1siw6kiLDFdLHt9XQ==W1sx", SyntaxError],
  ["Base64 with stray bits", "W1siw6kiLDFdLHt9XR==", SyntaxError],
  ["Base64 of the URL alphabet", "W1siP_Pz8_IixdLHt9XQ", SyntaxError],
  ["Base64 twice", "VzFzeExESmRMSHNpZUNJNk0zMWQ=", SyntaxError],
  ["Base64 of no UTF-8", "W1si/yJdLHt9XQ==", SyntaxError],
  ["Base64 with a byte-order mark", "77u/W1sxXSx7fV0=", SyntaxError],
  ["Base64 of text that is no JSON", "aGVsbG8h", SyntaxError],
  ["Base64 of JSON of another shape", "WzFd", TypeError],
  ["Base64 of a number", "MTIzNDU2", TypeError],
];

for (const [what, body, errorClass] of BAD_BODIES) {
  Deno.test(`decodeBody() refuses ${what}`, () => {
    const error = assertThrows(() => decodeBody(body), errorClass);
    assertEquals(error.message.split(";")[0], PROBLEMS.get(errorClass));
  });
}

Deno.test("bodyText() gives a body that is neither JSON nor Base64 of it as it is", () => {
  for (const body of ["", "hello", "aGVsbG8h", "1234"]) {
    assertEquals(bodyText(body), body);
  }
});

Deno.test("bodyText() gives one line, so that no body passes for others", () => {
  assertEquals(bodyText("oh\r\nERROR zsqs lie"), "oh\\r\\nERROR zsqs lie");
  assertEquals(bodyText('[["a\\n"],\n {}]'), '[["a\\n"],  {}]');
  assertEquals(bodyText(btoa("[[1],\n{}]")), "[[1], {}]");
  assertEquals(
    bodyText("a\u0085b\u2028c\u001b[31m"),
    "a\\u0085b\\u2028c\\u001b[31m",
  );
  assertEquals(
    bodyText('[["\u2029\u009b31m"],\t{}]'),
    '[["\\u2029\\u009b31m"], {}]',
  );
});

Deno.test("Queue() refuses more arguments than a handler can be called with", async () => {
  await using queues = setUp({ silent: true });
  const queue = await Queue("adder");
  await assertRejects(
    () => queue(...Array(65_536).fill(0)),
    RangeError,
    "Cannot send job as the job has 65536 arguments: the limit is 65535, put them in an array",
  );
  let count = 0;
  await runContainer({
    queue: "adder",
    worker: () => (...args: unknown[]) => count = args.length,
  });
  await queue(...Array(65_535).fill(0));
  assertEquals([count, queues.get("adder").messages], [65_535, []]);
});
