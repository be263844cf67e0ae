/**
 * Who gets into the page for operators, and what a hostile page, host or reader
 * reaches.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import crypto from "node:crypto";
import { connect } from "node:net";
import { parseQueueRef } from "../../src/sqs/queue_ref.ts";
import { Hosts } from "../../src/web/security.ts";
import { setUp } from "../../testing.ts";
import { cli, Folder } from "../support/cli.ts";
import { raw, startWeb, Visitor } from "../support/visitor.ts";

Deno.test("the printed token becomes a cookie, and leaves the address", async () => {
  await using _queues = setUp({ queues: ["adder"], silent: true });
  await using page = await startWeb(["adder"]);
  const { port, search, origin } = new URL(page.url);
  const open = (path: string) => fetch(origin + path, { redirect: "manual" });
  const response = await open(`/queues/adder${search}`);
  await response.body?.cancel();
  assertEquals(response.status, 303);
  assertEquals(response.headers.get("location"), "/queues/adder");
  assertMatch(
    response.headers.get("set-cookie")!,
    new RegExp(`^zsqs-${port}=[\\w-]{43}; Path=/; HttpOnly; SameSite=Strict$`),
  );
  assertEquals(response.headers.get("referrer-policy"), "same-origin");
  // The cookie is no token, and the token no cookie.
  const token = search.slice("?token=".length);
  assert(!response.headers.get("set-cookie")!.includes(token));
  // Another server's name does not get into the location.
  for (
    const path of [
      "//evil.example/",
      "/\\evil.example/",
      "/%09/evil.example/",
      "/%0d%0aevil",
    ]
  ) {
    const answer = await raw(
      new URL(page.url),
      `GET ${path}${search} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`,
    );
    assertMatch(answer, /\r\nlocation: \/[\w%]/i);
  }
  for (const path of ["/", "/?token=wrong", "/events?topic=counts"]) {
    const refused = await open(path);
    assertEquals(refused.status, 403);
    assertEquals(refused.headers.getSetCookie(), []);
    assert(!(await refused.text()).includes("adder"));
  }
});

Deno.test("every answer forbids framing, foreign code and copies", async () => {
  await using _queues = setUp({ queues: ["adder"], silent: true });
  await using page = await startWeb(["adder"]);
  const visitor = await Visitor.open(page);
  for (const path of ["/", "/nowhere", "/style.css", "/queues/adder"]) {
    const { headers, text } = await visitor.get(path);
    const policy = headers.get("content-security-policy")!;
    for (
      const part of [
        "default-src 'none'",
        "script-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
      ]
    ) assertStringIncludes(policy, part);
    assert(!/unsafe|\*|data:|https?:/.test(policy));
    assertEquals(headers.get("x-frame-options"), "DENY");
    assertEquals(headers.get("x-content-type-options"), "nosniff");
    assertEquals(headers.get("referrer-policy"), "same-origin");
    assert(!/<script(?![^>]* src=)|\son\w+=|style="/.test(text));
  }
});

Deno.test("a request by another name is refused, whatever else it has", async () => {
  await using _queues = setUp({ queues: ["adder"], silent: true });
  await using page = await startWeb(["adder"], {
    allowedHosts: ["jobs.example.com"],
  });
  const { cookie, url } = await Visitor.open(page);
  const ask = async (host: string, path = "/") => {
    const answer = await raw(
      url,
      `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nCookie: ${cookie}\r\nConnection: close\r\n\r\n`,
    );
    return Number(answer.split(" ")[1]);
  };
  for (
    const host of [
      "evil.example",
      `evil.example:${url.port}`,
      `127.0.0.1.evil.example:${url.port}`,
      "127.0.0.1:1",
      "127.0.0.1",
      `10.0.0.1:${url.port}`,
      "jobs.example.com.evil.example",
      "",
    ]
  ) {
    assertEquals(await ask(host), 403, host);
    assertEquals(await ask(host, "/style.css"), 403, host);
  }
  for (
    const host of [
      `127.0.0.1:${url.port}`,
      `LOCALHOST:${url.port}`,
      `[::1]:${url.port}`,
      "jobs.example.com",
      "jobs.example.com:8443",
    ]
  ) assertEquals(await ask(host), 200, host);
  // An absolute address names another server.
  assertEquals(await ask(url.host, `http://evil.example/`), 400);
});

Deno.test("a page on all addresses answers to addresses, and to no unknown name", () => {
  const hosts = new Hosts("0.0.0.0", 8088, ["jobs.example.com:443"]);
  const admitted = [
    ["10.0.0.7:8088", true],
    ["[fd00::1]:8088", true],
    ["10.0.0.7:80", false],
    ["jobs.example.com:443", true],
    ["jobs.example.com", false],
    ["localhost:8088", false],
    ["evil.example:8088", false],
  ] as const;
  for (const [host, isAdmitted] of admitted) {
    assertEquals(hosts.admits(host), isAdmitted, host);
  }
});

Deno.test("a post needs this page's origin, a form and the form's token", async () => {
  await using queues = setUp({ queues: ["adder"], silent: true });
  await using page = await startWeb(["adder"], {
    allowedHosts: ["jobs.example.com"],
  });
  const visitor = await Visitor.open(page);
  await visitor.get("/queues/adder");
  const { origin, port } = visitor.url;
  const job = { arguments: "[1]" };
  const send = async (
    headers: Readonly<Record<string, string>>,
    fields: Readonly<Record<string, string>> = {},
  ) =>
    (await visitor.post("/queues/adder", { ...job, ...fields }, headers))
      .status;
  for (
    const headers of [
      {},
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
      { "sec-fetch-site": "none" },
      // It counts more than an origin, which a host of this machine may share.
      { "sec-fetch-site": "cross-site", origin },
      { origin: "null" },
      { origin: "http://evil.example" },
      { origin: `${origin}.evil.example` },
      { origin: `https://127.0.0.1:${port}` },
      { origin: `http://localhost:${port}` },
      { origin: "https://jobs.example.com" },
    ]
  ) assertEquals(await send(headers), 403, JSON.stringify(headers));
  const own = { "sec-fetch-site": "same-origin" };
  assertEquals(await send(own, { token: "" }), 403);
  assertEquals(await send(own, { token: visitor.cookie.split("=")[1]! }), 403);
  const json = await fetch(new URL("/queues/adder", origin), {
    method: "POST",
    headers: {
      ...own,
      cookie: visitor.cookie,
      "content-type": "application/json",
    },
    body: JSON.stringify({ ...job, token: visitor.token }),
  });
  await json.body?.cancel();
  assertEquals(json.status, 415);
  // Without its cookie, the token of a form is of no use.
  const { cookie } = visitor;
  visitor.cookie = "";
  assertEquals(await send(own), 403);
  visitor.cookie = cookie;
  assertEquals(queues.get("adder").messages, []);
  assertEquals(await send(own), 200);
  assertEquals(await send({ origin }), 200);
  assertEquals(queues.get("adder").jobs, [[1], [1]]);
});

Deno.test("a post with another method or a long form is refused", async () => {
  await using _queues = setUp({ queues: ["adder"], silent: true });
  await using page = await startWeb(["adder"]);
  const visitor = await Visitor.open(page);
  const ask = async (method: string, body: BodyInit | null) => {
    const response = await fetch(new URL("/queues/adder", visitor.url), {
      method,
      body,
      headers: {
        cookie: visitor.cookie,
        "sec-fetch-site": "same-origin",
        "content-type": "application/x-www-form-urlencoded",
      },
    }).catch(() => undefined);
    await response?.body?.cancel();
    // The server may close before all is sent.
    return response?.status ?? 413;
  };
  assertEquals(await ask("PUT", "a=b"), 405);
  assertEquals(await ask("DELETE", null), 405);
  assertEquals(await ask("POST", "a".repeat(5_000_000)), 413);
});

Deno.test("a read-only page refuses every post", async () => {
  await using queues = setUp({
    queues: ["adder", "adder-failed"],
    silent: true,
  });
  await using page = await startWeb([
    {
      name: "adder",
      failures: parseQueueRef("adder-failed"),
    },
  ], { isReadOnly: true });
  const visitor = await Visitor.open(page);
  // The token that its pages do not show.
  const paths = [
    "/queues/adder",
    "/queues/adder-failed/failed/look",
    "/queues/adder-failed/failed/stop",
    "/queues/adder-failed/failed/actions",
    "/actions/any/run",
    "/containers/own-1/pause",
    "/containers/own-1/resume",
    "/nowhere",
  ];
  for (const path of paths) {
    const { status, text } = await visitor.post(path, { arguments: "[]" });
    assertEquals(status, 403, path);
    assertStringIncludes(text, "read-only");
  }
  assertEquals(queues.get("adder").messages, []);
});

Deno.test("with a password, it alone lets in: late if wrong, at once if right", async () => {
  await using queues = setUp({ queues: ["adder"], silent: true });
  await using page = await startWeb(["adder"], { password: "open sesame" });
  assertEquals(new URL(page.url).search, "");
  const visitor = new Visitor(page);
  assertStringIncludes((await visitor.get("/")).text, 'action="/login"');
  const evil = { "sec-fetch-site": "cross-site" };
  assertEquals(
    (await visitor.post("/login", { password: "open sesame" }, evil)).status,
    403,
  );
  // The clock stands still: a wrong password has no answer yet.
  const answered: string[] = [];
  const wrong = ["", "open sesam", "open sesame!", "x".repeat(10_000)].map(
    async (password) => {
      const { status, text } = await new Visitor(page)
        .post("/login", { password });
      assertEquals(status, 403);
      answered.push(text);
    },
  );
  const right = await visitor.post("/login", { password: "open sesame" });
  assertEquals(right.status, 200);
  assertStringIncludes(right.text, "adder");
  assertEquals(answered, []);
  assertMatch(visitor.cookie, /^zsqs-\d+=[\w-]{43}$/);
  const all = Promise.all(wrong);
  while (answered.length < wrong.length) await queues.advance(8);
  await all;
  for (const text of answered) assertStringIncludes(text, "Wrong password");
});

Deno.test("a stranger's form is limited to what a password needs", async () => {
  await using _queues = setUp({ queues: ["adder"], silent: true });
  await using page = await startWeb(["adder"], { password: "open sesame" });
  const answer = await new Visitor(page).post("/login", {
    password: "open sesame",
    filling: "x".repeat(16_384),
  });
  assertEquals(answer.status, 413);
  assertStringIncludes(answer.text, "longer than 16 KiB");
});

Deno.test("wrong passwords that wait are limited, and keep no other client out", async () => {
  await using queues = setUp({ queues: ["adder"], silent: true });
  await using page = await startWeb(["adder"], {
    password: "open sesame",
    // So there is a proxy, which names the clients.
    allowedHosts: ["jobs.example.com"],
  });
  const statuses: number[] = [];
  const tryFrom = async (client: string, password = "x") => {
    const { status } = await new Visitor(page).post("/login", { password }, {
      "sec-fetch-site": "same-origin",
      "x-forwarded-for": `10.9.9.9, ${client}`,
    });
    statuses.push(status);
    return status;
  };
  const tries: Promise<number>[] = [];
  for (let i = 1; i <= 10; i++) {
    for (let j = 1; j <= 11; j++) {
      // Any number of addresses are one client's.
      tries.push(
        tryFrom(i % 2 === 0 ? `10.0.0.${i}` : `fd00::${i}:0:0:0:${j}`),
      );
    }
    await eventually(() => statuses.length === i);
    assertEquals(statuses, Array(i).fill(429));
    if (i === 9) assertEquals(await tryFrom("10.0.0.99", "open sesame"), 200);
    if (i === 9) assertEquals(statuses.pop(), 200);
  }
  assertEquals(await tryFrom("10.0.0.99", "open sesame"), 429);
  const all = Promise.all(tries);
  while (statuses.length < 111) await queues.advance(8);
  await all;
  assertEquals(statuses.filter((status) => status === 403).length, 100);
  assertEquals(await tryFrom("10.0.0.1", "open sesame"), 200);
});

Deno.test("without a proxy, a client cannot name itself", async () => {
  await using queues = setUp({ queues: ["adder"], silent: true });
  await using page = await startWeb(["adder"], { password: "open sesame" });
  const statuses: number[] = [];
  const tries = Array.from({ length: 11 }, async (_, i) => {
    const { status } = await new Visitor(page).post("/login", {}, {
      "sec-fetch-site": "same-origin",
      "x-forwarded-for": `10.0.0.${i}`,
    });
    statuses.push(status);
  });
  await eventually(() => statuses.length > 0);
  assertEquals(statuses, [429]);
  const all = Promise.all(tries);
  while (statuses.length < 11) await queues.advance(8);
  await all;
});

/** Notes the inputs that comparisons hash and compare. */
function noteWork() {
  const { createHash, timingSafeEqual } = crypto;
  const notes: string[] = [];
  Object.assign(crypto, {
    createHash(...args: Parameters<typeof createHash>) {
      notes.push(`hash ${args[0]}`);
      return createHash(...args);
    },
    timingSafeEqual(...args: Parameters<typeof timingSafeEqual>) {
      notes.push(`compare ${args.map((each) => each.byteLength).join()}`);
      return timingSafeEqual(...args);
    },
  });
  return {
    take: () => notes.splice(0),
    [Symbol.dispose]: () =>
      void Object.assign(crypto, { createHash, timingSafeEqual }),
  };
}

