/**
 * The examples that need no process, and the files of a deployment, whose exit
 * statuses and stop timeouts are compared with the code. `examples_long_test.ts`
 * runs the others.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { DONE, FAILED, USAGE } from "../src/cli/errors.ts";
import { CONTAINER_OPTIONS } from "../src/config/options.ts";
import { checkConfig, readConfig } from "../container.ts";
import { setUp } from "../testing.ts";
import web from "../examples/web/server.ts";
import { examplePath, readExample } from "./support/examples.ts";

Deno.test("examples/web takes jobs, and refuses others with the reason", async () => {
  const post = (body: string) =>
    web.fetch(new Request("http://shop/sums", { method: "POST", body }));
  {
    using _queues = setUp({ silent: true, queues: [] });
    using _console = silence();
    const refused = await post('{"a":1,"b":2}');
    assertEquals(refused.status, 503);
    assertEquals(refused.headers.get("retry-after"), "5");
    await refused.body?.cancel();
  }
  using queues = setUp({ silent: true });
  const taken = await post('{"a":1,"b":2}');
  assertEquals(taken.status, 202);
  const { messageId } = await taken.json();
  assertEquals(queues.get("sums").jobs, [[1, 2]]);
  assertEquals(queues.get("sums").messages[0]?.messageId, messageId);
  for (const body of ['{"a":1}', "no JSON", '{"a":"1","b":2}']) {
    const bad = await post(body);
    assertEquals(bad.status, 400);
    assertEquals(await bad.json(), { error: '"a" and "b" must be numbers' });
  }
  assertEquals(queues.get("sums").jobs.length, 1);
});

Deno.test("examples/deploy leaves a container the time to stop, and starts it again where that helps", async () => {
  const number = (text: string, pattern: RegExp) => {
    const match = pattern.exec(text);
    assert(match !== null, `No ${pattern}`);
    return Number(match[1]);
  };
  const service = await readExample("deploy/adder.service");
  const kubernetes = await readExample("deploy/kubernetes.yaml");
  const dockerfile = await readExample("deploy/Dockerfile");

  // The rule of the operating guide.
  const guide = await Deno.readTextFile(
    new URL("../docs/operating.md", import.meta.url),
  );
  const margin = number(
    guide,
    /stop timeout above\s+`shutdown_timeout`\s\+\s(\d+) s/,
  );
  const settings = await readConfig(
    examplePath("deploy/adder.ini"),
  );
  const shutdown = checkConfig(settings).shutdownTimeoutSeconds!;
  const standard = CONTAINER_OPTIONS.find(({ name }) =>
    name === "shutdown_timeout"
  )!;
  assertEquals(shutdown, standard.default);
  assertEquals(number(kubernetes, /shutdown_timeout = (\d+)$/m), shutdown);
  const timeouts = [
    number(service, /^TimeoutStopSec=(\d+)$/m),
    number(dockerfile, /--stop-timeout (\d+)/),
    number(kubernetes, /terminationGracePeriodSeconds: (\d+)$/m),
  ];
  for (const timeout of timeouts) assert(timeout > shutdown + margin);

  // An exit that a job causes must not end the service, whatever its status.
  assertMatch(service, /^Restart=always$/m);
  assertMatch(dockerfile, /--restart always /);
  assertMatch(kubernetes, /restartPolicy: Always$/m);
  assertEquals(number(service, /^RestartPreventExitStatus=(\d+)$/m), USAGE);
  assertStringIncludes(
    service,
    `Exit status ${DONE}: stopped as asked. ${FAILED}: `,
  );
  assertMatch(dockerfile, /^STOPSIGNAL SIGTERM$/m);

  const port = number(kubernetes, /health = 0\.0\.0\.0:(\d+)$/m);
  assertEquals(number(kubernetes, /containerPort: (\d+)$/m), port);
  const probes = [
    ...kubernetes.matchAll(
      /(\w+)Probe:\s+httpGet: \{ path: (\S+), port: (\d+)/g,
    ),
  ].map(([, probe, path, port]) => [probe, path, Number(port)]);
  // An outage of SQS takes no pod's place: only a dead process does.
  assertEquals(probes, [
    ["readiness", "/readyz", port],
    ["liveness", "/livez", port],
  ]);
});

function silence(): Disposable {
  const { error } = console;
  console.error = () => {};
  return {
    [Symbol.dispose]() {
      console.error = error;
    },
  };
}