Deno.test("the work of a check does not depend on how near a guess is", async () => {
  await using queues = setUp({ queues: ["adder"], silent: true });
  const password = "open sesame";
  await using page = await startWeb(["adder"], { password });
  await using tokenPage = await startWeb(["adder"]);
  const { origin, searchParams } = new URL(tokenPage.url);
  const { cookie, token } = await Visitor.open(tokenPage);
  const [cookieName, cookieValue] = cookie.split("=") as [string, string];
  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(origin + path, init);
    await response.body?.cancel();
  };
  const signIn = async (fields: Record<string, string>) => {
    const answer = new Visitor(page).post("/login", fields);
    let isAnswered = false;
    answer.finally(() => isAnswered = true);
    while (!isAnswered) await queues.advance(8);
  };
  const post = (fields: Record<string, string>) =>
    ask("/queues/adder", {
      method: "POST",
      headers: { cookie, "sec-fetch-site": "same-origin" },
      body: new URLSearchParams(fields),
    });
  const once = ["hash sha256", "hash sha256", "compare 32,32"];
  // A form's sender has shown a cookie before.
  const twice = [...once, ...once];
  const checks: [
    secret: string,
    send: (guess: string | undefined) => Promise<void>,
    wanted: readonly string[],
  ][] = [
    [password, (guess) => signIn(guess ? { password: guess } : {}), twice],
    [
      searchParams.get("token")!,
      (guess) => ask(`/?token=${guess ?? ""}`),
      once,
    ],
    [
      cookieValue,
      (guess) =>
        ask(
          "/",
          guess ? { headers: { cookie: `${cookieName}=${guess}` } } : {},
        ),
      once,
    ],
    [token, (guess) => post(guess ? { token: guess } : {}), twice],
  ];
  using work = noteWork();
  for (const [secret, send, wanted] of checks) {
    const near = secret.slice(0, -1);
    const last = secret.endsWith("A") ? "B" : "A";
    const guesses = ["x", "x".repeat(900), near, near + last, `${secret}x`];
    for (const guess of [undefined, ...guesses]) {
      work.take();
      await send(guess);
      assertEquals(work.take(), wanted, `${secret}: ${guess}`);
    }
  }
});

/** Waits until a condition holds, without time passing. */
async function eventually(holds: () => boolean): Promise<void> {
  for (let i = 0; !holds() && i < 2_000; i++) {
    await new Promise((next) => setTimeout(next, 1));
  }
}

Deno.test("an address that other machines reach needs a password", async () => {
  await using folder = await Folder.with({ empty: "", "two.txt": "a\nb\n" });
  const hint = "Try deno run -A jsr:@zsqs/cli web --help";
  const cases: [args: string[], line: string][] = [
    [
      ["--address=0.0.0.0:8088"],
      "Option --address=0.0.0.0:8088 needs --password-file=FILE, as other machines reach the page there",
    ],
    [
      ["--address=[::]:8088"],
      "Option --address=[::]:8088 needs --password-file=FILE, as other machines reach the page there",
    ],
    [
      ["--address=8088"],
      'Option --address must be HOST:PORT such as 127.0.0.1:8088: current value is "8088"',
    ],
    [
      ["--container=10.0.0.5"],
      'Option --container must be HOST:PORT such as 127.0.0.1:8088: current value is "10.0.0.5"',
    ],
    [
      ["--container=10.0.0.5:0"],
      'Option --container must name the port of a health address: current value is "10.0.0.5:0"',
    ],
    [
      ["--allow-host=https://jobs.example.com"],
      'Option --allow-host must be a host name such as jobs.example.com, without https://: current value is "https://jobs.example.com"',
    ],
    [
      [`--password-file=${folder.at("empty")}`],
      `Option --password-file must name a file with one line of 1 to 1000 characters: ${
        folder.at("empty")
      } has none`,
    ],
    [
      [`--password-file=${folder.at("two.txt")}`],
      `Option --password-file must name a file with one line of 1 to 1000 characters: ${
        folder.at("two.txt")
      } has more`,
    ],
    [
      ["no queue"],
      'There is no file "no queue", and it is no queue\'s name, URL or ARN',
    ],
  ];
  for (const [args, line] of cases) {
    assertEquals(await cli(["web", ...args]), {
      status: 2,
      stdout: [],
      stderr: [line, hint],
    });
  }
  assertEquals((await cli(["--read-only", "adder.ini"])).stderr, [
    "Option --read-only needs --web",
    "Try deno run -A jsr:@zsqs/cli --help",
  ]);
});

Deno.test("a hundred pages change by themselves, and a stop waits for none", async () => {
  await using _queues = setUp({ queues: ["adder"], silent: true });
  const page = await startWeb(["adder"]);
  const { cookie, url } = await Visitor.open(page);
  const head = (topic: string) =>
    `GET /events?topic=${topic} HTTP/1.1\r\nHost: ${url.host}\r\nCookie: ${cookie}\r\n\r\n`;
  const sockets = await Promise.all(
    Array.from({ length: 100 }, async () => {
      const socket = connect(Number(url.port), "127.0.0.1");
      socket.write(head("work"));
      socket.on("error", () => {});
      const first = await new Promise<string>((resolve) =>
        socket.once("data", (data) => resolve(String(data)))
      );
      assertStringIncludes(first, "HTTP/1.1 200");
      assertStringIncludes(first.toLowerCase(), "frame-ancestors 'none'");
      return { socket };
    }),
  );
  const refused = await raw(url, head("work"), (text) => text.includes("\r\n"));
  assertStringIncludes(refused, "HTTP/1.1 503");
  // It has no body that could be a stream.
  const empty = await raw(
    url,
    head("work").replace("GET", "HEAD"),
    (text) => text.includes("\r\n\r\n"),
  );
  assertStringIncludes(empty, "HTTP/1.1 200");
  const none = await raw(url, head("else"), (text) => text.includes("\r\n"));
  assertStringIncludes(none, "HTTP/1.1 400");
  sockets[0]!.socket.destroy();
  // Else a page of another port of this machine takes all.
  const foreign = head("work")
    .replace("Cookie:", "Sec-Fetch-Site: same-site\r\nCookie:");
  assertStringIncludes(
    await raw(url, foreign, (text) => text.includes("\r\n")),
    "HTTP/1.1 403",
  );
  let again = "";
  while (!again.includes("HTTP/1.1 200")) {
    again = await raw(url, head("work"), (text) => text.includes("\r\n"));
  }
  // The clock stands still: nothing but the stop ends them.
  const stopped = page[Symbol.asyncDispose]();
  await eventually(() => sockets.every(({ socket }) => socket.destroyed));
  assert(sockets.every(({ socket }) => socket.destroyed), "streams are open");
  await stopped;
});

Deno.test("nothing outside of the page's own paths is served", async () => {
  await using _queues = setUp({
    queues: ["adder", "adder-failed"],
    silent: true,
  });
  await using page = await startWeb([{
    name: "adder",
    failures: parseQueueRef("adder-failed"),
  }]);
  const visitor = await Visitor.open(page);
  for (
    const path of [
      "/queues/adder-failed/failed/..%2f..%2f..%2fetc%2fpasswd",
      "/queues/adder-failed/failed/%2e%2e%2f%2e%2e",
      "/queues/adder-failed/failed/__proto__",
      "/queues/adder-failed/failed/%00",
      "/queues/adder-failed/failed/%E0%A4%A",
      "/queues/__proto__",
      "/queues/constructor/failed",
      "/queues/..%2fadder",
      "/actions/__proto__",
      "/containers/..%2f/pause",
      "/deno.json",
      "/../deno.json",
    ]
  ) {
    const { status, text } = await visitor.get(path);
    // A job that is not listed leads back to the list.
    const isList = path.startsWith("/queues/adder-failed/");
    assertEquals(status, isList ? 200 : 404, path);
    assert(!text.includes("root:"), path);
  }
  // It receives from failures queues and dead-letter queues alone.
  assertEquals((await visitor.get("/queues/adder/failed")).status, 404);
  assertEquals(
    (await visitor.post("/queues/adder/failed/look")).status,
    404,
  );
});

Deno.test("two pages have different secrets", async () => {
  await using _queues = setUp({ queues: ["adder"], silent: true });
  await using one = await startWeb(["adder"]);
  await using other = await startWeb(["adder"]);
  const a = await Visitor.open(one);
  const b = await Visitor.open(other);
  assertNotEquals(a.cookie, b.cookie);
  b.cookie = a.cookie.replace(a.url.port, b.url.port);
  assertEquals((await b.get("/")).status, 403);
});
